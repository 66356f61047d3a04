"""A bounded number of threads in which requests wait for Vaults, each with its own connection per store."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from leasehold.adapters.vault_wire import Answer, Request, Wire
from leasehold.api.store import MCPCredentialStore
from leasehold.core.sealed import Sealed


class VaultThreads:
    """Runs requests in threads; no two share a connection.

    Cancelling `exchange` takes back a request that waits for a thread; one that has begun goes on to its
    end."""

    def __init__(self, name: str, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._own = threading.local()
        self._wires: set[Wire] = set()
        self._lock = threading.Lock()

    async def exchange(
        self, store: MCPCredentialStore, request: Request, token: Sealed[str] | None
    ) -> Answer:
        """One request and its answer. Raises as `Wire.exchange`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, self._exchange, store, request, token, time.monotonic()
        )

    async def close(self) -> None:
        """Wait for what has begun, then let threads and connections go."""
        await asyncio.to_thread(self._threads.shutdown, wait=True)
        for wire in self._wires:
            wire.close()
        self._wires.clear()

    def _exchange(
        self, store: MCPCredentialStore, request: Request, token: Sealed[str] | None, asked_at: float
    ) -> Answer:
        return self._wire_to(store).exchange(request, token, asked_at)

    def _wire_to(self, store: MCPCredentialStore) -> Wire:
        mine: dict[str, tuple[tuple[str, str | None], Wire]] = self._own.__dict__.setdefault("wires", {})
        address = store.spec.address, store.spec.ca_bundle
        known = mine.get(store.metadata.name)
        if known is not None and known[0] == address:
            return known[1]
        wire = Wire(*address)
        mine[store.metadata.name] = address, wire
        with self._lock:
            self._wires.add(wire)
            if known is not None:
                self._wires.discard(known[1])
        if known is not None:
            known[1].close()
        return wire
