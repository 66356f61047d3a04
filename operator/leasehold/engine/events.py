"""Kubernetes Events tell people what happened, and nothing leans on them. A breakglass over a thousand
connections, or one connection that fails every second, must not cost the API server more than the work
itself: the same thing is said once in ten minutes, each object and the whole operator have an allowance,
and what is over is counted."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from leasehold.api.base import Resource
from leasehold.api.reasons import Reason
from leasehold.core.events import event_text
from leasehold.core.facts import EventType
from leasehold.core.faults import Fault
from leasehold.core.redaction import redacted
from leasehold.core.text import shortened
from leasehold.ports import Clock, Cluster

MAX_MESSAGE_CHARS: Final = 1024
"""The API server refuses a longer note."""

SAID_FOR: Final = timedelta(minutes=10)
MAX_REMEMBERED: Final = 50_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Allowance:
    """A token bucket: `burst` at once, then one per `seconds_each`."""

    burst: int
    seconds_each: float


PER_OBJECT: Final = Allowance(burst=12, seconds_each=60.0)
OVERALL: Final = Allowance(burst=100, seconds_each=0.1)


class _Bucket:
    def __init__(self, allowance: Allowance, now: float) -> None:
        self._allowance = allowance
        self._left = float(allowance.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Take one, if there is one."""
        self._fill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def owe(self, now: float) -> float:
        """Take one, also where none is left; in how many seconds it is earned."""
        self._fill(now)
        self._left -= 1
        return max(0.0, -self._left * self._allowance.seconds_each)

    def is_full(self, now: float) -> bool:
        """Whether forgetting it changes nothing."""
        self._fill(now)
        return self._left >= self._allowance.burst

    def _fill(self, now: float) -> None:
        earned = max(0.0, now - self._at) / self._allowance.seconds_each
        self._left = min(float(self._allowance.burst), self._left + earned)
        self._at = max(self._at, now)


@dataclass(frozen=True)
class _Event:
    regarding: Resource
    type: EventType
    reason: Reason
    action: str
    message: str


class EventRecorder:
    """`record` never waits and never raises; `run` sends, in a task of its own, until it is cancelled."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        dropped: Callable[[str], None] = lambda why: None,
        per_object: Allowance = PER_OBJECT,
        overall: Allowance = OVERALL,
        capacity: int = 2000,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._dropped = dropped
        self._per_object = per_object
        self._overall = overall
        self._waiting: asyncio.Queue[_Event] = asyncio.Queue(maxsize=capacity)
        self._said: dict[tuple[str, Reason, str], datetime] = {}
        self._buckets: dict[str, _Bucket] = {}

    def record(self, regarding: Resource, reason: Reason, message: str = "") -> None:
        """Tell people that this happened to the object; without a message, in the reason's own sentence."""
        now = self._clock.now()
        if now is None:  # no answer of the API server was seen yet: nobody to send it to
            self._dropped("no_clock")
            return
        text = event_text(reason)
        said = shortened(redacted(message or text.sentence), MAX_MESSAGE_CHARS)
        uid = regarding.metadata.uid
        if not self._is_news((uid, reason, said), now):
            return
        if self._waiting.full():
            self._dropped("queue_full")
            return
        if not self._bucket(uid, now).take(now.timestamp()):
            self._dropped("object_rate")
            return
        self._remember((uid, reason, said), now)
        self._waiting.put_nowait(_Event(regarding, text.type, reason, text.action, said))

    async def run(self) -> None:
        """Send what was recorded, in order, at the operator's pace."""
        loop = asyncio.get_running_loop()
        overall = _Bucket(self._overall, loop.time())
        while True:
            event = await self._waiting.get()
            try:
                await asyncio.sleep(overall.owe(loop.time()))
                await self._send(event)
            finally:
                self._waiting.task_done()

    async def sent(self) -> None:
        """Wait until everything recorded so far was sent or given up."""
        await self._waiting.join()

    @property
    def remembered(self) -> int:
        """How many things said and objects seen are kept in memory; bounded."""
        return len(self._said) + len(self._buckets)

    async def _send(self, event: _Event) -> None:
        try:
            await self._cluster.emit_event(
                event.regarding, event.type, event.reason, event.action, event.message
            )
        except Fault as fault:
            self._dropped("refused")
            log.info("event not sent", object=event.regarding.key, reason=event.reason, why=fault.message)
        except Exception:  # Events are for people only: no mistake in sending one may end the task
            self._dropped("failed")
            log.exception("event not sent", object=event.regarding.key, reason=event.reason)

    def _is_news(self, said: tuple[str, Reason, str], now: datetime) -> bool:
        last = self._said.get(said)
        return last is None or now - last >= SAID_FOR

    def _remember(self, said: tuple[str, Reason, str], now: datetime) -> None:
        if len(self._said) >= MAX_REMEMBERED:
            self._forget_old(now)
        self._said[said] = now

    def _bucket(self, uid: str, now: datetime) -> _Bucket:
        if uid not in self._buckets and len(self._buckets) >= MAX_REMEMBERED:
            self._forget_old(now)
        return self._buckets.setdefault(uid, _Bucket(self._per_object, now.timestamp()))

    def _forget_old(self, now: datetime) -> None:
        self._said = {said: at for said, at in self._said.items() if now - at < SAID_FOR}
        if len(self._said) >= MAX_REMEMBERED:
            self._said.clear()
        seconds = now.timestamp()
        self._buckets = {uid: bucket for uid, bucket in self._buckets.items() if not bucket.is_full(seconds)}
        if len(self._buckets) >= MAX_REMEMBERED:
            self._buckets.clear()
