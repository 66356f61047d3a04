"""What holds of a connection's standing, whatever people say in whatever order, and whatever threat comes first."""

from datetime import timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.base import ConditionStatus, rfc3339
from leasehold.api.connection import DriftLevel, MCPConnection
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.core.checks import Effect
from leasehold.core.decide import next_wake, standing
from leasehold.core.drift_standing import DRIFT_WINDOW, DriftStanding
from leasehold.core.reviews import reviewed
from objects import NOON
from observations import a_claim, a_current, an_observation
from strategies import EACH

DAYS = st.integers(0, 60).map(lambda days: timedelta(days=days))
SAID = st.lists(
    st.tuples(st.sampled_from(["Approve", "Reject"]), st.integers(-40, 40), st.booleans()), max_size=4
)


def a_review(number: int, decision: str, hours: int, *, counts: bool) -> MCPConnectionReview:
    judged = {
        "type": "Counted",
        "status": (ConditionStatus.TRUE if counts else ConditionStatus.FALSE).value,
        "reason": (Reason.COUNTED if counts else Reason.ANOTHER_SURFACE).value,
        "lastTransitionTime": rfc3339(NOON),
    }
    return MCPConnectionReview.model_validate(
        {
            "metadata": {
                "name": f"review-{number}",
                "namespace": "support",
                "creationTimestamp": rfc3339(NOON + timedelta(hours=hours)),
            },
            "spec": {
                "connection": "orders",
                "reviewer": "alice@example.com",
                "decision": decision,
                "comment": "looked at it",
            },
            "status": {"conditions": [judged]},
        }
    )


@EACH
@given(DAYS, DAYS, DAYS)
def test_the_earliest_deadline_wins(lease: timedelta, drifted: timedelta, age: timedelta) -> None:
    """Of the end of the lease and of the time that drift leaves, whichever comes first ends the credential, and
    before that the connection is looked at again in time."""
    lease += timedelta(days=1)
    created = NOON - age
    since = created + drifted
    drift = DriftStanding(
        live_digest="sha256:" + "1" * 64,
        approved_digest="sha256:" + "2" * 64,
        level=DriftLevel.REVIEW,
        since=since,
        deadline=since + DRIFT_WINDOW,
    )
    spec = {"leaseDurationSeconds": int(lease.total_seconds())}
    claim = a_claim([a_current()], created=created, spec=spec)
    observed = an_observation(claim, drift=drift)
    earliest = min(created + lease, since + DRIFT_WINDOW)
    assert (standing(observed).effect is Effect.END) is (earliest <= observed.now)
    if earliest > observed.now:
        wake = next_wake(observed)
        assert wake is not None
        assert wake <= earliest


@EACH
@given(SAID)
def test_what_people_said_counts_the_same_in_whatever_order_it_is_heard(
    said: list[tuple[str, int, bool]],
) -> None:
    reviews = [
        a_review(number, decision, hours, counts=counts)
        for number, (decision, hours, counts) in enumerate(said)
    ]
    claim = a_claim(created=NOON)

    def heard_one_by_one(order: tuple[MCPConnectionReview, ...]) -> MCPConnection:
        connection, there = claim, []
        for review in order:
            there.append(review)
            connection = reviewed(connection, there)
        return connection

    at_once = reviewed(claim, reviews).status
    for order in permutations(reviews):
        status = heard_one_by_one(order).status
        assert (status.approval, status.rejection) == (at_once.approval, at_once.rejection)


@EACH
@given(SAID)
def test_the_newest_word_counts_and_a_tie_denies(said: list[tuple[str, int, bool]]) -> None:
    reviews = [
        a_review(number, decision, hours, counts=counts)
        for number, (decision, hours, counts) in enumerate(said)
    ]
    status = reviewed(a_claim(created=NOON), reviews).status
    approvals = [hours for decision, hours, counts in said if counts and decision == "Approve" and hours >= 0]
    rejections = [hours for decision, hours, counts in said if counts and decision == "Reject"]
    denied = bool(rejections) and (not approvals or max(rejections) >= max(approvals))
    assert (status.rejection is not None) is denied
    assert (status.approval is not None) is bool(approvals)
