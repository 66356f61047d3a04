"""Events tell people what happened, at a bounded price, and whatever happens to them stops nothing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from fakes.cluster import FakeClock, FakeCluster
from leasehold.api.reasons import Reason
from leasehold.core.facts import EventType
from leasehold.core.faults import TryLater
from leasehold.engine.events import Allowance, EventRecorder
from objects import a_connection

FREELY = Allowance(burst=100_000, seconds_each=0.001)


class World:
    """A cluster with one namespace, a recorder, and what it gave up."""

    def __init__(
        self, per_object: Allowance = FREELY, overall: Allowance = FREELY, capacity: int = 1000
    ) -> None:
        self.cluster = FakeCluster()
        self.clock = FakeClock()
        self.dropped: Counter[str] = Counter()
        self.recorder = EventRecorder(
            self.cluster, self.clock, lambda why: self.dropped.update([why]), per_object, overall, capacity
        )

    @property
    def told(self) -> list[str]:
        return [event.message for event in self.cluster.events]


def running(world: World, scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        task = asyncio.create_task(world.recorder.run())
        async with asyncio.timeout(20):
            await scenario()
            await world.recorder.sent()
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())


def test_an_event_says_what_happened_in_the_reasons_own_words() -> None:
    world = World()

    async def scenario() -> None:
        world.recorder.record(a_connection(), Reason.EXPIRED)

    running(world, scenario)
    (event,) = world.cluster.events
    assert (event.regarding, event.type, event.reason, event.action) == (
        "support/support-bot-orders",
        EventType.WARNING,
        Reason.EXPIRED,
        "Decide",
    )
    assert event.message == "The lease ended without a review; an approval starts the next one."


def test_the_same_thing_is_said_once_in_ten_minutes() -> None:
    world = World()

    async def scenario() -> None:
        for _ in range(60):
            world.recorder.record(a_connection(), Reason.UNREACHABLE, "store default cannot be reached")
            world.clock.advance(10)
        world.recorder.record(a_connection(), Reason.UNREACHABLE, "store default cannot be reached")

    running(world, scenario)
    assert world.told == ["store default cannot be reached"] * 2
    assert world.dropped == {}


@pytest.mark.parametrize(
    "other",
    [
        (a_connection(uid="another"), Reason.ROTATION, "x"),
        (a_connection(), Reason.ISSUED, "x"),
        (a_connection(), Reason.ROTATION, "y"),
    ],
    ids=["object", "reason", "message"],
)
def test_something_else_is_said_at_once(other: tuple[object, Reason, str]) -> None:
    world = World()

    async def scenario() -> None:
        world.recorder.record(a_connection(), Reason.ROTATION, "x")
        world.recorder.record(*other)  # type: ignore[arg-type]

    running(world, scenario)
    assert len(world.told) == 2


def test_an_object_that_never_says_the_same_twice_has_an_allowance() -> None:
    world = World(per_object=Allowance(burst=3, seconds_each=60))

    async def scenario() -> None:
        for number in range(10):
            world.recorder.record(a_connection(), Reason.UNREACHABLE, f"attempt {number}")
        world.recorder.record(a_connection(uid="quiet"), Reason.EXPIRED)
        world.clock.advance(60)
        world.recorder.record(a_connection(), Reason.UNREACHABLE, "attempt 10")

    running(world, scenario)
    assert world.told[:3] == ["attempt 0", "attempt 1", "attempt 2"]
    assert world.told[3].startswith("The lease ended")
    assert world.told[4:] == ["attempt 10"]
    assert world.dropped == {"object_rate": 7}


def test_what_was_dropped_may_be_said_again() -> None:
    world = World(per_object=Allowance(burst=1, seconds_each=60))

    async def scenario() -> None:
        world.recorder.record(a_connection(), Reason.UNREACHABLE, "a")
        world.recorder.record(a_connection(), Reason.UNREACHABLE, "b")
        world.clock.advance(60)
        world.recorder.record(a_connection(), Reason.UNREACHABLE, "b")

    running(world, scenario)
    assert world.told == ["a", "b"]


def test_a_full_queue_drops_and_counts_and_never_waits() -> None:
    world = World(capacity=5)
    for number in range(8):
        world.recorder.record(a_connection(uid=f"u{number}"), Reason.REVOKED)
    assert world.dropped == {"queue_full": 3}


def test_all_objects_together_are_sent_at_a_pace_that_an_hour_would_not_exhaust() -> None:
    world = World(overall=Allowance(burst=2, seconds_each=3600))

    async def scenario() -> None:
        sending = asyncio.create_task(world.recorder.run())
        for number in range(5):
            world.recorder.record(a_connection(uid=f"u{number}"), Reason.REVOKED)
        for _ in range(1000):
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(scenario())
    assert len(world.told) == 2


def test_what_waits_for_its_turn_is_not_lost() -> None:
    world = World(overall=Allowance(burst=2, seconds_each=0.001))

    async def scenario() -> None:
        for number in range(12):
            world.recorder.record(a_connection(uid=f"u{number}"), Reason.REVOKED)

    running(world, scenario)
    assert len(world.told) == 12
    assert world.dropped == {}


@pytest.mark.parametrize(
    ("fault", "why"),
    [(TryLater(Reason.CLUSTER_UNAVAILABLE, "gone"), "refused"), (ZeroDivisionError("mistake"), "failed")],
    ids=["fault", "mistake"],
)
def test_an_event_that_cannot_be_sent_is_counted_and_the_next_one_is_sent(fault: Exception, why: str) -> None:
    world = World()
    world.cluster.fail("emit_event", fault)

    async def scenario() -> None:
        world.recorder.record(a_connection(), Reason.REVOKED, "lost")
        world.recorder.record(a_connection(), Reason.REVOKED, "told")

    running(world, scenario)
    assert world.told == ["told"]
    assert world.dropped == {why: 1}


def test_before_the_api_server_has_answered_there_is_nobody_to_tell() -> None:
    world = World()
    world.clock.moment = None
    world.recorder.record(a_connection(), Reason.REVOKED)
    assert world.dropped == {"no_clock": 1}


def test_a_long_message_with_a_token_is_cut_and_cleaned() -> None:
    world = World()

    async def scenario() -> None:
        world.recorder.record(
            a_connection(), Reason.REFUSED, "refused hvs.CAESIJf0abcdefghijklmnop " + "word " * 1000
        )

    running(world, scenario)
    (message,) = world.told
    assert message.startswith("refused [redacted] word")
    assert len(message) <= 1024


def test_memory_of_what_was_said_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leasehold.engine.events.MAX_REMEMBERED", 50)
    world = World(capacity=10_000)

    async def scenario() -> None:
        for number in range(1000):
            world.recorder.record(a_connection(uid=f"u{number}"), Reason.REVOKED)
            world.clock.advance(1)
        for number in range(1000):
            world.recorder.record(a_connection(), Reason.RETRYING, f"attempt {number}")
            world.clock.advance(60)

    running(world, scenario)
    assert len(world.told) == 2000
    assert world.recorder.remembered <= 100
