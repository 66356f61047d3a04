"""What one probe leaves on its profile. A surface that was read to its end replaces the one before; whatever else
came of the probe changes the Reachable condition alone."""

from datetime import datetime
from typing import Final

from leasehold.api.base import Condition, ConditionStatus
from leasehold.api.profile import CapturedSurface, MCPServerProfile, MCPServerProfileStatus
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import MCPToolSnapshot

REACHABLE: Final = "Reachable"
MESSAGE_LENGTH: Final = 1024

Verdict = tuple[ConditionStatus, Reason, str]


def reachable_of(profile: MCPServerProfile) -> Condition | None:
    """The Reachable condition of a profile; None before its first probe."""
    return next((each for each in profile.status.conditions if each.type == REACHABLE), None)


def after_probe(
    profile: MCPServerProfile, captured: MCPToolSnapshot | None, verdict: Verdict, now: datetime
) -> MCPServerProfileStatus:
    """The status after a probe that read the surface (`captured`), or did not. The same outcome in other words is
    no change: nothing is written twice."""
    status, before = profile.status, reachable_of(profile)
    told = _condition(before, verdict, now, profile.metadata.generation)
    others = tuple(each for each in status.conditions if each.type != REACHABLE)
    conditions = status.conditions if told is before else (*others, told)
    surface = status.surface if captured is None else _surface(status.surface, captured)
    return status.model_copy(update={"conditions": conditions, "surface": surface})


def _condition(before: Condition | None, verdict: Verdict, now: datetime, generation: int) -> Condition:
    status, reason, message = verdict
    if before is not None and (before.status, before.reason, before.observed_generation) == (
        status,
        reason,
        generation,
    ):
        return before
    since = before.last_transition_time if before is not None and before.status is status else now
    return Condition(
        type=REACHABLE,
        status=status,
        reason=reason,
        message=message[:MESSAGE_LENGTH],
        last_transition_time=since,
        observed_generation=generation,
    )


def _surface(before: CapturedSurface | None, captured: MCPToolSnapshot) -> CapturedSurface:
    spec, identity = captured.spec, captured.spec.identity
    same_surface = before is not None and before.digest == spec.surface_digest
    now = CapturedSurface(
        digest=spec.surface_digest,
        source=spec.source,
        captured_time=before.captured_time if before is not None and same_surface else spec.captured_time,
        snapshot=captured.metadata.name,
        origin=identity.origin,
        tls_issuer=identity.tls_issuer,
        server_name=identity.server_name,
        server_version=identity.server_version,
        era=identity.era,
        identity_time=spec.captured_time,
        tools=spec.tools,
        hints=spec.hints,
    )
    if before is None or who_answers(before) != who_answers(now):
        return now
    return now.model_copy(update={"identity_time": before.identity_time})


def who_answers(surface: CapturedSurface) -> tuple[str | None, ...]:
    """What tells one server from another, apart from what it exposes."""
    return (
        surface.origin,
        surface.tls_issuer,
        surface.server_name,
        surface.server_version,
        surface.era,
    )
