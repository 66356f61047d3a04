"""Carries revocations out: sweeps what they match, has the passes write it down, and says how far they are.

What a revocation denies, the fences and decisions find by themselves; this only makes it fast, and tells."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from leasehold.api.connection import MCPConnection
from leasehold.api.revocation import MCPRevocation
from leasehold.core.faults import Conflict, Fault, Vanished
from leasehold.core.revocation_standing import Seen
from leasehold.core.revocations import is_over, matches, readable
from leasehold.engine.inventory import Inventory, version_of
from leasehold.engine.report import Reporter
from leasehold.engine.revocation_reports import RevocationReports
from leasehold.engine.revocations import RevocationBook
from leasehold.engine.revoke import Revoker
from leasehold.engine.secrets import Secrets
from leasehold.engine.sweep import Sweep
from leasehold.ports import Clock, Cluster

REPORT_SECONDS = 0.5
"""How often a status is computed anew while connections change."""

Wake = Callable[[Iterable[MCPConnection]], None]
log = structlog.get_logger(__name__)


class Breakglass:
    """All revocations that are not over, each with the connections that it has matched."""

    def __init__(
        self,
        cluster: Cluster,
        inventory: Inventory,
        book: RevocationBook,
        revoker: Revoker,
        secrets: Secrets,
        reporter: Reporter,
        clock: Clock,
        list_seconds: float,
    ) -> None:
        self._list_seconds = list_seconds
        self._cluster = cluster
        self._inventory = inventory
        self._book = book
        self._revoker = revoker
        self._reporter = reporter
        self._clock = clock
        self._secrets = secrets
        self._sweep = Sweep(secrets, inventory, revoker)
        seen = Seen(
            is_struck=revoker.is_struck,
            is_dead=revoker.is_known_dead,
            has_no_secret=secrets.is_deleted,
            is_surveyed=self._is_surveyed,
        )
        self._reports = RevocationReports(cluster, inventory, book, reporter, clock, seen, self._matched_by)
        self._members: dict[str, set[str]] = {}
        self._surveyed: dict[str, set[str]] = {}
        self._unreadable: set[str] = set()
        self._sweeps: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._changed = asyncio.Event()
        self._wake: Wake = lambda connections: None
        self._hold_back: Callable[[bool], None] = lambda on: None
        book.on_change = self._take_up

    async def refresh(self) -> None:
        """List all revocations, and take up what is new.

        :raises Fault: they could not be listed
        """
        await self._book.refresh()

    def use(self, wake: Wake, hold_back: Callable[[bool], None]) -> None:
        """Connections that are to be looked at before all others go there; and all other work waits while something
        is struck."""
        self._wake, self._hold_back = wake, hold_back

    def look_soon(self) -> None:
        """A watch told of a revocation."""
        self._look.set()

    def concerns(self, key: str) -> bool:
        """Whether a connection is in the hands of a revocation that is not over."""
        return any(key in members for members in self._members.values())

    def connection_changed(self, connection: MCPConnection) -> None:
        """A connection is new or another one than before: it may match now, and counts may be others."""
        for revocation in self._standing():
            self._join(revocation, connection)
        if self._members:
            self._changed.set()

    def passed(self, key: str) -> None:
        """A pass has written down how a connection is."""
        if self.concerns(key):
            self._changed.set()

    def connection_gone(self, connection: MCPConnection) -> None:
        """Nothing of it counts any more."""
        self._reports.connection_gone(connection)
        self._book.forget(connection)
        self._revoker.forget(connection.status.ledger)
        self._secrets.forget(connection)
        for members in self._members.values():
            members.discard(connection.key)
        self._changed.set()

    async def look_for_ever(self) -> None:
        """List when a watch told, and every few seconds besides."""
        while True:
            try:
                async with asyncio.timeout(self._list_seconds):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            try:
                await self._book.refresh()
            except Fault as fault:
                log.warning("revocations could not be listed", reason=fault.reason, why=fault.message)
            self._changed.set()

    async def report_for_ever(self) -> None:
        """Write each revocation's status where it is not what holds."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            for revocation in list(readable(self._book.known)):
                try:
                    await self._reports.write(revocation.metadata.uid)
                except (Conflict, Vanished):
                    self._look.set()
                except Fault as fault:
                    log.warning(
                        "status of a revocation not written", object=revocation.key, reason=fault.reason
                    )
                    self._look.set()
            self._reporter.breakglass(self._standing())
            await asyncio.sleep(REPORT_SECONDS)

    async def stop(self) -> None:
        """End what still hurries; the passes have all of it."""
        for task in self._sweeps:
            task.cancel()
        await asyncio.gather(*self._sweeps, return_exceptions=True)
        await self._reports.stop()

    def _take_up(self) -> None:
        """Something began or ended: new ones sweep what they match, and whoever was held looks again."""
        standing = {revocation.metadata.uid: revocation for revocation in self._standing()}
        unreadable = {fact.uid for fact in self._book.known if fact.revocation is None}
        if unreadable != self._unreadable:
            log.warning("revocations that cannot be read deny everything", number=len(unreadable))
            self._unreadable = unreadable
            self._wake(self._inventory.connections)
        over = self._members.keys() - standing.keys()
        for uid in over:
            self._wake(self._connections(self._members.pop(uid)))
            self._surveyed.pop(uid, None)
        self._wake(connection for connection in self._inventory.connections if connection.status.holds)
        for uid, revocation in standing.items():
            if uid not in self._members:
                self._begin(revocation)
        self._changed.set()

    def _begin(self, revocation: MCPRevocation) -> None:
        self._members[revocation.metadata.uid] = set()
        for connection in self._inventory.connections:
            self._join(revocation, connection)
        matched = list(self._connections(self._members[revocation.metadata.uid]))
        self._reporter.revocation_begins(revocation, len(matched))
        task = asyncio.get_running_loop().create_task(self._carry_out(revocation, matched))
        self._sweeps.add(task)
        task.add_done_callback(self._swept)
        self._hold_back(True)

    async def _carry_out(self, revocation: MCPRevocation, matched: Sequence[MCPConnection]) -> None:
        await self._reports.record(revocation, len(matched))
        matched = [newest for each in matched if (newest := self._newest(each)) is not None]
        await self._sweep.run(matched, lambda: self._survey(revocation, matched), self._follow)

    def _swept(self, task: asyncio.Task[None]) -> None:
        self._sweeps.discard(task)
        self._hold_back(bool(self._sweeps))

    async def _survey(self, revocation: MCPRevocation, matched: Iterable[MCPConnection]) -> None:
        """See that nothing is unknown to us of what the revocation matched when it began.

        Whoever mints writes the intent down first, and is denied by a fence that has listed the revocation. So a
        mint of anybody's, another leader's too, is in a list of connections that begins after the revocation was
        listed; and whose newest version we hold has no other.
        """
        try:
            listed, _ = await self._cluster.list_all(MCPConnection)
        except Fault as fault:  # then each is counted once its hold is recorded
            log.warning("connections could not be listed", reason=fault.reason, why=fault.message)
            return
        newest = {each.metadata.uid: version_of(each.metadata.resource_version) for each in listed}
        held = self._connections(connection.key for connection in matched)
        self._surveyed[revocation.metadata.uid] = {
            each.metadata.uid
            for each in held
            if version_of(each.metadata.resource_version) >= newest.get(each.metadata.uid, 0)
        }
        self._changed.set()

    def _is_surveyed(self, connection: MCPConnection, revocation_uid: str) -> bool:
        return connection.metadata.uid in self._surveyed.get(revocation_uid, ())

    def _follow(self, connections: Iterable[MCPConnection]) -> None:
        self._wake(connections)
        self._changed.set()

    def _join(self, revocation: MCPRevocation, connection: MCPConnection) -> None:
        uid = revocation.metadata.uid
        profile = self._inventory.profiles.get(connection.spec.profile)
        if uid in self._book.matched_by(connection) or matches(revocation.spec.target, connection, profile):
            self._book.remember(connection, revocation)
            self._members.setdefault(uid, set()).add(connection.key)

    def _standing(self) -> list[MCPRevocation]:
        now = self._clock.now()
        return [each for each in readable(self._book.known) if now is not None and not is_over(each, now)]

    def _connections(self, keys: Iterable[str]) -> Sequence[MCPConnection]:
        found = (self._inventory.connections.get(key) for key in sorted(keys))
        return [connection for connection in found if connection is not None]

    def _newest(self, connection: MCPConnection) -> MCPConnection | None:
        """Its ledger may have gone on; None where it is gone."""
        held = self._inventory.connections.get(connection.key)
        return held if held is not None and held.metadata.uid == connection.metadata.uid else None

    def _matched_by(self, revocation: MCPRevocation) -> Sequence[MCPConnection]:
        """Whom it has matched, also as another leader has recorded it; of one that is over, who may lack a hold."""
        uid, pending = revocation.metadata.uid, set(revocation.status.pending_holds)
        if uid not in self._members:
            if not pending and revocation.status.lifted_time is not None:
                return ()
            return [each for each in self._inventory.connections if uid in self._book.matched_by(each)]
        members = self._connections(self._members[uid])
        if pending - {each.metadata.uid for each in members}:
            joining = [each for each in self._inventory.connections if each.metadata.uid in pending]
            for connection in joining:
                self._join(revocation, connection)
            self._wake(joining)
            members = self._connections(self._members[uid])
        return members
