"""Notes on a profile what came of looking at its server, and keeps the surface. The snapshot is created before the
status names it, so after a crash there is at most one too many, which is collected."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from leasehold.api.base import ConditionStatus, whole_seconds
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core.captured import Verdict, after_probe, reachable_of
from leasehold.core.faults import Conflict, OutcomeUnknown, TryLater, Vanished
from leasehold.engine.inventory import Inventory
from leasehold.engine.report import Reporter
from leasehold.engine.snapshots import Snapshots
from leasehold.ports import Clock, Cluster

WRITES: Final = 4


class Captures:
    """Writes the status of profiles; `changed` is told of one whose users have to be looked at."""

    def __init__(
        self,
        cluster: Cluster,
        inventory: Inventory,
        snapshots: Snapshots,
        reporter: Reporter,
        clock: Clock,
        changed: Callable[[MCPServerProfile], None],
    ) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._snapshots = snapshots
        self._reporter = reporter
        self._clock = clock
        self._changed = changed

    def now(self) -> datetime:
        """When something is captured. Raises TryLater before the server's time is known."""
        now = self._clock.now()
        if now is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "the API server's time is not known yet")
        return whole_seconds(now)

    async def took(self, profile: MCPServerProfile, captured: MCPToolSnapshot, verdict: Verdict) -> None:
        """A surface was taken in.

        :raises Fault: it could not be written down
        """
        with self._snapshots.kept(captured.metadata.name):
            await self._snapshots.keep(captured)
            is_new = await self._write(profile, captured, verdict)
        if is_new:
            await self._snapshots.collect()

    async def found_nothing(self, profile: MCPServerProfile, verdict: Verdict) -> None:
        """No surface was taken in: what is known of it stays.

        :raises Fault: it could not be written down
        """
        await self._write(profile, None, verdict)

    async def _write(
        self, looked_at: MCPServerProfile, captured: MCPToolSnapshot | None, verdict: Verdict
    ) -> bool:
        """Whether the surface is another one than before."""
        for _ in range(WRITES):
            held = self._inventory.profiles.get(looked_at.key)
            if held is None or _spec_of(held) != _spec_of(looked_at):
                return False  # it was asked for something else by now, and is looked at again
            status = after_probe(held, captured, verdict, self.now())
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
        raise Conflict(f"the status of {looked_at.key} changes faster than it can be written")

    def _tell(self, before: MCPServerProfile, after: MCPServerProfile) -> bool:
        was, now = before.status.surface, after.status.surface
        condition = reachable_of(after)
        is_new = now is not None and (was is None or was.digest != now.digest)
        if is_new and now is not None:
            self._reporter.captured(after, now)
        elif condition is not None and condition.status is not ConditionStatus.TRUE:
            self._reporter.not_probed(after, condition.reason, condition.message)
        self._changed(after)
        return is_new


def _spec_of(profile: MCPServerProfile) -> tuple[str, int]:
    return profile.metadata.uid, profile.metadata.generation
