"""What is on record of who answers for a connection, whatever the owner directory says, in whatever order."""

from datetime import timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.base import rfc3339
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.checks import DENIALS, Effect, first_finding
from leasehold.core.decide import decide, next_wake, standing
from leasehold.core.next_step import next_step
from leasehold.core.observation import Observation
from leasehold.core.owner_directory import OwnerDirectory
from leasehold.core.owners import Doubt, OwnerLook, doubt_about, is_mass_leave, owner_now
from leasehold.core.project import project
from leasehold.core.use import CLOCK_SKEW
from objects import NOON
from observations import a_claim, a_current

ALICE, BOB = "alice@example.com", "bob@example.com"
HOUR = timedelta(hours=1)
GRACE = 10 * HOUR
DOUBTS = [
    Doubt(reason, "it is not believed")
    for reason in (
        Reason.NO_OWNER_DIRECTORY,
        Reason.UNREADABLE_OWNER_DIRECTORY,
        Reason.STALE_OWNER_DIRECTORY,
        Reason.SUSPECT_OWNER_DIRECTORY,
    )
]


def a_look(hours: float, *active: str) -> OwnerLook:
    return OwnerLook(NOON + hours * HOUR, GRACE, active=frozenset(active))


def a_doubt(hours: float, doubt: Doubt = DOUBTS[1]) -> OwnerLook:
    return OwnerLook(NOON + hours * HOUR, GRACE, doubt)


def after(connection: MCPConnection, *looks: OwnerLook | None) -> MCPConnection:
    return reduce(recorded, looks, connection)


def recorded(connection: MCPConnection, look: OwnerLook | None) -> MCPConnection:
    status = connection.status.model_copy(update={"owner": owner_now(connection, look)})
    return connection.model_copy(update={"status": status})


def approved(connection: MCPConnection, hours: float, reviewer: str) -> MCPConnection:
    record = {
        "review": "said",
        "reviewer": reviewer,
        "assurance": "Owner",
        "time": rfc3339(NOON + hours * HOUR),
    }
    wire = connection.to_wire()
    return MCPConnection.model_validate({**wire, "status": {**wire["status"], "approval": record}})


def owned(connection: MCPConnection, **owner: Any) -> MCPConnection:
    """Somebody edits spec.owner."""
    changed = connection.spec.owner.model_copy(update=owner)
    return connection.model_copy(update={"spec": connection.spec.model_copy(update={"owner": changed})})


def an_orphan() -> MCPConnection:
    return after(a_claim([a_current()]), a_look(0, BOB), a_look(10, BOB))


def seen_at(connection: MCPConnection, hours: float, look: OwnerLook | None = None) -> Observation:
    return Observation(
        now=NOON + hours * HOUR, connection=connection, profile=None, store=None, owner_look=look
    )


def test_who_is_there_leaves_no_record() -> None:
    assert after(a_claim(), a_look(0, ALICE), None, a_doubt(1), a_look(2, ALICE)).status.owner is None


def test_a_leaver_starts_one_deadline_which_no_later_look_moves() -> None:
    record = after(a_claim(), a_look(0), a_look(3), a_look(9.9)).status.owner
    assert record is not None
    assert (record.left_since, record.deadline_time, record.orphaned_since) == (NOON, NOON + GRACE, None)
    assert (record.owner, record.answering) == (ALICE, ALICE)


def test_the_deadline_stands_although_another_grace_is_set_meanwhile() -> None:
    shorter = OwnerLook(NOON + 5 * HOUR, HOUR)
    record = after(a_claim(), a_look(0), shorter).status.owner
    assert record is not None
    assert (record.deadline_time, record.orphaned_since) == (NOON + GRACE, None)


def test_at_its_deadline_it_is_orphaned_and_everything_ends() -> None:
    orphan = an_orphan()
    assert orphan.status.owner is not None
    assert orphan.status.owner.orphaned_since == NOON + GRACE
    finding = standing(seen_at(orphan, 11))
    assert (finding.reason, finding.effect) == (Reason.ORPHANED, Effect.END)
    assert [ending.reason for ending in decide(seen_at(orphan, 11)).endings] == [Reason.ORPHANED]
    assert next_wake(seen_at(after(a_claim(), a_look(0)), 1)) == NOON + GRACE


def test_a_deadline_that_has_passed_is_not_enough_while_the_directory_is_in_doubt() -> None:
    left = after(a_claim(), a_look(0))
    for look in (None, *(a_doubt(20, doubt) for doubt in DOUBTS)):
        assert after(left, look).status.owner == left.status.owner


def test_an_approval_counts_from_the_deputy_and_after_the_finding_only() -> None:
    left = after(a_claim(), a_look(0))
    assert after(approved(left, -1, BOB), a_look(1)).status.owner == left.status.owner
    assert after(approved(left, 1, ALICE), a_look(1)).status.owner == left.status.owner
    assert after(approved(left, 1, "carol"), a_look(1)).status.owner == left.status.owner
    taken = after(approved(left, 1, BOB), a_look(1, BOB)).status.owner
    assert taken is not None
    assert (taken.answering, taken.left_since) == (BOB, None)


def test_a_deputy_who_answers_is_looked_for_and_the_owner_who_is_back_answers_again() -> None:
    taken = after(approved(after(a_claim(), a_look(0)), 1, BOB), a_look(1, BOB))
    gone = after(taken, a_look(5)).status.owner
    assert gone is not None
    assert (gone.answering, gone.left_since) == (BOB, NOON + 5 * HOUR)
    assert after(taken, a_look(5, ALICE, BOB)).status.owner is None
    assert after(taken, a_look(5), a_look(6, ALICE)).status.owner is None


def test_a_deputy_who_is_none_any_more_does_not_answer() -> None:
    taken = after(approved(after(a_claim(), a_look(0)), 1, BOB), a_look(1, BOB))
    record = after(owned(taken, deputy=None), a_look(5, BOB)).status.owner
    assert record is not None
    assert (record.answering, record.left_since) == (ALICE, NOON + 5 * HOUR)


def test_another_owner_ends_it_and_the_same_name_in_other_letters_does_not() -> None:
    orphan = an_orphan()
    assert after(owned(orphan, user="carol"), None).status.owner is None
    assert after(owned(orphan, user="Alice@Example.com"), None).status.owner == orphan.status.owner


def test_an_orphan_stays_one_although_its_owner_is_back_until_they_or_the_deputy_approve() -> None:
    orphan = an_orphan()
    back = after(orphan, a_look(20, ALICE, BOB))
    assert back.status.owner == orphan.status.owner
    assert after(approved(back, 21, ALICE), a_look(21, ALICE)).status.owner is None
    assert after(approved(orphan, 21, BOB), a_doubt(21)).status.owner is not None
    assert standing(seen_at(after(approved(orphan, 21, BOB), a_doubt(21)), 21)).reason is not Reason.ORPHANED


def test_an_owner_who_is_back_after_the_deputy_has_left_as_well_brings_an_orphan_back() -> None:
    taken = after(approved(after(a_claim(), a_look(0)), 1, BOB), a_look(1, BOB))
    orphan = after(taken, a_look(5), a_look(15))
    assert orphan.status.owner is not None
    assert orphan.status.owner.orphaned_since == NOON + 15 * HOUR
    assert after(orphan, a_look(16, ALICE)).status.owner == orphan.status.owner
    assert after(approved(orphan, 17, ALICE), a_look(17, ALICE)).status.owner is None


def test_who_can_end_it_is_told_as_it_is() -> None:
    def told(connection: MCPConnection) -> str:
        status = project(seen_at(connection, 11), None)
        return next_step(connection.model_copy(update={"status": status})) or ""

    assert f"its deputy {BOB} approves it: leasehold approve" in told(an_orphan())
    alone = owned(an_orphan(), deputy=None)
    assert told(alone).startswith("its team names somebody else in spec.owner.user")


# whether the directory is believed


@pytest.mark.parametrize(
    ("as_of", "reason"),
    [
        (NOON, None),
        (NOON - 48 * HOUR, None),
        (NOON - 48 * HOUR - timedelta(seconds=1), Reason.STALE_OWNER_DIRECTORY),
        (NOON + CLOCK_SKEW, None),
        (NOON + 2 * CLOCK_SKEW, Reason.UNREADABLE_OWNER_DIRECTORY),
    ],
)
def test_a_directory_is_believed_for_a_while(as_of: Any, reason: Reason | None) -> None:
    doubt = doubt_about(OwnerDirectory(as_of, frozenset({ALICE})), NOON, 48 * HOUR)
    assert (doubt.reason if doubt else None) == reason


@pytest.mark.parametrize(
    ("owners", "there", "is_suspect"),
    [
        (1, 0, True),  # nobody at all is listed
        (2, 1, False),
        (3, 1, False),
        (4, 1, True),
        (4, 2, False),
        (100, 50, False),
        (100, 49, True),
    ],
)
def test_more_than_half_of_all_owners_do_not_leave(owners: int, there: int, is_suspect: bool) -> None:
    people = [f"person-{number}" for number in range(owners)]
    assert is_mass_leave(people, OwnerDirectory(NOON, frozenset(people[:there]))) is is_suspect


def test_a_fleet_of_two_whose_owners_have_both_left_is_believed_where_others_are_listed() -> None:
    assert not is_mass_leave([ALICE, BOB], OwnerDirectory(NOON, frozenset({"carol"})))


# properties

doubts = st.builds(a_doubt, st.floats(0, 100), st.sampled_from(DOUBTS)) | st.none()
words = st.builds(a_look, st.floats(0, 100), *[st.sampled_from((ALICE, BOB, "carol"))] * 2)
beginnings = st.lists(words | doubts, max_size=6).map(
    lambda looks: after(a_claim([a_current()]), *sorted(looks, key=lambda each: each.at if each else NOON))
)


@given(beginnings, st.lists(doubts, min_size=1, max_size=8))
def test_no_sequence_of_failures_changes_the_record_or_the_standing(
    connection: MCPConnection, failures: list[OwnerLook | None]
) -> None:
    later = after(connection, *failures)
    assert later.status.owner == connection.status.owner
    for failure in failures:
        assert first_finding(DENIALS, seen_at(later, 200, failure)) == first_finding(
            DENIALS, seen_at(connection, 200)
        )


@given(beginnings, words | doubts)
def test_a_look_that_is_taken_in_twice_is_taken_in_once(
    connection: MCPConnection, look: OwnerLook | None
) -> None:
    once = after(connection, look)
    assert after(once, look).status.owner == once.status.owner


@given(beginnings, words)
def test_nothing_is_orphaned_before_its_own_deadline_or_while_who_answers_is_there(
    connection: MCPConnection, look: OwnerLook
) -> None:
    before, record = connection.status.owner, after(connection, look).status.owner
    if record is None or record.orphaned_since is None or record == before:
        return
    assert record.left_since is not None
    assert look.at >= record.orphaned_since == record.left_since + GRACE
    assert ALICE not in look.active
