"""What holds of every plan, whatever is observed."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.connection import EntryState
from leasehold.api.names import FINALIZER
from leasehold.core import ledger
from leasehold.core.checks import DENIALS, OBSTACLES, Effect, first_finding
from leasehold.core.decide import decide, is_waiting, next_wake, standing
from leasehold.core.observation import Observation
from leasehold.core.plan import Plan
from strategies import EACH, observations


def after(o: Observation, plan: Plan) -> ledger.Ledger:
    """The ledger once the plan's adoptions and endings are through, before a mint."""
    entries = o.connection.status.ledger
    for entry in plan.adoptions:
        entries = ledger.published(entries, entry, o.now, timedelta(seconds=300))
    return ledger.without(entries, [ending.entry.generation for ending in plan.endings])


@EACH
@given(observations())
def test_the_same_observation_gives_the_same_plan(o: Observation) -> None:
    assert decide(replace(o)) == decide(o)


@EACH
@given(observations())
def test_nothing_is_minted_while_a_denial_or_an_obstacle_holds(o: Observation) -> None:
    if first_finding(DENIALS + OBSTACLES, o) is not None:
        assert decide(o).mint is None


@EACH
@given(observations())
def test_nothing_is_minted_while_failed_work_waits(o: Observation) -> None:
    if is_waiting(o):
        assert decide(o).mint is None


@EACH
@given(observations())
def test_a_mint_leaves_room_for_what_is_under_way(o: Observation) -> None:
    plan = decide(o)
    if plan.mint is not None:
        assert len(after(o, plan)) < 8
        assert o.recipe is not None
        assert o.connection.spec.output is not None


@EACH
@given(observations())
def test_a_denial_ends_everything_that_was_published(o: Observation) -> None:
    plan = decide(o)
    if plan.finding.effect is Effect.END and not plan.recover:
        published = (EntryState.CURRENT, EntryState.RETIRING)
        assert not [entry for entry in after(o, plan) if entry.state in published]
        assert plan.delete_secret or (o.connection.status.secret is None and not plan.adoptions)


@EACH
@given(observations())
def test_an_open_intent_is_not_ended_before_its_mint_is_over(o: Observation) -> None:
    for ending in decide(o).endings:
        if ending.entry.state is EntryState.INTENT:
            assert ending.entry.mint_deadline_time is not None
            assert o.now >= ending.entry.mint_deadline_time


@EACH
@given(observations())
def test_nothing_leaves_the_ledger_but_by_an_ending(o: Observation) -> None:
    plan = decide(o)
    kept = {entry.generation for entry in after(o, plan)}
    ended = {ending.entry.generation for ending in plan.endings}
    assert kept | ended == {entry.generation for entry in o.connection.status.ledger}
    assert not kept & ended


@EACH
@given(observations())
def test_there_are_never_two_current_generations(o: Observation) -> None:
    states = [entry.state for entry in after(o, decide(o))]
    assert states.count(EntryState.CURRENT) <= 1


@EACH
@given(observations())
def test_a_secret_goes_only_when_no_generation_in_it_may_live(o: Observation) -> None:
    plan = decide(o)
    if plan.delete_secret:
        assert ledger.current(after(o, plan)) is None
        assert plan.mint is None


@EACH
@given(observations())
def test_a_ledger_is_given_up_only_by_a_person_who_said_so(o: Observation) -> None:
    plan = decide(o)
    if plan.abandon is not None:
        lost = ledger.is_lost(o.connection, FINALIZER)
        assert plan.abandon == "gone with the old cluster"
        assert o.connection.metadata.deletion_timestamp is not None or lost


@EACH
@given(observations())
def test_a_denial_is_found_whatever_else_is_wrong(o: Observation) -> None:
    denial = first_finding(DENIALS, o)
    if denial is not None:
        assert standing(o) == denial


@EACH
@given(observations())
def test_whatever_is_left_undone_is_looked_at_again(o: Observation) -> None:
    """Nothing that has to end by itself sleeps for ever: either this pass acts, or a moment is set."""
    plan = decide(o)
    if plan.mint is not None or plan.recover:
        return
    for entry in after(o, plan):
        assert next_wake(o) is not None or entry.expiry_time is None


@EACH
@given(observations())
def test_the_next_look_is_at_once_only_where_an_overlap_is_over(o: Observation) -> None:
    wake = next_wake(o)
    over = any(
        entry.state is EntryState.RETIRING and (entry.end_time is None or entry.end_time <= o.now)
        for entry in o.connection.status.ledger
    )
    assert wake == o.now if over else (wake is None or wake > o.now)


@EACH
@given(observations(), st.text(min_size=1, max_size=20))
def test_labels_owner_and_purpose_never_mint(o: Observation, words: str) -> None:
    connection = o.connection
    spec = connection.spec.model_copy(
        update={
            "owner": connection.spec.owner.model_copy(update={"user": words, "team": words}),
            "purpose": connection.spec.purpose.model_copy(update={"summary": words, "ticket": words}),
        }
    )
    metadata = connection.metadata.model_copy(
        update={"labels": {"team": "x"}, "generation": connection.metadata.generation + 1}
    )
    edited = replace(o, connection=connection.model_copy(update={"spec": spec, "metadata": metadata}))
    assert edited.mint_hash == o.mint_hash
    assert decide(edited).mint == decide(o).mint
