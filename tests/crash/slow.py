"""A mint takes its time at the database, and something happens meanwhile. In `Slow` it succeeds late, in `Endless`
Vault gives it up."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

from controlplane.vaultsetup import setup_database_engine
from controlplane.waiting import WaitTimedOut, wait_until
from crash.lives import Attempt
from crash.proxy import VAULT, Exchange, Reply
from crash.scenarios import End, Scenario, unsettled
from crash.sweep import Report, Say, settle
from crash.world import CrashWorld, Subject

BEGUN_WITHIN_SECONDS = 30.0
SETTLED_WITHIN_SECONDS = 40.0

Act = Callable[[CrashWorld, Subject], None]


@dataclass(frozen=True)
class Meeting:
    """What meets the mint; `cuts`: the request to Vault ends with the operator, as it does without a proxy."""

    name: str
    act: Act
    end: End
    kills: bool = False
    cuts: bool = False

    @property
    def scenario(self) -> Scenario:
        """As a scenario that is told about and settled like the others."""
        return Scenario(f"{self.name} during a mint", False, self.act, self.end)


def _nothing(world: CrashWorld, subject: Subject) -> None:
    pass


def _suspend(world: CrashWorld, subject: Subject) -> None:
    world.change(subject, suspend=True)


def _delete(world: CrashWorld, subject: Subject) -> None:
    world.delete(subject)


def _edit(world: CrashWorld, subject: Subject) -> None:
    world.change(subject, output={"templates": {"url": "{{ server_url }}"}})


SUSPENSION = Meeting("a suspension", _suspend, End.SUSPENDED)
DELETION = Meeting("a deletion", _delete, End.GONE)
EDIT = Meeting("an edit", _edit, End.WORKS)
KILL = Meeting("a kill", _nothing, End.WORKS, kills=True)
KILL_AND_CUT = Meeting("a kill that ends the request", _nothing, End.WORKS, kills=True, cuts=True)
KILL_AND_SUSPENSION = Meeting("a kill and a suspension", _suspend, End.SUSPENDED, kills=True)
KILL_AND_DELETION = Meeting("a kill and a deletion", _delete, End.GONE, kills=True)

ALL = (SUSPENSION, DELETION, EDIT, KILL, KILL_AND_CUT, KILL_AND_SUSPENSION, KILL_AND_DELETION)


class Lookout:
    """Sees the first mint leave for Vault."""

    def __init__(self) -> None:
        self.left = threading.Event()

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if exchange.server == VAULT and "/creds/" in exchange.path:
            self.left.set()
        return None

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        return None


def meet(world: CrashWorld, kinds: Sequence[str], meetings: Sequence[Meeting], say: Say) -> Report:
    """Every meeting with every kind of slow mint; afterwards the database is fast, and all is settled."""
    orders = [
        (meeting, subject)
        for kind in kinds
        for meeting, subject in zip(meetings, world.subjects(kind, len(meetings)), strict=True)
    ]
    by_lane = [[each for each in orders if world.lane_of(each[1]) is lane] for lane in world.lanes]
    with ThreadPoolExecutor(len(world.lanes)) as pool:
        done = list(pool.map(lambda lane: [_meet(world, *order) for order in lane], by_lane))
    attempts = [attempt for lane in done for attempt in lane]
    say(f"{len(attempts)} slow mints were met")
    setup_database_engine(world.plane.vault.api, world.plane.postgres, role="crash-endless")
    report = settle(world, attempts, say)
    report.points = len(attempts)
    return report


def _meet(world: CrashWorld, meeting: Meeting, subject: Subject) -> Attempt:
    lane, lookout = world.lane_of(subject), Lookout()
    lane.scope, lane.meddler, lane.cuts_upstream = subject.scope, lookout, meeting.cuts
    world.claim(subject)
    operator = world.operator(lane)
    wait_until(
        lambda: lookout.left.is_set() and _sleeps(world), BEGUN_WITHIN_SECONDS, "the mint is under way"
    )
    if meeting.kills:
        operator.kill()
    meeting.act(world, subject)
    if meeting.kills:
        operator = world.operator(lane)  # at once: the mint goes on
    _let_it_settle(world, meeting, subject)
    operator.stop()
    lane.rest()
    return _attempt(world, meeting, subject)


def _let_it_settle(world: CrashWorld, meeting: Meeting, subject: Subject) -> None:
    """By the operator that was met, or that came after it, as far as the database lets it."""
    with contextlib.suppress(WaitTimedOut):
        seconds = SETTLED_WITHIN_SECONDS
        wait_until(lambda: not unsettled(meeting.end, world.find(subject)), seconds, "it is settled")


def _attempt(world: CrashWorld, meeting: Meeting, subject: Subject) -> Attempt:
    lost = min(world.book.lost(subject.namespace), 1)
    return Attempt(
        meeting.scenario, subject, None, killed=meeting.kills, lost_mints=lost, lost_logins=int(meeting.kills)
    )


def _sleeps(world: CrashWorld) -> bool:
    with psycopg.connect(world.plane.postgres.dsn("orders")) as database:
        query = "select count(*) from pg_stat_activity where state = 'active' and query like '%%pg_sleep(%%'"
        found = database.execute(query + " and pid <> pg_backend_pid()", prepare=False).fetchone()
    return found is not None and found[0] > 0
