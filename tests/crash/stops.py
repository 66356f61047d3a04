"""Operators that are asked to stop while they start: at each of their requests, before it arrives or after it was
carried out."""

import asyncio
import itertools
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from controlplane.waiting import wait_until
from crash.nursery import OperatorProcess
from crash.proxy import Exchange, Reply
from crash.world import CrashWorld, Subject

STARTS_WITHIN_SECONDS = 40.0
HELD_SECONDS = 2.0
"""What is left of a start is given up meanwhile; work that is under way waits for the answer."""


@dataclass(frozen=True)
class Moment:
    """The nth request of an operator, watches and elections included: once it is `answered`, or while it waits."""

    nth: int
    answered: bool

    def __str__(self) -> str:
        return f"{'after' if self.answered else 'during'} request {self.nth}"


class Stopper:
    """Sends an operator SIGTERM at one moment."""

    def __init__(self, moment: Moment | None) -> None:
        self.requests: list[str] = []
        self.struck = threading.Event()
        self._born = threading.Event()
        self._victim: OperatorProcess | None = None
        self._moment = moment
        self._chosen: Exchange | None = None

    def aim(self, victim: OperatorProcess) -> None:
        """This is the one."""
        self._victim = victim
        self._born.set()

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        self.requests.append(f"{exchange.method} {exchange.path}{' (watch)' if exchange.is_watch else ''}")
        if self._moment is not None and len(self.requests) == self._moment.nth:
            self._chosen = exchange
            if not self._moment.answered:
                victim = await self._strike()
                await asyncio.to_thread(victim.ends_within, HELD_SECONDS)
        return None

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if exchange is self._chosen:
            await self._strike()
        return None

    async def _strike(self) -> OperatorProcess:
        await asyncio.to_thread(self._born.wait)
        assert self._victim is not None
        self._victim.ask_to_stop()
        self.struck.set()
        return self._victim


def requests_of_a_start(world: CrashWorld, subject: Subject, watches: int) -> list[str]:
    """What an operator that nobody disturbs asks for, until so many watches are open."""
    stopper = Stopper(None)
    operator = _start(world, subject, stopper)

    def watching() -> bool:
        return sum(each.endswith("(watch)") for each in stopper.requests) >= watches

    wait_until(watching, STARTS_WITHIN_SECONDS, "every kind is watched")
    requests = list(stopper.requests)
    operator.stop()
    world.lane_of(subject).rest()
    return requests


def stop_at(world: CrashWorld, subjects: Sequence[Subject], moments: Iterable[Moment]) -> list[str]:
    """What operators that were stopped at these moments did and must not do. Each subject has a lane of its own."""
    dealt = list(zip(itertools.cycle(subjects), moments, strict=False))
    lanes = [[order for order in dealt if order[0] is each] for each in subjects]
    with ThreadPoolExecutor(len(subjects)) as pool:
        found = list(pool.map(lambda orders: [_stop(world, *order) for order in orders], lanes))
    return [problem for lane in found for each in lane for problem in each] + world.misconduct()


def _stop(world: CrashWorld, subject: Subject, moment: Moment) -> list[str]:
    stopper = Stopper(moment)
    operator = _start(world, subject, stopper)
    wait_until(stopper.struck.is_set, STARTS_WITHIN_SECONDS, f"it is asked to stop {moment}")
    wait_until(lambda: operator.ends_within(0.1), STARTS_WITHIN_SECONDS, f"it ends when stopped {moment}")
    world.lane_of(subject).rest()
    where = f"stopped {moment}, {stopper.requests[moment.nth - 1]}"
    logged = operator.logged()
    loud = [f"{where}: {line}" for line in logged if line.get("level") != "info"]
    last = logged[-1] if logged else {}
    orderly = last.get("event") == "stopped" and last.get("finished") is True
    return loud if orderly else [*loud, f"{where}: its last words are {last}"]


def _start(world: CrashWorld, subject: Subject, stopper: Stopper) -> OperatorProcess:
    lane = world.lane_of(subject)
    lane.scope, lane.meddler = subject.scope, stopper
    operator = world.operator(lane)
    stopper.aim(operator)
    return operator
