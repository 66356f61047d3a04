"""A server that answers wrongly, with something else, or not at all: the operator says so where a person looks, and
once it is over everything comes right without help."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from controlplane.waiting import WaitTimedOut, wait_until
from crash.lives import Attempt, Census
from crash.proxy import Cut, Exchange, Reply
from crash.scenarios import Scenario, unsettled
from crash.sweep import Report, Say, prepare, settle
from crash.verdict import SILENT, UNHEALED, Problem
from crash.world import CrashWorld, Subject

TOLD_WITHIN_SECONDS = 40.0
HEALED_WITHIN_SECONDS = 70.0

Matches = Callable[[Exchange, tuple[str, int] | None], bool]


@dataclass(frozen=True)
class Harm:
    """What becomes of a request: another answer in place of the server's, or none; after it was carried out, or
    instead of it."""

    name: str
    reply: Reply | None = None
    after: bool = False

    def do(self) -> Reply:
        """Answer, or cut."""
        if self.reply is None:
            raise Cut
        return self.reply


@dataclass(frozen=True)
class Trouble:
    """A harm to some of the requests of a scenario; `once`, or until a condition tells of it."""

    scenario: Scenario
    where: str
    harm: Harm
    matches: Matches = field(repr=False)
    once: bool = False

    def __str__(self) -> str:
        return f"{self.harm.name} at {self.where} of a {self.scenario.name}"


class Troublemaker:
    """Does harm."""

    def __init__(self, subject: Subject, trouble: Trouble) -> None:
        self.over = threading.Event()
        self.harmed: list[Exchange] = []
        self._census = Census(subject)
        self._trouble = trouble
        self._chosen: list[Exchange] = []

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        named = self._census.take(exchange)
        if self.over.is_set() or not self._trouble.matches(exchange, named):
            return None
        if self._trouble.once:
            self.over.set()
        if self._trouble.harm.after:
            self._chosen.append(exchange)
            return None
        self.harmed.append(exchange)
        return self._trouble.harm.do()

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if not any(exchange is each for each in self._chosen):
            return None
        self.harmed.append(exchange)
        return self._trouble.harm.do()


@dataclass
class Endured:
    """What came of the troubles."""

    told: dict[str, str] = field(default_factory=dict)
    """What a condition said, by trouble."""
    report: Report = field(default_factory=Report)


def endure(world: CrashWorld, troubles: Sequence[Trouble], say: Say) -> Endured:
    """Each of them with an operator of its own; then the truth at the servers."""
    subjects = world.subjects("Lease", len(troubles))
    orders = list(zip(troubles, subjects, strict=True))
    prepare(world, [subject for trouble, subject in orders if trouble.scenario.prepared])
    by_lane = [[each for each in orders if world.lane_of(each[1]) is lane] for lane in world.lanes]
    endured = Endured()
    with ThreadPoolExecutor(len(world.lanes)) as pool:
        done = list(
            pool.map(
                lambda lane: [_endure(world, trouble, subject, endured) for trouble, subject in lane], by_lane
            )
        )
    say(f"{len(troubles)} troubles were endured")
    endured.report += settle(world, [attempt for lane in done for attempt in lane], say)
    endured.report.troubles = len(troubles)
    return endured


def _endure(world: CrashWorld, trouble: Trouble, subject: Subject, endured: Endured) -> Attempt:
    lane, maker = world.lane_of(subject), Troublemaker(subject, trouble)
    lane.scope, lane.meddler = subject.scope, maker
    trouble.scenario.act(world, subject)
    operator = world.operator(lane)
    endured.report.problems += _watch_it(world, trouble, subject, maker, endured)
    operator.stop()
    lane.rest()
    lost_logins = sum(exchange.path.endswith("/login") for exchange in maker.harmed)
    return Attempt(
        replace(trouble.scenario, name=str(trouble)),
        subject,
        None,
        lost_mints=world.book.lost(subject.namespace),
        lost_logins=lost_logins + 1,
    )


def _watch_it(
    world: CrashWorld, trouble: Trouble, subject: Subject, maker: Troublemaker, endured: Endured
) -> Iterator[Problem]:
    try:
        wait_until(lambda: bool(maker.harmed), TOLD_WITHIN_SECONDS, "there is trouble")
        if not trouble.once:
            endured.told[str(trouble)] = wait_until(
                lambda: _told(world, subject), TOLD_WITHIN_SECONDS, "it is told"
            )
    except WaitTimedOut as late:
        yield Problem(SILENT, str(trouble), str(late))
    maker.over.set()
    try:
        wait_until(
            lambda: not unsettled(trouble.scenario.end, world.find(subject)),
            HEALED_WITHIN_SECONDS,
            "it is well",
        )
    except WaitTimedOut:
        yield Problem(UNHEALED, str(trouble), unsettled(trouble.scenario.end, world.find(subject)))


def _told(world: CrashWorld, subject: Subject) -> str:
    """A sentence in some condition that names the store."""
    found = world.find(subject)
    conditions = found.status.conditions if found is not None else ()
    return next((each.message for each in conditions if f"store {subject.store}" in each.message), "")
