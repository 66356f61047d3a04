"""Looks for shadow connections: lists the labelled heartbeats at the pace of the comparison, never by a watch, and
tells of each shadow once. A list that fails is no word: then nobody knows, and no number is shown."""

from typing import Final

import structlog

from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault
from leasehold.core.shadow import Shadow, by_namespace, registered_urls, shadows_among
from leasehold.engine.events import EventRecorder
from leasehold.engine.inventory import Inventory
from leasehold.ports import Clock, Cluster, Metrics

TOLD_AT_ONCE: Final = 20
"""More wait for the next look: whoever makes up a thousand must not keep the Events of connections waiting."""

log = structlog.get_logger(__name__)


class ShadowWatch:
    """What is in use and not registered, as of the last look."""

    def __init__(
        self, cluster: Cluster, inventory: Inventory, clock: Clock, events: EventRecorder, metrics: Metrics
    ) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._clock = clock
        self._events = events
        self._metrics = metrics
        self._told: set[tuple[str, str]] = set()
        """Uids of Leases, and what was said of them, while they are shadows."""

    async def look(self) -> None:
        """Look once; never raises a fault."""
        try:
            heartbeats = await self._cluster.list_heartbeats()
        except Fault as fault:
            self._metrics.looked_for_shadows(fault.reason.value, {})
            log.warning("heartbeats could not be listed", reason=fault.reason, why=fault.message)
            return
        now = self._clock.now()
        if now is None:
            return
        shelf = self._inventory.connections
        found = shadows_among(heartbeats, registered_urls(shelf, shelf.unreadable), now)
        self._metrics.looked_for_shadows("ok", by_namespace(found))
        news = [each for each in found if _subject(each) not in self._told]
        for each in news[:TOLD_AT_ONCE]:
            self._events.record(each.lease, Reason.SHADOW, each.sentence)
        self._told = {_subject(each) for each in found} - {_subject(each) for each in news[TOLD_AT_ONCE:]}


def _subject(shadow: Shadow) -> tuple[str, str]:
    return shadow.heartbeat.uid, shadow.kind.value
