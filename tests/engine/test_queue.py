"""What is urgent goes first, no object is with two workers, and nobody idles while there is work."""

import asyncio
from collections.abc import Callable

from leasehold.engine.queue import Lane, WorkQueue
from virtual_time import in_virtual_time, passing


def a_queue(lane_of: Callable[[str], Lane] = lambda key: Lane.STATUS) -> WorkQueue:
    return WorkQueue(asyncio.get_running_loop(), lane_of)


async def taken(queue: WorkQueue, urgent_only: bool = False) -> tuple[str, Lane] | None:
    """What a worker gets at once; None where it would have to wait."""
    try:
        async with asyncio.timeout(0.001):
            return await queue.get(urgent_only)
    except TimeoutError:
        return None


async def order_of(queue: WorkQueue) -> list[str]:
    """All that is queued, in the order in which one worker gets it."""
    keys = []
    while (got := await taken(queue)) is not None:
        keys.append(got[0])
        queue.done(got[0])
    return keys


@in_virtual_time
async def test_urgent_lanes_go_first_and_a_lane_keeps_its_order() -> None:
    queue = a_queue()
    for lane in reversed(Lane):
        queue.add(f"{lane.name}-1", lane)
        queue.add(f"{lane.name}-2", lane)
    assert await order_of(queue) == [f"{lane.name}-{number}" for lane in Lane for number in (1, 2)]


@in_virtual_time
async def test_a_key_that_is_queued_twice_is_worked_on_once() -> None:
    queue = a_queue()
    queue.add("a", Lane.ROTATE)
    queue.add("a", Lane.ROTATE)
    assert await order_of(queue) == ["a"]


@in_virtual_time
async def test_a_key_moves_only_to_a_more_urgent_lane() -> None:
    queue = a_queue()
    queue.add("late", Lane.STATUS)
    queue.add("moved", Lane.STATUS)
    queue.add("moved", Lane.REVOKE)
    queue.add("moved", Lane.STATUS)
    assert await taken(queue) == ("moved", Lane.REVOKE)
    queue.done("moved")
    assert await order_of(queue) == ["late"]


@in_virtual_time
async def test_a_key_is_with_one_worker_at_a_time_and_what_arrives_meanwhile_is_kept() -> None:
    queue = a_queue()
    queue.add("a", Lane.STATUS)
    await taken(queue)
    queue.add("a", Lane.ROTATE)
    queue.add("a", Lane.REVOKE)
    queue.add("a", Lane.STATUS)
    assert queue.busy == {"a"}
    assert await taken(queue) is None
    queue.done("a")
    assert await taken(queue) == ("a", Lane.REVOKE)
    queue.done("a")
    assert await taken(queue) is None


@in_virtual_time
async def test_a_worker_for_endings_takes_nothing_else() -> None:
    queue = a_queue()
    queue.add("mint", Lane.FIRST_MINT)
    assert await taken(queue, urgent_only=True) is None
    queue.add("kill", Lane.REVOKE)
    assert await taken(queue, urgent_only=True) == ("kill", Lane.REVOKE)


class Workers:
    """Workers that keep what they took until they are told to be done."""

    def __init__(self, queue: WorkQueue, ordinary: int, urgent: int) -> None:
        self.queue = queue
        self.took: list[str] = []
        kinds = [True] * urgent + [False] * ordinary
        self.tasks = [asyncio.create_task(self._work(urgent_only)) for urgent_only in kinds]

    async def _work(self, urgent_only: bool) -> None:
        while (got := await self.queue.get(urgent_only)) is not None:
            self.took.append(got[0])
            await asyncio.Event().wait()

    async def __aenter__(self) -> "Workers":
        await passing(0.1)
        return self

    async def __aexit__(self, *problem: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@in_virtual_time
async def test_no_worker_idles_while_there_is_work_that_it_may_do() -> None:
    """An ordinary worker takes the ending for which another one was woken."""
    for order in (["mint", "kill"], ["kill", "mint"]):
        queue = a_queue()
        async with Workers(queue, ordinary=2, urgent=1) as workers:
            for key in order:
                queue.add(key, Lane.REVOKE if key == "kill" else Lane.FIRST_MINT)
            await passing(1)
            assert sorted(workers.took) == ["kill", "mint"]


@in_virtual_time
async def test_every_ordinary_worker_is_busy_before_anything_waits() -> None:
    queue = a_queue()
    async with Workers(queue, ordinary=3, urgent=2) as workers:
        for number in range(4):
            queue.add(f"mint-{number}", Lane.FIRST_MINT)
            queue.add(f"kill-{number}", Lane.REVOKE)
        await passing(1)
        assert len(workers.took) == 5
        assert len([key for key in workers.took if key.startswith("kill")]) >= 2


@in_virtual_time
async def test_a_planned_moment_queues_the_key_in_the_lane_where_it_belongs_by_then() -> None:
    queue = a_queue(lambda key: Lane.ROTATE)
    queue.add_at("a", 60.0)
    await passing(59)
    assert await taken(queue) is None
    await passing(1)
    assert await taken(queue) == ("a", Lane.ROTATE)


@in_virtual_time
async def test_the_latest_plan_for_a_key_counts() -> None:
    queue = a_queue()
    queue.add_at("sooner", 60.0)
    queue.add_at("sooner", 10.0)
    queue.add_at("later", 10.0)
    queue.add_at("later", 60.0)
    await passing(11)
    assert await order_of(queue) == ["sooner"]
    await passing(50)
    assert await order_of(queue) == ["later"]


@in_virtual_time
async def test_a_moment_that_has_passed_is_now() -> None:
    queue = a_queue()
    await passing(5)
    queue.add_at("a", 1.0)
    await passing(0.1)
    assert await order_of(queue) == ["a"]


@in_virtual_time
async def test_a_planned_key_that_is_busy_comes_afterwards() -> None:
    queue = a_queue()
    queue.add("a", Lane.STATUS)
    await taken(queue)
    queue.add_at("a", 1.0)
    await passing(2)
    assert await taken(queue) is None
    queue.done("a")
    assert await order_of(queue) == ["a"]


@in_virtual_time
async def test_nothing_is_left_of_a_key_that_is_forgotten() -> None:
    queue = a_queue()
    queue.add("queued", Lane.STATUS)
    queue.add("busy", Lane.REVOKE)
    await taken(queue)
    queue.add("busy", Lane.STATUS)
    queue.add_at("planned", 1.0)
    for key in ("queued", "busy", "planned"):
        queue.forget(key)
    await passing(2)
    queue.done("busy")
    assert await order_of(queue) == []


@in_virtual_time
async def test_a_forgotten_key_can_come_back() -> None:
    queue = a_queue()
    queue.add("a", Lane.STATUS)
    queue.forget("a")
    queue.add("a", Lane.STATUS)
    assert await order_of(queue) == ["a"]


@in_virtual_time
async def test_a_closed_queue_lets_its_workers_go_and_gives_nothing_out() -> None:
    queue = a_queue()
    waiting = asyncio.create_task(queue.get())
    await passing(0.1)
    queue.add_at("later", 5.0)
    queue.close()
    assert await waiting is None
    queue.add("a", Lane.BREAKGLASS)
    assert await queue.get() is None
    await passing(10)


@in_virtual_time
async def test_a_worker_that_was_cancelled_is_not_waited_for() -> None:
    queue = a_queue()
    gone, stays = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await passing(0.1)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    queue.add("a", Lane.STATUS)
    await passing(0.1)
    assert stays.done()
    assert await stays == ("a", Lane.STATUS)


@in_virtual_time
async def test_depth_tells_how_much_waits_and_since_when() -> None:
    queue = a_queue()
    queue.add("a", Lane.ROTATE)
    await passing(7)
    queue.add("b", Lane.ROTATE)
    queue.add("a", Lane.REVOKE)
    waiting, seconds = queue.depth()[Lane.REVOKE]
    assert (waiting, round(seconds)) == (1, 7)
    assert queue.depth()[Lane.ROTATE] == (1, 0.0)
    assert queue.depth()[Lane.STATUS] == (0, 0.0)


@in_virtual_time
async def test_what_is_held_back_waits_and_endings_do_not() -> None:
    queue = a_queue()
    queue.hold_back(True)
    queue.add("mint", Lane.FIRST_MINT)
    assert await taken(queue) is None
    queue.add("kill", Lane.BREAKGLASS)
    assert await order_of(queue) == ["kill"]
    queue.hold_back(False)
    assert await order_of(queue) == ["mint"]


@in_virtual_time
async def test_whoever_waits_while_all_is_held_back_gets_it_afterwards() -> None:
    queue = a_queue()
    queue.hold_back(True)
    workers = [asyncio.create_task(queue.get(urgent_only)) for urgent_only in (True, False, False)]
    await passing(1)
    queue.add("mint", Lane.FIRST_MINT)
    queue.add("rotate", Lane.ROTATE)
    await passing(1)
    assert not any(worker.done() for worker in workers)
    queue.hold_back(False)
    await passing(1)
    got = [worker.result() for worker in workers[1:]]
    assert sorted(key for key, _ in filter(None, got)) == ["mint", "rotate"]
    assert not workers[0].done(), "it takes nothing but endings"
    queue.close()
    assert await workers[0] is None
