"""What is done about a connection, situation by situation."""

from dataclasses import replace
from datetime import timedelta

import pytest

from leasehold.api.connection import EntryState, LedgerEntry
from leasehold.api.names import ABANDON_ANNOTATION, SecretAnnotation
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.core.deadlines import lease_end, rotation_due
from leasehold.core.decide import decide, next_wake
from leasehold.core.faults import TryLater
from leasehold.core.observation import Observation
from leasehold.core.project import project
from objects import NOON, a_profile, a_revocation, an_entry, the_fact_of
from observations import (
    EMPTY,
    a_claim,
    a_current,
    a_retiring,
    a_secret,
    an_edit_of,
    an_intent,
    an_observation,
    hash_now,
)

SECOND = timedelta(seconds=1)
WAITING = {"backoff": {"failures": 1, "retryTime": "2026-11-20T12:00:05Z", "reason": "Unreachable"}}


def planned(*entries: LedgerEntry, **facts: object) -> Observation:
    return an_observation(a_claim(entries), **facts)  # type: ignore[arg-type]


def test_a_new_connection_is_minted_for() -> None:
    assert decide(an_observation()).mint is Reason.FIRST_MINT


def test_a_failure_is_waited_for_until_somebody_edits_what_it_failed_with() -> None:
    failed = project(an_observation(), TryLater(Reason.UNREACHABLE, "it is away"))
    waiting = an_observation(a_claim(status=failed.to_wire()))
    assert decide(waiting).mint is None
    for kind in ("connection", "profile", "store"):
        edited = replace(waiting, **{kind: an_edit_of(getattr(waiting, kind))})
        assert decide(edited).mint is Reason.FIRST_MINT


def test_a_valid_credential_is_left_alone() -> None:
    plan = decide(an_observation(a_claim([a_current()], status={"observedGeneration": 3})))
    assert plan.mint is None
    assert not plan.endings
    assert not plan.annotate
    assert not plan.delete_secret


def test_a_credential_is_rotated_when_it_is_due_and_not_before() -> None:
    connection, entry = a_claim([a_current()]), a_current()
    recipe = a_profile().spec.credential
    assert recipe is not None
    due = rotation_due(connection, entry, recipe)
    assert due is not None
    assert decide(an_observation(connection, now=due - timedelta(seconds=1))).mint is None
    assert decide(an_observation(connection, now=due)).mint is Reason.ROTATION


def test_a_changed_recipe_is_minted_for_at_once() -> None:
    profile = a_profile(path="database/creds/other")
    assert decide(planned(a_current(), profile=profile)).mint is Reason.RECIPE_CHANGED


def test_an_expired_credential_is_ended_and_replaced_in_one_pass() -> None:
    plan = decide(planned(a_current(expiry_time=NOON)))
    assert [ending.reason for ending in plan.endings] == [Reason.CREDENTIAL_EXPIRED]
    assert plan.mint is Reason.REISSUE


def test_a_retired_generation_ends_with_its_overlap() -> None:
    retiring = a_retiring(1, end_time=NOON)
    assert [ending.reason for ending in decide(planned(retiring, a_current(2))).endings] == [
        Reason.OVERLAP_OVER
    ]
    assert not decide(planned(a_retiring(1, end_time=NOON + SECOND), a_current(2))).endings


def test_the_next_generation_need_not_wait_for_an_open_intent() -> None:
    plan = decide(planned(an_intent(), secret=EMPTY))
    assert plan.mint is Reason.REISSUE
    assert not plan.endings


def test_an_open_intent_is_ended_once_its_mint_is_over() -> None:
    plan = decide(planned(an_intent(mint_deadline_time=NOON), secret=EMPTY))
    assert [ending.reason for ending in plan.endings] == [Reason.UNPUBLISHED]


def test_breakglass_too_waits_for_an_open_intent() -> None:
    o = planned(an_intent(), secret=EMPTY, revocations=(the_fact_of(a_revocation()),))
    assert not decide(o).endings


def test_an_intent_whose_secret_was_written_becomes_current() -> None:
    plan = decide(planned(an_intent(), secret=published(1)))
    assert [(entry.generation, entry.state) for entry in plan.adoptions] == [(1, EntryState.CURRENT)]
    assert plan.mint is None
    assert not plan.endings


def test_an_intent_that_was_published_is_ended_at_once_when_it_is_denied() -> None:
    o = an_observation(a_claim([an_intent()], spec={"suspend": True}), secret=published(1))
    plan = decide(o)
    assert [(ending.entry.state, ending.reason) for ending in plan.endings] == [
        (EntryState.CURRENT, Reason.SUSPENDED)
    ]
    assert plan.delete_secret


def test_a_denial_ends_current_and_retiring_and_deletes_the_secret() -> None:
    plan = decide(an_observation(a_claim([a_retiring(1), a_current(2)], spec={"suspend": True})))
    assert [ending.entry.generation for ending in plan.endings] == [1, 2]
    assert {ending.reason for ending in plan.endings} == {Reason.SUSPENDED}
    assert plan.delete_secret
    assert plan.mint is None


def test_an_obstacle_stops_minting_and_ends_nothing() -> None:
    plan = decide(planned(a_current(), profile=None))
    assert plan.mint is None
    assert not plan.endings
    assert not plan.delete_secret


def test_what_is_being_revoked_is_tried_again_when_its_wait_is_over() -> None:
    revoking = an_entry(1, EntryState.REVOKING, reason=Reason.SUSPENDED)
    waiting = an_observation(a_claim([revoking], spec={"suspend": True}, status=WAITING))
    assert not decide(waiting).endings
    later = an_observation(
        a_claim([revoking], spec={"suspend": True}, status=WAITING), now=NOON + timedelta(seconds=5)
    )
    assert [ending.reason for ending in decide(later).endings] == [Reason.SUSPENDED]


def test_a_mint_that_failed_waits_its_time() -> None:
    waiting = a_claim(status=WAITING)
    assert decide(an_observation(waiting)).mint is None
    assert decide(an_observation(waiting, now=NOON + timedelta(seconds=5))).mint is Reason.FIRST_MINT


def test_a_denial_does_not_wait_for_failed_work() -> None:
    o = an_observation(a_claim([a_current()], spec={"suspend": True}, status=WAITING))
    assert [ending.reason for ending in decide(o).endings] == [Reason.SUSPENDED]


def test_what_only_runs_out_leaves_the_ledger_when_it_has() -> None:
    running = an_entry(
        1,
        EntryState.REVOKING,
        type=CredentialType.EXPIRING,
        accessor="",
        lease_id=None,
        expiry_time=NOON + SECOND,
        reason=Reason.SUSPENDED,
    )
    before = an_observation(a_claim([running], spec={"suspend": True}))
    after = an_observation(a_claim([running], spec={"suspend": True}), now=NOON + SECOND)
    assert not decide(before).endings
    assert len(decide(after).endings) == 1


@pytest.mark.parametrize("count", [6, 7])
def test_one_place_in_the_ledger_stays_free(count: int) -> None:
    ledger = [an_entry(number, EntryState.REVOKING) for number in range(1, count + 1)]
    assert (decide(an_observation(a_claim(ledger))).mint is None) is (count == 7)


def test_a_lost_ledger_is_looked_for_in_the_secret_first() -> None:
    plan = decide(an_observation(a_claim(held=True), secret=published(4)))
    assert plan.recover
    assert plan.mint is None
    assert not plan.endings


def test_a_lost_ledger_without_a_secret_is_never_new() -> None:
    plan = decide(an_observation(a_claim(held=True), secret=EMPTY))
    assert plan.mint is None
    assert not plan.recover
    assert plan.finding.reason is Reason.LEDGER_LOST


@pytest.mark.parametrize(
    ("fields", "given_up"),
    [
        ({"held": True}, True),
        ({"ledger": [a_current()], "deleted": True}, True),
        ({"ledger": [a_current()]}, False),
        ({}, False),
    ],
)
def test_a_ledger_is_given_up_only_where_there_is_something_to_give_up(
    fields: dict[str, object], given_up: bool
) -> None:
    connection = a_claim(annotations={ABANDON_ANNOTATION: "the old Vault burnt down"}, **fields)  # type: ignore[arg-type]
    assert (decide(an_observation(connection)).abandon is not None) is given_up


def test_an_edit_is_written_to_the_secret_without_a_mint() -> None:
    plan = decide(an_observation(a_claim([a_current()], status={"observedGeneration": 2})))
    assert plan.annotate
    assert plan.mint is None


def test_the_next_look_is_at_the_earliest_moment_that_changes_anything() -> None:
    entry = a_retiring(1, end_time=NOON + timedelta(minutes=3))
    assert next_wake(planned(entry, a_current(2))) == NOON + timedelta(minutes=3)
    waiting = an_observation(a_claim([entry, a_current(2)], status=WAITING))
    assert next_wake(waiting) == NOON + timedelta(seconds=5)
    assert next_wake(an_observation(now=lease_end(a_claim()) or NOON)) is None


def published(generation: int) -> object:
    return a_secret(
        {
            SecretAnnotation.GENERATION: str(generation),
            SecretAnnotation.ACCESSOR: f"accessor-{generation}",
            SecretAnnotation.LEASE_ID: f"database/creds/orders-read/{generation}",
        }
    )


def test_the_builders_current_entry_is_what_the_profile_asks_for() -> None:
    assert a_current().mint_hash == hash_now()
