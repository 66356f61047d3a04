"""One life of an operator: it works on one connection, and dies at one request, or when it is done."""

import asyncio
import json
import threading
from collections import Counter
from dataclasses import dataclass, field

from controlplane.waiting import wait_until
from crash.nursery import OperatorProcess
from crash.proxy import KUBERNETES, Cut, Exchange, Reply
from crash.scenarios import Scenario, unsettled
from crash.witness import LOGIN, namespace_of
from crash.world import CrashWorld, Subject

LONGEST_LIFE_SECONDS = 60.0
TRAILING_SECONDS = 0.8
"""Events for people follow the work they tell of."""


@dataclass(frozen=True)
class Point:
    """A place in an operator's life: the nth request of this name, before it arrives or after it was answered."""

    request: str
    nth: int
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.request} ({self.nth})"


@dataclass
class Attempt:
    """What came of one life."""

    scenario: Scenario
    subject: Subject
    point: Point | None
    seen: list[tuple[str, int]] = field(default_factory=list)
    killed: bool = False
    mints: int = 0
    """Requests to mint that this life has sent."""
    published: int = 0
    """How often this life wrote a credential to the Secret."""

    def __str__(self) -> str:
        where = f"killed {self.point}" if self.killed else "never killed"
        return f"{self.subject.kind}, {self.scenario.name}, {where} [{self.subject.namespace}]"


class Assassin:
    """Counts an operator's requests, and kills it at one of them."""

    def __init__(self, subject: Subject, point: Point | None) -> None:
        self.seen: list[tuple[str, int]] = []
        self.dead = threading.Event()
        self._subject = subject
        self._point = point
        self._counts: Counter[str] = Counter()
        self._victim: OperatorProcess | None = None
        self._born = threading.Event()
        self._chosen: Exchange | None = None

    def aim(self, victim: OperatorProcess) -> None:
        """This is the one."""
        self._victim = victim
        self._born.set()

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if not _is_the_engines(exchange):
            return None
        name = self._name(exchange)
        self._counts[name] += 1
        self.seen.append((name, self._counts[name]))
        point = self._point
        if point is not None and (name, self._counts[name]) == (point.request, point.nth):
            self._chosen = exchange
            if not point.after:
                await self._strike()
        return None

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if exchange is self._chosen:
            await self._strike()
        return None

    async def _strike(self) -> None:
        await asyncio.to_thread(self._born.wait)
        assert self._victim is not None
        await asyncio.to_thread(self._victim.kill)
        self.dead.set()
        raise Cut

    def _name(self, exchange: Exchange) -> str:
        if LOGIN.match(exchange.path):
            ours = namespace_of(json.loads(exchange.body)["jwt"]) == self._subject.namespace
            return f"login of the {'connection' if ours else 'operator'}"
        path = exchange.path.removeprefix("/apis/leasehold.dev/v1alpha1").removeprefix("/api/v1")
        path = path.replace(f"/namespaces/{self._subject.namespace}", "")
        verb = exchange.method
        if verb == "PATCH" and "/secrets/" in path and b"stringData" in exchange.body:
            verb = "PATCH with data"
        return f"{verb} {path}"


def _is_the_engines(exchange: Exchange) -> bool:
    """The watches' own reads decide nothing, and the election goes on beside the work."""
    if exchange.server != KUBERNETES:
        return True
    return exchange.headers.get("User-Agent") == "leasehold" and "/coordination.k8s.io/" not in exchange.path


def live(world: CrashWorld, scenario: Scenario, subject: Subject, point: Point | None) -> Attempt:
    """Begin the scenario, and let one operator work on it until it dies."""
    lane, attempt, assassin = (
        world.lane_of(subject),
        Attempt(scenario, subject, point),
        Assassin(subject, point),
    )
    mints, published = len(world.book.mints[subject.namespace]), world.book.published[subject.namespace]
    scenario.act(world, subject)
    lane.scope, lane.meddler = subject.scope, assassin
    operator = world.operator(lane)
    assassin.aim(operator)

    def over() -> bool:
        return assassin.dead.wait(0.1) or operator.is_dead or not unsettled(scenario.end, world.find(subject))

    wait_until(over, LONGEST_LIFE_SECONDS, f"{scenario.name} of {subject.namespace} is over")
    if not assassin.dead.is_set():
        _wait_until_silent(assassin)
    attempt.killed = assassin.dead.is_set()
    operator.kill()
    lane.rest()
    attempt.seen = assassin.seen
    attempt.mints = len(world.book.mints[subject.namespace]) - mints
    attempt.published = world.book.published[subject.namespace] - published
    return attempt


def _wait_until_silent(assassin: Assassin) -> None:
    """Until no request has come for a while, or the last one was the one to die at."""
    while True:
        seen = len(assassin.seen)
        if assassin.dead.wait(TRAILING_SECONDS) or len(assassin.seen) == seen:
            return
