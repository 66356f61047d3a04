"""What a connection's conditions say about its server: whether it exposes what was approved, and whether it can be
read at all."""

from leasehold.api.base import ConditionStatus, rfc3339
from leasehold.api.connection import Assurance, DriftLevel, DriftRecord, SurfaceApproval
from leasehold.api.profile import CapturedSurface, SurfaceSource, Transport
from leasehold.api.reasons import Reason
from leasehold.core.drift_standing import DriftStanding
from leasehold.core.observation import Observation

Verdict = tuple[ConditionStatus, Reason, str]

NOT_PROBEABLE: Verdict = (
    ConditionStatus.UNKNOWN,
    Reason.NOT_PROBEABLE,
    "a Stdio server runs where the agent runs, so nobody probes it",
)
NEVER_PROBED: Verdict = (ConditionStatus.UNKNOWN, Reason.NEVER_PROBED, "the server was never probed")


def drift_free(o: Observation) -> Verdict:
    """The DriftFree condition."""
    if o.drift is None:
        return _not_compared(o)
    status, reason, message = _compared(o.drift)
    surface = _captured(o)
    if surface is not None and surface.source is SurfaceSource.SUPPLIED:
        message += f" (supplied since {rfc3339(surface.captured_time)}; nobody probes a command)"
    return status, reason, message


def _not_compared(o: Observation) -> Verdict:
    if _captured(o) is not None:
        return ConditionStatus.UNKNOWN, Reason.WORKING, "the surfaces are being compared"
    if _is_a_command(o):
        return NOT_PROBEABLE
    return ConditionStatus.UNKNOWN, Reason.NEVER_PROBED, "the server's surface was never captured"


def _compared(drift: DriftStanding) -> Verdict:
    if drift.approved_digest is None:
        return (
            ConditionStatus.UNKNOWN,
            Reason.NO_APPROVED_SURFACE,
            f"nobody has approved what the server exposes: {drift.live_digest}; review the connection with that "
            "as surfaceDigest",
        )
    if drift.level is None:
        return (
            ConditionStatus.TRUE,
            Reason.CLEAN,
            f"the server exposes what was approved: {drift.live_digest}",
        )
    if drift.level is DriftLevel.BENIGN:
        return ConditionStatus.TRUE, Reason.BENIGN_DRIFT, _differs(drift)
    end = f"; it ends the credential at {rfc3339(drift.deadline)}" if drift.deadline else ""
    return ConditionStatus.FALSE, Reason.DRIFTED, _differs(drift) + end


def drift_record(o: Observation) -> DriftRecord | None:
    """What the status says of drift; what was found before stays where nothing new is known."""
    if o.drift is not None:
        return o.drift.record
    return o.connection.status.drift if _captured(o) is not None else None


def surface_approval(o: Observation) -> SurfaceApproval | None:
    """By what the live surface counts as approved; what was found before stays where nothing new is known."""
    if o.drift is None:
        return o.connection.status.surface_approval if _captured(o) is not None else None
    if o.drift.approved_digest is None or o.drift.has_drifted:
        return None
    approval = o.connection.status.approval
    is_own = approval is not None and approval.surface_digest == o.drift.approved_digest
    assurance = approval.assurance if approval is not None and is_own else Assurance.ASSERTED_BY_GIT
    return SurfaceApproval(digest=o.drift.approved_digest, assurance=assurance)


def _captured(o: Observation) -> CapturedSurface | None:
    return o.profile.status.surface if o.profile is not None else None


def _differs(drift: DriftStanding) -> str:
    kinds = ", ".join(dict.fromkeys(item.kind for item in drift.items))
    return f"the server exposes {drift.live_digest}, and approved is {drift.approved_digest}: {kinds}"


def reachable(o: Observation) -> Verdict:
    """The Reachable condition, as the profile has it; the profile's own says more."""
    if _is_a_command(o):
        return NOT_PROBEABLE
    conditions = o.profile.status.conditions if o.profile is not None else ()
    probed = next((each for each in conditions if each.type == "Reachable"), None)
    if probed is None:
        return NEVER_PROBED
    told = (
        "the server was read to its end" if probed.status is ConditionStatus.TRUE else "it could not be read"
    )
    return probed.status, probed.reason, f"{told}; see MCPServerProfile {o.connection.spec.profile}"


def _is_a_command(o: Observation) -> bool:
    return o.profile is not None and o.profile.spec.transport is Transport.STDIO
