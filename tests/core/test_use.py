"""What is on record of a connection's use, whatever its sources say, in whatever order, however often they fail."""

from dataclasses import replace
from datetime import timedelta
from functools import reduce
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.base import rfc3339, whole_seconds
from leasehold.api.connection import MCPConnection, UseSource
from leasehold.api.reasons import Reason
from leasehold.core.checks import DENIALS, Effect, Finding, first_finding
from leasehold.core.deadlines import idle_end, idle_warning, lease_end
from leasehold.core.decide import decide, next_wake, standing
from leasehold.core.drift_standing import DriftStanding
from leasehold.core.observation import Observation
from leasehold.core.project import project
from leasehold.core.use import (
    CLOCK_SKEW,
    Silence,
    UseLook,
    Word,
    use_now,
    word_of_renewal,
    word_of_series,
)
from objects import NOON
from observations import CREATED, a_claim, a_current, an_observation
from strategies import EACH

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SIXTY_DAYS = timedelta(days=60)
BEAT, SERIES = UseSource.HEARTBEAT, UseSource.PROMETHEUS


def a_look(
    hours: float,
    *used: float | None,
    fails: bool = False,
    steady: bool | None = None,
    gone: bool = False,
    source: UseSource = BEAT,
) -> UseLook:
    """At so many hours after noon; `used` is what its words say, in hours as well."""
    words = tuple(Word(source, None if each is None else NOON + each * HOUR) for each in used)
    silences = (Silence(SERIES, Reason.UNREACHABLE, "Prometheus is away", lasts=gone),) if fails else ()
    is_steady = bool(words) and not fails if steady is None else steady
    return UseLook(NOON + hours * HOUR, words, silences, is_steady, gone)


def after(connection: MCPConnection, *looks: UseLook | None) -> MCPConnection:
    """The connection once these looks are on record."""
    return reduce(recorded, looks, connection)


def recorded(connection: MCPConnection, look: UseLook | None) -> MCPConnection:
    status = connection.status.model_copy(update={"use": use_now(connection, look)})
    return connection.model_copy(update={"status": status})


def approved(connection: MCPConnection, hours: float) -> MCPConnection:
    record = {
        "review": "said",
        "reviewer": "alice@example.com",
        "assurance": "Owner",
        "time": rfc3339(NOON + hours * HOUR),
    }
    wire = connection.to_wire()
    return MCPConnection.model_validate({**wire, "status": {**wire["status"], "approval": record}})


def a_watched(idle_hours: float = 10, **fields: Any) -> MCPConnection:
    """Used and seen at noon, for the first time."""
    spec = {"idleSeconds": int(idle_hours * 3600)}
    return after(a_claim([a_current()], spec=spec, **fields), a_look(0, 0))


def is_idle(connection: MCPConnection) -> bool:
    return connection.status.use is not None and connection.status.use.idle_since is not None


def seen_at(connection: MCPConnection, hours: float, look: UseLook | None = None) -> Observation:
    """An observation in which nothing else can end."""
    return Observation(now=NOON + hours * HOUR, connection=connection, profile=None, store=None, look=look)


# what a source says


def test_a_renewal_is_a_word_and_a_clock_that_is_a_little_ahead_makes_it_no_later_than_now() -> None:
    assert word_of_renewal(NOON - HOUR, NOON, "a/b") == Word(BEAT, NOON - HOUR)
    assert word_of_renewal(NOON + CLOCK_SKEW, NOON, "a/b") == Word(BEAT, NOON)


@pytest.mark.parametrize(
    ("renewed", "says"),
    [(None, "renewTime of Lease a/b is not set"), (NOON + 2 * CLOCK_SKEW, "lies in the future")],
)
def test_a_renewal_that_cannot_be_is_no_word(renewed: Any, says: str) -> None:
    told = word_of_renewal(renewed, NOON, "a/b")
    assert isinstance(told, Silence)
    assert (told.reason, told.lasts) == (Reason.MALFORMED, True)
    assert says in told.message


def test_a_series_tells_unix_seconds_and_zero_is_never() -> None:
    assert word_of_series(NOON.timestamp() - 0.5, NOON) == Word(SERIES, NOON - timedelta(seconds=0.5))
    assert word_of_series(NOON.timestamp() + 60, NOON) == Word(SERIES, NOON)
    assert word_of_series(0, NOON) == Word(SERIES, None)


@pytest.mark.parametrize(
    "value", [-1, NOON.timestamp() * 1000, 1e300, float("inf"), float("-inf"), float("nan")]
)
def test_a_value_that_is_no_time_until_now_is_no_word(value: float) -> None:
    told = word_of_series(value, NOON)
    assert isinstance(told, Silence)
    assert "unix seconds, or 0" in told.message


# the record


def test_without_a_word_there_is_no_record_and_no_deadline() -> None:
    for look in (None, a_look(0), a_look(0, fails=True), a_look(0, fails=True, gone=True)):
        connection = after(a_claim(), look)
        assert connection.status.use is None
        assert idle_end(connection, connection.status.use) is None


def test_the_deadline_runs_from_use_watching_and_approval_whichever_is_last() -> None:
    use = a_watched().status.use
    assert use is not None
    assert use.deadline_time == NOON + 10 * HOUR
    never_used = after(a_claim(spec={"idleSeconds": 36000}), a_look(0, None)).status.use
    assert never_used is not None
    assert (never_used.last_used_time, never_used.deadline_time) == (None, NOON + 10 * HOUR)
    again = after(approved(a_watched(), 3), None).status.use
    assert again is not None
    assert again.deadline_time == NOON + 13 * HOUR


def test_the_warning_comes_a_quarter_before_and_fourteen_days_at_most() -> None:
    short, long = a_watched(10), a_watched(60 * 24)
    assert idle_warning(short, short.status.use) == NOON + 7.5 * HOUR
    assert idle_warning(long, long.status.use) == NOON + 46 * DAY


def test_what_a_predecessor_of_that_name_did_is_no_use() -> None:
    before = (CREATED - NOON) / HOUR - 1
    use = after(a_claim(), a_look(0, before)).status.use
    assert use is not None
    assert use.last_used_time is None
    assert use.observed_since == NOON


def test_constant_use_is_written_once_in_a_tenth_of_idle_seconds_and_once_a_day_at_least() -> None:
    for idle_hours, longest in ((50, 5), (60 * 24, 24)):
        connection, writes = a_watched(idle_hours), []
        for hour in range(1, 100):
            before, connection = connection, after(connection, a_look(hour, hour - 0.25))
            if connection.status.use != before.status.use:
                writes.append(hour)
            assert not is_idle(connection)
            assert connection.status.use is not None
            assert connection.status.use.last_used_time is not None
            assert NOON + hour * HOUR - connection.status.use.last_used_time <= (longest + 1) * HOUR
        assert len(writes) <= 100 / longest + 1


def test_what_matters_is_exact_from_the_warning_on() -> None:
    connection = after(a_watched(), a_look(0.5, 0.5))
    assert connection.status.use is not None
    assert connection.status.use.last_used_time == NOON, "half an hour does not matter yet"
    warned = after(connection, a_look(7.5, 0.5)).status.use
    assert warned is not None
    assert warned.last_used_time == NOON + 0.5 * HOUR
    assert not is_idle(after(connection, a_look(10.25, 0.5)))
    assert is_idle(after(connection, a_look(10.5, 0.5)))


def test_only_a_steady_look_that_was_made_after_the_deadline_finds_it_idle() -> None:
    connection = a_watched()
    assert not is_idle(after(connection, a_look(9.9, 0)))
    assert not is_idle(after(connection, a_look(11, 0, steady=False)))
    assert not is_idle(after(connection, a_look(11, 0, fails=True)))
    assert not is_idle(after(connection, a_look(11)))
    assert not is_idle(after(connection, None))
    idle = after(connection, a_look(11, 0)).status.use
    assert idle is not None
    assert idle.idle_since == NOON + 10 * HOUR
    assert idle.deadline_time is None


def test_idle_stays_until_an_approval_whatever_its_sources_say_and_however_long_it_may_rest_now() -> None:
    idle = after(a_watched(), a_look(11, 0))
    used_again = after(idle, a_look(12, 12), a_look(13), a_look(40, gone=True))
    assert is_idle(used_again)
    patient = used_again.model_copy(
        update={"spec": used_again.spec.model_copy(update={"idle_seconds": 31536000})}
    )
    assert is_idle(after(patient, a_look(41, 12)))
    assert is_idle(after(approved(used_again, 9), None)), "an approval from before"
    back = after(approved(used_again, 41), None)
    assert not is_idle(back)
    assert not is_idle(after(back, a_look(41.5, 12)))
    assert is_idle(after(back, a_look(41.5, 12), a_look(52, 12)))


def test_time_that_nobody_watched_does_not_count() -> None:
    connection = after(a_watched(), a_look(4, gone=True))
    assert connection.status.use is not None
    assert connection.status.use.observed_since is None
    assert connection.status.use.last_used_time == NOON, "the last evidence stays"
    back = after(connection, a_look(30, 0))
    assert not is_idle(back)
    assert back.status.use is not None
    assert back.status.use.deadline_time == NOON + 40 * HOUR


def test_a_lease_that_was_deleted_ends_nothing_even_if_it_comes_back_old() -> None:
    connection = after(a_watched(), *(a_look(hour, gone=hour > 3) for hour in range(1, 200)))
    assert not is_idle(connection)
    assert not is_idle(after(connection, a_look(200, 0)))


HOURS = st.integers(1, 300)
FAILURES = st.builds(
    lambda hours, fails, gone: a_look(hours, fails=fails, gone=gone), HOURS, st.booleans(), st.booleans()
)


@EACH
@given(st.lists(FAILURES | st.none(), max_size=12), st.booleans())
def test_no_sequence_of_failures_changes_standing(looks: list[UseLook | None], begins_idle: bool) -> None:
    begun = after(a_watched(), a_look(11, 0)) if begins_idle else a_watched()
    connection = begun
    for look in looks:
        connection = after(connection, look)
        assert is_idle(connection) == begins_idle
        assert connection.status.use is not None
        assert begun.status.use is not None
        assert connection.status.use.last_used_time == begun.status.use.last_used_time
        denial = first_finding(DENIALS, seen_at(connection, 300, look))
        assert (denial is not None and denial.reason is Reason.IDLE) == begins_idle


USES = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@EACH
@given(USES, st.integers(0, 9))
def test_the_order_in_which_use_is_told_changes_nothing(uses: list[int], approval: int) -> None:
    """Looks come one after another; what they tell may be late."""
    ends = set()
    for order in permutations(uses):
        looks = [a_look(9 + number / 10, used) for number, used in enumerate(order)]
        told = after(approved(a_watched(), approval), *looks)
        ends.add(idle_end(told, told.status.use))
    assert ends == {NOON + (max(*uses, approval) + 10) * HOUR}


@EACH
@given(USES, FAILURES, st.integers(0, 30))
def test_the_same_look_twice_is_the_look_once(uses: list[int], failure: UseLook, approval: int) -> None:
    connection = approved(a_watched(), approval) if approval else a_watched()
    for look in (*(a_look(used + 9, used) for used in uses), failure, a_look(60, 1)):
        connection = after(connection, look)
        assert after(connection, look) == connection
        assert after(connection, None) == connection


@EACH
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 200))
def test_the_earliest_deadline_ends_the_credential_and_says_so(idle: int, lease: int, drift: int) -> None:
    """Whichever of idleness, the lease and drift comes first; and each look at it comes in time."""
    spec = {"idleSeconds": idle * 3600, "leaseDurationSeconds": (lease + 24) * 3600}
    connection = after(a_claim([a_current()], spec=spec), a_look(0, 0))
    ends = {Reason.IDLE: idle, Reason.EXPIRED: lease, Reason.DRIFTED: drift}
    first = min(ends.values())
    drifting = DriftStanding("sha256:" + "1" * 64, "sha256:" + "0" * 64, deadline=NOON + drift * HOUR)
    assert lease_end(connection) == NOON + lease * HOUR

    def at(hours: float) -> Finding:
        look = a_look(hours, 0)
        return standing(
            replace(an_observation(connection), now=NOON + hours * HOUR, drift=drifting, look=look)
        )

    assert at(first - 0.001).effect is not Effect.END
    assert at(first).effect is Effect.END
    assert ends[at(first).reason] == first


def test_a_pass_is_due_when_it_is_to_be_warned_and_when_it_becomes_idle() -> None:
    connection = a_watched()
    assert next_wake(seen_at(connection, 7.4)) == NOON + 7.5 * HOUR
    assert next_wake(seen_at(connection, 9)) == NOON + 10 * HOUR


def test_an_idle_connection_loses_its_credential_and_its_secret() -> None:
    plan = decide(seen_at(a_watched(), 10, a_look(10, 0)))
    assert plan.finding.reason is Reason.IDLE
    assert [ending.reason for ending in plan.endings] == [Reason.IDLE]
    assert plan.delete_secret
    assert plan.mint is None


# what a person reads


def used(connection: MCPConnection, hours: float, look: UseLook | None = None) -> tuple[str, str, str]:
    status = project(seen_at(connection, hours, look), None)
    told = next(each for each in status.conditions if each.type == "Used")
    return told.status.value, told.reason.value, told.message


def told_as(connection: MCPConnection, hours: float, look: UseLook | None = None) -> MCPConnection:
    """With what a pass wrote of it."""
    status = project(seen_at(connection, hours, look), None)
    return connection.model_copy(update={"status": status})


def test_without_a_source_it_is_unknown_and_says_what_a_source_is() -> None:
    status, reason, message = used(a_claim(), 0, a_look(0))
    assert (status, reason) == ("Unknown", "NoEvidenceSource")
    assert "neither a Lease support/support-bot-orders" in message
    assert "nothing is ended" in message


def test_use_is_told_with_its_source_and_with_what_comes() -> None:
    status, reason, message = used(a_watched(), 1)
    assert (status, reason) == ("True", "RecentlyUsed")
    assert "last used at 2026-11-20T12:00:00Z (Heartbeat)" in message
    assert "Idle at 2026-11-20T22:00:00Z" in message


def test_what_was_never_used_what_rests_and_what_is_idle_are_told_apart() -> None:
    never = after(a_claim(spec={"idleSeconds": 36000}), a_look(0, None, source=SERIES))
    assert used(never, 1)[:2] == ("False", "NeverUsed")
    assert "no use was ever seen (Prometheus)" in used(never, 1)[2]
    assert used(a_watched(), 7.5)[:2] == ("False", "IdleSoon")
    assert used(a_watched(), 10, a_look(10, 0))[:2] == ("False", "Idle")


def test_a_source_that_is_gone_is_told_and_a_short_failure_is_not() -> None:
    watched = told_as(a_watched(), 0)
    assert used(watched, 2, a_look(2, fails=True))[:2] == ("True", "RecentlyUsed")
    assert used(watched, 4, a_look(4, fails=True, gone=True))[:2] == ("Unknown", "Unreachable")
    status, reason, message = used(watched, 4, a_look(4, gone=True))
    assert (status, reason) == ("Unknown", "NoEvidenceSource")
    assert "last used at 2026-11-20T12:00:00Z" in message


def test_a_clock_that_is_wrong_in_another_way_each_time_is_told_once() -> None:
    def wrong(hours: float) -> UseLook:
        told = word_of_renewal(NOON + (hours + 9000) * HOUR, NOON + hours * HOUR, "a/b")
        assert isinstance(told, Silence)
        return UseLook(NOON + hours * HOUR, (), (told,))

    first = told_as(a_claim(), 1, wrong(1))
    assert used(first, 2, wrong(2)) == used(first, 1)
    assert used(first, 1)[1] == "Malformed"


def test_a_restart_says_what_was_said_before() -> None:
    gone = told_as(told_as(a_watched(), 0), 4, a_look(4, fails=True, gone=True))
    said = used(gone, 4)
    assert said[1] == "Unreachable"
    assert used(gone, 5, a_look(5, fails=True)) == said, "it fails still, and nobody knows yet for how long"
    assert used(gone, 6, a_look(6, 5))[:2] == ("True", "RecentlyUsed")


def test_times_are_stored_with_whole_seconds() -> None:
    odd = timedelta(microseconds=654321)
    look = UseLook(NOON + odd, (Word(BEAT, NOON + odd),), (), True)
    use = after(a_claim(), look).status.use
    assert use is not None
    assert use.last_used_time == use.observed_since == whole_seconds(NOON + odd) == NOON
