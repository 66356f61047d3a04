"""Snapshots as long as somebody needs them: what is live, and what somebody has approved. The rest is collected,
and never anything while it is not known who approved what."""

import contextlib
from collections.abc import Iterator

import structlog

from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile
from leasehold.api.review import MCPConnectionReview
from leasehold.api.snapshot import MCPToolSnapshot, snapshot_name
from leasehold.core.drift_standing import approved_digests
from leasehold.core.faults import Conflict
from leasehold.core.reviews import reviewed, verdict_of
from leasehold.engine.inventory import Inventory
from leasehold.ports import Cluster

log = structlog.get_logger(__name__)


class Snapshots:
    """Keeps and collects snapshots, which nobody else writes."""

    def __init__(self, cluster: Cluster, inventory: Inventory) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._there: set[str] = set()
        self._in_hand: set[str] = set()

    @contextlib.contextmanager
    def kept(self, name: str) -> Iterator[None]:
        """While it lasts, a snapshot of this name is not collected, although no status names it yet."""
        self._in_hand.add(name)
        try:
            yield
        finally:
            self._in_hand.discard(name)

    async def keep(self, snapshot: MCPToolSnapshot) -> None:
        """Create it where it is not there: named by its content, it never needs to be written again."""
        name = snapshot.metadata.name
        if name in self._there:
            return
        with contextlib.suppress(Conflict):
            await self._cluster.create_snapshot(snapshot)
        self._there.add(name)

    async def collect(self) -> None:
        """Delete what nobody needs.

        :raises Fault: the names could not be listed, or one could not be deleted
        """
        if self._is_partly_unknown():
            return
        names = await self._cluster.snapshot_names()
        self._there &= names | self._in_hand  # one that is needed and gone is made by the next probe
        for name in sorted(names - self._needed() - self._in_hand):
            if name in self._needed() | self._in_hand:  # since the list was made
                continue
            self._there.discard(name)
            await self._cluster.delete_snapshot(name)
            log.info("a snapshot that nobody needs was deleted", object=name)

    def _is_partly_unknown(self) -> bool:
        kinds = (MCPConnection, MCPServerProfile, MCPConnectionReview)
        return any(self._inventory.shelf(kind).unreadable for kind in kinds)

    def _needed(self) -> set[str]:
        return {name for profile in self._inventory.profiles for name in self._needed_for(profile)}

    def _needed_for(self, profile: MCPServerProfile) -> Iterator[str]:
        surface, name = profile.status.surface, profile.metadata.name
        if surface is not None:
            yield surface.snapshot
        if profile.spec.approved_surface is not None:
            yield snapshot_name(name, profile.spec.approved_surface)
        for connection in self._inventory.users_of_profile(name):
            reviews = self._inventory.reviews_of(connection)
            for digest in approved_digests(reviewed(connection, reviews), profile):
                yield snapshot_name(name, digest)
            for review in reviews:
                if verdict_of(review) is None and review.spec.surface_digest is not None:
                    yield snapshot_name(name, review.spec.surface_digest)
