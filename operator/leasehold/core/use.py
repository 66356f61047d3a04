"""Whether a connection is used, as sources of evidence tell it: a heartbeat Lease, a Prometheus query.

Only what a source says of this connection counts. A source that fails, or says nothing of it, is no word: it shows
neither use nor the lack of it, and nothing becomes Idle by it. What became Idle stays so until somebody approves
the connection, whatever its sources say afterwards."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from leasehold.api.base import rfc3339, whole_seconds
from leasehold.api.connection import MCPConnection, UseRecord, UseSource
from leasehold.api.reasons import Reason
from leasehold.core import deadlines

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the clock of whoever tells of use may be ahead of the API server's."""

LONGEST_STEP: Final = timedelta(days=1)
"""A connection in constant use has its status written once in that time."""


@dataclass(frozen=True)
class Word:
    """What one source says of one connection; `last_used` None: it watches, and has never seen it used."""

    source: UseSource
    last_used: datetime | None


@dataclass(frozen=True)
class Silence:
    """Why a source says nothing that counts; `lasts`: that is worth telling, for it does not pass by itself."""

    source: UseSource
    reason: Reason
    message: str
    lasts: bool


@dataclass(frozen=True)
class UseLook:
    """What all sources said when they were asked last; `at` is when the first of them was read."""

    at: datetime
    words: tuple[Word, ...] = ()
    silences: tuple[Silence, ...] = ()
    is_steady: bool = False
    """For some time each look has had a word, and no silence: whoever was kept from telling has had that time."""
    is_gone: bool = False
    """For a long time no look has had a word."""


def word_of_renewal(renewed: datetime | None, now: datetime, lease: str) -> Word | Silence:
    """What a heartbeat Lease tells. A clock that is a little ahead makes it no later than now."""
    if renewed is not None and renewed <= now + CLOCK_SKEW:
        return Word(UseSource.HEARTBEAT, min(renewed, now))
    if renewed is None:
        message = f"spec.renewTime of Lease {lease} is not set: whoever uses the connection has to renew it"
    else:
        message = (
            f"spec.renewTime of Lease {lease} is {rfc3339(renewed)}, which lies in the future: the clock of "
            "whoever renews it is wrong"
        )
    return Silence(UseSource.HEARTBEAT, Reason.MALFORMED, message, lasts=True)


def word_of_series(seconds: float, now: datetime) -> Word | Silence:
    """What a series of the Prometheus query tells: unix seconds of the last use, 0 where none was ever seen."""
    if seconds == 0:
        return Word(UseSource.PROMETHEUS, None)
    if 0 < seconds <= (now + CLOCK_SKEW).timestamp():
        return Word(UseSource.PROMETHEUS, min(datetime.fromtimestamp(seconds, UTC), now))
    message = (
        f"the value of its series is {seconds:.15g}, which is no time until now: the Prometheus query has to give "
        "the time of the last use in unix seconds, or 0"
    )
    return Silence(UseSource.PROMETHEUS, Reason.MALFORMED, message, lasts=True)


def use_now(connection: MCPConnection, look: UseLook | None) -> UseRecord | None:
    """What is on record of its use, with what the last look has brought; without a look, what was there before.

    Applied twice, it is the same as once."""
    record = _seen(connection, look)
    if record is None:
        return None
    record = _with(record, idle_since=None) if _is_freed(connection, record) else record
    exact = deadlines.idle_end(connection, record)
    if exact is not None and look is not None and look.is_steady and look.at >= exact:
        record = _with(record, idle_since=whole_seconds(exact))
    return _with(record, deadline_time=deadlines.idle_end(connection, record))


def _seen(connection: MCPConnection, look: UseLook | None) -> UseRecord | None:
    known = connection.status.use
    if look is None or (known is None and not look.words):
        return known
    if not look.words:
        return _with(known, observed_since=None) if look.is_gone and known is not None else known
    newest = max(look.words, key=lambda word: _time_of(connection, word) or datetime.min.replace(tzinfo=UTC))
    told = _time_of(connection, newest)
    if known is None:
        return UseRecord(source=newest.source, last_used_time=told, observed_since=whole_seconds(look.at))
    if known.observed_since is None:
        known = _with(known, observed_since=whole_seconds(look.at))
    return (
        _with(known, source=newest.source, last_used_time=told)
        if _is_news(connection, known, told, look)
        else known
    )


def _time_of(connection: MCPConnection, word: Word) -> datetime | None:
    """What a predecessor of the same name did is no use of this connection."""
    created = connection.metadata.creation_timestamp
    if word.last_used is None or (created is not None and word.last_used < created):
        return None
    return whole_seconds(word.last_used)


def _is_news(connection: MCPConnection, known: UseRecord, told: datetime | None, look: UseLook) -> bool:
    """Later than on record, and by so much, or at such a time, that it matters: else each look would be a write."""
    if told is None or (known.last_used_time is not None and told <= known.last_used_time):
        return False
    step = min(LONGEST_STEP, timedelta(seconds=connection.spec.idle_seconds) / 10)
    if known.last_used_time is None or told >= known.last_used_time + step:
        return True
    warning = deadlines.idle_warning(connection, known)
    return warning is not None and look.at >= warning


def _is_freed(connection: MCPConnection, record: UseRecord) -> bool:
    approval = connection.status.approval
    return record.idle_since is not None and approval is not None and approval.time >= record.idle_since


def _with(record: UseRecord, **changes: object) -> UseRecord:
    return (
        record.model_copy(update=changes)
        if any(getattr(record, name) != value for name, value in changes.items())
        else record
    )
