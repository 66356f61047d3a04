"""A watcher, and the engine that it tells."""

import asyncio
import threading

from controlplane.waiting import wait_until
from leasehold.api.connection import MCPConnection
from leasehold.api.store import MCPCredentialStore
from leasehold.handlers.watch import Watcher, WatchEvent

SECONDS = 60


class Told:
    """What a watcher told the engine's event loop, and the threads that it needed."""

    def __init__(self, kubeconfig: str, *namespaces: str) -> None:
        self.events: list[WatchEvent] = []
        self.failures: list[Exception] = []
        self.threads_before = set(threading.enumerate())
        self.loop = asyncio.new_event_loop()
        self.engine = threading.Thread(target=self.loop.run_forever, name="engine", daemon=True)
        self.engine.start()
        self.wrong_thread: list[str] = []
        self.watcher = Watcher(kubeconfig, self.loop, self._take, self.failures.append, namespaces)
        self.watcher.start()

    def _take(self, event: WatchEvent) -> None:
        if threading.current_thread() is not self.engine:
            self.wrong_thread.append(threading.current_thread().name)
        self.events.append(event)

    def waits_for(self, resource: MCPConnection | MCPCredentialStore, *types: str | None) -> None:
        """Wait until the last event on that object is of one of these types."""
        wait_until(lambda: self.last(resource) in types, SECONDS, f"an event {types} on {resource.key}")

    def last(self, resource: MCPConnection | MCPCredentialStore) -> str | None:
        """The type of the last event on that object; "silence" where there was none."""
        uid = resource.metadata.uid
        found = [event.type for event in self.events if event.body["metadata"]["uid"] == uid]
        return found[-1] if found else "silence"

    def labelled(self, connection: MCPConnection) -> bool:
        """Whether it was told with the label of an edit."""
        return any(
            event.body["metadata"]["uid"] == connection.metadata.uid
            and "edited" in event.body["metadata"].get("labels", {})
            for event in self.events
        )

    def end(self) -> None:
        assert self.watcher.stop(SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.engine.join()
        self.loop.close()
