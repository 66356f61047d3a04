"""The election as it runs: threads, loops and clocks that stall."""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, ParamSpec

import pytest

from controlplane.waiting import wait_until
from fakes.leader_lease import FakeLeaderLease, FakeLeaseServer
from leasehold.engine.election import Election, Timing
from leasehold.engine.elector import Elector

TIMING = Timing(lease_seconds=3)
BOUND_SECONDS = 20
P = ParamSpec("P")


class Clock:
    """Goes as time does, and jumps where a test says so."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Replica:
    """One process's part in the election."""

    def __init__(self, name: str, server: FakeLeaseServer) -> None:
        self.clock = Clock()
        self.over = asyncio.Event()
        self.audit_end = ""
        self.election = Election(name, TIMING)
        self.elector = Elector(
            self.election, server.opened, self.over, self.clock, audit_end=lambda: self.audit_end
        )
        self.elector.start()

    async def elected(self) -> None:
        await asyncio.wait_for(self.elector.elected.wait(), BOUND_SECONDS)

    async def ended(self) -> None:
        await asyncio.wait_for(self.over.wait(), BOUND_SECONDS)

    async def stands(self, how: str) -> None:
        """Until that is what it says of itself."""
        await asyncio.to_thread(
            wait_until, lambda: how in self.elector.standing()[1], BOUND_SECONDS, f"it is {how}"
        )

    async def stop(self, give_up: bool = True) -> None:
        await asyncio.to_thread(self.elector.stop, give_up)


@contextlib.asynccontextmanager
async def replicas(server: FakeLeaseServer, *names: str) -> AsyncIterator[list[Replica]]:
    """The first one leads."""
    standing = [Replica(names[0], server)]
    try:
        await standing[0].elected()
        standing += [Replica(name, server) for name in names[1:]]
        yield standing
    finally:
        for each in standing:
            await each.stop()


def in_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Let an asynchronous test run."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@in_a_loop
async def test_the_only_replica_leads() -> None:
    server = FakeLeaseServer()
    async with replicas(server, "a") as [only]:
        assert only.elector.is_leader
        assert only.elector.standing() == (True, "leading")


@in_a_loop
async def test_a_second_replica_stands_by_and_says_who_leads() -> None:
    async with replicas(FakeLeaseServer(), "a", "b") as [_, other]:
        await other.stands("standing by: a leads")
        assert other.elector.standing()[0]
        assert not other.elector.is_leader


@in_a_loop
async def test_a_leader_that_stops_leaves_the_lead_to_the_other() -> None:
    server = FakeLeaseServer()
    async with replicas(server, "a", "b") as [leader, other]:
        await other.stands("standing by: a leads")
        await leader.stop()
        assert not leader.elector.is_leader
        await other.elected()
        assert not leader.elector.lost


@in_a_loop
async def test_a_leader_leaves_word_of_its_last_audit_record_until_the_next_one_has_one_of_its_own() -> None:
    server = FakeLeaseServer()
    async with replicas(server, "a", "b") as [leader, other]:
        leader.audit_end = "of a"
        await leader.stop()
        await other.elected()
        assert other.election.audit_end == "of a"
        await asyncio.to_thread(server.wait_for_writes, 1)
        assert other.election.audit_end == "of a"
        other.audit_end = "of b"
        await asyncio.to_thread(server.wait_for_writes, 2)
        assert server.record is not None
        assert server.record.claim.audit_end == "of b"


@in_a_loop
async def test_a_leader_whose_work_is_not_through_leaves_the_lease_to_run_out() -> None:
    server = FakeLeaseServer()
    async with replicas(server, "a") as [leader]:
        await leader.stop(give_up=False)
        assert not leader.elector.is_leader
        assert server.record is not None
        assert server.record.claim.holder == "a"


@in_a_loop
async def test_the_lead_ends_by_the_clock_alone() -> None:
    """No thread has to notice anything: the question itself looks at the clock."""
    server = FakeLeaseServer()
    async with replicas(server, "a") as [leader]:
        server.hangs = True
        leader.clock.ahead += TIMING.renew_deadline_seconds
        assert not leader.elector.is_leader
        await leader.ended()
        assert leader.elector.lost


@in_a_loop
async def test_a_process_that_was_paused_for_too_long_has_lost_even_where_nobody_took_over() -> None:
    server = FakeLeaseServer()
    async with replicas(server, "a") as [leader]:
        leader.clock.ahead += 3600
        assert not leader.elector.is_leader
        await leader.ended()
        assert leader.elector.lost
        assert not leader.elector.is_leader


@pytest.mark.parametrize("trouble", ["down", "hangs"])
@in_a_loop
async def test_a_leader_that_cannot_renew_ends(trouble: str) -> None:
    server = FakeLeaseServer()
    async with replicas(server, "a") as [leader]:
        setattr(server, trouble, True)
        await leader.ended()
        assert leader.elector.lost
        setattr(server, trouble, False)


@in_a_loop
async def test_a_leader_that_was_robbed_ends() -> None:
    server = FakeLeaseServer()
    async with replicas(server, "a") as [leader]:
        thief = Election("thief", TIMING)
        thief.saw(server.read(), 0)
        claim = thief.claim(TIMING.lease_seconds, FakeLeaderLease(server).clock.moment)
        assert claim is not None
        server.write(claim, thief.record)
        await leader.ended()
        assert leader.elector.lost


@in_a_loop
async def test_a_busy_engine_does_not_lose_the_lead() -> None:
    """This loop does nothing else meanwhile: the renewals have one of their own."""
    server = FakeLeaseServer()
    async with replicas(server, "a") as [leader]:
        server.wait_for_writes(2 * int(TIMING.lease_seconds / TIMING.retry_seconds))
        assert leader.elector.is_leader
        assert not leader.over.is_set()


@in_a_loop
async def test_a_replica_that_cannot_read_the_lease_says_so_and_leads_once_it_can() -> None:
    server = FakeLeaseServer()
    server.down = True
    alone = Replica("a", server)
    await alone.stands("not known who leads: The API server cannot be reached.")
    assert not alone.elector.standing()[0]
    server.down = False
    await alone.elected()
    await alone.stop()


@in_a_loop
async def test_a_standby_outlives_an_api_server_that_is_away() -> None:
    server = FakeLeaseServer()
    async with replicas(server, "a", "b") as [leader, other]:
        await other.stands("standing by: a leads")
        server.hangs = True
        await leader.ended()
        await other.stands("not known who leads")
        server.hangs = False
        await other.elected()


@in_a_loop
async def test_an_election_that_fails_ends_the_process() -> None:
    class Broken(FakeLeaseServer):
        @contextlib.asynccontextmanager
        async def opened(self) -> AsyncIterator[FakeLeaderLease]:
            raise ValueError("no login can be read")
            yield FakeLeaderLease(self)

    alone = Replica("a", Broken())
    await alone.ended()
    assert alone.elector.lost
    await alone.stop()


@in_a_loop
async def test_one_that_was_never_started_can_be_stopped() -> None:
    elector = Elector(Election("a", TIMING), FakeLeaseServer().opened, asyncio.Event(), Clock())
    elector.stop(give_up=True)
    assert not elector.is_leader
