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
    lost_mints: int = 0
    """Mints that this life has sent and not written to the Secret."""
    lost_logins: int = 0
    """Logins of which this life may have lost the answer, or all knowledge."""

    def __str__(self) -> str:
        where = f"killed {self.point}" if self.killed else "never killed"
        return f"{self.subject.kind}, {self.scenario.name}, {where} [{self.subject.namespace}]"


class Census:
    """Gives every request of an operator's engine a name and a number."""

    def __init__(self, subject: Subject) -> None:
        self.seen: list[tuple[str, int]] = []
        self._subject = subject
        self._counts: Counter[str] = Counter()

    def take(self, exchange: Exchange) -> tuple[str, int] | None:
        """Its name, and which of that name it is; None for what is no part of the engine's work."""
        if not _is_the_engines(exchange):
            return None
        name = self._name(exchange)
        self._counts[name] += 1
        self.seen.append((name, self._counts[name]))
        return self.seen[-1]

    def _name(self, exchange: Exchange) -> str:
        if LOGIN.match(exchange.path):
            ours = namespace_of(json.loads(exchange.body)["jwt"]) == self._subject.namespace
            return f"login of the {'connection' if ours else 'operator'}"
        path = exchange.path.removeprefix("/apis/leasehold.dev/v1alpha1").removeprefix("/api/v1")
        path = path.replace(f"/namespaces/{self._subject.namespace}", "").replace(
            self._subject.namespace, "its-namespace"
        )
        verb = exchange.method
        if verb == "PATCH" and "/secrets/" in path and b"stringData" in exchange.body:
            verb = "PATCH with data"
        return f"{verb} {path}"


class Assassin:
    """Counts an operator's requests, and kills it at one of them."""

    def __init__(self, subject: Subject, point: Point | None) -> None:
        self.census = Census(subject)
        self.dead = threading.Event()
        self._point = point
        self._victim: OperatorProcess | None = None
        self._born = threading.Event()
        self._chosen: Exchange | None = None

    def aim(self, victim: OperatorProcess) -> None:
        """This is the one."""
        self._victim = victim
        self._born.set()

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        named, point = self.census.take(exchange), self._point
        if point is not None and named == (point.request, point.nth):
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
    lost = world.book.lost(subject.namespace)
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
    attempt.seen = assassin.census.seen
    attempt.lost_mints = min(world.book.lost(subject.namespace) - lost, int(attempt.killed))
    attempt.lost_logins = int(attempt.killed)
    return attempt


def _wait_until_silent(assassin: Assassin) -> None:
    """Until no request has come for a while, or the last one was the one to die at."""
    while True:
        seen = len(assassin.census.seen)
        if assassin.dead.wait(TRAILING_SECONDS) or len(assassin.census.seen) == seen:
            return
