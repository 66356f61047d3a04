"""The first strokes of a revocation, across all its connections at once: everything published is revoked, then
the Secrets go, then each end is proven. The passes over the connections follow, and write down what holds.

It only hurries: what fails here, or waits too long, is left to the passes, which do not give up. Open intents are
theirs alone, for a mint must be over before it is revoked."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.core.faults import Fault, TryLater
from leasehold.engine.inventory import Inventory
from leasehold.engine.revoke import Revoker
from leasehold.ports import Cluster

AT_ONCE = 32
STROKE_SECONDS = 3.0
"""After that, a stage begins although the one before it is not through: a store may hang."""
PROOF_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Published:
    """A generation that somebody may use."""

    connection: MCPConnection
    entry: LedgerEntry


class Sweep:
    """Carried out once for each beginning of a revocation."""

    def __init__(self, cluster: Cluster, inventory: Inventory, revoker: Revoker) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._revoker = revoker

    async def run(
        self, connections: Sequence[MCPConnection], follow: Callable[[Iterable[MCPConnection]], None]
    ) -> None:
        """`follow` is called once with every connection, as soon as its pass has something to write down."""
        published = [
            Published(connection, entry)
            for connection in connections
            for entry in connection.status.ledger
            if entry.state is not EntryState.INTENT and entry.accessor
        ]
        away: set[str] = set()
        await _within(STROKE_SECONDS, _each(published, lambda one: self._strike(one, away)))
        await _within(STROKE_SECONDS, _each(connections, self._delete_secret))
        struck = [one for one in published if self._revoker.is_struck(one.entry)]
        waiting = {one.connection.key for one in struck}
        follow(connection for connection in connections if connection.key not in waiting)
        await self._prove(struck, follow)

    async def _strike(self, one: Published, away: set[str]) -> None:
        store = self._inventory.store_by_uid(one.entry.store_uid)
        if store is None or one.entry.store_uid in away:
            return
        try:
            await self._revoker.strike(one.entry, store)
        except TryLater as fault:
            away.add(one.entry.store_uid)
            log.warning("a store does not revoke", store=store.key, reason=fault.reason, why=fault.message)
        except Fault as fault:
            log.warning("not revoked yet", object=one.connection.key, reason=fault.reason, why=fault.message)

    async def _delete_secret(self, connection: MCPConnection) -> None:
        secret = connection.status.secret
        if secret is None:
            return
        try:
            await self._cluster.delete_secret(connection.metadata.namespace, secret.name, secret.uid)
        except Fault as fault:
            log.warning("Secret not deleted yet", object=connection.key, reason=fault.reason)

    async def _prove(
        self, struck: Sequence[Published], follow: Callable[[Iterable[MCPConnection]], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        end, pause, pending = loop.time() + PROOF_SECONDS, FIRST_PAUSE, list(struck)
        while pending and loop.time() < end:
            alive: list[Published] = []

            async def look(one: Published, alive: list[Published] = alive) -> None:
                if await self._is_dead(one):
                    follow([one.connection])
                else:
                    alive.append(one)

            await _each(pending, look)
            pending = alive
            if pending:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        follow(one.connection for one in pending)

    async def _is_dead(self, one: Published) -> bool:
        store = self._inventory.store_by_uid(one.entry.store_uid)
        try:
            return store is not None and await self._revoker.is_dead(one.entry, store)
        except Fault:
            return False


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def _within(seconds: float, work: Awaitable[None]) -> None:
    """Wait so long; what is not through by then goes on beside what follows."""
    await asyncio.wait([asyncio.ensure_future(work)], timeout=seconds)
