"""What a pass left behind, as status: conditions, deadlines and what a person needs of the profile.

Thrown away and recomputed each time. Nothing in here depends on the moment it is computed, only on what holds, so
that an unchanged status stays unchanged."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from leasehold.api.base import Condition, ConditionStatus, rfc3339
from leasehold.api.connection import Backoff, EntryState, LedgerEntry, MCPConnectionStatus, ServerFacts
from leasehold.api.names import FINALIZER
from leasehold.api.reasons import Reason
from leasehold.core import deadlines, ledger
from leasehold.core.advice import advised
from leasehold.core.checks import Effect, Finding, revocability
from leasehold.core.decide import standing
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.observation import Observation
from leasehold.core.project_owner import owner_active
from leasehold.core.project_surface import drift_free, drift_record, reachable, surface_approval
from leasehold.core.project_use import used

FIRST_RETRY_SECONDS = 2
LONGEST_RETRY_SECONDS = 300
LONGEST_RETRY_SECONDS_OF_REVOKED = 30
"""Nobody waits five minutes for a leaked credential to die, after hours of a store's absence."""
MESSAGE_LENGTH = 1024
READY_REASONS = frozenset({Reason.ACTIVE, Reason.REVIEW_DUE, Reason.DRIFTED, Reason.POLICY_VIOLATED})
SPEC_FAULTS = frozenset({Reason.INVALID_SPEC, Reason.DOES_NOT_FIT_TYPE})


def project(o: Observation, fault: Fault | None) -> MCPConnectionStatus:
    """The status after a pass; `o.connection.status` holds the authority as the pass left it.

    `fault` is what stopped this pass. One that is still waited for is taken from the status itself.
    """
    backoff = _backoff(o, fault)
    trouble = _trouble(o, fault, backoff)
    finding = _ready_finding(o, trouble)
    status = o.connection.status
    present = ledger.current(status.ledger)
    conditions = (
        ("Ready", *_ready(o, finding)),
        ("Stalled", *_stalled(finding, trouble)),
        ("Reconciling", *_reconciling(o, finding, trouble)),
        ("CredentialIssued", *_credential_issued(o)),
        ("DriftFree", *drift_free(o)),
        ("Reachable", *reachable(o)),
        ("Used", *used(o)),
        ("OwnerActive", *owner_active(o)),
    )
    return status.model_copy(
        update={
            "backoff": backoff,
            "observed_generation": o.connection.metadata.generation,
            "conditions": _merge(o, conditions),
            "server": _server(o),
            "lease_end_time": deadlines.lease_end(o.connection),
            "review_due_time": deadlines.review_due(o.connection),
            "drift": drift_record(o),
            "use": o.use,
            "owner": o.owner,
            "policy_violations": o.violations,
            "surface_approval": surface_approval(o),
            "credential_expiry_time": present.expiry_time if present else None,
            "residual_exposure_until": _residual(o),
        }
    )


def _residual(o: Observation) -> datetime | None:
    """Until when something that has ended, or is to end, may still work; what is Current is not residual."""
    status = o.connection.status
    ends = [ledger.exposed_until(status.ledger)] if ledger.current(status.ledger) is None else []
    if status.revoked_certificate_until is not None and status.revoked_certificate_until > o.now:
        ends.append(status.revoked_certificate_until)
    ends += [hold.residual_time for hold in status.holds if hold.residual_time and hold.residual_time > o.now]
    return max((end for end in ends if end is not None), default=None)


class _Trouble:
    """What went wrong last, in this pass or in one that is still waited for."""

    def __init__(self, reason: Reason, message: str, needs_person: bool) -> None:
        self.reason, self.message, self.needs_person = reason, message[:MESSAGE_LENGTH], needs_person


def _backoff(o: Observation, fault: Fault | None) -> Backoff | None:
    before = o.backoff
    if fault is None:
        return before if before is not None and o.now < before.retry_time else None
    failures = (before.failures if before else 0) + 1
    revoked = standing(o).reason is Reason.REVOKED
    longest = LONGEST_RETRY_SECONDS_OF_REVOKED if revoked else LONGEST_RETRY_SECONDS
    seconds = min(FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 16), longest)
    seconds *= 1 - deadlines.jitter(f"{o.connection.metadata.uid}/retry/{failures}") / 4
    if isinstance(fault, TryLater) and fault.retry_after_seconds is not None:
        seconds = max(seconds, min(fault.retry_after_seconds, LONGEST_RETRY_SECONDS))
    return Backoff(
        failures=failures,
        retry_time=o.now + timedelta(seconds=max(seconds, 1)),
        reason=fault.reason,
        specs=o.specs,
    )


def _trouble(o: Observation, fault: Fault | None, backoff: Backoff | None) -> _Trouble | None:
    if fault is not None:
        return _Trouble(fault.reason, advised(fault), isinstance(fault, NeedsPerson))
    if backoff is None:
        return None
    stalled = _condition(o.connection.status.conditions, "Stalled")
    reconciling = _condition(o.connection.status.conditions, "Reconciling")
    needs_person = stalled is not None and stalled.status is ConditionStatus.TRUE
    its_own = stalled is not None and stalled.reason in (backoff.reason, _ready_reason(backoff.reason))
    told = reconciling.message if reconciling is not None else ""
    return _Trouble(backoff.reason, told, needs_person and its_own)


def _ready_finding(o: Observation, trouble: _Trouble | None) -> Finding:
    """Standing first; then what stops the minting; then whether there is a credential at all."""
    finding = standing(o)
    if finding.effect is not Effect.NONE:
        return finding
    if trouble is not None and trouble.reason is not Reason.CONFLICT:
        return Finding(_ready_reason(trouble.reason), trouble.message, Effect.NO_MINT, trouble.needs_person)
    if o.recipe is not None and not _is_valid(ledger.current(o.connection.status.ledger), o.now):
        return Finding(Reason.PENDING, "the credential is about to be minted", Effect.NONE)
    return finding


def _ready_reason(reason: Reason) -> Reason:
    if reason in SPEC_FAULTS:
        return Reason.INVALID_SPEC
    if reason in (Reason.SECRET_CONFLICT, Reason.SERVICE_ACCOUNT_GONE):
        return reason
    return Reason.STORE_UNAVAILABLE


Verdict = tuple[ConditionStatus, Reason, str]


def _ready(o: Observation, finding: Finding) -> Verdict:
    valid = _is_valid(ledger.current(o.connection.status.ledger), o.now)
    told = finding.effect is Effect.NONE and finding.reason in READY_REASONS
    ready = told or (finding.reason is Reason.STORE_UNAVAILABLE and valid)
    message = finding.message
    if finding.reason is Reason.ACTIVE:
        message = (
            "recorded; this profile issues no credential" if o.recipe is None else "the credential is valid"
        )
    return (ConditionStatus.TRUE if ready else ConditionStatus.FALSE), finding.reason, message


def _stalled(finding: Finding, trouble: _Trouble | None) -> Verdict:
    if finding.needs_person:
        return ConditionStatus.TRUE, finding.reason, finding.message
    if trouble is not None and trouble.needs_person:
        return ConditionStatus.TRUE, trouble.reason, trouble.message
    return ConditionStatus.FALSE, Reason.AS_DESIRED, ""


def _reconciling(o: Observation, finding: Finding, trouble: _Trouble | None) -> Verdict:
    if trouble is not None:
        return ConditionStatus.TRUE, Reason.RETRYING, trouble.message
    unsettled = [entry for entry in o.connection.status.ledger if _is_unsettled(entry)]
    if unsettled or finding.reason is Reason.PENDING:
        return ConditionStatus.TRUE, Reason.WORKING, _list_generations("work is under way", unsettled)
    return ConditionStatus.FALSE, Reason.AS_DESIRED, ""


def _is_unsettled(entry: LedgerEntry) -> bool:
    working = entry.state in (EntryState.INTENT, EntryState.REVOKING, EntryState.IRREVOCABLE)
    return working and not ledger.only_runs_out(entry)


def _credential_issued(o: Observation) -> Verdict:
    present = ledger.current(o.connection.status.ledger)
    if present is not None and _is_valid(present, o.now):
        end = f"until {rfc3339(present.expiry_time)}" if present.expiry_time else "without an end"
        return (
            ConditionStatus.TRUE,
            Reason.ISSUED,
            f"generation {present.generation} ({present.type}) is valid {end}; {revocability(present.type)}",
        )
    left = o.connection.status.ledger
    if left:
        return ConditionStatus.FALSE, Reason.REVOCATION_PENDING, _list_generations("not proven dead", left)
    if o.profile is not None and o.recipe is None:
        return ConditionStatus.FALSE, Reason.RECORD_ONLY, "this profile issues no credential"
    if ledger.is_lost(o.connection, FINALIZER):
        return ConditionStatus.UNKNOWN, Reason.LEDGER_LOST, "what was issued is not known any more"
    return ConditionStatus.FALSE, Reason.NOT_ISSUED, "no credential is alive"


def _list_generations(what: str, entries: Iterable[LedgerEntry]) -> str:
    def sentence(entry: LedgerEntry) -> str:
        until = f"may work until {rfc3339(entry.expiry_time)}" if entry.expiry_time else "without a known end"
        return f"generation {entry.generation} {entry.state} ({entry.reason}), {until}"

    sentences = [sentence(entry) for entry in entries]
    return what + (": " + "; ".join(sentences) if sentences else "")


def _is_valid(entry: LedgerEntry | None, now: datetime) -> bool:
    return entry is not None and (entry.expiry_time is None or now < entry.expiry_time)


def _server(o: Observation) -> ServerFacts | None:
    if o.profile is None:
        return o.connection.status.server
    spec = o.profile.spec
    kind = spec.credential.type if spec.credential else None
    return ServerFacts(
        url=spec.url,
        vendor=spec.vendor,
        transport=spec.transport,
        scopes=spec.scopes,
        credential_type=kind,
        revocability=revocability(kind) if kind else None,
    )


def _condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


def _merge(
    o: Observation, verdicts: Iterable[tuple[str, ConditionStatus, Reason, str]]
) -> tuple[Condition, ...]:
    return tuple(_merged(o, *verdict) for verdict in verdicts)


def _merged(o: Observation, kind: str, status: ConditionStatus, reason: Reason, message: str) -> Condition:
    before = _condition(o.connection.status.conditions, kind)
    message, generation = message[:MESSAGE_LENGTH], o.connection.metadata.generation
    said = (status, reason, message, generation)
    if before is not None and said == (
        before.status,
        before.reason,
        before.message,
        before.observed_generation,
    ):
        return before
    since = before.last_transition_time if before is not None and before.status is status else o.now
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=generation,
    )
