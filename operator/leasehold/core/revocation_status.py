"""What a revocation may say of itself: what is dead, what is not yet, and until when.

All of it is derived from the connections' own ledgers and holds, and from what this process has seen at the store
ahead of them. A connection counts as dead only once no mint under way can still enter its ledger: its hold is
recorded there, or it was surveyed after the revocation was known. The revocation is complete only once all holds
are recorded: then it may be lifted, whatever becomes of this process."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from leasehold.api.base import Condition, ConditionStatus, rfc3339, whole_seconds
from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.reasons import Reason
from leasehold.api.revocation import MAX_FAILURES, MCPRevocation, MCPRevocationStatus, RevocationFailure
from leasehold.core import ledger
from leasehold.core.revocations import is_over

ACCEPTED = frozenset({Reason.REVOCATION_PENDING, Reason.IRREVOCABLE})
"""A pass that stopped with these had its revocation accepted; the death is what is waited for."""


@dataclass(frozen=True)
class Seen:
    """What the store has answered to this process, and is in no ledger yet."""

    is_struck: Callable[[LedgerEntry], bool]
    is_dead: Callable[[LedgerEntry], bool]
    has_no_secret: Callable[[MCPConnection], bool]
    is_surveyed: Callable[[MCPConnection, str], bool]
    """By a revocation's uid."""


@dataclass(frozen=True)
class Standing:
    """How far one connection is."""

    connection: MCPConnection
    is_held: bool
    is_known: bool
    """Its ledger names everything that was or will be minted."""
    alive: tuple[LedgerEntry, ...]
    is_revoked: bool
    has_no_secret: bool
    without_end: bool
    until: datetime | None
    """Until when something of it may work; None: nothing, or nobody can say."""

    @property
    def is_ended(self) -> bool:
        """Nothing is left that could be revoked, and no mint under way can add anything."""
        return self.is_held and all(ledger.only_runs_out(entry) for entry in self.alive)

    @property
    def is_verified(self) -> bool:
        """Everything is dead."""
        return self.is_known and not self.alive and not self.without_end

    @property
    def is_failing(self) -> bool:
        """Something could not be ended so far."""
        backoff = self.connection.status.backoff
        return backoff is not None and any(not ledger.only_runs_out(entry) for entry in self.alive)


def standing_of(connection: MCPConnection, uid: str, seen: Seen, now: datetime) -> Standing:
    """How far a connection is under the revocation with this uid."""
    status = connection.status
    alive = tuple(entry for entry in status.ledger if not seen.is_dead(entry))
    hold = next((hold for hold in status.holds if hold.uid == uid), None)
    times = [entry.expiry_time for entry in alive]
    times += [status.revoked_certificate_until, hold.residual_time if hold else None]
    ends = [time for time in times if time is not None and time > now]
    is_held = hold is not None or status.last_generation == 0
    return Standing(
        connection=connection,
        is_held=is_held,
        is_known=is_held or seen.is_surveyed(connection, uid),
        alive=alive,
        is_revoked=all(_is_accepted(connection, entry, seen) for entry in alive),
        has_no_secret=not ledger.intents(alive) and seen.has_no_secret(connection),
        without_end=(hold is not None and hold.without_end) or any(map(ledger.cannot_end, alive)),
        until=max(ends, default=None),
    )


def _is_accepted(connection: MCPConnection, entry: LedgerEntry, seen: Seen) -> bool:
    if ledger.only_runs_out(entry) or seen.is_struck(entry):
        return True
    backoff = connection.status.backoff
    going = entry.state in (EntryState.REVOKING, EntryState.IRREVOCABLE)
    return going and backoff is not None and backoff.reason in ACCEPTED


def revocation_status(
    revocation: MCPRevocation, matched: Iterable[MCPConnection], seen: Seen, now: datetime
) -> MCPRevocationStatus:
    """The status as of now. After the lift the counts stay as they were: what follows is no longer its doing."""
    before = revocation.status
    if is_over(revocation, now):
        return _over(revocation, now)
    all_of_them = [standing_of(connection, revocation.metadata.uid, seen, now) for connection in matched]
    failing = sorted((each for each in all_of_them if each.is_failing), key=lambda each: each.connection.key)
    revoked = sum(each.is_revoked for each in all_of_them)
    complete = _completion(revocation, all_of_them, failing)
    is_complete = complete[0] is ConditionStatus.TRUE
    counted = before.model_copy(
        update={
            "observed_generation": revocation.metadata.generation,
            "matched": len(all_of_them),
            "revoked": revoked,
            "verified": sum(each.is_verified for each in all_of_them),
            "secrets_deleted": sum(each.has_no_secret for each in all_of_them),
            "failed": len(failing),
            "failures": tuple(map(_failure, failing[:MAX_FAILURES])),
            "started_time": before.started_time or whole_seconds(now),
            "revoked_time": _since(before.revoked_time, revoked == len(all_of_them), now),
            "verified_time": _since(before.verified_time, is_complete, now),
            "residual_exposure_until": _until(all_of_them),
            "residual": _residual(all_of_them),
        }
    )
    enforced = (
        ConditionStatus.TRUE,
        Reason.ENFORCED,
        "nothing is minted for what matches, until the revocation is lifted",
    )
    return counted.model_copy(
        update={"conditions": _conditions(revocation, now, Enforced=enforced, Complete=complete)}
    )


Verdict = tuple[ConditionStatus, Reason, str]


def _completion(
    revocation: MCPRevocation, all_of_them: Sequence[Standing], failing: Sequence[Standing]
) -> Verdict:
    total = len(all_of_them)
    left = [each for each in all_of_them if not each.is_ended or not each.has_no_secret]
    if not total:
        return (
            ConditionStatus.TRUE,
            Reason.NOTHING_MATCHED,
            "no connection matches; new ones are born revoked",
        )
    if left:
        verified = sum(each.is_verified for each in all_of_them)
        done = f"{verified} of {total} connections are verified dead"
        if verified == total:
            done += ", which is being written down on each"
        if not failing:
            return ConditionStatus.FALSE, Reason.REVOKING, done
        first = _failure(failing[0])
        why = f"{done}; {len(failing)} cannot be ended yet, first {first.connection}: {first.message}"
        return ConditionStatus.FALSE, first.reason, why
    remaining = sum(not each.is_verified or each.until is not None for each in all_of_them)
    if remaining:
        return (
            ConditionStatus.TRUE,
            Reason.RESIDUAL_EXPOSURE,
            f"all that can be revoked is verified dead; of {remaining} of {total} connections something may "
            f"still work: {_residual(all_of_them)}",
        )
    return ConditionStatus.TRUE, Reason.VERIFIED, f"everything of {total} connections is verified dead"


def _failure(each: Standing) -> RevocationFailure:
    backoff = each.connection.status.backoff
    told = next((c.message for c in each.connection.status.conditions if c.type == "Reconciling"), "")
    return RevocationFailure(
        connection=each.connection.key,
        reason=backoff.reason if backoff else Reason.REVOCATION_PENDING,
        message=told[:512],
    )


def _until(all_of_them: Iterable[Standing]) -> datetime | None:
    return max((each.until for each in all_of_them if each.until is not None), default=None)


def _residual(all_of_them: Sequence[Standing]) -> str:
    endless = sum(each.without_end for each in all_of_them)
    if endless:
        return f"unknown: {endless} without an end"
    until = _until(all_of_them)
    return f"until {rfc3339(until)}" if until else "none"


def _since(before: datetime | None, holds: bool, now: datetime) -> datetime | None:
    return (before or whole_seconds(now)) if holds else None


def _over(revocation: MCPRevocation, now: datetime) -> MCPRevocationStatus:
    before, lift = revocation.status, revocation.spec.lift
    if before.lifted_time is not None:
        return before
    enforced = (
        (ConditionStatus.FALSE, Reason.LIFTED, f"lifted by {lift.by}"[:512])
        if lift
        else (ConditionStatus.FALSE, Reason.DRILL_OVER, "the drill ran out after spec.expiresSeconds")
    )
    told = f"ended before it was complete: {before.verified} of {before.matched} were verified dead"
    complete: Verdict = (ConditionStatus.FALSE, enforced[1], told)
    was = next((each for each in before.conditions if each.type == "Complete"), None)
    if was is not None and was.status is ConditionStatus.TRUE:
        complete = (was.status, was.reason, was.message)
    return before.model_copy(
        update={
            "observed_generation": revocation.metadata.generation,
            "started_time": before.started_time or whole_seconds(now),
            "lifted_time": whole_seconds(now),
            "conditions": _conditions(revocation, now, Enforced=enforced, Complete=complete),
        }
    )


def _conditions(revocation: MCPRevocation, now: datetime, **verdicts: Verdict) -> tuple[Condition, ...]:
    return tuple(_condition(revocation, now, kind, *verdict) for kind, verdict in verdicts.items())


def _condition(
    revocation: MCPRevocation, now: datetime, kind: str, status: ConditionStatus, reason: Reason, message: str
) -> Condition:
    before = next((each for each in revocation.status.conditions if each.type == kind), None)
    unchanged = before is not None and before.status is status
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message[:1024],
        last_transition_time=before.last_transition_time if before and unchanged else whole_seconds(now),
        observed_generation=revocation.metadata.generation,
    )
