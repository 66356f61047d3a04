"""Writes the status of each revocation: whom it matched, before anything of them is revoked, and how far it is.

A match is in the memory of this process, in the connection's holds once its pass is through, and until then in the
status of the revocation: one write for all of them. So nobody escapes by an edit and a crash in between."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

import structlog

from leasehold.api.connection import MCPConnection
from leasehold.api.revocation import MAX_PENDING_HOLDS, MCPRevocation
from leasehold.core.faults import Conflict, Fault
from leasehold.core.revocation_standing import Seen
from leasehold.core.revocation_status import revocation_status
from leasehold.engine.inventory import Inventory
from leasehold.engine.report import Reporter
from leasehold.engine.revocations import RevocationBook
from leasehold.ports import Clock, Cluster

RECORD_SECONDS = 2.0
"""So long the first strokes wait until the matches are written down, and no longer."""
ATTEMPTS = 3

Matched = Callable[[MCPRevocation], Sequence[MCPConnection]]
log = structlog.get_logger(__name__)


class RevocationReports:
    """The one writer of statuses of revocations."""

    def __init__(
        self,
        cluster: Cluster,
        inventory: Inventory,
        book: RevocationBook,
        reporter: Reporter,
        clock: Clock,
        seen: Seen,
        matched: Matched,
    ) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._book = book
        self._reporter = reporter
        self._clock = clock
        self._seen = seen
        self._matched = matched
        self._gone: set[str] = set()
        self._writing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._recording: set[asyncio.Task[None]] = set()

    def connection_gone(self, connection: MCPConnection) -> None:
        """Nobody waits for its hold any more."""
        if self._book.recording(connection):
            self._gone.add(connection.metadata.uid)

    async def record(self, revocation: MCPRevocation, matched: int) -> None:
        """Write down whom it has matched. A status that cannot be written, or slowly, holds nothing up for long: it
        is written as soon as it can be."""
        recording = asyncio.get_running_loop().create_task(self._record(revocation))
        self._recording.add(recording)
        recording.add_done_callback(self._recording.discard)
        await asyncio.wait([recording], timeout=RECORD_SECONDS)
        if not recording.done():
            log.warning("revoking before the matches are written down", object=revocation.key)
        if matched > MAX_PENDING_HOLDS:
            log.warning("not all matches fit into the status", object=revocation.key, matched=matched)

    async def write(self, uid: str) -> None:
        """Write the status of the revocation with this uid where it is not what holds.

        :raises Conflict: somebody else wrote it
        :raises Vanished: it is gone
        :raises Fault: it may not be written
        """
        async with self._writing[uid]:
            revocation, now = self._book.get(uid), self._clock.now()
            if revocation is None or now is None:
                return
            matched = self._matched(revocation)
            unseen = await self._unseen(revocation, matched)
            unreadable = sorted(self._inventory.connections.unreadable)
            status = revocation_status(revocation, matched, self._seen, now, unseen, unreadable)
            if status == revocation.status:
                return
            written = await self._cluster.put_status(revocation.model_copy(update={"status": status}))
            self._book.took(written)
        self._gone.difference_update(set(revocation.status.pending_holds) - set(status.pending_holds))
        self._reporter.revocation_reported(written, before=revocation.status)

    async def stop(self) -> None:
        """End what is still being written."""
        for task in self._recording:
            task.cancel()
        await asyncio.gather(*self._recording, return_exceptions=True)

    async def _record(self, revocation: MCPRevocation) -> None:
        try:
            for _ in range(ATTEMPTS):
                try:
                    await self.write(revocation.metadata.uid)
                    break
                except Conflict:
                    await self._book.refresh()
        except Fault as fault:
            log.warning("matches not written down yet", object=revocation.key, why=fault.message)

    async def _unseen(self, revocation: MCPRevocation, matched: Sequence[MCPConnection]) -> set[str]:
        """Who was recorded as matched, here or by another leader, and is not in view: gone only if a list says so
        that begins now."""
        unseen = set(revocation.status.pending_holds) - {each.metadata.uid for each in matched} - self._gone
        if not unseen or self._inventory.connections.unreadable:
            return unseen
        try:
            listed, unreadable = await self._cluster.list_all(MCPConnection)
        except Fault as fault:  # then nobody knows
            log.warning("connections could not be listed", reason=fault.reason, why=fault.message)
            return unseen
        return unseen if unreadable else unseen & {each.metadata.uid for each in listed}
