"""A server that answers wrongly, with something else, or not at all: the operator says so where a person looks, and
once it is over everything comes right without help."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from controlplane.waiting import WaitTimedOut, wait_until
from crash.lives import Attempt, Census
from crash.proxy import Cut, Exchange, Reply
from crash.scenarios import End, Scenario, unsettled
from crash.sweep import Report, Say, prepare, settle
from crash.verdict import SILENT, UNHEALED, Problem
from crash.world import CrashWorld, Subject
from leasehold.api.reasons import Reason
from leasehold.core.advice import ADVICE

MINT = "mint"
TOLD_WITHIN_SECONDS = 40.0
HEALED_WITHIN_SECONDS = 70.0

Matches = Callable[[Exchange, tuple[str, int] | None], bool]


@dataclass(frozen=True)
class Harm:
    """What becomes of a request: another answer in place of the server's, or none; after it was carried out, or
    instead of it."""

    name: str
    tells: Reason | None
    """What the status says while it lasts; None: nothing, for it is got over at once."""
    reply: Reply | None = None
    after: bool = False
    at_mint: Reason | None = None
    """What it says where a mint is harmed, if that is not the same: nobody knows then what came of it."""
    seconds: float = 0
    """How long the request is held up; after that it goes on as ever."""

    async def do(self) -> Reply | None:
        """Hold up, answer, or cut."""
        if self.seconds:
            await asyncio.sleep(self.seconds)
            return None
        if self.reply is None:
            raise Cut
        return self.reply


@dataclass(frozen=True)
class Trouble:
    """A harm to some of the requests of a scenario: so many `times`, or until the status tells of it."""

    scenario: Scenario
    where: str
    harm: Harm
    matches: Matches = field(repr=False)
    times: int | None = None

    @property
    def tells(self) -> Reason | None:
        """What the status has to say."""
        if self.times is not None:
            return None
        return self.harm.at_mint if self.where == MINT and self.harm.at_mint else self.harm.tells

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
        self._done = 0

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        named = self._census.take(exchange)
        if self.over.is_set() or not self._trouble.matches(exchange, named):
            return None
        self._done += 1
        if self._done == self._trouble.times:
            self.over.set()
        if self._trouble.harm.after:
            self._chosen.append(exchange)
            return None
        self.harmed.append(exchange)
        return await self._trouble.harm.do()

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if not any(exchange is each for each in self._chosen):
            return None
        self.harmed.append(exchange)
        return await self._trouble.harm.do()


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
        if (reason := trouble.tells) is not None:
            wait_until(
                lambda: not _untold(world, subject, trouble, reason), TOLD_WITHIN_SECONDS, "it is told"
            )
            endured.told[str(trouble)] = _condition(world, subject, "Reconciling")[1]
    except WaitTimedOut as late:
        left = _untold(world, subject, trouble, trouble.tells) if trouble.tells else ""
        yield Problem(SILENT, str(trouble), f"{late}; {left}")
    maker.over.set()
    try:
        wait_until(
            lambda: not unsettled(trouble.scenario.end, world.find(subject)),
            HEALED_WITHIN_SECONDS,
            "it is well",
        )
    except WaitTimedOut:
        yield Problem(UNHEALED, str(trouble), unsettled(trouble.scenario.end, world.find(subject)))


def _untold(world: CrashWorld, subject: Subject, trouble: Trouble, reason: Reason) -> str:
    """What a person does not learn of a trouble that lasts: what failed, where, what to do, and whether it is
    they who have to do it."""
    found = world.find(subject)
    backoff = found.status.backoff if found is not None else None
    if backoff is None or backoff.reason is not reason:
        return f"backoff should have {reason}: {backoff}"
    retrying, message = _condition(world, subject, "Reconciling")
    if retrying is not Reason.RETRYING or ADVICE[reason] not in message:
        return f"Reconciling should say what to do: {message}"
    if f"store {subject.store}" not in message and "API server" not in message:
        return f"Reconciling should say where it failed: {message}"
    stalled, _ = _condition(world, subject, "Stalled")
    if (stalled is not Reason.AS_DESIRED) is not (reason is Reason.REFUSED):
        return f"Stalled is {stalled}"
    wanted = (
        Reason.STORE_UNAVAILABLE if trouble.scenario.end is End.WORKS else Reason(trouble.scenario.end.value)
    )
    ready, _ = _condition(world, subject, "Ready")
    return "" if ready is wanted else f"Ready should be {wanted}: {ready}"


def _condition(world: CrashWorld, subject: Subject, kind: str) -> tuple[str, str]:
    found = world.find(subject)
    conditions = found.status.conditions if found is not None else ()
    return next(((each.reason, each.message) for each in conditions if each.type == kind), ("", ""))
