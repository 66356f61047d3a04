"""Which revocations deny a connection, and what they leave behind. Deny wins over what cannot be ruled out: a
revocation that cannot be read denies everything.

A hold remembers each revocation that matched, so that neither an edit of the connection nor the deletion of the
revocation frees it: only a lift does, and, unless the revocation said Resume, an approval after the lift. Until a
hold is written, the revocation's own status remembers the match."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from leasehold.api.base import whole_seconds
from leasehold.api.connection import LedgerEntry, MCPConnection
from leasehold.api.hold import MAX_HOLDS, Hold, OnLift
from leasehold.api.names import FINALIZER
from leasehold.api.profile import MCPServerProfile
from leasehold.api.revocation import MCPRevocation, RevocationTarget
from leasehold.core import ledger
from leasehold.core.facts import RevocationFact

Revocations = tuple[RevocationFact, ...]


def ends_at(revocation: MCPRevocation) -> datetime | None:
    """When a drill is over by itself; None: never."""
    created, seconds = revocation.metadata.creation_timestamp, revocation.spec.expires_seconds
    return created + timedelta(seconds=seconds) if created and seconds is not None else None


def is_over(revocation: MCPRevocation, now: datetime) -> bool:
    """Lifted, or a drill that has run out."""
    end = ends_at(revocation)
    return revocation.spec.lift is not None or (end is not None and now >= end)


def matches(target: RevocationTarget, connection: MCPConnection, profile: MCPServerProfile | None) -> bool:
    """Whether every field of the target is satisfied; `profile` is the registered one, None without any.

    The URL and the vendor that the connection's status remembers count as well, should the profile have another by
    now, or be gone.
    """
    spec, metadata = connection.spec, connection.metadata
    exact = (
        (target.profile, spec.profile),
        (target.agent, spec.agent.name),
        (target.owner_user, spec.owner.user),
        (target.team, spec.owner.team),
        (target.connection, connection.key),
        (target.namespace, metadata.namespace),
    )
    if any(wanted is not None and wanted != actual for wanted, actual in exact):
        return False
    if target.label_selector is not None and not target.label_selector.matches(metadata.labels):
        return False
    servers = [
        known for known in (profile.spec if profile else None, connection.status.server) if known is not None
    ]
    if target.vendor is not None and all(server.vendor != target.vendor for server in servers):
        return False
    return target.server_url is None or any(
        server.url is not None and _covers(target.server_url, server.url) for server in servers
    )


def _covers(target: str, url: str) -> bool:
    if not target.endswith("*"):
        return url == target
    beginning = target.removesuffix("*")
    return url.startswith(beginning) or url == beginning.removesuffix("/")


def unreadable(revocations: Revocations) -> RevocationFact | None:
    """One whose target nobody can tell."""
    return next((fact for fact in revocations if fact.revocation is None), None)


def denying(
    revocations: Revocations,
    connection: MCPConnection,
    profile: MCPServerProfile | None,
    now: datetime,
    matched_by: frozenset[str] = frozenset(),
) -> tuple[MCPRevocation, ...]:
    """Those that are not over and match the connection, or matched it once: by its holds, or by `matched_by`."""
    matched = matched_by | {hold.uid for hold in connection.status.holds}
    return tuple(
        revocation
        for revocation in readable(revocations)
        if not is_over(revocation, now)
        and (revocation.metadata.uid in matched or matches(revocation.spec.target, connection, profile))
    )


def readable(revocations: Revocations) -> Iterable[MCPRevocation]:
    """Those whose target is known."""
    return (fact.revocation for fact in revocations if fact.revocation is not None)


def holds_now(
    revocations: Revocations,
    connection: MCPConnection,
    profile: MCPServerProfile | None,
    now: datetime,
    matched_by: frozenset[str] = frozenset(),
    approved_time: datetime | None = None,
) -> tuple[Hold, ...]:
    """The holds as they have to be: one for each match, also where its revocation was lifted before anybody could
    write the hold, and none whose end has come.

    `approved_time` is when the newest approval that counts was given.
    """
    facts = {fact.uid: fact for fact in revocations}
    kept = [_followed(hold, facts.get(hold.uid), now) for hold in connection.status.holds]
    denied = {each.metadata.uid for each in denying(revocations, connection, profile, now, matched_by)}
    missing = (denied | matched_by) - {hold.uid for hold in kept}
    new = [
        _followed(_hold(revocation, now), facts[revocation.metadata.uid], now)
        for revocation in readable(revocations)
        if revocation.metadata.uid in missing
    ]
    return tuple([hold for hold in (*kept, *new) if not _is_through(hold, approved_time)][:MAX_HOLDS])


def has_no_room(connection: MCPConnection) -> bool:
    """Whether no further hold fits: each that is there denies it, and the next one waits for a place."""
    return len(connection.status.holds) >= MAX_HOLDS


def is_owed_a_hold(revocation: MCPRevocation, connection: MCPConnection, now: datetime) -> bool:
    """Whether a connection, which the revocation has matched, does not carry the hold yet that it has to."""
    if any(hold.uid == revocation.metadata.uid for hold in connection.status.holds):
        return False
    if ledger.is_gone(connection, FINALIZER):
        return False
    if not is_over(revocation, now):
        return True
    fact = RevocationFact(revocation.metadata.name, revocation.metadata.uid, revocation)
    approval = connection.status.approval
    hold = _followed(_hold(revocation, now), fact, now)
    return not _is_through(hold, approval.time if approval is not None else None)


def _hold(revocation: MCPRevocation, now: datetime) -> Hold:
    return Hold(
        uid=revocation.metadata.uid,
        revocation=revocation.metadata.name,
        since_time=whole_seconds(now),
        on_lift=revocation.spec.on_lift,
    )


def _followed(hold: Hold, fact: RevocationFact | None, now: datetime) -> Hold:
    if hold.lifted_time is not None:
        return hold
    if fact is None:  # deleted, and nobody saw its lift
        return hold.model_copy(update={"lifted_time": whole_seconds(now), "on_lift": OnLift.REQUIRE_REVIEW})
    if fact.revocation is None or not is_over(fact.revocation, now):
        return hold
    seen = fact.revocation.status.lifted_time
    return hold.model_copy(update={"lifted_time": seen or whole_seconds(now)})


def _is_through(hold: Hold, approved_time: datetime | None) -> bool:
    if hold.lifted_time is None:
        return False
    if hold.on_lift is OnLift.RESUME:
        return True
    return approved_time is not None and approved_time > hold.lifted_time


def let_go(holds: tuple[Hold, ...], entry: LedgerEntry | None) -> tuple[Hold, ...]:
    """The holds when a generation leaves the ledger without being proven dead: how long it may go on working.
    None: a ledger that is lost, and nobody knows what it named."""

    def remembering(hold: Hold) -> Hold:
        if entry is None or entry.expiry_time is None:
            return hold.model_copy(update={"without_end": True})
        until = max(entry.expiry_time, hold.residual_time or entry.expiry_time)
        return hold.model_copy(update={"residual_time": until})

    return tuple(remembering(hold) for hold in holds)
