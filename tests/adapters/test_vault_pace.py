"""Mints are delayed in the order in which they come, and none is lost."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from leasehold.adapters.vault_pace import TokenBucket


def test_a_burst_passes_at_once_and_the_rest_follow_at_the_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3, now=100.0)
    assert [round(bucket.reserve(100.0), 6) for _ in range(6)] == [0, 0, 0, 0.1, 0.2, 0.3]


def test_a_rest_restores_the_burst_and_no_more() -> None:
    bucket = TokenBucket(rate=10, burst=2, now=0.0)
    for _ in range(5):
        bucket.reserve(0.0)
    assert [round(bucket.reserve(1000.0), 6) for _ in range(3)] == [0, 0, 0.1]


@given(waits=st.lists(st.floats(0, 2), max_size=60), rate=st.floats(0.5, 500), burst=st.integers(1, 20))
def test_no_window_holds_more_than_burst_and_rate(waits: list[float], rate: float, burst: int) -> None:
    now, bucket = 0.0, TokenBucket(rate, burst, 0.0)
    due: list[float] = []
    for wait in waits:
        now += wait
        due.append(now + bucket.reserve(now))
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(due))
    for first in range(len(due)):
        for last in range(first, len(due)):
            assert last - first + 1 <= burst + rate * (due[last] - due[first]) + 1.001
