"""How connections stand to what their servers expose. Two surfaces of given digests never change, so they are read
and compared once, away from the event loop, and only the short result is kept."""

import asyncio
from collections import OrderedDict
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.profile import CapturedSurface, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import MCPToolSnapshot, snapshot_name
from leasehold.core.captured import who_answers
from leasehold.core.drift_standing import (
    NOTHING,
    UNRECORDED,
    Comparison,
    Difference,
    DriftStanding,
    approved_digests,
    difference,
    standing_to,
)
from leasehold.core.faults import NeedsPerson
from leasehold.core.snapshot_content import UnfitSnapshot, answering_now, saved_from
from leasehold.core.surface_compare import compare_servers, compare_surfaces
from leasehold.core.surface_saved import Saved
from leasehold.ports import Cluster

MAX_COMPARISONS: Final = 4096

Key = tuple[str, str, str, tuple[str | None, ...]]


class Surfaces:
    """Compares the live surface of a profile with those that its connections have approved."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: OrderedDict[Key, Comparison] = OrderedDict()
        self._running: dict[Key, asyncio.Task[Comparison]] = {}

    async def standing(
        self, connection: MCPConnection, profile: MCPServerProfile | None
    ) -> DriftStanding | None:
        """How a connection stands; None where nothing was captured.

        :raises Fault: a snapshot could not be read
        """
        live = profile.status.surface if profile is not None else None
        if profile is None or live is None:
            return None
        approved = approved_digests(connection, profile)
        comparisons = [await self._compared(profile.metadata.name, each, live) for each in approved]
        return standing_to(connection, profile, live, comparisons)

    async def _compared(self, profile: str, approved: str, live: CapturedSurface) -> Comparison:
        key = (profile, approved, live.digest, who_answers(live))
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        running = self._running.get(key)
        if running is None:
            running = asyncio.create_task(self._compare(key, live))
            self._running[key] = running
            running.add_done_callback(lambda done: self._keep(key, done))
        return await asyncio.shield(running)

    def _keep(self, key: Key, done: asyncio.Task[Comparison]) -> None:
        """What could not be compared is tried again, for a snapshot may come back."""
        del self._running[key]
        if done.cancelled() or done.exception() is not None or not done.result().is_on_record:
            return
        self._known[key] = done.result()
        while len(self._known) > MAX_COMPARISONS:
            self._known.popitem(last=False)

    async def _compare(self, key: Key, live: CapturedSurface) -> Comparison:
        profile, approved, live_digest, _ = key
        was = await self._read(profile, approved)
        if approved == live_digest:
            changed = await asyncio.to_thread(_identities, was, live) if was is not None else NOTHING
            return Comparison(approved, NOTHING, changed)
        now = await self._read(profile, live_digest)
        if was is None or now is None:
            return Comparison(approved, UNRECORDED, NOTHING, is_on_record=False)
        return await asyncio.to_thread(_both, approved, was, now, live)

    async def _read(self, profile: str, digest: str) -> MCPToolSnapshot | None:
        try:
            found = await self._cluster.get(MCPToolSnapshot, snapshot_name(profile, digest))
        except NeedsPerson as fault:
            if fault.reason is not Reason.INVALID_SPEC:
                raise
            return None  # it is there, and is no snapshot that this version can read
        return found if found is not None and found.spec.surface_digest == digest else None


def _both(approved: str, was: MCPToolSnapshot, now: MCPToolSnapshot, live: CapturedSurface) -> Comparison:
    try:
        old, new = saved_from(was), answering_now(saved_from(now), live)
    except UnfitSnapshot:
        return Comparison(approved, UNRECORDED, NOTHING, is_on_record=False)
    surfaces = difference(compare_surfaces(old.surface, new.surface))
    return Comparison(approved, surfaces, difference(compare_servers(old, new)))


def _identities(was: MCPToolSnapshot, live: CapturedSurface) -> Difference:
    try:
        old: Saved = saved_from(was)
    except UnfitSnapshot:
        return NOTHING
    return difference(compare_servers(old, answering_now(old, live)))
