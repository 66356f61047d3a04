"""What a connection takes over from those that were before it."""

from datetime import timedelta
from typing import Any

import pytest

from leasehold.api.base import rfc3339
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import FormerConnection
from leasehold.core.former import LOOKED_AT_ANEW, ended_lately, inherited
from objects import NOON, a_connection

ONE_HOUR = timedelta(hours=1)
NOBODY: frozenset[str] = frozenset()


def created(hours: float = 0, **status: Any) -> MCPConnection:
    metadata = {"creationTimestamp": rfc3339(NOON + hours * ONE_HOUR)}
    return a_connection("new", uid="uid-new", metadata=metadata, status=status)


def former(name: str = "old", ended: float = -1, **fields: Any) -> FormerConnection:
    return FormerConnection.model_validate(
        {
            "name": name,
            "uid": f"uid-{name}",
            "profile": "orders-read",
            "createdTime": rfc3339(NOON - 9 * ONE_HOUR),
            "endedTime": rfc3339(NOON + ended * ONE_HOUR),
            "reason": "Deleted",
            "lastGeneration": 1,
            **fields,
        }
    )


def rejection(hours: float = -2) -> dict[str, Any]:
    time = rfc3339(NOON + hours * ONE_HOUR)
    return {"review": "no", "reviewer": "alice", "assurance": "Delegate", "time": time}


def hold(since: float = -2, **fields: Any) -> dict[str, Any]:
    time = rfc3339(NOON + since * ONE_HOUR)
    return {"uid": "u-leak", "revocation": "leak", "sinceTime": time, "onLift": "RequireReview", **fields}


def test_a_rejection_is_taken_over_until_the_first_mint() -> None:
    before = [former(rejection=rejection())]
    taken = inherited(created(), before, NOBODY)
    assert taken.status.rejection == before[0].rejection
    minted = created(lastGeneration=1)
    assert inherited(minted, before, NOBODY) is minted


@pytest.mark.parametrize(
    "before",
    [
        [former(rejection=rejection(hours=1))],
        [former(rejection=rejection(), approvedTime=rfc3339(NOON - ONE_HOUR))],
        [former(rejection=rejection()), former("newer", approvedTime=rfc3339(NOON - ONE_HOUR))],
        [],
    ],
    ids=["said after it was created", "approved since", "approved since under another name", "nobody before"],
)
def test_what_is_not_about_it_is_not_taken_over(before: list[FormerConnection]) -> None:
    assert inherited(created(), before, NOBODY).status.rejection is None


def test_an_approval_that_is_older_than_the_rejection_frees_nobody() -> None:
    before = [former(rejection=rejection(), approvedTime=rfc3339(NOON - 3 * ONE_HOUR))]
    assert inherited(created(), before, NOBODY).status.rejection is not None


def test_one_that_was_created_and_deleted_in_between_hides_nothing() -> None:
    before = [former(rejection=rejection()), former("in-between", lastGeneration=0)]
    assert inherited(created(), before, NOBODY).status.rejection is not None


def test_the_newest_of_several_rejections_counts() -> None:
    before = [former(rejection=rejection(-5)), former("newer", rejection=rejection(-3))]
    taken = inherited(created(rejection=rejection(-4)), before, NOBODY).status.rejection
    assert taken is not None
    assert taken.time == NOON - 3 * ONE_HOUR


def test_a_hold_is_taken_over_without_what_became_of_the_others_credential() -> None:
    before = [former(holds=[hold(residualTime=rfc3339(NOON + ONE_HOUR), withoutEnd=True)])]
    [taken] = inherited(created(), before, frozenset({"u-leak"})).status.holds
    assert (taken.uid, taken.lifted_time) == ("u-leak", None)
    assert (taken.residual_time, taken.without_end) == (None, False)


def test_the_lift_of_a_revocation_that_is_gone_counts_from_the_creation() -> None:
    before = [former(holds=[hold(onLift="Resume")])]
    [taken] = inherited(created(), before, NOBODY).status.holds
    assert (taken.lifted_time, taken.on_lift) == (NOON, "RequireReview")


def test_a_hold_is_not_taken_over_twice_and_not_after_an_approval_that_ended_it() -> None:
    lifted = hold(liftedTime=rfc3339(NOON - ONE_HOUR))
    own = inherited(created(holds=[hold()]), [former(holds=[lifted])], NOBODY).status.holds
    assert [each.lifted_time for each in own] == [None]
    approved = [former(holds=[lifted]), former("newer", approvedTime=rfc3339(NOON - ONE_HOUR / 2))]
    assert inherited(created(), approved, NOBODY).status.holds == ()
    assert inherited(created(), [former(holds=[hold(since=1)])], NOBODY).status.holds == ()


@pytest.mark.parametrize("last_generation", [3, None], ids=["had a credential", "nobody saw its end"])
def test_whoever_may_have_had_a_credential_is_looked_at_anew(last_generation: int | None) -> None:
    before = [former().model_copy(update={"last_generation": last_generation})]
    assert ended_lately(created(), before, NOON) == before[0]
    assert ended_lately(created(), before, NOON - ONE_HOUR + LOOKED_AT_ANEW) is None
    just_before = NOON - ONE_HOUR + LOOKED_AT_ANEW - timedelta(seconds=1)
    assert ended_lately(created(), before, just_before) == before[0]


def test_whoever_never_had_one_or_is_approved_or_has_minted_needs_nobody() -> None:
    assert ended_lately(created(), [former(lastGeneration=0)], NOON) is None
    assert ended_lately(created(lastGeneration=1), [former()], NOON) is None
    approval = {"review": "yes", "reviewer": "alice", "assurance": "Owner", "time": rfc3339(NOON)}
    assert ended_lately(created(approval=approval), [former()], NOON) is None


def test_the_newest_end_is_named() -> None:
    newest = ended_lately(created(), [former(ended=-5), former("newer", ended=-2)], NOON)
    assert newest is not None
    assert newest.name == "newer"
