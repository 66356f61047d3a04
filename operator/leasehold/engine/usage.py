"""Asks sources of evidence whether connections are used: each connection's heartbeat Lease in its turn, and one
Prometheus query for all of them.

A pass never waits for Prometheus, which is asked beside all passes; its last answer is in memory. A failure is no
word. Who was kept from telling, by an API server, a Prometheus or an operator that was away, has a whole period
after it is back before anything can become Idle."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from leasehold.api.connection import MCPConnection, UseSource
from leasehold.api.reasons import Reason
from leasehold.core import deadlines
from leasehold.core.faults import Fault, NeedsPerson
from leasehold.core.use import Silence, UseLook, Word, word_of_renewal, word_of_series
from leasehold.ports import Clock, Cluster, Metrics, Usage

SECONDS_PER_CONNECTION: Final = 0.05
"""At most twenty heartbeats are read a second, however large the fleet."""

GONE_AFTER_PERIODS: Final = 3
"""A source that has had no word for so long is taken for gone: what it does not see from then on is no idleness."""

AGAIN: Final = 4
"""How often in a period Prometheus is asked, and a connection is looked at whose deadline has come."""

log = structlog.get_logger(__name__)


class FleetUsage:
    """The newest answer to the Prometheus query."""

    def __init__(self, usage: Usage | None, clock: Clock, metrics: Metrics, period: timedelta) -> None:
        self._usage = usage
        self._clock = clock
        self._metrics = metrics
        self._period = period
        self._read_at: datetime | None = None
        self._told: Mapping[str, float] = {}
        self._silence: Silence | None = Silence(
            UseSource.PROMETHEUS, Reason.WORKING, "Prometheus was not asked yet", lasts=False
        )
        self._failing_since: datetime | None = None

    async def ask_for_ever(self) -> None:
        """Ask again and again, beside all passes."""
        while self._usage is not None:
            now = self._clock.now()
            try:
                if now is not None:
                    await self.ask(self._usage, now)
            except Exception:
                log.exception("Prometheus could not be asked")
            await asyncio.sleep((self._period / AGAIN).total_seconds())

    async def ask(self, usage: Usage, now: datetime) -> None:
        """Ask once, and keep what is answered."""
        try:
            self._told = await usage.last_uses()
        except Fault as fault:
            self._metrics.asked_for_use(UseSource.PROMETHEUS, fault.reason.value)
            self._failing_since = self._failing_since or now
            lasts = now - self._failing_since >= GONE_AFTER_PERIODS * self._period
            self._silence = Silence(
                UseSource.PROMETHEUS, fault.reason, fault.message, lasts or isinstance(fault, NeedsPerson)
            )
            log.warning("Prometheus does not tell of use", reason=fault.reason, why=fault.message)
            return
        self._metrics.asked_for_use(UseSource.PROMETHEUS, "ok")
        self._read_at, self._silence, self._failing_since = now, None, None

    def read_at(self, now: datetime) -> datetime:
        """As of when its word holds; now where nobody is asked."""
        return now if self._usage is None or self._read_at is None else min(self._read_at, now)

    def word(self, connection: MCPConnection, now: datetime) -> Word | Silence | None:
        """What it says of a connection; None where it does not tell of it, or is not asked."""
        if self._usage is None:
            return None
        if self._silence is not None:
            return self._silence
        told = self._told.get(connection.key)
        return None if told is None else word_of_series(told, now)


@dataclass
class _Looked:
    at: datetime
    steady_since: datetime | None = None
    mute_since: datetime | None = None


class UseWatch:
    """Says when a connection's use is to be looked at, and what was found."""

    def __init__(
        self,
        cluster: Cluster,
        fleet: FleetUsage,
        metrics: Metrics,
        fleet_size: Callable[[], int],
        period: timedelta,
    ) -> None:
        self._cluster = cluster
        self._fleet = fleet
        self._metrics = metrics
        self._fleet_size = fleet_size
        self._shortest = period
        self._looked: dict[str, _Looked] = {}

    @property
    def _period(self) -> timedelta:
        return max(self._shortest, timedelta(seconds=SECONDS_PER_CONNECTION * self._fleet_size()))

    def due(self, connection: MCPConnection, now: datetime) -> datetime:
        """When to look next: once in a period, first at a moment of its own; also when its warning or its deadline
        comes, for both are decided by what its sources say then, and more often until that is certain."""
        looked, use = self._known(connection, now), connection.status.use
        end, warning = deadlines.idle_end(connection, use), deadlines.idle_warning(connection, use)
        wait = self._period / AGAIN if end is not None and end <= looked.at else self._period
        return min([looked.at + wait, *(each for each in (end, warning) if each and each > looked.at)])

    def forget(self, uid: str) -> None:
        """The connection is gone."""
        self._looked.pop(uid, None)

    async def look(self, connection: MCPConnection, now: datetime) -> UseLook | None:
        """What all sources say; None where it is not due."""
        if now < self.due(connection, now):
            return None
        looked, period = self._known(connection, now), self._period
        looked.at = now
        found = [await self._heartbeat(connection, now), self._fleet.word(connection, now)]
        words = tuple(each for each in found if isinstance(each, Word))
        silences = tuple(each for each in found if isinstance(each, Silence))
        looked.steady_since = (looked.steady_since or now) if words and not silences else None
        looked.mute_since = None if words else (looked.mute_since or now)
        return UseLook(
            at=self._fleet.read_at(now),
            words=words,
            silences=silences,
            is_steady=looked.steady_since is not None and now - looked.steady_since >= period,
            is_gone=looked.mute_since is not None and now - looked.mute_since >= GONE_AFTER_PERIODS * period,
        )

    async def _heartbeat(self, connection: MCPConnection, now: datetime) -> Word | Silence | None:
        namespace, name = connection.metadata.namespace, connection.metadata.name
        try:
            beat = await self._cluster.heartbeat(namespace, name)
        except Fault as fault:
            self._metrics.asked_for_use(UseSource.HEARTBEAT, fault.reason.value)
            lasts = isinstance(fault, NeedsPerson)
            return Silence(UseSource.HEARTBEAT, fault.reason, fault.message, lasts)
        self._metrics.asked_for_use(UseSource.HEARTBEAT, "absent" if beat is None else "ok")
        if beat is None:
            return None
        return word_of_renewal(beat.renewed, now, f"{namespace}/{name}")

    def _known(self, connection: MCPConnection, now: datetime) -> _Looked:
        uid = connection.metadata.uid
        if uid not in self._looked:
            before = self._period * deadlines.jitter(f"{uid}/use")
            self._looked[uid] = _Looked(now - before)
        return self._looked[uid]
