"""kopf as what tells us that something changed, and nothing else.

It runs in a thread and an event loop of its own, for it cancels every task of its loop when it stops, mints
in flight included. It has raw event handlers only: everything else that it offers writes annotations or
finalizers into objects. When a watch breaks in a way that kopf does not expect, kopf ends: then it is begun
anew, and what was missed comes with the list that every beginning starts with."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import aiohttp
import kopf
import structlog

from leasehold.api.base import Resource
from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION, GROUP, VERSION
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from leasehold.api.store import MCPCredentialStore
from leasehold.handlers.login import connection_info

EventType = Literal["ADDED", "MODIFIED", "DELETED"]

WATCHED: Final[tuple[type[Resource], ...]] = (
    MCPRevocation,
    MCPConnectionReview,
    MCPConnection,
    MCPServerProfile,
    MCPCredentialStore,
    MCPAccessPolicy,
)

log = structlog.get_logger(__name__)

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
END_SECONDS = 5.0
WATCHER = "watcher for "
CLOSER = "startup/cleanup activities"
"""kopf's names for the tasks that watch, and for the one that closes its sessions when it is cancelled."""
HEALTHY_AFTER_SECONDS = 60.0
"""A run that lasted as long as this was not begun in vain: the next backoff is the first one again."""


@dataclass(frozen=True)
class WatchEvent:
    """What a watch told; type None is an object that was already there when the watch began."""

    kind: str
    type: EventType | None
    body: dict[str, Any]


class KindsAreMissing(Exception):
    """The API server does not serve our kinds yet: kopf would look once, and then watch nothing for ever."""


class NamespacesAreMissing(Exception):
    """Of the namespaces that are to be watched none is there, or all of them are being deleted."""


class Watcher:
    """Watches our kinds from `start` to `stop`: in the `namespaces` that are given, else in all of them.

    `sink` gets every event, and `on_failure` every end that nobody asked for and that is followed by a new
    beginning; both are called in the event loop that was given."""

    def __init__(
        self,
        kubeconfig: str | None,
        loop: asyncio.AbstractEventLoop,
        sink: Callable[[WatchEvent], None],
        on_failure: Callable[[Exception], None],
        namespaces: Collection[str] = (),
    ) -> None:
        self._kubeconfig = kubeconfig
        self._namespaces = tuple(namespaces)
        self._engine_loop = loop
        self._sink = sink
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._stop_run: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._run, name="leasehold-watches", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs; between two attempts it waits, and is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float = 15.0) -> bool:
        """Ask for the end and wait for it; False where it did not come in time."""
        with self._lock:
            self._stopping.set()
            if self._stop_run is not None:
                self._stop_run()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self.alive

    def _run(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            begun = time.monotonic()
            try:
                _run_to_its_end(self._watch())
                failure: Exception = RuntimeError("kopf ended by itself")
            except Exception as error:  # noqa: BLE001  # whatever it is, the watches have to go on
                failure = error
            if self._stopping.is_set():
                return
            if time.monotonic() - begun >= HEALTHY_AFTER_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            self._hand_over(self._on_failure, failure)
            self._stopping.wait(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)

    async def _watch(self) -> None:
        # for a threading flag kopf parks a pool thread, and nobody ever ends that one
        stop_flag = asyncio.Event()
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._stopping.is_set():
                return
            self._stop_run = partial(loop.call_soon_threadsafe, stop_flag.set)
        try:
            stopped = asyncio.create_task(stop_flag.wait())
            checked = asyncio.create_task(_what_is_there(connection_info(self._kubeconfig), self._namespaces))
            await _first_of({stopped, checked})
            if not stopped.done():
                await self._watch_until(stopped, checked.result())
        finally:
            with self._lock:
                self._stop_run = None

    async def _watch_until(self, stopped: asyncio.Task[Any], namespaces: Collection[str]) -> None:
        """kopf's tasks, until one of them ends or we are asked to stop."""
        spawned = kopf.spawn_tasks(
            registry=self._registry(),
            settings=_settings(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=namespaces,
        )
        roots = set(await spawned)
        ended = await _first_of({stopped, *roots}) - {stopped}
        await _end(roots)
        for task in ended:
            task.result()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def log_in(**_: Any) -> kopf.ConnectionInfo:
            return connection_info(self._kubeconfig)

        for resource in WATCHED:
            kopf.on.event(GROUP, VERSION, resource.PLURAL, registry=registry)(self._teller(resource.KIND))
        return registry

    def _teller(self, kind: str) -> Callable[..., Any]:
        async def tell(event: dict[str, Any], **_: Any) -> None:
            self._hand_over(self._sink, WatchEvent(kind, event["type"], event["object"]))

        return tell

    def _hand_over(self, receiver: Callable[[Any], None], what: object) -> None:
        try:
            self._engine_loop.call_soon_threadsafe(receiver, what)
        except RuntimeError:  # the engine's loop is closed: nobody is interested any more
            self._stopping.set()


class _NothingKept(kopf.DiffBaseStorage):
    """kopf compares each object with what it wrote into its annotations before. We have no use for that, it costs
    more than the rest of an event, and whoever writes bad JSON there would keep their object from being told."""

    def build(self, **_: object) -> kopf.BodyEssence:
        return {}

    def fetch(self, **_: object) -> None:
        return None

    def store(self, **_: object) -> None:
        return None


async def _first_of(tasks: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _end(roots: set[asyncio.Task[Any]]) -> None:
    """Let the watches end, cancel what they left behind, and only then have kopf close its sessions. By itself it
    closes them under requests that it has lost sight of, and waits for watches that it does not end."""
    closer = {task for task in roots if task.get_name() == CLOSER}
    watchers = {task for task in asyncio.all_tasks() if task.get_name().startswith(WATCHER)}
    await _cancel((roots - closer) | watchers)
    await _cancel(asyncio.all_tasks() - closer - {asyncio.current_task()})
    await _cancel(closer)


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=END_SECONDS)


def _run_to_its_end(main: Coroutine[Any, Any, None]) -> None:
    """As `asyncio.run`, but tasks that do not let themselves be cancelled are left behind, and so are generators:
    asyncio closes them in no order, and kopf's cannot be closed after what they are made of."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_note)
    try:
        loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_cancel(asyncio.all_tasks(loop)))
        loop.close()


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody in this loop waits for any more. A watch that fails is told and begun anew, whatever else fails
    with it: asyncio would log each with a traceback, as if somebody could mend it."""
    log.debug("left behind by the watches", what=context["message"], why=repr(context.get("exception")))


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.persistence.diffbase_storage = _NothingKept()
    settings.process.ultimate_exiting_timeout = None  # it is a SIGKILL
    settings.posting.enabled = False
    settings.scanning.disabled = True  # it would need to list all CRDs
    settings.peering.standalone = True
    settings.persistence.finalizer = (
        f"{GROUP}/set-by-nobody"  # kopf removes its finalizer wherever it finds it
    )
    settings.queueing.idle_timeout = (
        0.1  # for so long each object of the first list stays in memory beside ours
    )
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 5
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = (0.5, 1, 2, 4)
    return settings


async def _what_is_there(server: kopf.ConnectionInfo, wanted: Collection[str]) -> tuple[str, ...]:
    """Those of the wanted namespaces that are there to stay: with one that goes our rights in it go, and a watch
    that is refused would end all others.

    :raises KindsAreMissing: our kinds are not served yet
    :raises NamespacesAreMissing: none of the wanted namespaces is there
    """
    connector = aiohttp.TCPConnector(ssl=server.as_ssl_context())
    timeout = aiohttp.ClientTimeout(total=30, sock_connect=5)
    async with aiohttp.ClientSession(
        connector=connector, headers=server.as_http_headers(), timeout=timeout
    ) as session:

        async def ask(path: str) -> tuple[int, dict[str, Any]]:
            url = f"{server.server.rstrip('/')}{path}"
            async with session.get(url, proxy=server.proxy_url) as response:
                return response.status, await response.json() if response.ok else {}

        status, found = await ask(f"/apis/{API_VERSION}")
        missing = {kind.PLURAL for kind in WATCHED} - {entry["name"] for entry in found.get("resources", ())}
        if missing:
            raise KindsAreMissing(f"The API server does not serve {', '.join(sorted(missing))} ({status}).")
        answers = {name: await ask(f"/api/v1/namespaces/{name}") for name in wanted}
    gone = {
        name
        for name, (status, found) in answers.items()
        if status == 404 or found.get("metadata", {}).get("deletionTimestamp")
    }
    if wanted and gone == set(wanted):
        raise NamespacesAreMissing(f"There is none of the namespaces {', '.join(sorted(gone))}.")
    return tuple(name for name in wanted if name not in gone)
