"""What `leasehold breakglass` does at each cluster: look who matches, throw the switch, follow what becomes of it.

A cluster that cannot be reached stops none of the others, and is told of as loudly as what is not dead. Whether a
revocation whose answer was lost is there is looked up by its name, which nobody else uses."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from leasehold.api.base import ConditionStatus, ObjectMeta
from leasehold.api.connection import MCPConnection
from leasehold.api.hold import Hold
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.revocation import MCPRevocation, MCPRevocationSpec, RevocationTarget
from leasehold.cli.access import Access, opened
from leasehold.core import ledger
from leasehold.core.conditions import condition_of
from leasehold.core.faults import Conflict, Fault, OutcomeUnknown, TryLater
from leasehold.core.revocations import matches

ATTEMPTS = 4
PAUSE_SECONDS = 1.0
LOOK_EVERY_SECONDS = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Survey:
    """A cluster before the switch is thrown."""

    asked: str | None
    """The context as it was asked for; None: the current one."""
    context: str
    is_known: bool
    """It was reached, and knows us."""
    matched: tuple[MCPConnection, ...] | None = None
    """None: they cannot be listed, which stops nobody."""
    unreadable: int = 0
    """Connections that this version cannot read; the operator's may."""
    unsure: int = 0
    """Connections that may match, for nobody can read their profiles here; the operator may."""
    trouble: str = ""


@dataclass(frozen=True)
class Alive:
    """A connection of which something may still work."""

    context: str
    connection: str
    until: datetime | None
    """None: nobody can say."""
    why: str


@dataclass(frozen=True)
class Outcome:
    """A cluster after the switch was thrown, and as much time as there was."""

    context: str
    revocation: MCPRevocation | None
    """As it was seen last; None: it was not created, as far as can be seen."""
    alive: tuple[Alive, ...] = ()
    trouble: str = ""


def is_complete(revocation: MCPRevocation) -> bool:
    """Whether the operator says so."""
    told = condition_of(revocation.status.conditions, "Complete")
    return told is not None and told.status is ConditionStatus.TRUE


async def survey(
    kubeconfig: Path | None, contexts: Sequence[str | None], target: RevocationTarget
) -> list[Survey]:
    """All clusters at once."""
    return list(await asyncio.gather(*(_surveyed(kubeconfig, each, target) for each in contexts)))


async def _surveyed(kubeconfig: Path | None, context: str | None, target: RevocationTarget) -> Survey:
    seen = Survey(context, context or "the current context", is_known=False)
    try:
        async with opened(kubeconfig, context) as access:
            seen = replace(seen, context=access.context)
            await access.cluster.user_name()
            seen = replace(seen, is_known=True)
            connections, unreadable = await access.cluster.list_all(MCPConnection)
            profiles, unread = await access.cluster.list_all(MCPServerProfile)
            matched = _matched(target, connections, profiles)
            unsure = _unsure(target, connections, unread)
            return replace(seen, matched=matched, unreadable=len(unreadable), unsure=unsure)
    except Fault as fault:
        return replace(seen, trouble=fault.message)


def _matched(
    target: RevocationTarget, connections: Sequence[MCPConnection], profiles: Sequence[MCPServerProfile]
) -> tuple[MCPConnection, ...]:
    """By the very code by which the operator matches."""
    registered = {profile.metadata.name: profile for profile in profiles}
    return tuple(each for each in connections if matches(target, each, registered.get(each.spec.profile)))


def _unsure(target: RevocationTarget, connections: Sequence[MCPConnection], unreadable: Sequence[str]) -> int:
    """How many do not match by what is known of them, and may by a profile that cannot be read."""
    rest = target.model_copy(update={"vendor": None, "server_url": None})
    return sum(
        each.spec.profile in unreadable and matches(rest, each, None) and not matches(target, each, None)
        for each in connections
    )


async def throw(
    kubeconfig: Path | None,
    surveys: Sequence[Survey],
    name: str,
    spec: MCPRevocationSpec,
    seconds: float,
    say: Say,
) -> list[Outcome]:
    """All clusters at once, each followed for so many seconds; `spec` is requested by whoever we are there."""
    return list(
        await asyncio.gather(*(_thrown(kubeconfig, each, name, spec, seconds, say) for each in surveys))
    )


async def _thrown(
    kubeconfig: Path | None, surveyed: Survey, name: str, spec: MCPRevocationSpec, seconds: float, say: Say
) -> Outcome:
    """What could not be reached a moment ago is tried all the same."""
    context, thrown = surveyed.context, None
    try:
        async with opened(kubeconfig, surveyed.asked) as access:
            thrown = await _created(access, name, spec)
            say(f"{context}: {name} is created, and nothing more is minted for what it matches")
            thrown = await _followed(access, thrown, seconds, say)
            return Outcome(context, thrown, await _alive(access, thrown, surveyed))
    except Fault as fault:
        return Outcome(context, thrown, trouble=fault.message)


async def _created(access: Access, name: str, spec: MCPRevocationSpec) -> MCPRevocation:
    for attempt in range(1, ATTEMPTS + 1):
        wanted = MCPRevocation(metadata=ObjectMeta(name=name), spec=spec)
        try:
            user = await access.cluster.user_name()
            wanted = wanted.model_copy(update={"spec": spec.model_copy(update={"requested_by": user})})
            return await access.cluster.create(wanted)
        except Conflict:
            there = await access.cluster.get(MCPRevocation, wanted.metadata.name)
            if there is None or there.spec != wanted.spec:
                raise
            return there
        except (TryLater, OutcomeUnknown):
            if attempt == ATTEMPTS:
                raise
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


async def _followed(access: Access, revocation: MCPRevocation, seconds: float, say: Say) -> MCPRevocation:
    """As it looks when it is complete, or when the time is over. A look that fails is tried again."""
    loop = asyncio.get_running_loop()
    end, told = loop.time() + seconds, ""
    while not is_complete(revocation) and loop.time() < end:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        try:
            revocation = await access.cluster.get(MCPRevocation, revocation.metadata.name) or revocation
        except TryLater as fault:
            say(f"{access.context}: {fault.message}")
        progress = progress_of(revocation)
        if progress != told:
            say(f"{access.context}: {progress}")
            told = progress
    return revocation


def progress_of(revocation: MCPRevocation) -> str:
    """How far it is, in a sentence."""
    told = condition_of(revocation.status.conditions, "Complete")
    return told.message if told is not None else "the operator has not taken it up yet"


async def _alive(access: Access, revocation: MCPRevocation, surveyed: Survey) -> tuple[Alive, ...]:
    """As their status says, which may be a moment behind what the revocation has as proven dead already."""
    told = condition_of(revocation.status.conditions, "Complete")
    if told is not None and told.reason in (Reason.VERIFIED, Reason.NOTHING_MATCHED):
        return ()
    meant = {connection.key for connection in surveyed.matched or ()}
    connections, _ = await access.cluster.list_all(MCPConnection)
    now = access.cluster.clock.now()
    found = []
    for connection in connections:
        hold = next((each for each in connection.status.holds if each.uid == revocation.metadata.uid), None)
        if hold is not None or connection.key in meant:
            found.append(_still_alive(access.context, connection, hold, now))
    return tuple(each for each in found if each is not None)


def _still_alive(
    context: str, connection: MCPConnection, hold: Hold | None, now: datetime | None
) -> Alive | None:
    status = connection.status
    without_end = (hold is not None and hold.without_end) or any(map(ledger.cannot_end, status.ledger))
    ends = [entry.expiry_time for entry in status.ledger] + [status.residual_exposure_until]
    until = max((end for end in ends if end is not None), default=None)
    is_over = until is None or (now is not None and until <= now)
    if is_over and not without_end and not status.ledger:
        return None
    issued = condition_of(status.conditions, "CredentialIssued")
    return Alive(context, connection.key, None if without_end else until, issued.message if issued else "")
