"""An operator that is asked to stop, at whatever moment of its start, ends in order, and alarms nobody."""

from collections.abc import Iterator, Sequence

import pytest

from controlplane.waiting import wait_until
from crash.harms import kubernetes_refusal
from crash.proxy import Exchange, Reply
from crash.scenarios import FIRST_MINT, unsettled
from crash.stops import Moment, requests_of_a_start, stop_at
from crash.sweep import prepare
from crash.world import LANES, CrashWorld, Subject
from leasehold.handlers.watch import WATCHED

SECONDS = 40


@pytest.fixture
def subjects(world: CrashWorld) -> Iterator[Sequence[Subject]]:
    """A connection that works in each lane, so that there is something to list and to tell of."""
    subjects = world.subjects("Lease", LANES)
    prepare(world, subjects)
    yield subjects
    world.end_operators()
    for subject in subjects:
        world.lane_of(subject).rest()
        world.delete(subject)
    assert world.misconduct() == []


def test_a_stop_at_any_moment_of_a_start_is_quiet_and_in_order(
    world: CrashWorld, subjects: Sequence[Subject]
) -> None:
    requests = requests_of_a_start(world, subjects[0], watches=len(WATCHED))
    moments = [Moment(nth, answered) for nth in range(1, len(requests) + 1) for answered in (False, True)]
    print(*requests, sep="\n")
    problems = stop_at(world, subjects, moments)
    assert not problems, "\n".join(problems)
    for subject in subjects:
        assert not unsettled(FIRST_MINT.end, world.find(subject)), "nothing came of it"


class _Unlistable:
    """The API server has no answer to a list."""

    def __init__(self) -> None:
        self.refused = 0

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if exchange.headers.get("User-Agent") != "leasehold" or not exchange.path.endswith("stores"):
            return None
        self.refused += 1
        return kubernetes_refusal(503, "ServiceUnavailable")

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        return None


def test_a_stop_while_nothing_can_be_listed_is_in_order(
    world: CrashWorld, subjects: Sequence[Subject]
) -> None:
    lane = world.lane_of(subjects[0])
    meddler = lane.meddler = _Unlistable()
    operator = world.operator(lane)
    wait_until(lambda: meddler.refused >= 2, SECONDS, "it has tried again")
    operator.stop()
    assert operator.logged()[-1]["event"] == "stopped"


def test_a_stop_while_another_one_leads_is_quiet_and_in_order(
    world: CrashWorld, subjects: Sequence[Subject]
) -> None:
    lane = world.lane_of(subjects[0])
    lane.scope = subjects[0].scope
    leader = world.operator(lane, lease_name="crash-shared")
    wait_until(lambda: _said(leader.logged(), "leading"), SECONDS, "it leads")
    before = len(lane.log)
    standby = world.operator(lane, lease_name="crash-shared")
    wait_until(lambda: _said(standby.logged(), "started"), SECONDS, "the other one stands by")
    wait_until(lambda: len(_elections(lane.log[before:])) > 3, SECONDS, "it has looked at the lease")
    standby.stop()
    assert [line["event"] for line in standby.logged()] == ["started", "stopping", "stopped"]
    leader.stop()


def _said(logged: Sequence[dict[str, str]], event: str) -> bool:
    return any(line.get("event") == event for line in logged)


def _elections(exchanges: Sequence[Exchange]) -> list[Exchange]:
    return [each for each in exchanges if each.path.endswith("/leases/crash-shared")]
