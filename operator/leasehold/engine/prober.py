"""Reads what servers expose, each in its own time, with workers of its own: a server that is slow holds up nothing
but other probes.

Only a server that was read to its end changes what is known of it. Whatever else happens keeps the last surface and
is told by the profile's Reachable condition: a failed probe is never drift, and never its end. A command is not
probed: what its profile supplies is taken in instead, and Reachable says that nobody has looked."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from leasehold.api.base import ConditionStatus
from leasehold.api.profile import MCPServerProfile, Transport
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core import deadlines
from leasehold.core.captured import Verdict, reachable_of
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.snapshot_content import snapshot_of
from leasehold.core.supplied import supplied_snapshot
from leasehold.engine.captures import Captures
from leasehold.engine.inventory import Inventory
from leasehold.engine.probe_target import ProbeTargets
from leasehold.engine.queue import Lane, WorkQueue
from leasehold.engine.report import Reporter
from leasehold.engine.snapshots import Snapshots
from leasehold.ports import Catalog

SOON_SECONDS: Final = 3.0
"""What is new, or was edited, is probed within this time."""

AFTER_START_SECONDS: Final = 300.0
"""What was captured before a restart is probed within this time, for nobody knows when it was due."""

FIRST_RETRY_SECONDS: Final = 60.0
FIRST_CREDENTIAL_RETRY_SECONDS: Final = 5.0
"""A credential that is not there yet is waited for, and looking for it asks nobody else."""

LONGEST_CREDENTIAL_RETRY_SECONDS: Final = 300.0
COLLECT_SECONDS: Final = 3600.0
GARBAGE: Final = "garbage:"
_NOT_ITS_FAULT: Final = frozenset(
    {Reason.NO_CREDENTIAL, Reason.INVALID_SPEC, Reason.CLUSTER_UNAVAILABLE, Reason.CONFLICT}
)
"""Why nothing is known of the server at all."""

NOTHING_SUPPLIED: Final[Verdict] = (
    ConditionStatus.UNKNOWN,
    Reason.NOT_PROBEABLE,
    "a command is not probed, and spec.suppliedSurface is empty",
)
SUPPLIED: Final[Verdict] = (
    ConditionStatus.UNKNOWN,
    Reason.NOT_PROBEABLE,
    "a command is not probed; its surface is the one in spec.suppliedSurface",
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Seen:
    uid: str
    generation: int


class Prober:
    """Probes every profile that has a URL, and takes in what the others supply."""

    def __init__(
        self,
        catalog: Catalog,
        inventory: Inventory,
        targets: ProbeTargets,
        captures: Captures,
        snapshots: Snapshots,
        reporter: Reporter,
        *,
        workers: int,
    ) -> None:
        self._catalog = catalog
        self._inventory = inventory
        self._targets = targets
        self._captures = captures
        self._snapshots = snapshots
        self._reporter = reporter
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
            return await self._take_in(profile)
        try:
            captured = await self._capture(profile)
        except Fault as fault:
            return await self._failed(profile, fault)
        self._failures.pop(key, None)
        self._reporter.metrics.probed(key, "ok")
        told = (ConditionStatus.TRUE, Reason.CAPTURED, "the server was read to its end")
        await self._captures.took(profile, captured, told)
        return _interval(profile)

    async def _capture(self, profile: MCPServerProfile) -> MCPToolSnapshot:
        probed = await self._catalog.probe(await self._targets.target_of(profile))
        return await asyncio.to_thread(snapshot_of, profile.metadata.name, probed, self._captures.now())

    async def _take_in(self, profile: MCPServerProfile) -> float | None:
        """What is supplied for a command; another edit alone makes an unfit one fit."""
        try:
            supplied = await asyncio.to_thread(supplied_snapshot, profile, self._captures.now())
        except NeedsPerson as fault:
            verdict = (ConditionStatus.UNKNOWN, fault.reason, fault.message)
            await self._captures.found_nothing(profile, verdict)
            return None
        if supplied is None:
            await self._captures.found_nothing(profile, NOTHING_SUPPLIED)
            return None
        await self._captures.took(profile, supplied, SUPPLIED)
        return _interval(profile)

    async def _failed(self, profile: MCPServerProfile, fault: Fault) -> float:
        self._reporter.metrics.probed(profile.key, fault.reason.value)
        unknown = fault.reason in _NOT_ITS_FAULT
        status = ConditionStatus.UNKNOWN if unknown else ConditionStatus.FALSE
        await self._captures.found_nothing(profile, (status, fault.reason, fault.message))
        failures = self._failures[profile.key] = self._failures.get(profile.key, 0) + 1
        waits = fault.reason is Reason.NO_CREDENTIAL
        first = FIRST_CREDENTIAL_RETRY_SECONDS if waits else FIRST_RETRY_SECONDS
        longest = LONGEST_CREDENTIAL_RETRY_SECONDS if waits else _interval(profile)
        seconds = min(first * 2.0 ** min(failures - 1, 16), longest)
        asked = fault.retry_after_seconds if isinstance(fault, TryLater) else None
        seed = f"{profile.metadata.uid}/{failures}/probe"
        return min(max(seconds, asked or 0.0), longest) * (1 - deadlines.jitter(seed) / 4)


def _interval(profile: MCPServerProfile) -> float:
    """Jittered by its UID, so that many profiles of one file do not ask at once for ever."""
    probe = profile.spec.probe
    seconds = float(probe.interval_seconds) if probe is not None else 21600.0
    return seconds * (1 - deadlines.jitter(f"{profile.metadata.uid}/probe") / 10)
