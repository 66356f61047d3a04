"""The ledger forgets nothing, and holds one current generation at the most."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.connection import EntryState
from leasehold.api.names import FINALIZER
from leasehold.api.profile import CredentialType
from leasehold.core import ledger
from objects import NOON, an_entry
from observations import a_claim, a_current, a_retiring, an_intent
from strategies import EACH, ledgers

OVERLAPS = st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds))


@EACH
@given(ledgers(), OVERLAPS)
def test_after_a_publication_one_generation_is_current_and_the_others_retire_within_the_overlap(
    entries: ledger.Ledger, overlap: timedelta
) -> None:
    newest = a_current(9)
    after = ledger.published(entries, newest, NOON, overlap)
    assert [entry.generation for entry in after if entry.state is EntryState.CURRENT] == [9]
    replaced = {entry.generation for entry in entries if entry.state is EntryState.CURRENT}
    for entry in after:
        if entry.generation in replaced:
            assert entry.state is EntryState.RETIRING
            assert entry.end_time is not None
            assert entry.end_time <= NOON + overlap
            assert entry.expiry_time is None or entry.end_time <= entry.expiry_time


@EACH
@given(ledgers(), OVERLAPS)
def test_a_publication_drops_nothing_and_touches_only_what_it_replaces(
    entries: ledger.Ledger, overlap: timedelta
) -> None:
    after = {entry.generation: entry for entry in ledger.published(entries, a_current(9), NOON, overlap)}
    assert set(after) == {entry.generation for entry in entries} | {9}
    untouched = [entry for entry in entries if entry.state is not EntryState.CURRENT]
    assert all(after[entry.generation] == entry for entry in untouched)


@EACH
@given(ledgers(), OVERLAPS)
def test_publishing_twice_is_publishing_once(entries: ledger.Ledger, overlap: timedelta) -> None:
    once = ledger.published(entries, a_current(9), NOON, overlap)
    assert ledger.published(once, a_current(9), NOON + timedelta(minutes=1), overlap) == once


@EACH
@given(ledgers(), st.integers(1, 9))
def test_entries_stay_in_order_and_one_for_each_generation(entries: ledger.Ledger, generation: int) -> None:
    after = ledger.with_entry(entries, an_intent(generation))
    numbers = [entry.generation for entry in after]
    assert numbers == sorted(set(numbers))
    assert an_intent(generation) in after


@EACH
@given(ledgers(), st.sets(st.integers(1, 9)))
def test_only_what_is_named_leaves(entries: ledger.Ledger, gone: set[int]) -> None:
    left = ledger.without(entries, gone)
    assert left == tuple(entry for entry in entries if entry.generation not in gone)


def test_a_predecessor_that_expires_sooner_does_not_outlive_its_expiry() -> None:
    expiry = NOON + timedelta(seconds=30)
    first = a_current(1, expiry_time=expiry)
    after = ledger.published((first,), a_current(2), NOON, timedelta(minutes=5))
    assert after[0].end_time == expiry


def test_a_ledger_is_full_one_before_its_last_place() -> None:
    entries = tuple(an_entry(number, EntryState.REVOKING) for number in range(1, 9))
    assert [ledger.is_full(entries[:count]) for count in (0, 6, 7, 8)] == [False, False, True, True]


def test_a_ledger_is_lost_where_our_finalizer_is_all_that_is_left() -> None:
    assert ledger.is_lost(a_claim(held=True), FINALIZER)
    assert not ledger.is_lost(a_claim(), FINALIZER)
    assert not ledger.is_lost(a_claim(held=True, last_generation=1), FINALIZER)


def test_something_may_work_until_the_latest_of_all_expiries() -> None:
    entries = (a_retiring(1, expiry_time=NOON), a_current(2, expiry_time=NOON + timedelta(hours=1)))
    assert ledger.exposed_until(entries) == NOON + timedelta(hours=1)
    assert ledger.exposed_until(()) is None


def test_an_intent_of_any_type_can_be_ended() -> None:
    for kind in (CredentialType.EXPIRING, CredentialType.STATIC):
        assert not ledger.only_runs_out(an_intent(type=kind))
        assert not ledger.cannot_end(an_intent(type=kind))


def test_what_nobody_can_revoke_is_known_by_its_type() -> None:
    assert ledger.only_runs_out(a_current(type=CredentialType.EXPIRING))
    assert ledger.cannot_end(a_current(type=CredentialType.STATIC))
    assert not ledger.only_runs_out(a_current())
    assert not ledger.cannot_end(a_current())


def test_a_ledger_names_a_mint_by_its_login_unless_that_was_given_back() -> None:
    mine = an_entry(2).model_copy(update={"accessor": "mine"})
    adopted = mine.model_copy(update={"state": EntryState.CURRENT})
    given_back = adopted.model_copy(update={"accessor": ""})
    another = mine.model_copy(update={"accessor": "somebody-elses"})
    assert ledger.names((an_entry(1), adopted), mine)
    assert ledger.names((given_back,), mine)
    assert not ledger.names((another,), mine)
    assert not ledger.names((an_entry(1),), mine)
    assert not ledger.names((), mine)
