"""Work that is due, by lane, and work that will be: one queue, one due-time heap, one object at a time.

Moments are seconds of the event loop's monotonic clock."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum


class Lane(IntEnum):
    """What goes first."""

    BREAKGLASS = 0
    REVOKE = 1
    FIRST_MINT = 2
    ROTATE = 3
    PROBE = 4
    STATUS = 5


URGENT = frozenset({Lane.BREAKGLASS, Lane.REVOKE})


@dataclass
class _Item:
    lane: Lane
    since: float


class WorkQueue:
    """Keys in lanes. A key is with one worker at a time; what arrives meanwhile is kept for afterwards.

    `lane_of` says where a key belongs whose planned moment has come.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, lane_of: Callable[[str], Lane]) -> None:
        self._loop = loop
        self._lane_of = lane_of
        self._lanes: dict[Lane, deque[str]] = {lane: deque() for lane in Lane}
        self._queued: dict[str, _Item] = {}
        self._busy: set[str] = set()
        self._again: dict[str, Lane] = {}
        self._due: list[tuple[float, str]] = []
        self._due_at: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: deque[tuple[bool, asyncio.Future[None]]] = deque()
        self._endings_only = False
        self._closed = False

    def hold_back(self, on: bool) -> None:
        """Give out nothing but endings, until told otherwise."""
        self._endings_only = on
        if not on:
            self._wake_all()

    def add(self, key: str, lane: Lane) -> None:
        """Queue a key now; a key that is queued already moves only to a more urgent lane."""
        if key in self._busy:
            self._again[key] = min(lane, self._again.get(key, lane))
            return
        queued = self._queued.get(key)
        if queued is not None and queued.lane <= lane:
            return
        self._queued[key] = _Item(lane, queued.since if queued else self._loop.time())
        self._lanes[lane].append(key)
        self._wake_one(lane)

    def add_at(self, key: str, moment: float) -> None:
        """Look at a key at that moment; the latest call counts."""
        if self._due_at.get(key) == moment:
            return
        self._due_at[key] = moment
        heapq.heappush(self._due, (moment, key))
        if self._due[0] == (moment, key):
            self._arm()

    def forget(self, key: str) -> None:
        """Drop whatever was planned for a key that is gone."""
        self._queued.pop(key, None)
        self._again.pop(key, None)
        self._due_at.pop(key, None)

    def close(self) -> None:
        """Workers get None from now on."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._wake_all()

    async def get(self, urgent_only: bool = False) -> tuple[str, Lane] | None:
        """The next key of the most urgent lane; None once the queue is closed.

        A worker with `urgent_only` takes nothing but endings, so that slow mints never hold a revocation up.
        """
        woken = False
        while not self._closed:
            taken = self._pop(urgent_only or self._endings_only)
            if taken is not None:
                return taken
            if (
                woken and self._queued and not self._endings_only
            ):  # who took the ending left what it was woken for itself
                self._wake_one(Lane.STATUS)
            waiter = self._loop.create_future()
            self._waiters.append((urgent_only, waiter))
            await waiter
            woken = True
        return None

    def done(self, key: str) -> None:
        """A worker is through with a key."""
        self._busy.discard(key)
        lane = self._again.pop(key, None)
        if lane is not None:
            self.add(key, lane)

    def depth(self) -> dict[Lane, tuple[int, float]]:
        """How many keys wait in each lane, and for how many seconds the oldest."""
        now = self._loop.time()
        depths = dict.fromkeys(Lane, (0, 0.0))
        for item in self._queued.values():
            count, oldest = depths[item.lane]
            depths[item.lane] = (count + 1, max(oldest, now - item.since))
        return depths

    @property
    def busy(self) -> frozenset[str]:
        """The keys that workers have now."""
        return frozenset(self._busy)

    def _pop(self, urgent_only: bool) -> tuple[str, Lane] | None:
        for lane in Lane:
            if urgent_only and lane not in URGENT:
                return None
            keys = self._lanes[lane]
            while keys:
                key = keys.popleft()
                item = self._queued.get(key)
                if item is None or item.lane is not lane:
                    continue  # moved to another lane, or forgotten
                del self._queued[key]
                self._busy.add(key)
                return key, lane
        return None

    def _wake_all(self) -> None:
        waiters, self._waiters = self._waiters, deque()
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _wake_one(self, lane: Lane) -> None:
        for index, (urgent_only, waiter) in enumerate(self._waiters):
            if lane in URGENT or not urgent_only:
                del self._waiters[index]
                if not waiter.done():
                    waiter.set_result(None)
                    return
                break
        else:
            return
        self._wake_one(lane)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._due and not self._closed:
            self._timer = self._loop.call_at(self._due[0][0], self._promote)

    def _promote(self) -> None:
        now = self._loop.time()
        while self._due and self._due[0][0] <= now:
            moment, key = heapq.heappop(self._due)
            if self._due_at.get(key) == moment:
                del self._due_at[key]
                self.add(key, self._lane_of(key))
        self._arm()
