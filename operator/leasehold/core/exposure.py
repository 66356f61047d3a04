"""What an agent can reach, as one object: the union over its connections, and those that it had.

It is a function of what is there and of what was written before, so it is written only when that changes; nothing
in it moves with a rotation."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from leasehold.api.base import ObjectMeta, whole_seconds
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import (
    MAX_CONNECTIONS,
    MAX_DATA_CLASSES,
    MAX_FORBIDDEN,
    MAX_FORMER,
    MAX_PROFILES,
    MAX_SCOPES,
    AgentConnection,
    ForbiddenCombination,
    FormerConnection,
    MCPAgentExposure,
    MCPAgentExposureSpec,
    ReachedProfile,
    ReachedTools,
)
from leasehold.api.profile import CredentialType, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.core.capabilities import capabilities_of
from leasehold.core.checks import denies
from leasehold.core.combinations import Member
from leasehold.core.conditions import condition_of
from leasehold.core.policy import RANK, PolicyRule, risk_tier

KEPT: Final = timedelta(days=400)
"""For how long an ended connection is remembered: a year, and the month in which it is asked for."""


def exposure_of(
    namespace: str,
    agent: str,
    members: Iterable[Member],
    before: MCPAgentExposure | None,
    leaving: Sequence[FormerConnection],
    now: datetime,
) -> MCPAgentExposure | None:
    """The exposure as it has to be; None where there is nothing to keep. `leaving` are connections that have ended,
    and that are there until it is written down."""
    gone = {each.uid for each in leaving} | {each.uid for each in (before.spec.former if before else ())}
    there = sorted(
        (member for member in members if member.connection.metadata.uid not in gone), key=_age_of_member
    )
    present = {member.connection.metadata.uid for member in there}
    former = _former(before, leaving, present, now)
    if not there and not former:
        return None
    reached = [member for member in there if _denial_of(member.connection) is None]
    profiles = _profiles(reached)
    spec = MCPAgentExposureSpec(
        agent=agent,
        connection_count=len(there),
        connections=tuple(listed(member.connection, now) for member in there[:MAX_CONNECTIONS]),
        profiles=tuple(_reached(profile) for profile in profiles[:MAX_PROFILES]),
        scopes=_sorted((scope for each in profiles for scope in each.spec.scopes), MAX_SCOPES),
        capabilities=tuple(sorted({each for profile in profiles for each in capabilities_of(profile)})),
        tools=_tools(profiles),
        data_classes=_sorted((each for p in profiles for each in p.spec.data_classes), MAX_DATA_CLASSES),
        risk_tier=max((risk_tier(profile) for profile in profiles), key=RANK.__getitem__, default=None),
        credential_types=tuple(sorted({r.type for p in profiles if (r := p.spec.credential) is not None})),
        residual_exposure_seconds=max((_runs_out_after(profile) for profile in profiles), default=0),
        residual_exposure_until=_residual(there, now),
        forbidden=_forbidden(there),
        former=former,
    )
    metadata = before.metadata if before is not None else ObjectMeta(name=agent, namespace=namespace)
    return MCPAgentExposure(metadata=metadata, spec=spec)


def ended(connection: MCPConnection, now: datetime) -> FormerConnection:
    """What is left of a connection of which nothing is alive any more."""
    return departed(listed(connection, now), connection.status.last_generation, now)


def departed(listed: AgentConnection, last_generation: int | None, now: datetime) -> FormerConnection:
    """A connection that was listed once and is not there; without `last_generation`, nobody saw how it went."""
    return FormerConnection(
        name=listed.name,
        uid=listed.uid,
        profile=listed.profile,
        created_time=listed.created_time,
        ended_time=whole_seconds(now),
        reason=listed.denied_by or Reason.DELETED,
        last_generation=last_generation,
        approved_time=listed.approved_time,
        rejection=listed.rejection,
        holds=listed.holds,
    )


def _former(
    before: MCPAgentExposure | None,
    leaving: Sequence[FormerConnection],
    present: set[str],
    now: datetime,
) -> tuple[FormerConnection, ...]:
    """Those on record, whose end was written down first; those that leave; and those that were listed once and are
    not there: nobody told how they went."""
    known = {each.uid: each for each in leaving}
    if before is not None:
        known |= {each.uid: each for each in before.spec.former}
        for one in before.spec.connections:
            if one.uid not in present and one.uid not in known:
                known[one.uid] = departed(one, None, now)
    kept = [each for each in known.values() if _is_denied_still(each) or each.ended_time > now - KEPT]
    newest_denied = {each.profile: each.uid for each in sorted(kept, key=_end_of) if _is_denied_still(each)}
    heirs = set(newest_denied.values())
    dearest = sorted(
        kept,
        key=lambda each: (each.uid not in heirs, not _is_denied_still(each), *_newest_end_first(each)),
    )
    return tuple(sorted(dearest[:MAX_FORMER], key=_newest_end_first))


def _end_of(former: FormerConnection) -> tuple[datetime, str]:
    return former.ended_time, former.uid


def _newest_end_first(former: FormerConnection) -> tuple[float, str]:
    return -former.ended_time.timestamp(), former.uid


def _is_denied_still(former: FormerConnection) -> bool:
    return former.rejection is not None or bool(former.holds)


def listed(connection: MCPConnection, now: datetime) -> AgentConnection:
    """A connection as the exposure of its agent has it."""
    metadata, status = connection.metadata, connection.status
    return AgentConnection(
        name=metadata.name,
        uid=metadata.uid,
        profile=connection.spec.profile,
        created_time=metadata.creation_timestamp or whole_seconds(now),
        denied_by=_denial_of(connection),
        approved_time=status.approval.time if status.approval is not None else None,
        rejection=status.rejection,
        holds=status.holds,
    )


def _denial_of(connection: MCPConnection) -> Reason | None:
    """Why it is denied; being deleted is no reason of its own for what was denied before."""
    ready = condition_of(connection.status.conditions, "Ready")
    if ready is not None and denies(ready):
        return ready.reason
    return Reason.DELETED if connection.metadata.deletion_timestamp is not None else None


def _profiles(members: Iterable[Member]) -> list[MCPServerProfile]:
    found = {member.profile.metadata.name: member.profile for member in members if member.profile is not None}
    return [found[name] for name in sorted(found)]


def _reached(profile: MCPServerProfile) -> ReachedProfile:
    spec = profile.spec
    return ReachedProfile(
        name=profile.metadata.name,
        url=spec.url,
        transport=spec.transport,
        risk_tier=risk_tier(profile),
        capabilities=tuple(sorted(capabilities_of(profile))),
        credential_type=spec.credential.type if spec.credential is not None else None,
    )


def _tools(profiles: Iterable[MCPServerProfile]) -> ReachedTools:
    total = ReachedTools()
    for surface in (profile.status.surface for profile in profiles):
        if surface is None:
            continue
        hints = surface.hints
        total = ReachedTools(
            total=total.total + surface.tools,
            takes_untrusted_content=total.takes_untrusted_content
            + (hints.takes_untrusted_content if hints else 0),
            writes_outside=total.writes_outside + (hints.writes_outside if hints else 0),
            destructive=total.destructive + (hints.destructive if hints else 0),
            undeclared=total.undeclared + (hints.undeclared if hints else surface.tools),
        )
    return total


def _runs_out_after(profile: MCPServerProfile) -> int:
    recipe = profile.spec.credential
    return recipe.ttl_seconds if recipe is not None and recipe.type is CredentialType.EXPIRING else 0


def _residual(members: Iterable[Member], now: datetime) -> datetime | None:
    ends = (
        m.connection.status.residual_exposure_until for m in members if _denial_of(m.connection) is not None
    )
    return max((end for end in ends if end is not None and end > now), default=None)


def _forbidden(members: Iterable[Member]) -> tuple[ForbiddenCombination, ...]:
    return tuple(
        ForbiddenCombination(
            policy=violation.policy,
            effect=violation.effect,
            connection=member.connection.metadata.name,
            message=violation.message,
        )
        for member in members
        for violation in sorted(member.connection.status.policy_violations, key=lambda each: each.policy)
        if violation.rule == PolicyRule.CAPABILITY_COMBINATION
    )[:MAX_FORBIDDEN]


def _sorted(texts: Iterable[str], limit: int) -> tuple[str, ...]:
    return tuple(sorted(set(texts))[:limit])


def _age_of_member(member: Member) -> tuple[bool, str, str]:
    metadata = member.connection.metadata
    created = metadata.creation_timestamp
    return created is None, created.isoformat() if created is not None else "", metadata.uid
