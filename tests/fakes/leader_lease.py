"""The election's lease in memory: any number of replicas reach the same one, from any thread."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from leasehold.api.reasons import Reason
from leasehold.core.faults import Conflict, TryLater
from leasehold.core.leader import LeaderClaim, LeaderRecord


class FakeLeaseServer:
    """What is stored, and how the server behaves. `writes` counts what was stored."""

    def __init__(self) -> None:
        self.record: LeaderRecord | None = None
        self.writes = 0
        self.down = False
        self.hangs = False
        self._changed = threading.Condition()

    def read(self) -> LeaderRecord | None:
        """What is stored."""
        return self.record

    def write(self, claim: LeaderClaim, over: LeaderRecord | None) -> LeaderRecord:
        """Compare and swap. What changes nothing is not stored again, as on the real server."""
        with self._changed:
            if (self.record and (self.record.uid, self.record.version)) != (
                over and (over.uid, over.version)
            ):
                raise Conflict("the lease has another version by now")
            if self.record is None or self.record.claim != claim:
                self.writes += 1
                uid = self.record.uid if self.record is not None else f"uid-{self.writes}"
                self.record = LeaderRecord(claim, uid, str(self.writes))
                self._changed.notify_all()
            return self.record

    def delete(self) -> None:
        """Somebody deletes it."""
        with self._changed:
            self.record = None

    def wait_for_writes(self, more: int, seconds: float = 20) -> None:
        """Block this thread until so many more claims were stored."""
        with self._changed:
            wanted = self.writes + more
            assert self._changed.wait_for(lambda: self.writes >= wanted, seconds), "no claims were stored"

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["FakeLeaderLease"]:
        """One replica's way to it."""
        yield FakeLeaderLease(self)


class FakeClock:
    """A server's time that goes on by a second with each question."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def now(self) -> datetime | None:
        self.moment += timedelta(seconds=1)
        return self.moment


class FakeLeaderLease:
    """`ports.LeaderLease`."""

    def __init__(self, server: FakeLeaseServer) -> None:
        self.clock = FakeClock()
        self._server = server

    async def read(self) -> LeaderRecord | None:
        await self._reach()
        return self._server.read()

    async def write(self, claim: LeaderClaim, over: LeaderRecord | None) -> LeaderRecord:
        await self._reach()
        return self._server.write(claim, over)

    async def _reach(self) -> None:
        if self._server.hangs:
            await asyncio.Event().wait()
        if self._server.down:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "The API server cannot be reached.")
