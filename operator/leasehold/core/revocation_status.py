"""What a revocation may say of itself: what is dead, what is not yet, and until when.

All of it is derived from the connections' own ledgers and holds, and from what this process has seen at the store
ahead of them. A connection counts as dead only once no mint under way can still enter its ledger: its hold is
recorded there, or it was surveyed after the revocation was known. Whoever is counted as matched stays matched,
whatever becomes of this process: its hold is recorded, or its uid stands in the same status until that is so. The
revocation is complete only once all holds are recorded that there is room for."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from leasehold.api.base import Condition, ConditionStatus, rfc3339, whole_seconds
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.api.revocation import (
    MAX_FAILURES,
    MAX_PENDING_HOLDS,
    MCPRevocation,
    MCPRevocationStatus,
    RevocationFailure,
)
from leasehold.core.revocation_standing import Seen, Standing, standing_of
from leasehold.core.revocations import has_no_room, is_over, is_owed_a_hold


def revocation_status(
    revocation: MCPRevocation,
    matched: Sequence[MCPConnection],
    seen: Seen,
    now: datetime,
    unseen: Iterable[str] = (),
    unreadable: Sequence[str] = (),
) -> MCPRevocationStatus:
    """The status as of now. After the lift the counts stay as they were: what follows is no longer its doing.

    `unseen` are uids that were recorded as matched, and of which nothing else is known yet; `unreadable` names
    connections that this version cannot read: it may mean them, or not.
    """
    before = revocation.status
    pending = _pending_holds(revocation, matched, unseen, now)
    if is_over(revocation, now):
        return _over(revocation, now, pending)
    all_of_them = [standing_of(connection, revocation.metadata.uid, seen, now) for connection in matched]
    failing = sorted((each for each in all_of_them if each.is_failing), key=lambda each: each.connection.key)
    revoked = sum(each.is_revoked for each in all_of_them)
    complete = _completion(revocation, all_of_them, failing, _unrecorded(pending, matched))
    if unreadable and complete[0] is ConditionStatus.TRUE:
        complete = _unreadable(unreadable)
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
            "pending_holds": pending,
            "started_time": before.started_time or whole_seconds(now),
            "revoked_time": _since(before.revoked_time, revoked == len(all_of_them), now),
            "verified_time": _since(before.verified_time, is_complete, now),
            "residual_exposure_until": _until(all_of_them),
            "residual": _unread(unreadable) or _residual(all_of_them),
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


def _pending_holds(
    revocation: MCPRevocation, matched: Iterable[MCPConnection], unseen: Iterable[str], now: datetime
) -> tuple[str, ...]:
    owed = {each.metadata.uid for each in matched if is_owed_a_hold(revocation, each, now)}
    return tuple(sorted(owed.union(unseen))[:MAX_PENDING_HOLDS])


def _unrecorded(pending: Sequence[str], matched: Iterable[MCPConnection]) -> int:
    """How many holds are still to be written. One that no place is left for stays here, which keeps the match as
    well; but a status that is full itself may not have all of those."""
    if len(pending) >= MAX_PENDING_HOLDS:
        return len(pending)
    full = {each.metadata.uid for each in matched if has_no_room(each)}
    return len(set(pending) - full)


def _completion(
    revocation: MCPRevocation, all_of_them: Sequence[Standing], failing: Sequence[Standing], pending: int
) -> Verdict:
    """`pending` is how many holds are not recorded; one that was born since takes no completion back."""
    total = len(all_of_them)
    left = [each for each in all_of_them if not each.is_ended or not each.has_no_secret]
    is_recorded = not pending or _was_complete(revocation)
    if not total and is_recorded:
        return (
            ConditionStatus.TRUE,
            Reason.NOTHING_MATCHED,
            "no connection matches; new ones are born revoked",
        )
    if left or not is_recorded:
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


def _unreadable(keys: Sequence[str]) -> Verdict:
    return (
        ConditionStatus.FALSE,
        Reason.INVALID_SPEC,
        f"all that is known to match is done; {len(keys)} connections cannot be read by this version, so whether "
        f"they match nobody knows, first {keys[0]}",
    )


def _failure(each: Standing) -> RevocationFailure:
    backoff = each.connection.status.backoff
    told = next((c.message for c in each.connection.status.conditions if c.type == "Reconciling"), "")
    reason = backoff.reason if backoff else Reason.REVOCATION_PENDING
    if each.is_lost and backoff is None:
        reason, told = Reason.LEDGER_LOST, "its status was lost: nobody knows what of it is alive"
    return RevocationFailure(connection=each.connection.key, reason=reason, message=told[:512])


def _until(all_of_them: Iterable[Standing]) -> datetime | None:
    return max((each.until for each in all_of_them if each.until is not None), default=None)


def _unread(unreadable: Sequence[str]) -> str:
    return f"unknown: {len(unreadable)} cannot be read" if unreadable else ""


def _residual(all_of_them: Sequence[Standing]) -> str:
    endless = sum(each.without_end for each in all_of_them)
    if endless:
        return f"unknown: {endless} without an end"
    until = _until(all_of_them)
    return f"until {rfc3339(until)}" if until else "none"


def _since(before: datetime | None, holds: bool, now: datetime) -> datetime | None:
    return (before or whole_seconds(now)) if holds else None


def _was_complete(revocation: MCPRevocation) -> bool:
    was = next((each for each in revocation.status.conditions if each.type == "Complete"), None)
    return was is not None and was.status is ConditionStatus.TRUE


def _over(revocation: MCPRevocation, now: datetime, pending: tuple[str, ...]) -> MCPRevocationStatus:
    before = revocation.status.model_copy(update={"pending_holds": pending})
    lift = revocation.spec.lift
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
