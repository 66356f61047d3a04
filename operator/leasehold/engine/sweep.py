"""The first strokes of a revocation, across all its connections at once: everything published is revoked, then
the Secrets go, then each end is proven. The passes over the connections follow, and write down what holds: not
before, for their writes cost more than all the strokes.

It only hurries: what fails here, or waits too long, is left to the passes, which do not give up. Open intents are
theirs alone, for a mint must be over before it is revoked."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.core.faults import Fault, TryLater
from leasehold.engine.inventory import Inventory
from leasehold.engine.revoke import Revoker
from leasehold.engine.secrets import Secrets

AT_ONCE = 32
STALL_SECONDS = 1.0
STAGE_SECONDS = 10.0
"""A stage begins although the one before it is not through: nothing of that has moved for so long, or it takes so
long altogether. A store may hang, or be slow."""
MISSES = 3
"""So often in a row, and a store is away."""
PROOF_SECONDS = 10.0
"""So long the next death is waited for."""
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

    def __init__(self, secrets: Secrets, inventory: Inventory, revoker: Revoker) -> None:
        self._secrets = secrets
        self._inventory = inventory
        self._revoker = revoker

    async def run(
        self,
        connections: Sequence[MCPConnection],
        survey: Callable[[], Awaitable[None]],
        follow: Callable[[Iterable[MCPConnection]], None],
    ) -> None:
        """`survey` is called once everything is struck; `follow` with every connection, as soon as its pass has
        something to write down."""
        published = [
            Published(connection, entry)
            for connection in connections
            for entry in connection.status.ledger
            if entry.state is not EntryState.INTENT and entry.accessor
        ]
        misses: Counter[str] = Counter()
        stages = _Stages()
        try:
            await stages.through(published, lambda one: self._strike(one, misses))
            await stages.through(connections, self._delete_secret)
            struck = [one for one in published if self._revoker.is_struck(one.entry)]
            waiting = {one.connection.key for one in struck}
            follow(connection for connection in connections if connection.key not in waiting)
            await asyncio.gather(survey(), self._prove(struck, follow))
        finally:
            stages.end()

    async def _strike(self, one: Published, misses: Counter[str]) -> None:
        store = self._inventory.store_by_uid(one.entry.store_uid)
        if store is None or misses[store.metadata.uid] >= MISSES:
            return
        try:
            await self._revoker.strike(one.entry, store)
            misses[store.metadata.uid] = 0
        except TryLater as fault:
            misses[store.metadata.uid] += 1
            log.warning("a store does not revoke", store=store.key, reason=fault.reason, why=fault.message)
        except Fault as fault:
            log.warning("not revoked yet", object=one.connection.key, reason=fault.reason, why=fault.message)

    async def _delete_secret(self, connection: MCPConnection) -> None:
        try:
            await self._secrets.strike(connection)
        except Fault as fault:
            log.warning("Secret not deleted yet", object=connection.key, reason=fault.reason)

    async def _prove(
        self, struck: Sequence[Published], follow: Callable[[Iterable[MCPConnection]], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        moved, pause, pending = loop.time(), FIRST_PAUSE, list(struck)
        while pending and loop.time() < moved + PROOF_SECONDS:
            await _each(pending, self._look)
            alive = [one for one in pending if not self._revoker.is_known_dead(one.entry)]
            if len(alive) < len(pending):
                moved = loop.time()
            waiting = {one.connection.key for one in alive}
            follow(one.connection for one in pending if one.connection.key not in waiting)
            pending = alive
            if pending:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        follow(one.connection for one in pending)

    async def _look(self, one: Published) -> None:
        store = self._inventory.store_by_uid(one.entry.store_uid)
        if store is not None:
            with contextlib.suppress(Fault):  # nobody knows: it is looked at again
                await self._revoker.is_dead(one.entry, store)


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


class _Stages:
    """One after another; what stalls goes on beside what follows, but not for longer than all of them."""

    def __init__(self) -> None:
        self._begun: list[asyncio.Future[None]] = []

    async def through(self, items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
        """Work on all of them, and wait for that as long as it moves."""
        loop = asyncio.get_running_loop()
        begun = moved = loop.time()

        async def noting(item: T) -> None:
            nonlocal moved
            await work(item)
            moved = loop.time()

        working = asyncio.ensure_future(_each(items, noting))
        self._begun.append(working)
        while not working.done():
            left = min(moved + STALL_SECONDS, begun + STAGE_SECONDS) - loop.time()
            if left <= 0:
                return
            await asyncio.wait([working], timeout=left)
        working.result()

    def end(self) -> None:
        """The passes have what is left."""
        for working in self._begun:
            working.cancel()
