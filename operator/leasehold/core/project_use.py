"""What a connection's Used condition says: what is known of its use, and what becomes of it."""

from leasehold.api.base import Condition, ConditionStatus, rfc3339
from leasehold.api.connection import UseRecord
from leasehold.api.reasons import Reason
from leasehold.core import deadlines
from leasehold.core.observation import Observation
from leasehold.core.use import Silence, UseLook

Verdict = tuple[ConditionStatus, Reason, str]

NOTHING_ENDS = "nothing is ended for being idle"


def used(o: Observation) -> Verdict:
    """The Used condition."""
    record = o.use
    if record is not None and record.idle_since is not None:
        since = f"Idle since {rfc3339(record.idle_since)}, until a review approves it"
        return ConditionStatus.FALSE, Reason.IDLE, f"{_what_was_seen(record)}; {since}"
    if record is None or record.deadline_time is None:
        return _unknown(o)
    fate = f"it becomes Idle at {rfc3339(record.deadline_time)} unless it is used or approved before"
    message = f"{_what_was_seen(record)}; {fate}"
    warning = deadlines.idle_warning(o.connection, record)
    if warning is not None and o.now >= warning:
        return ConditionStatus.FALSE, Reason.IDLE_SOON, message
    if record.last_used_time is None:
        return ConditionStatus.FALSE, Reason.NEVER_USED, message
    return ConditionStatus.TRUE, Reason.RECENTLY_USED, message


def _what_was_seen(record: UseRecord) -> str:
    if record.last_used_time is not None:
        return f"last used at {rfc3339(record.last_used_time)} ({record.source})"
    return f"no use was ever seen ({record.source})"


def _unknown(o: Observation) -> Verdict:
    """Nobody tells of it."""
    silences = o.look.silences if o.look is not None else ()
    told = next((silence for silence in silences if silence.lasts), None)
    before = next((each for each in o.connection.status.conditions if each.type == "Used"), None)
    if before is not None and before.status is ConditionStatus.UNKNOWN and _still_holds(before, o.look, told):
        return before.status, before.reason, before.message
    seen = f"; {_what_was_seen(o.use)}" if o.use is not None else ""
    if told is not None:
        return ConditionStatus.UNKNOWN, told.reason, f"{told.message}{seen}; {NOTHING_ENDS}"
    metadata = o.connection.metadata
    return (
        ConditionStatus.UNKNOWN,
        Reason.NO_EVIDENCE_SOURCE,
        f"nothing tells of it, neither a Lease {metadata.namespace}/{metadata.name} nor a series of a Prometheus "
        f"query{seen}; {NOTHING_ENDS}",
    )


def _still_holds(before: Condition, look: UseLook | None, told: Silence | None) -> bool:
    """Nobody was asked lately; or a source fails that may come back by itself; or one fails as before, perhaps in
    other words: neither a restart, nor an hour without Prometheus, nor a clock that is wrong makes a write of each
    look."""
    if look is None:
        return True
    return before.reason is told.reason if told is not None else bool(look.silences)
