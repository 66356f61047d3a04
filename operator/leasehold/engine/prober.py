"""Reads what servers expose, each in its own time, with workers of its own: a server that is slow holds up nothing
but other probes.

Only a server that was read to its end changes what is known of it. Whatever else happens keeps the last surface and
is told by the profile's Reachable condition: a failed probe is never drift, and never its end. The snapshot is
created before the status names it, so after a crash there is at most one too many, which is collected."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from leasehold.api.base import ConditionStatus, whole_seconds
from leasehold.api.profile import MCPServerProfile, Transport
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core import deadlines
from leasehold.core.captured import Verdict, after_probe, reachable_of
from leasehold.core.faults import Conflict, Fault, OutcomeUnknown, TryLater, Vanished
from leasehold.core.snapshot_content import snapshot_of
from leasehold.engine.inventory import Inventory
from leasehold.engine.probe_target import ProbeTargets
from leasehold.engine.queue import Lane, WorkQueue
from leasehold.engine.report import Reporter
from leasehold.engine.snapshots import Snapshots
from leasehold.ports import Catalog, Clock, Cluster

SOON_SECONDS: Final = 3.0
"""What is new, or was edited, is probed within this time."""

AFTER_START_SECONDS: Final = 300.0
"""What was captured before a restart is probed within this time, for nobody knows when it was due."""

FIRST_RETRY_SECONDS: Final = 60.0
FIRST_CREDENTIAL_RETRY_SECONDS: Final = 5.0
"""A credential that is not there yet is waited for, and looking for it asks nobody else."""

LONGEST_CREDENTIAL_RETRY_SECONDS: Final = 300.0
COLLECT_SECONDS: Final = 3600.0
WRITES: Final = 4
GARBAGE: Final = "garbage:"
_NOT_ITS_FAULT: Final = frozenset(
    {Reason.NO_CREDENTIAL, Reason.INVALID_SPEC, Reason.CLUSTER_UNAVAILABLE, Reason.CONFLICT}
)
"""Why nothing is known of the server at all."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Seen:
    uid: str
    generation: int


class Prober:
    """Probes every profile that has a URL; `changed` is told of a profile whose users have to be looked at."""

    def __init__(
        self,
        cluster: Cluster,
        catalog: Catalog,
        inventory: Inventory,
        snapshots: Snapshots,
        reporter: Reporter,
        clock: Clock,
        changed: Callable[[MCPServerProfile], None],
        *,
        workers: int,
    ) -> None:
        self._cluster = cluster
        self._catalog = catalog
        self._inventory = inventory
        self._targets = ProbeTargets(cluster, inventory)
        self._snapshots = snapshots
        self._reporter = reporter
        self._clock = clock
        self._changed = changed
        self._workers = workers
        self._loop = asyncio.get_running_loop()
        self._queue = WorkQueue(self._loop, lambda _: Lane.PROBE)
        self._tasks: list[asyncio.Task[None]] = []
        self._seen: dict[str, _Seen] = {}
        self._failures: dict[str, int] = {}

    def start(self) -> None:
        """Begin to probe what was told of."""
        self._tasks = [self._loop.create_task(self._work()) for _ in range(self._workers)]
        if self._tasks:
            self._queue.add_at(GARBAGE, self._loop.time() + COLLECT_SECONDS)

    async def stop(self) -> None:
        """End, also in the middle of a probe: nothing that was begun needs its end."""
        self._queue.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def live(self) -> bool:
        """Whether the workers turn."""
        return not any(task.done() for task in self._tasks)

    def profile_changed(self, profile: MCPServerProfile) -> None:
        """A profile is new, or was changed; probed anew is only another spec."""
        now = _Seen(profile.metadata.uid, profile.metadata.generation)
        before = self._seen.get(profile.key)
        if before == now or not self._workers:
            return
        self._seen[profile.key] = now
        self._failures.pop(profile.key, None)
        told = reachable_of(profile)
        known = told is not None and told.observed_generation == profile.metadata.generation
        within = AFTER_START_SECONDS if known else SOON_SECONDS
        within = min(within, _interval(profile))
        seed = f"{profile.metadata.uid}/{profile.metadata.generation}/first probe"
        self._queue.add_at(profile.key, self._loop.time() + within * deadlines.jitter(seed))

    def profile_gone(self, name: str) -> None:
        """A profile is no more; what was captured of it goes with it."""
        self._seen.pop(name, None)
        self._failures.pop(name, None)
        self._queue.forget(name)
        self._reporter.metrics.profile_gone(name)
        if self._workers:
            self._queue.add(GARBAGE, Lane.PROBE)

    async def _work(self) -> None:
        while (taken := await self._queue.get()) is not None:
            key, _ = taken
            again: float | None = COLLECT_SECONDS
            asked_for = self._seen.get(key)
            try:
                again = await self._pass(key)
            except Fault as fault:
                log.info("probe not recorded", object=key, reason=fault.reason, why=fault.message)
                again = FIRST_RETRY_SECONDS
            except Exception:
                log.exception("probe failed", object=key)
            finally:
                self._queue.done(key)
            if again is not None and self._seen.get(key) == asked_for:  # else it is planned anew already
                self._queue.add_at(key, self._loop.time() + again)

    async def _pass(self, key: str) -> float | None:
        if key == GARBAGE:
            await self._snapshots.collect()
            return COLLECT_SECONDS
        profile = self._inventory.profiles.get(key)
        if profile is None:
            return None
        if profile.spec.transport is Transport.STDIO:
            verdict = (ConditionStatus.UNKNOWN, Reason.NOT_PROBEABLE, "a Stdio server is never probed")
            await self._write(profile, None, verdict)
            return None
        try:
            captured = await self._capture(profile)
        except Fault as fault:
            return await self._failed(profile, fault)
        self._failures.pop(key, None)
        self._reporter.metrics.probed(key, "ok")
        told = (ConditionStatus.TRUE, Reason.CAPTURED, "the server was read to its end")
        with self._snapshots.kept(captured.metadata.name):
            await self._snapshots.keep(captured)
            is_new = await self._write(profile, captured, told)
        if is_new:
            await self._snapshots.collect()
        return _interval(profile)

    async def _capture(self, profile: MCPServerProfile) -> MCPToolSnapshot:
        probed = await self._catalog.probe(await self._targets.target_of(profile))
        return await asyncio.to_thread(snapshot_of, profile.metadata.name, probed, self._now())

    def _now(self) -> datetime:
        now = self._clock.now()
        if now is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "the API server's time is not known yet")
        return whole_seconds(now)

    async def _failed(self, profile: MCPServerProfile, fault: Fault) -> float:
        self._reporter.metrics.probed(profile.key, fault.reason.value)
        unknown = fault.reason in _NOT_ITS_FAULT
        status = ConditionStatus.UNKNOWN if unknown else ConditionStatus.FALSE
        await self._write(profile, None, (status, fault.reason, fault.message))
        failures = self._failures[profile.key] = self._failures.get(profile.key, 0) + 1
        waits = fault.reason is Reason.NO_CREDENTIAL
        first = FIRST_CREDENTIAL_RETRY_SECONDS if waits else FIRST_RETRY_SECONDS
        longest = LONGEST_CREDENTIAL_RETRY_SECONDS if waits else _interval(profile)
        seconds = min(first * 2.0 ** min(failures - 1, 16), longest)
        asked = fault.retry_after_seconds if isinstance(fault, TryLater) else None
        seed = f"{profile.metadata.uid}/{failures}/probe"
        return min(max(seconds, asked or 0.0), longest) * (1 - deadlines.jitter(seed) / 4)

    async def _write(
        self, probed: MCPServerProfile, captured: MCPToolSnapshot | None, verdict: Verdict
    ) -> bool:
        """Note what came of a probe; whether the surface is another one than before.

        :raises Fault: it could not be written
        """
        for _ in range(WRITES):
            held = self._inventory.profiles.get(probed.key)
            if held is None or _spec_of(held) != _spec_of(probed):
                return False  # it was asked for something else by now, and is probed again
            status = after_probe(held, captured, verdict, self._now())
            if status == held.status:
                return False
            try:
                answered = await self._cluster.put_status(held.model_copy(update={"status": status}))
            except (Conflict, OutcomeUnknown):
                fresh = await self._cluster.get(MCPServerProfile, held.metadata.name)
                if fresh is not None:
                    self._inventory.put(fresh)
                continue
            except Vanished:
                return False
            self._inventory.put(answered)
            return self._tell(held, answered)
        raise Conflict(f"the status of {probed.key} changes faster than it can be written")

    def _tell(self, before: MCPServerProfile, after: MCPServerProfile) -> bool:
        was, now = before.status.surface, after.status.surface
        condition = reachable_of(after)
        is_new = now is not None and (was is None or was.digest != now.digest)
        if is_new and now is not None:
            self._reporter.captured(after, now.digest, now.tools)
        elif condition is not None and condition.status is not ConditionStatus.TRUE:
            self._reporter.not_probed(after, condition.reason, condition.message)
        self._changed(after)
        return is_new


def _interval(profile: MCPServerProfile) -> float:
    """Jittered by its UID, so that many profiles of one file do not ask at once for ever."""
    probe = profile.spec.probe
    seconds = float(probe.interval_seconds) if probe is not None else 21600.0
    return seconds * (1 - deadlines.jitter(f"{profile.metadata.uid}/probe") / 10)


def _spec_of(profile: MCPServerProfile) -> _Seen:
    return _Seen(profile.metadata.uid, profile.metadata.generation)
