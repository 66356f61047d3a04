"""What a revocation may claim: each count waits for its own proof."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.hold import MAX_HOLDS, Hold, OnLift
from leasehold.api.revocation import MAX_PENDING_HOLDS, MCPRevocationStatus
from leasehold.core.revocation_standing import Seen
from leasehold.core.revocation_status import revocation_status
from leasehold.core.revocations import is_owed_a_hold
from objects import NOON, a_connection, a_revocation, an_entry

LATER = NOON + timedelta(seconds=7)
HELD = Hold(uid="uid-of-breakglass", revocation="breakglass", since_time=NOON, on_lift=OnLift.REQUIRE_REVIEW)


def a_match(*entries: LedgerEntry, held: bool = False, secret: bool = False) -> MCPConnection:
    status: dict[str, Any] = {"lastGeneration": 1}
    if secret:
        status["secret"] = {"name": "s", "uid": "secret-uid", "resourceVersion": "1", "digest": ""}
    connection = a_connection(status=status)
    changes = {"ledger": entries, "holds": (HELD,) if held else ()}
    return connection.model_copy(update={"status": connection.status.model_copy(update=changes)})


def saw(struck: bool = False, dead: bool = False, deleted: bool = False, surveyed: bool = False) -> Seen:
    return Seen(
        is_struck=lambda entry: struck,
        is_dead=lambda entry: dead,
        has_no_secret=lambda connection: deleted or connection.status.secret is None,
        is_surveyed=lambda connection, uid: surveyed,
    )


def told(
    matched: Iterable[MCPConnection],
    seen: Seen,
    before: MCPRevocationStatus | None = None,
    unseen: Iterable[str] = (),
    **spec: Any,
) -> MCPRevocationStatus:
    revocation = a_revocation(status=before.to_wire() if before else None, **spec)
    return revocation_status(revocation, list(matched), seen, LATER, unseen)


def is_complete(status: MCPRevocationStatus) -> bool:
    return any(each.type == "Complete" and each.status.value == "True" for each in status.conditions)


def test_what_is_struck_is_revoked_and_not_yet_verified() -> None:
    status = told([a_match(an_entry(), secret=True)], saw(struck=True))
    assert (status.matched, status.revoked, status.verified, status.secrets_deleted) == (1, 1, 0, 0)


def test_what_is_dead_is_verified_once_nothing_can_be_minted_any_more() -> None:
    match = a_match(an_entry())
    assert told([match], saw(struck=True, dead=True)).verified == 0
    assert told([match], saw(struck=True, dead=True, surveyed=True)).verified == 1
    assert told([a_match(held=True)], saw()).verified == 1


def test_it_is_complete_only_once_the_hold_is_written_down() -> None:
    seen = saw(struck=True, dead=True, deleted=True, surveyed=True)
    verified = told([a_match(an_entry(), secret=True)], seen)
    assert (verified.verified, verified.secrets_deleted) == (1, 1)
    assert not is_complete(verified)
    assert verified.verified_time is None
    assert is_complete(told([a_match(held=True)], seen))


@pytest.mark.parametrize("surveyed", [False, True])
def test_an_open_intent_is_neither_revoked_nor_dead_nor_without_a_secret(surveyed: bool) -> None:
    status = told([a_match(an_entry(state=EntryState.INTENT), held=True)], saw(surveyed=surveyed))
    assert (status.matched, status.revoked, status.verified, status.secrets_deleted) == (1, 0, 0, 0)
    assert not is_complete(status)


def full_of_others(*entries: LedgerEntry, **last: Any) -> MCPConnection:
    """It carries as many holds of other revocations as fit."""
    others = [HELD.model_copy(update={"uid": f"other-{number}"}) for number in range(MAX_HOLDS)]
    others[-1] = others[-1].model_copy(update=last)
    match = a_match(*entries)
    return match.model_copy(update={"status": match.status.model_copy(update={"holds": tuple(others)})})


def test_a_hold_that_has_no_place_is_not_waited_for_once_nothing_can_be_minted_any_more() -> None:
    match = full_of_others()
    assert is_owed_a_hold(a_revocation(), match, LATER)
    unknown, status = told([match], saw()), told([match], saw(surveyed=True))
    assert (unknown.verified, is_complete(unknown)) == (0, False)
    assert (status.verified, is_complete(status)) == (1, True)
    assert status.pending_holds == (match.metadata.uid,), "it stays matched"


def test_what_a_full_connection_has_alive_is_not_complete() -> None:
    assert not is_complete(told([full_of_others(an_entry())], saw(struck=True, surveyed=True)))


def test_where_its_own_hold_has_no_place_what_others_remember_may_work_is_told() -> None:
    until = LATER + timedelta(hours=1)
    running_out = told([full_of_others(residual_time=until)], saw(surveyed=True))
    assert running_out.residual_exposure_until == until
    endless = told([full_of_others(without_end=True)], saw(surveyed=True))
    assert (endless.verified, endless.residual) == (0, "unknown: 1 without an end")


def test_a_full_connection_is_waited_for_while_the_status_may_not_name_it() -> None:
    unseen = [f"uid-{number:05d}" for number in range(MAX_PENDING_HOLDS)]
    assert not is_complete(told([full_of_others()], saw(surveyed=True), unseen=unseen))


def never_minted() -> MCPConnection:
    return a_connection(metadata={"uid": "newborn"})


def test_whoever_is_counted_as_matched_is_recorded_until_its_hold_is() -> None:
    match = a_match(an_entry())
    assert told([match], saw()).pending_holds == (match.metadata.uid,)
    assert told([never_minted()], saw()).pending_holds == ("newborn",)
    assert told([a_match(held=True)], saw()).pending_holds == ()
    assert told([], saw(), unseen=["elsewhere"]).pending_holds == ("elsewhere",)


@pytest.mark.parametrize("missing", [[never_minted()], []])
def test_it_is_not_complete_while_a_match_is_recorded_here_alone(missing: list[MCPConnection]) -> None:
    unseen = [] if missing else ["elsewhere"]
    status = told([a_match(held=True), *missing], saw(), unseen=unseen)
    assert status.verified == status.matched
    assert not is_complete(status)
    assert "written down" in status.conditions[1].message


def test_a_newcomer_takes_no_completion_back_and_is_recorded_all_the_same() -> None:
    before = told([a_match(held=True)], saw())
    after = told([a_match(held=True), never_minted()], saw(), before)
    assert is_complete(after)
    assert after.verified_time == before.verified_time
    assert (after.matched, after.pending_holds) == (2, ("newborn",))


def test_one_that_joins_with_a_credential_does_take_it_back() -> None:
    before = told([a_match(held=True)], saw())
    assert not is_complete(told([a_match(held=True), a_match(an_entry())], saw(), before))


LIFT = {"lift": {"by": "bob@example.com", "reason": "it is safe again"}}


def test_after_the_lift_whoever_is_to_be_reviewed_stays_recorded_until_its_hold_is() -> None:
    match = a_match(an_entry())
    before = told([match], saw())
    lifted = told([match], saw(), before, **LIFT)
    assert (lifted.lifted_time, lifted.pending_holds) == (LATER, before.pending_holds)
    assert told([a_match(held=True)], saw(), lifted, **LIFT).pending_holds == ()
    assert told([match], saw(), before, onLift="Resume", **LIFT).pending_holds == ()


def test_more_matches_than_the_status_takes_are_recorded_in_turn() -> None:
    many = [f"uid-{number:05d}" for number in range(MAX_PENDING_HOLDS + 5)]
    assert told([], saw(), unseen=many).pending_holds == tuple(many[:-5])
    assert told([], saw(), unseen=many[5:]).pending_holds == tuple(many[5:])
