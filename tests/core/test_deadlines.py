"""When things are due, derived from what is stored, so that every restart agrees."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.connection import LedgerEntry
from leasehold.api.profile import CredentialRecipe
from leasehold.core.deadlines import jitter, lease_end, review_due, rotation_due
from objects import NOON, a_connection, a_profile
from observations import CREATED, a_claim, a_current
from strategies import EACH


def recipe(ttl_seconds: int = 3600) -> CredentialRecipe:
    found = a_profile(ttlSeconds=ttl_seconds, overlapSeconds=5).spec.credential
    assert found is not None
    return found


@EACH
@given(
    st.uuids().map(str),
    st.integers(10, 31536000),
    st.none() | st.integers(10, 31536000),
    st.integers(1, 10**6),
)
def test_rotation_is_due_between_half_and_two_thirds_of_a_credentials_life(
    uid: str, ttl: int, expiry: int | None, generation: int
) -> None:
    entry = issued_at_noon(generation, expiry)
    due = rotation_due(a_claim(uid=uid), entry, recipe(ttl))
    assert due is not None
    life = timedelta(seconds=min(ttl, expiry if expiry is not None else ttl))
    assert NOON + life * 0.56 <= due <= NOON + life * 2 / 3


def test_the_moment_of_rotation_is_the_same_after_every_restart() -> None:
    entry = issued_at_noon(1, 3600)
    assert rotation_due(a_claim(), entry, recipe()) == rotation_due(a_claim(), entry, recipe())


def test_connections_that_were_made_together_do_not_rotate_together() -> None:
    dues = {rotation_due(a_claim(uid=f"uid-{n}"), issued_at_noon(1, 3600), recipe()) for n in range(50)}
    assert len(dues) > 45


@EACH
@given(st.text())
def test_jitter_is_at_least_zero_and_less_than_one(seed: str) -> None:
    assert 0 <= jitter(seed) < 1
    assert jitter(seed) == jitter(seed)


def test_a_lease_runs_from_creation() -> None:
    assert lease_end(a_claim(spec={"leaseDurationSeconds": 60})) == CREATED + timedelta(seconds=60)
    assert lease_end(a_connection()) is None
    assert review_due(a_connection()) is None


def test_a_review_is_due_two_weeks_before_the_end_but_not_before_the_beginning() -> None:
    assert review_due(a_claim()) == CREATED + timedelta(days=90 - 14)
    assert review_due(a_claim(spec={"leaseDurationSeconds": 60})) == CREATED


def issued_at_noon(generation: int, expiry: int | None) -> LedgerEntry:
    end = None if expiry is None else NOON + timedelta(seconds=expiry)
    return a_current(generation, issued_time=NOON, expiry_time=end)
