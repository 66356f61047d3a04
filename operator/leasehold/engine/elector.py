"""The election as it runs: in a thread and an event loop of its own, so that a busy engine neither loses the
lease nor goes on believing in one.

The process that leads renews; the one that stands by looks; the one that has lost ends. `is_leader` is computed
from the clock at each question, so it turns false on time even when this thread hangs."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

import structlog

from leasehold.core.faults import Fault
from leasehold.core.leader import LeaderClaim
from leasehold.engine.election import Election
from leasehold.ports import LeaderLease

log = structlog.get_logger(__name__)

FAREWELLS: Final = 3
"""How often a lease is tried to be given up. Where that fails it runs out, which only takes longer."""


def steady_seconds() -> float:
    """A clock that never goes back, and that goes on while the machine sleeps, where there is such a one: a node
    that was suspended must not wake up as leader."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Elector:
    """One replica's part in the election, from `start` to `stop`. `elected` is set in the loop that made it when
    this replica begins to lead, and `over` when it has lost the lead and the process has to end. Each claim says
    which audit record was the last one, for whoever leads next."""

    def __init__(
        self,
        election: Election,
        open_lease: Callable[[], AbstractAsyncContextManager[LeaderLease]],
        over: asyncio.Event,
        steady: Callable[[], float] = steady_seconds,
        audit_end: Callable[[], str] = str,
    ) -> None:
        self.elected = asyncio.Event()
        self.lost = False
        self._over = over
        self._election = election
        self._open_lease = open_lease
        self._steady = steady
        self._audit_end = audit_end
        self._engine_loop = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._gives_up = False
        self._heard_at: float | None = None
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="leasehold-election", daemon=True)

    @property
    def is_leader(self) -> bool:
        """Whether this process leads now; from any thread."""
        return self._election.leads(self._steady())

    def standing(self) -> tuple[bool, str]:
        """Whether it is known who leads, and a sentence about it."""
        heard = self._heard_at
        if heard is None or self._steady() - heard > self._election.timing.lease_seconds:
            return False, f"it is not known who leads: {self._trouble or 'the lease was not read yet'}"
        if self.is_leader:
            return True, "leading"
        holder = self._election.holder
        return True, f"standing by: {holder} leads" if holder else "standing by: nobody leads yet"

    def start(self) -> None:
        """Stand for election."""
        self._thread.start()

    def stop(self, give_up: bool, seconds: float = 15.0) -> None:
        """End; `give_up` lets another replica take over at once. Blocks until it has ended, or the time is up."""
        if self._thread.ident is None:
            self._loop.close()
            return
        self._gives_up = give_up
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._campaign())
        except Exception:
            log.exception("the election has failed")
            self._lose()
        finally:
            self._loop.close()

    async def _campaign(self) -> None:
        async with self._open_lease() as lease:
            while not self._stopping.is_set():
                begun = self._steady()
                await self._turn(lease)
                if not self._has_lost():
                    await self._pause(begun)
                if self._has_lost():
                    return
            self._election.resign()
            if self._gives_up:
                await self._give_up(lease)

    async def _turn(self, lease: LeaderLease) -> None:
        """One look, one claim, or both."""
        led = self.is_leader
        try:
            async with asyncio.timeout(self._patience()):
                await self._claim(lease)
        except TimeoutError:
            self._in_doubt("the API server did not answer in time")
        except Fault as fault:
            self._in_doubt(fault.message)
        else:
            self._heard_at, self._trouble = self._steady(), ""
        if self.is_leader and not led:
            log.info("leading", identity=self._election.identity)
            self._tell(self.elected.set)

    async def _claim(self, lease: LeaderLease) -> None:
        election = self._election
        if election.must_look:
            record = await lease.read()
            election.saw(record, self._steady())
        moment = lease.clock.now()
        claim = election.claim(self._steady(), moment) if moment is not None else None
        if claim is not None:
            sent = self._steady()
            record = await lease.write(self._signed(claim), election.record)
            election.won(record, sent, self._steady())

    async def _give_up(self, lease: LeaderLease) -> None:
        for _ in range(FAREWELLS):
            try:
                async with asyncio.timeout(self._election.timing.retry_seconds):
                    if self._election.must_look:
                        self._election.saw(await lease.read(), self._steady())
                    moment = lease.clock.now()
                    claim = self._election.farewell(moment) if moment is not None else None
                    if claim is not None:
                        await lease.write(self._signed(claim), self._election.record)
                        log.info("the lead is given up", identity=self._election.identity)
                    return
            except (Fault, TimeoutError):
                self._election.doubt()

    def _signed(self, claim: LeaderClaim) -> LeaderClaim:
        """With the last record of this process; before its first one, what the process before it has left stays."""
        return replace(claim, audit_end=self._audit_end() or claim.audit_end)

    def _in_doubt(self, why: str) -> None:
        self._election.doubt()
        if why != self._trouble:
            log.warning("the election's lease could not be read or written", why=why)
        self._trouble = why

    def _patience(self) -> float:
        """No request may outlast the lead that it is to renew, and one that hangs leaves time for another."""
        longest = self._election.timing.renew_deadline_seconds / 2
        remaining = self._election.remaining(self._steady())
        return longest if remaining is None else min(longest, remaining)

    async def _pause(self, begun: float) -> None:
        now = self._steady()
        pause = max(begun + self._election.timing.retry_seconds - now, 0.0)
        remaining = self._election.remaining(now)
        if remaining is not None:
            pause = min(pause, remaining)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._stopping.wait()

    def _has_lost(self) -> bool:
        why = self._election.lost(self._steady())
        if why is not None and not self.lost:
            log.error("the lead is lost, so the process ends", why=why)
            self._lose()
        return self.lost

    def _lose(self) -> None:
        self.lost = True
        self._tell(self._over.set)

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the engine's loop is closed: nobody is interested any more
            self._engine_loop.call_soon_threadsafe(what)
