"""One place that tells the outside what the engine does: audit records, Events and metrics, from one call each.

An intent is recorded before every step that cannot be undone, its result after it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence

from leasehold.api.base import Condition
from leasehold.api.connection import (
    Assurance,
    LedgerEntry,
    MCPConnection,
    ReviewRecord,
)
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import CapturedSurface, MCPServerProfile, SurfaceSource
from leasehold.api.reasons import Reason
from leasehold.api.review import Decision, MCPConnectionReview
from leasehold.api.revocation import MCPRevocation, MCPRevocationStatus
from leasehold.api.violation import PolicyViolation
from leasehold.core.audit import AuditAction, AuditDrift, AuditOutcome, AuditPhase
from leasehold.core.audit_record import audit_record, drift_facts, policy_removal_record, revocation_record
from leasehold.core.faults import Fault, NeedsPerson, OutcomeUnknown
from leasehold.core.ledger import cannot_end, only_runs_out
from leasehold.core.reviews import Verdict, assurance_of
from leasehold.engine.events import EventRecorder
from leasehold.ports import AuditSink, Clock, Metrics

ENDING_ACTIONS = {
    Reason.EXPIRED: AuditAction.EXPIRE,
    Reason.CREDENTIAL_EXPIRED: AuditAction.EXPIRE,
    Reason.SUSPENDED: AuditAction.SUSPEND,
    Reason.DELETED: AuditAction.DELETE,
}


class Reporter:
    """What happened to a connection, told to whom it concerns."""

    def __init__(
        self,
        audit: AuditSink,
        events: EventRecorder,
        metrics: Metrics,
        clock: Clock,
        instance: str,
        profile_of: Callable[[MCPConnection], MCPServerProfile | None],
    ) -> None:
        self._audit = audit
        self._events = events
        self.metrics = metrics
        self._clock = clock
        self._instance = instance
        self._profile_of = profile_of
        self._sequence = 0
        self._ended: defaultdict[str, set[tuple[int, str]]] = defaultdict(set)
        """What is told as ended and may still stand in the ledger of the connection with that uid."""

    def minting(self, connection: MCPConnection, entry: LedgerEntry) -> None:
        """A generation is about to be minted."""
        self._record(
            AuditAction.MINT, AuditPhase.INTENT, AuditOutcome.STARTED, connection, entry, entry.reason
        )

    def minted(self, connection: MCPConnection, entry: LedgerEntry, reason: Reason) -> None:
        """A generation was minted and published."""
        self.metrics.minted("succeeded", reason, entry.type)
        follows = reason not in (Reason.FIRST_MINT, Reason.REISSUE)
        action = AuditAction.ROTATE if follows else AuditAction.MINT
        self._record(action, AuditPhase.RESULT, AuditOutcome.SUCCEEDED, connection, entry, reason)
        self._events.record(connection, reason, _issued(entry))

    def mint_failed(self, connection: MCPConnection, entry: LedgerEntry, fault: Fault) -> None:
        """A generation was not minted, or nobody knows."""
        self.metrics.minted(_outcome(fault).value.lower(), fault.reason, entry.type)
        self._record(
            AuditAction.MINT,
            AuditPhase.RESULT,
            _outcome(fault),
            connection,
            entry,
            fault.reason,
            fault.message,
        )

    def adopted(self, connection: MCPConnection, entry: LedgerEntry) -> None:
        """A generation that had been published before a crash is Current."""
        self._record(
            AuditAction.ADOPT, AuditPhase.RESULT, AuditOutcome.SUCCEEDED, connection, entry, Reason.ADOPTED
        )
        self._events.record(connection, Reason.ADOPTED)

    def ending(self, connection: MCPConnection, entry: LedgerEntry, reason: Reason) -> None:
        """A generation is about to be revoked."""
        self._record(AuditAction.REVOKE, AuditPhase.INTENT, AuditOutcome.STARTED, connection, entry, reason)

    def ended(self, connection: MCPConnection, entry: LedgerEntry, reason: Reason) -> None:
        """A generation is proven dead (or, where nobody can, no longer ours to end). A pass that could not write
        that down is repeated, and ends it again: it is told once."""
        known, ended = self._ended[connection.metadata.uid], (entry.generation, entry.accessor)
        if ended in known:
            return
        known.add(ended)
        self.metrics.revoked("verified", reason)
        self._lag(entry)
        action = ENDING_ACTIONS.get(reason, AuditAction.REVOKE)
        self._record(action, AuditPhase.RESULT, AuditOutcome.SUCCEEDED, connection, entry, reason)

    def written(self, connection: MCPConnection) -> None:
        """No ledger names any more what is told as ended."""
        self._ended.pop(connection.metadata.uid, None)

    def not_ended(self, connection: MCPConnection, entry: LedgerEntry, fault: Fault) -> None:
        """A generation may still be alive."""
        self.metrics.revoked(_outcome(fault).value.lower(), fault.reason)
        self._record(
            AuditAction.REVOKE,
            AuditPhase.RESULT,
            _outcome(fault),
            connection,
            entry,
            fault.reason,
            fault.message,
        )
        self._events.record(connection, fault.reason, f"generation {entry.generation}: {fault.message}")

    def abandoned(self, connection: MCPConnection, entry: LedgerEntry | None, why: str) -> None:
        """A person gave a ledger up, with nothing proven."""
        self._record(
            AuditAction.ABANDON,
            AuditPhase.RESULT,
            AuditOutcome.SUCCEEDED,
            connection,
            entry,
            Reason.ABANDONED,
            why,
        )
        self._events.record(connection, Reason.ABANDONED, f"the ledger was given up: {why[:256]}")

    def ready_changed(self, connection: MCPConnection, reason: Reason, message: str) -> None:
        """The Ready condition has another reason than before."""
        self._events.record(connection, reason, message)

    def restored(
        self, connection: MCPConnection, was: Condition, now: Condition, approval: ReviewRecord | None
    ) -> None:
        """What denied a connection does so no more; `approval`: by a person's word."""
        self._record(
            AuditAction.RESTORE,
            AuditPhase.RESULT,
            AuditOutcome.SUCCEEDED,
            connection,
            None,
            now.reason if approval is None else Reason.APPROVED,
            f"it was {was.reason}: {was.message}",
            actor=approval.reviewer if approval is not None else "leasehold",
        )

    def use_changed(self, connection: MCPConnection, used: Condition) -> None:
        """It becomes Idle soon, or has become so."""
        if used.reason is Reason.IDLE_SOON:
            self._events.record(connection, Reason.IDLE_SOON, used.message)
        elif used.reason is Reason.IDLE:
            self._record(
                AuditAction.IDLE,
                AuditPhase.RESULT,
                AuditOutcome.SUCCEEDED,
                connection,
                None,
                Reason.IDLE,
                used.message,
            )

    def owner_changed(self, connection: MCPConnection, owner: Condition) -> None:
        """Who answers for it has left, or has been gone for too long."""
        if owner.reason is Reason.OWNER_LEFT:
            self._events.record(connection, Reason.OWNER_LEFT, owner.message)
        elif owner.reason is Reason.ORPHANED:
            self._record(
                AuditAction.ORPHANED,
                AuditPhase.RESULT,
                AuditOutcome.SUCCEEDED,
                connection,
                None,
                Reason.ORPHANED,
                owner.message,
            )

    def policy_violations_changed(
        self, connection: MCPConnection, before: Sequence[PolicyViolation], gone: Collection[str]
    ) -> None:
        """Access policies find something else than before; `gone` are policies that there are no more."""
        found = connection.status.policy_violations
        known = {_rule(each) for each in before}
        for violation in found:
            if _rule(violation) not in known:
                self._violation(connection, violation, Reason.POLICY_VIOLATED, violation.message)
        left = {(each.uid, each.rule) for each in found}
        for violation in before:
            if (violation.uid, violation.rule) not in left:
                told = "the policy is gone" if violation.policy in gone else "it is satisfied"
                self._violation(connection, violation, Reason.POLICY_SATISFIED, told)

    def _violation(
        self, connection: MCPConnection, violation: PolicyViolation, reason: Reason, told: str
    ) -> None:
        subject = f"MCPAccessPolicy {violation.policy} (generation {violation.generation}), {violation.rule}"
        message = f"{subject}, {violation.effect}: {told}"
        self._record(
            AuditAction.POLICY,
            AuditPhase.RESULT,
            AuditOutcome.SUCCEEDED,
            connection,
            None,
            reason,
            message,
            violation=violation,
        )

    def policy_removed(self, policy: MCPAccessPolicy) -> None:
        """An access policy was deleted."""
        now = self._clock.now()
        if now is None:
            return
        self._sequence += 1
        self._audit.write(
            policy_removal_record(instance=self._instance, sequence=self._sequence, time=now, policy=policy)
        )
        self._events.record(policy, Reason.POLICY_REMOVED)

    def reviewed(
        self, review: MCPConnectionReview, connection: MCPConnection | None, verdict: Verdict
    ) -> None:
        """A review was judged."""
        if connection is None:
            self._events.record(review, verdict.reason, verdict.message)
            return
        approves = review.spec.decision is Decision.APPROVE
        assurance = assurance_of(review, connection)
        self.metrics.reviewed(review.spec.decision.value, assurance.value, verdict.reason)
        self._record(
            AuditAction.APPROVE if approves else AuditAction.REJECT,
            AuditPhase.RESULT,
            AuditOutcome.SUCCEEDED if verdict.counts else AuditOutcome.REFUSED,
            connection,
            None,
            verdict.reason,
            review.spec.comment if verdict.counts else verdict.message,
            actor=review.spec.reviewer,
            assurance=assurance,
            review=review,
        )
        if not verdict.counts:
            self._events.record(review, verdict.reason, verdict.message)
        elif approves:
            self._events.record(
                connection, Reason.APPROVED, f"approved by {review.spec.reviewer} ({assurance})"
            )

    def asserted_by_git(self, connection: MCPConnection) -> None:
        """What the server exposes counts as approved, for the profile says so."""
        approval = connection.status.surface_approval
        if approval is None:
            return
        self.metrics.reviewed(Decision.APPROVE.value, approval.assurance.value, Reason.ASSERTED_BY_GIT)
        self._record(
            AuditAction.APPROVE,
            AuditPhase.RESULT,
            AuditOutcome.SUCCEEDED,
            connection,
            None,
            Reason.ASSERTED_BY_GIT,
            f"the profile's approvedSurface is {approval.digest}",
            assurance=approval.assurance,
        )

    def captured(self, profile: MCPServerProfile, surface: CapturedSurface) -> None:
        """A server exposes another surface than before, or somebody says so of a command."""
        is_supplied = surface.source is SurfaceSource.SUPPLIED
        reason, says = (Reason.SUPPLIED, "is said to expose") if is_supplied else (Reason.CAPTURED, "exposes")
        self._events.record(
            profile, reason, f"the server {says} {surface.digest}, with {surface.tools} tools"
        )

    def not_probed(self, profile: MCPServerProfile, reason: Reason, message: str) -> None:
        """A server could not be read."""
        self._events.record(profile, reason, message)

    def drifted(self, connection: MCPConnection, paths: Sequence[str]) -> None:
        """A connection's server exposes what was not approved, or another such surface than before."""
        drift = connection.status.drift
        if drift is None:
            return
        self.metrics.drifted(drift.level.value.lower())
        self._record(
            AuditAction.DRIFT,
            AuditPhase.RESULT,
            AuditOutcome.SUCCEEDED,
            connection,
            None,
            Reason.BENIGN_DRIFT if drift.deadline_time is None else Reason.DRIFTED,
            drift=drift_facts(drift, paths),
        )
        told = (each for each in connection.status.conditions if each.reason is Reason.DRIFTED)
        if (condition := next(told, None)) is not None:
            self._events.record(connection, Reason.DRIFTED, condition.message)

    def revocation_begins(self, revocation: MCPRevocation, matched: int) -> None:
        """A breakglass switch was thrown; what it matches is about to be revoked."""
        if revocation.status.started_time is not None:  # another process has told
            return
        spec = revocation.spec
        told = f"{matched} connections match {spec.target}: {spec.reason}"
        self._record_revocation(
            AuditAction.BREAKGLASS,
            AuditPhase.INTENT,
            AuditOutcome.STARTED,
            Reason.ENFORCED,
            revocation,
            spec.requested_by,
            told,
        )
        self._events.record(revocation, Reason.ENFORCED, f"{matched} connections match")

    def revocation_reported(self, now: MCPRevocation, before: MCPRevocationStatus) -> None:
        """The status of a breakglass switch was written; what is new in it is told once."""
        after, created = now.status, now.metadata.creation_timestamp
        for stage, was, is_now in (
            ("revoked", before.revoked_time, after.revoked_time),
            ("verified", before.verified_time, after.verified_time),
        ):
            time = self._clock.now()
            if was is None and is_now is not None and created is not None and time is not None:
                self.metrics.breakglass_reached(stage, max((time - created).total_seconds(), 0.0))
        complete = _condition(after, "Complete")
        if before.verified_time is None and after.verified_time is not None and complete is not None:
            self._record_revocation(
                AuditAction.BREAKGLASS,
                AuditPhase.RESULT,
                AuditOutcome.SUCCEEDED,
                complete.reason,
                now,
                now.spec.requested_by,
                complete.message,
            )
            self._events.record(now, complete.reason, complete.message)
        enforced = _condition(after, "Enforced")
        if before.lifted_time is None and after.lifted_time is not None and enforced is not None:
            lift = now.spec.lift
            self._record_revocation(
                AuditAction.LIFT,
                AuditPhase.RESULT,
                AuditOutcome.SUCCEEDED,
                enforced.reason,
                now,
                lift.by if lift else now.spec.requested_by,
                lift.reason if lift else enforced.message,
            )
            self._events.record(now, enforced.reason, enforced.message)

    def breakglass(self, standing: Sequence[MCPRevocation]) -> None:
        """How much of what is being revoked is not dead."""
        failures = Counter(
            failure.reason.value for revocation in standing for failure in revocation.status.failures
        )
        matched = sum(each.status.matched for each in standing)
        verified = sum(each.status.verified for each in standing)
        self.metrics.breakglass(len(standing), matched, matched - verified, failures)

    def _record_revocation(
        self,
        action: AuditAction,
        phase: AuditPhase,
        outcome: AuditOutcome,
        reason: Reason,
        revocation: MCPRevocation,
        actor: str,
        message: str,
    ) -> None:
        now = self._clock.now()
        if now is None:
            return
        self._sequence += 1
        self._audit.write(
            revocation_record(
                instance=self._instance,
                sequence=self._sequence,
                time=now,
                action=action,
                phase=phase,
                outcome=outcome,
                reason=reason,
                revocation=revocation,
                actor=actor,
                message=message,
            )
        )

    def _lag(self, entry: LedgerEntry) -> None:
        if only_runs_out(entry) or cannot_end(entry):  # nobody was late
            return
        now = self._clock.now()
        if now is not None and entry.end_time is not None:
            self.metrics.revocation_lag(max((now - entry.end_time).total_seconds(), 0.0))

    def _record(
        self,
        action: AuditAction,
        phase: AuditPhase,
        outcome: AuditOutcome,
        connection: MCPConnection,
        entry: LedgerEntry | None,
        reason: Reason,
        message: str = "",
        actor: str = "leasehold",
        drift: AuditDrift | None = None,
        assurance: Assurance | None = None,
        review: MCPConnectionReview | None = None,
        violation: PolicyViolation | None = None,
    ) -> None:
        now = self._clock.now()
        if now is None:
            return
        self._sequence += 1
        self._audit.write(
            audit_record(
                instance=self._instance,
                sequence=self._sequence,
                time=now,
                action=action,
                phase=phase,
                outcome=outcome,
                reason=reason,
                connection=connection,
                profile=self._profile_of(connection),
                generation=entry.generation if entry else None,
                accessor=entry.accessor if entry else None,
                lease_id=entry.lease_id if entry else None,
                message=message,
                actor=actor,
                drift=drift,
                assurance=assurance,
                review=review,
                violation=violation,
            )
        )


def _condition(status: MCPRevocationStatus, kind: str) -> Condition | None:
    return next((condition for condition in status.conditions if condition.type == kind), None)


def _rule(violation: PolicyViolation) -> tuple[str, int, str, str]:
    return violation.uid, violation.generation, violation.rule, violation.effect


def _outcome(fault: Fault) -> AuditOutcome:
    if isinstance(fault, OutcomeUnknown):
        return AuditOutcome.UNKNOWN
    return AuditOutcome.REFUSED if isinstance(fault, NeedsPerson) else AuditOutcome.FAILED


def _issued(entry: LedgerEntry) -> str:
    until = (
        f"valid until {entry.expiry_time:%Y-%m-%d %H:%M:%S} UTC" if entry.expiry_time else "without an end"
    )
    return f"generation {entry.generation} was written to Secret {entry.secret_name}, {until}"
