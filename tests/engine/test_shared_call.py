"""Who asks gets the answer to a call that began after they asked, and no more calls are made than that takes."""

import asyncio
import gc
from typing import Any

import pytest

from leasehold.engine.shared_call import SharedCall
from virtual_time import in_virtual_time, passing


class Source:
    """Each call takes one second and answers with the world as it was when the call began."""

    def __init__(self) -> None:
        self.world = 0
        self.calls = 0
        self.running = 0
        self.most_running = 0
        self.fault: Exception | None = None
        self.shared = SharedCall(self.call)

    async def call(self) -> int:
        self.calls += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        seen, fault = self.world, self.fault
        await asyncio.sleep(1)
        self.running -= 1
        if fault is not None:
            raise fault
        return seen


@in_virtual_time
async def test_all_who_ask_at_once_share_one_call() -> None:
    source = Source()
    answers = await asyncio.gather(*(source.shared() for _ in range(100)))
    assert answers == [0] * 100
    assert source.calls == 1


@in_virtual_time
async def test_who_arrives_during_a_call_gets_the_next_one() -> None:
    source = Source()
    first = asyncio.create_task(source.shared())
    await passing(0.5)
    source.world = 1
    late = [asyncio.create_task(source.shared()) for _ in range(10)]
    assert await first == 0
    assert await asyncio.gather(*late) == [1] * 10
    assert source.calls == 2


@in_virtual_time
async def test_calls_follow_each_other_and_never_overlap() -> None:
    source = Source()
    answers = []
    for number in range(20):
        source.world = number
        answers.append((number, asyncio.create_task(source.shared())))
        await passing(0.3)
    for asked_in, answer in answers:
        assert await answer >= asked_in
    assert source.most_running == 1
    assert source.calls < 10


@in_virtual_time
async def test_a_fault_reaches_all_who_waited_for_that_call_and_nobody_else() -> None:
    source = Source()
    source.fault = RuntimeError("the list failed")
    failing = [asyncio.create_task(source.shared()) for _ in range(3)]
    await passing(0.5)
    source.fault = None
    after = asyncio.create_task(source.shared())
    found = await asyncio.gather(*failing, return_exceptions=True)
    assert [str(each) for each in found] == ["the list failed"] * 3
    assert await after == 0


@in_virtual_time
async def test_one_who_gives_up_takes_the_answer_from_nobody() -> None:
    source = Source()
    impatient, patient = asyncio.create_task(source.shared()), asyncio.create_task(source.shared())
    await passing(0.5)
    impatient.cancel()
    assert await patient == 0
    with pytest.raises(asyncio.CancelledError):
        await impatient


@in_virtual_time
async def test_a_fault_that_nobody_waits_for_any_more_troubles_nobody() -> None:
    source = Source()
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    source.fault = RuntimeError("the list failed")
    impatient = asyncio.create_task(source.shared())
    await passing(0.5)
    impatient.cancel()
    await passing(1)
    del impatient
    source.fault = None
    assert await source.shared() == 0
    gc.collect()
    await passing(0.1)
    assert complaints == []
