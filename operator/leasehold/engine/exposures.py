"""Keeps one exposure for each agent: written when it differs from what is there, and before the finalizer of a
connection comes off, so that nobody gets rid of what was said about it by deleting it."""

import asyncio
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

import structlog

from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.reasons import Reason
from leasehold.core.exposure import ended, exposure_of
from leasehold.core.faults import Conflict, NeedsPerson, OutcomeUnknown, TryLater, Vanished
from leasehold.engine.inventory import Agent, Inventory, agent_of, version_of
from leasehold.ports import Clock, Cluster, Metrics

AGENT_PREFIX: Final = "agent:"
QUIET_SECONDS: Final = 2.0
"""From a change until it is written: most come together."""
ATTEMPTS: Final = 5

log = structlog.get_logger(__name__)


class Exposures:
    """Writes what `core.exposure` makes of the inventory."""

    def __init__(self, cluster: Cluster, inventory: Inventory, clock: Clock, metrics: Metrics) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._clock = clock
        self._metrics = metrics
        self._plan: Callable[[str, float], None] = lambda _key, _seconds: None
        self._planned: set[Agent] = set()
        self._writing: WeakValueDictionary[Agent, asyncio.Lock] = WeakValueDictionary()
        inventory.agent_changed = self.changed

    def use(self, plan: Callable[[str, float], None]) -> None:
        """`plan` has a key passed to `reconcile` so many seconds from now."""
        self._plan = plan

    def changed(self, agent: Agent) -> None:
        """Something about an agent may not be as it was."""
        if agent not in self._planned:
            self._planned.add(agent)
            self._plan(AGENT_PREFIX + "/".join(agent), QUIET_SECONDS)

    def look_at_all(self) -> None:
        """Every agent is looked at, and every exposure whose agent is gone."""
        for connection in self._inventory.connections:
            self.changed(agent_of(connection))
        for exposure in self._inventory.exposures:
            self.changed((exposure.metadata.namespace, exposure.metadata.name))

    async def reconcile(self, key: str) -> None:
        """Write the exposure of an agent, if it differs from what is there.

        :raises Fault: it could not be written; nothing is forgotten meanwhile
        """
        namespace, _, name = key.removeprefix(AGENT_PREFIX).partition("/")
        self._planned.discard((namespace, name))
        await self._write((namespace, name))

    def remember(self, connection: MCPConnection) -> None:
        """A connection has ended, or is gone; the first end that is told counts."""
        now = self._clock.now()
        if now is not None:
            self._inventory.left(ended(connection, now), agent_of(connection))
            self.changed(agent_of(connection))

    async def leave(self, connection: MCPConnection) -> None:
        """A connection goes as soon as this is through: its end is on record, unless only a person can help that.

        :raises Fault: it could not be written
        """
        self.remember(connection)
        try:
            await self._write(agent_of(connection))
        except NeedsPerson as fault:
            log.error("an end is in no exposure", object=connection.key, why=fault.message)

    async def _write(self, agent: Agent) -> None:
        lock = self._writing.setdefault(agent, asyncio.Lock())
        async with lock:
            for _ in range(ATTEMPTS):
                try:
                    await self._write_once(agent)
                    return
                except (Conflict, OutcomeUnknown):
                    await self._read_again(agent)
                except Vanished:
                    if self._held(agent) is None:  # nothing can be written in a namespace that goes
                        self._inventory.forget_left(agent)
                        return
                    await self._read_again(agent)
        raise Conflict(f"the exposure of {'/'.join(agent)} is being changed faster than it can be written")

    async def _write_once(self, agent: Agent) -> None:
        namespace, name = agent
        key, now, before = "/".join(agent), self._clock.now(), self._held(agent)
        if now is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "the API server's time is not known yet")
        if key in self._inventory.exposures.unreadable:
            raise NeedsPerson(
                Reason.INVALID_SPEC,
                f"MCPAgentExposure {key} cannot be read by this version, so it stays as it is",
            )
        leaving = self._inventory.leaving(agent)
        members = self._inventory.members(agent)
        wanted = exposure_of(namespace, name, members, before, leaving, now)
        if wanted is not None:
            if before is None:
                self._inventory.put(await self._cluster.create_exposure(wanted))
            elif wanted.spec != before.spec:
                self._inventory.put(await self._cluster.replace_exposure(wanted))
            self._metrics.agent(wanted)
        else:
            if before is not None:
                await self._cluster.delete_exposure(before)
                self._forget(before)
            self._metrics.agent_gone(key)
        self._inventory.forget_left(agent, leaving)

    async def _read_again(self, agent: Agent) -> None:
        namespace, name = agent
        held = self._held(agent)
        fresh = await self._cluster.get(MCPAgentExposure, name, namespace)
        if fresh is not None:
            self._inventory.put(fresh)
        elif held is not None:
            self._forget(held)

    def _held(self, agent: Agent) -> MCPAgentExposure | None:
        return self._inventory.exposures.get("/".join(agent))

    def _forget(self, exposure: MCPAgentExposure) -> None:
        version = version_of(exposure.metadata.resource_version)
        self._inventory.remove(MCPAgentExposure, exposure.key, version)
