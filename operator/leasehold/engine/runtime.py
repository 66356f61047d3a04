"""The running engine: events in, one worker pool, a periodic comparison with what the API server really holds.

A stop finishes what is under way, mints and revocations alike, and starts nothing."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog

from leasehold.api.base import Resource
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from leasehold.api.store import MCPCredentialStore
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.engine.breakglass import Breakglass
from leasehold.engine.events import EventRecorder
from leasehold.engine.exposures import AGENT_PREFIX, Exposures
from leasehold.engine.fence import Fence
from leasehold.engine.inventory import Inventory, version_of
from leasehold.engine.orphans import ORPHAN_PREFIX, Orphans
from leasehold.engine.owners import OwnerBook
from leasehold.engine.prober import Prober
from leasehold.engine.queue import Lane, WorkQueue
from leasehold.engine.reconcile import Reconciler
from leasehold.engine.registrations import Registrations
from leasehold.engine.reviews import Reviews
from leasehold.engine.revoke import Revoker
from leasehold.engine.shadows import ShadowWatch
from leasehold.engine.usage import FleetUsage
from leasehold.ports import Clock, Cluster, Metrics

KINDS: Final[tuple[type[Resource], ...]] = (
    MCPAccessPolicy,
    MCPCredentialStore,
    MCPServerProfile,
    MCPConnectionReview,
    MCPConnection,
)
LISTED: Final[tuple[type[Resource], ...]] = (*KINDS, MCPAgentExposure)
"""What is compared; exposures are not watched, for nobody else may write them."""
STORE_PREFIX: Final = "store:"
PROFILE_PREFIX: Final = "profile:"
REVIEW_PREFIX: Final = "review:"
LONGEST_NAP: Final = timedelta(hours=1)
LONGEST_RETRY_SECONDS: Final = 60.0
TAKEN_AT_ONCE: Final = 100
"""Listed objects, until others have their turn in the loop."""
STUCK_SECONDS: Final = 900.0
"""No pass may take longer: the longest mint is 600 s, and every other request is bounded."""

log = structlog.get_logger(__name__)


class Engine:
    """Queue, workers and the loops around them."""

    def __init__(
        self,
        cluster: Cluster,
        inventory: Inventory,
        reconciler: Reconciler,
        revoker: Revoker,
        fence: Fence,
        clock: Clock,
        events: EventRecorder,
        metrics: Metrics,
        breakglass: Breakglass,
        exposures: Exposures,
        *,
        workers: int,
        urgent_workers: int,
        resync_seconds: float,
    ) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._reconciler = reconciler
        self._fence = fence
        self._events = events
        self._metrics = metrics
        self._breakglass = breakglass
        self._exposures = exposures
        self._workers = workers
        self._urgent_workers = urgent_workers
        self._resync_seconds = resync_seconds
        self._loop = asyncio.get_running_loop()
        self._queue = WorkQueue(self._loop, self._lane)
        self._registrations: Registrations | None = None
        self._reviews: Reviews | None = None
        self._prober: Prober | None = None
        self._usage: FleetUsage | None = None
        self._owners: OwnerBook | None = None
        self._shadows: ShadowWatch | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._loops: list[asyncio.Task[None]] = []
        self._telling: asyncio.Task[None] | None = None
        self._failures: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._orphans = Orphans(inventory, revoker, clock)
        self._listed_at: float | None = None
        self._policies: tuple[frozenset[tuple[str, int]], frozenset[str]] = (frozenset(), frozenset())
        """Uids and generations of those that are known, and names of those that cannot be read."""
        self._stopping = False
        breakglass.use(self._revoke_first, self._queue.hold_back)
        exposures.use(lambda key, seconds: self._queue.add_at(key, self._loop.time() + seconds))

    def use(
        self,
        registrations: Registrations,
        reviews: Reviews,
        prober: Prober,
        usage: FleetUsage,
        owners: OwnerBook,
        shadows: ShadowWatch,
    ) -> None:
        """Stores and profiles, reviews, the surfaces of servers, the fleet's use, its owners, and what is in use
        without being part of it are looked after by these."""
        self._registrations, self._reviews, self._prober = registrations, reviews, prober
        self._usage, self._owners, self._shadows = usage, owners, shadows

    def requeue(self, key: str) -> None:
        """A connection is to be looked at, if there is one of that name."""
        if self._inventory.connections.get(key) is not None:
            self._queue.add(key, self._lane(key))

    async def start(self) -> None:
        """Take in all that exists, then begin to work.

        :raises Fault: the API server could not be listed
        """
        await self._compare()
        if self._owners is not None:
            await self._owners.read()
        self._tasks = [
            self._loop.create_task(self._work(urgent_only=index < self._urgent_workers))
            for index in range(self._workers + self._urgent_workers)
        ]
        self._loops = [
            self._loop.create_task(self._compare_for_ever()),
            self._loop.create_task(self._measure_for_ever()),
            self._loop.create_task(self._breakglass.look_for_ever()),
            self._loop.create_task(self._breakglass.report_for_ever()),
        ]
        self._telling = self._loop.create_task(self._events.run())
        if self._prober is not None:
            self._prober.start()
        if self._usage is not None:
            self._loops.append(self._loop.create_task(self._usage.ask_for_ever()))
        if self._owners is not None:
            self._loops.append(self._loop.create_task(self._owners.read_for_ever()))

    async def stop(self, seconds: float) -> bool:
        """Finish what is under way and start nothing; whether all of it was through in time."""
        self._stopping = True
        self._fence.is_closing = True
        self._queue.close()
        for task in self._loops:
            task.cancel()
        if self._prober is not None:
            await self._prober.stop()
        waiting: set[asyncio.Task[None]] = set()
        if self._tasks:
            _, waiting = await asyncio.wait(self._tasks, timeout=seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._events.sent()
        await self._breakglass.stop()
        ending = [*self._loops, *waiting, *([self._telling] if self._telling else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        return not waiting

    def live(self) -> tuple[bool, str]:
        """Whether workers turn."""
        now = self._loop.time()
        stuck = [key for key, since in self._started.items() if now - since > STUCK_SECONDS]
        if stuck:
            return False, f"{len(stuck)} passes take longer than {STUCK_SECONDS:.0f} s"
        if any(task.done() for task in self._tasks) and not self._stopping:
            return False, "a worker has ended"
        if self._prober is not None and not self._prober.live() and not self._stopping:
            return False, "a worker of the prober has ended"
        return True, "workers turn"

    def ready(self) -> tuple[bool, str]:
        """Whether what exists is known, and work is done."""
        if self._stopping:
            return False, "stopping: what is under way is finished, nothing is started"
        if self._listed_at is None:
            return False, "the objects were not listed yet"
        if not self._tasks:
            return False, "the workers have not started"
        return True, f"{len(self._inventory.connections)} connections are known"

    def on_event(self, kind: str, event_type: str | None, body: Mapping[str, Any]) -> None:
        """What a watch told."""
        if kind == MCPRevocation.KIND:
            self._breakglass.look_soon()
            return
        model = next((each for each in KINDS if kind == each.KIND), None)
        if model is None:
            return
        if event_type == "DELETED":
            metadata = body.get("metadata", {})
            key = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
            self._forget(model, key, version_of(str(metadata.get("resourceVersion", ""))))
            return
        resource = self._inventory.take(model, body)
        if resource is not None:
            self._changed(resource)
        elif model is MCPAccessPolicy:
            self._look_at_policies()

    def requeue_users(self, store: MCPCredentialStore) -> None:
        """Whatever mints from a store, or names it, is looked at."""
        self._add(self._inventory.users_of_store(store))

    def requeue_users_of_profile(self, profile: MCPServerProfile) -> None:
        """What a server exposes, or whether it can be read, is not what it was."""
        self._add(self._with_peers(self._inventory.users_of_profile(profile.key)))

    def _with_peers(self, connections: Iterable[MCPConnection]) -> list[MCPConnection]:
        """These, and whoever stands with them: what one agent can do, or has, is judged of all together."""
        found = {each.key: each for each in connections}
        for each in tuple(found.values()):
            found |= {peer.connection.key: peer.connection for peer in self._inventory.peers(each)}
        return list(found.values())

    def _add(self, connections: Iterable[MCPConnection]) -> None:
        for connection in connections:
            self._queue.add(connection.key, self._lane(connection.key))

    def _look_at_policies(self) -> None:
        """Every connection is judged anew where the policies, or what can be read of them, have changed."""
        shelf = self._inventory.policies
        now = (
            frozenset((policy.metadata.uid, policy.metadata.generation) for policy in shelf),
            frozenset(shelf.unreadable),
        )
        if now == self._policies:
            return
        for name in sorted(now[1] - self._policies[1]):
            log.error("an access policy cannot be read", policy=name, why=shelf.unreadable[name])
        self._policies = now
        self._add(self._inventory.connections)

    def _revoke_first(self, connections: Iterable[MCPConnection]) -> None:
        for connection in connections:
            self._queue.add(connection.key, Lane.BREAKGLASS)

    def _changed(self, resource: Resource) -> None:
        if isinstance(resource, MCPAccessPolicy):
            self._look_at_policies()
        elif isinstance(resource, MCPConnection):
            self._metrics.connection(resource)
            self._breakglass.connection_changed(resource)
            is_new = not resource.status.conditions
            self._add(self._with_peers([resource]) if is_new else [resource])
        elif isinstance(resource, MCPConnectionReview):
            self._queue.add(REVIEW_PREFIX + resource.key, Lane.REVOKE)
        elif isinstance(resource, MCPServerProfile):
            self._queue.add(PROFILE_PREFIX + resource.key, Lane.STATUS)
            if self._prober is not None:
                self._prober.profile_changed(resource)
            users = self._inventory.users_of_profile(resource.key)
            for connection in users:
                self._breakglass.connection_changed(connection)
            self._add(self._with_peers(users))
        elif isinstance(resource, MCPCredentialStore):
            self._queue.add(STORE_PREFIX + resource.key, Lane.FIRST_MINT)
            self.requeue_users(resource)
            self._requeue_profiles(resource.key)

    def _requeue_profiles(self, store_name: str) -> None:
        for profile in self._inventory.profiles:
            credential = profile.spec.credential
            if credential is not None and credential.store_name == store_name:
                self._queue.add(PROFILE_PREFIX + profile.key, Lane.STATUS)

    def _forget(self, kind: type[Resource], key: str, version: int) -> None:
        gone = self._inventory.remove(kind, key, version)
        if kind is MCPAccessPolicy:
            self._look_at_policies()
        if gone is None:
            return
        if isinstance(gone, MCPConnection):
            self._queue.forget(key)
            self._failures.pop(key, None)
            self._metrics.connection_gone(key)
            self._breakglass.connection_gone(gone)
            self._exposures.remember(gone)
            self._end_what_it_left(gone)
            self._add(self._inventory.rivals(gone))
            self._add(peer.connection for peer in self._inventory.peers(gone))
            for store in self._inventory.stores:
                if store.metadata.deletion_timestamp is not None:
                    self._queue.add(STORE_PREFIX + store.key, Lane.STATUS)
        elif isinstance(gone, MCPServerProfile):
            if self._prober is not None:
                self._prober.profile_gone(key)
            self._add(self._with_peers(self._inventory.users_of_profile(key)))
        elif isinstance(gone, MCPAccessPolicy):
            self._reconciler.policy_removed(gone)
        elif isinstance(gone, MCPCredentialStore):
            self._metrics.store_gone(key)
            self.requeue_users(gone)
            self._requeue_profiles(key)

    def _end_what_it_left(self, gone: MCPConnection) -> None:
        """Somebody took our finalizer away: what the ledger named is alive, and nobody else will end it."""
        released = gone.metadata.uid in self._reconciler.released
        self._reconciler.released.discard(gone.metadata.uid)
        if released or not gone.status.ledger:
            return
        self._queue.add(self._orphans.take(gone), Lane.REVOKE)

    def _lane(self, key: str) -> Lane:
        if key.startswith(STORE_PREFIX):
            return Lane.PROBE
        if key.startswith((ORPHAN_PREFIX, REVIEW_PREFIX)):
            return Lane.REVOKE
        connection = self._inventory.connections.get(key)
        if connection is None:
            return Lane.STATUS
        if self._breakglass.concerns(key):
            return Lane.BREAKGLASS
        ending = any(entry.state is not EntryState.CURRENT for entry in connection.status.ledger)
        if connection.metadata.deletion_timestamp is not None or connection.spec.suspend or ending:
            return Lane.REVOKE
        return Lane.ROTATE if connection.status.last_generation else Lane.FIRST_MINT

    async def _work(self, urgent_only: bool) -> None:
        while (taken := await self._queue.get(urgent_only)) is not None:
            key, _ = taken
            started = self._started[key] = self._loop.time()
            outcome = "ok"
            try:
                again = await self._pass(key, urgent_only)
                self._failures.pop(key, None)
            except Fault as fault:
                outcome, again = fault.reason.value, self._retry(key, fault)
                log.info("pass not finished", object=key, reason=fault.reason, why=fault.message)
            except Exception:
                outcome, again = Reason.INTERNAL_ERROR.value, self._retry(key, None)
                log.exception("pass failed", object=key)
            finally:
                del self._started[key]
                self._queue.done(key)
            self._metrics.reconciled(self._loop.time() - started, outcome)
            if again is not None:
                self._queue.add_at(key, self._loop.time() + min(again, LONGEST_NAP).total_seconds())
            await asyncio.sleep(0)  # most passes wait for nobody: a whole fleet of them would hold the loop

    async def _pass(self, key: str, urgent_only: bool) -> timedelta | None:
        if key.startswith(STORE_PREFIX):
            store = self._inventory.stores.get(key.removeprefix(STORE_PREFIX))
            return await self._registrar.reconcile_store(store) if store is not None else None
        if key.startswith(PROFILE_PREFIX):
            profile = self._inventory.profiles.get(key.removeprefix(PROFILE_PREFIX))
            if profile is not None:
                await self._registrar.reconcile_profile(profile)
            return None
        if key.startswith(REVIEW_PREFIX):
            review = self._inventory.reviews.get(key.removeprefix(REVIEW_PREFIX))
            if review is not None and self._reviews is not None:
                await self._reviews.reconcile(review)
            return None
        if key.startswith(ORPHAN_PREFIX):
            return await self._orphans.end(key)
        if key.startswith(AGENT_PREFIX):
            await self._exposures.reconcile(key)
            return None
        connection = self._inventory.connections.get(key)
        if connection is None:
            return None
        # A connection with something to end may be due for a mint as well, and that may take minutes.
        again = await self._reconciler.reconcile(connection, may_mint=not urgent_only)
        self._breakglass.passed(key)
        if again.mint_is_left:
            self._queue.add(key, Lane.ROTATE)
        return again.after

    @property
    def _registrar(self) -> Registrations:
        if self._registrations is None:
            raise RuntimeError("the engine was started before its registrations were given")
        return self._registrations

    def _retry(self, key: str, fault: Fault | None) -> timedelta:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        seconds = min(2.0 ** min(failures - 1, 16), LONGEST_RETRY_SECONDS)
        if isinstance(fault, TryLater) and fault.retry_after_seconds is not None:
            seconds = max(seconds, min(fault.retry_after_seconds, LONGEST_RETRY_SECONDS))
        return timedelta(seconds=seconds)

    async def _compare_for_ever(self) -> None:
        while True:
            if self._shadows is not None:
                await self._shadows.look()
            await asyncio.sleep(self._resync_seconds)
            try:
                await self._compare()
            except Fault as fault:
                log.warning("the objects could not be listed", reason=fault.reason, why=fault.message)

    async def _compare(self) -> None:
        """List everything: a watch that broke may have missed changes, and never tells of missed deletions."""
        for kind in LISTED:
            known = self._inventory.shelf(kind).keys()
            listed, unreadable = await self._cluster.list_all(kind)
            self._inventory.shelf(kind).could_not_read(unreadable)
            there = {resource.key for resource in listed} | set(unreadable)
            for number, resource in enumerate(listed):
                if self._inventory.put(resource):
                    self._changed(resource)
                if number % TAKEN_AT_ONCE == 0:
                    await asyncio.sleep(0)
            for key in known - there:
                await self._forget_if_gone(kind, key)
            if kind is MCPAccessPolicy:
                self._look_at_policies()
        await self._breakglass.refresh()
        self._exposures.look_at_all()
        self._listed_at = self._loop.time()

    async def _forget_if_gone(self, kind: type[Resource], key: str) -> None:
        """The list may come from a cache that is older than what the watch told: only a read of its own counts."""
        namespace, _, name = key.rpartition("/")
        held = self._inventory.shelf(kind).get(key)
        try:
            gone = held is not None and await self._cluster.get(kind, name, namespace) is None
        except NeedsPerson as refused:  # what nobody lets us read is kept, and all else is compared
            log.warning("it cannot be read whether it is gone", object=key, why=refused.message)
            return
        if held is not None and gone:
            self._forget(kind, key, version_of(held.metadata.resource_version))

    async def _measure_for_ever(self) -> None:
        while True:
            for lane, (depth, age) in self._queue.depth().items():
                self._metrics.queue(lane.name.lower(), depth, age)
            age = self._loop.time() - self._listed_at if self._listed_at is not None else 0.0
            for kind in LISTED:
                self._metrics.inventory(kind.KIND, len(self._inventory.shelf(kind)), age)
            await asyncio.sleep(2.0)
