"""The API server's time out of `Date` headers, with the monotonic clock in the test's hand."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.adapters.cluster_clock import ServerClock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Hands:
    """A server with its own clock, and our monotonic one."""

    def __init__(self) -> None:
        self.monotonic = 5000.0
        self.server = NOON
        self.clock = ServerClock(lambda: self.monotonic)

    def pass_time(self, seconds: float) -> None:
        self.monotonic += seconds
        self.server += timedelta(seconds=seconds)

    def ask(self, there: float = 0.0, back: float = 0.0) -> None:
        """One request that takes so long there and back."""
        sent = self.monotonic
        self.pass_time(there)
        date = format_datetime(self.server.replace(microsecond=0), usegmt=True)
        self.pass_time(back)
        self.clock.saw(date, sent, self.monotonic)

    def now(self) -> datetime:
        now = self.clock.now()
        assert now is not None
        return now


def test_before_the_first_answer_no_time_is_known() -> None:
    assert ServerClock().now() is None


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 Nov 2026 12:00:00 GMT"])
def test_an_unreadable_date_is_no_time(date: str | None) -> None:
    clock = ServerClock()
    clock.saw(date, 1.0, 2.0)
    assert clock.now() is None


def test_time_goes_on_without_answers() -> None:
    hands = Hands()
    hands.ask()
    hands.pass_time(3600)
    assert hands.now() == NOON + timedelta(hours=1)


def test_the_local_wall_clock_plays_no_part() -> None:
    hands = Hands()
    hands.server = datetime(1999, 1, 1, tzinfo=UTC)
    hands.ask()
    assert hands.now() == datetime(1999, 1, 1, tzinfo=UTC)


def test_a_server_clock_that_is_set_forward_is_followed_at_once() -> None:
    hands = Hands()
    hands.ask()
    hands.server += timedelta(hours=1)
    hands.ask()
    assert hands.now() == NOON + timedelta(hours=1)


def test_a_server_clock_that_is_set_back_is_followed_a_second_a_minute() -> None:
    hands = Hands()
    hands.ask()
    hands.server -= timedelta(hours=1)
    for _ in range(1000):
        hands.ask()
    assert hands.now() == NOON - timedelta(seconds=1)
    hands.pass_time(60)
    hands.ask()
    assert hands.now() == NOON + timedelta(seconds=60 - 2)


def test_servers_whose_clocks_disagree_do_not_make_time_run_backwards() -> None:
    hands = Hands()
    readings = []
    for _ in range(50):
        for skew in (0, 3):
            hands.server += timedelta(seconds=skew)
            hands.ask()
            hands.server -= timedelta(seconds=skew)
            readings.append(hands.now())
        hands.pass_time(0.5)
    falls = [(before - after).total_seconds() for before, after in pairwise(readings)]
    assert max(falls) <= 1


@given(st.lists(st.tuples(*[st.floats(0, 40)] * 3), min_size=1, max_size=40))
def test_with_one_server_the_clock_is_never_ahead_and_late_by_its_journey_at_most(
    journeys: list[tuple[float, float, float]],
) -> None:
    hands = Hands()
    for pause, there, back in journeys:
        hands.pass_time(pause)
        hands.ask(there, back)
        late = (hands.server - hands.now()).total_seconds()
        assert -0.001 <= late <= 1 + back + 0.001
