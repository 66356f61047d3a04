"""Every request of a scenario, before it and after it: one operator's life each; then one operator that nobody
disturbs, which has to settle all that they left."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from controlplane.waiting import WaitTimedOut, wait_until
from crash.lives import Attempt, Point, live
from crash.scenarios import DELETION, FIRST_MINT, Scenario, unsettled
from crash.verdict import (
    COUNTED,
    LEAKED,
    STUCK_FINALIZERS,
    Problem,
    idle_logins,
    judge,
    look,
    wait_until_settled,
)
from crash.world import CrashWorld, Subject

Say = Callable[[str], None]

PREPARED_WITHIN_SECONDS = 60.0
SETTLED_WITHIN_SECONDS = 90.0


@dataclass
class Report:
    """What was done and what was found."""

    points: int = 0
    troubles: int = 0
    unreached: list[str] = field(default_factory=list)
    """Points at requests that did not come in that life."""
    idle_logins: int = 0
    problems: list[Problem] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """What operators wrote and must not: errors, tracebacks, secrets."""

    def counted(self) -> dict[str, int]:
        """Problems by kind, all kinds."""
        return {kind: len({each.where for each in self.problems if each.kind == kind}) for kind in COUNTED}

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        return {
            "points": self.points,
            "troubles": self.troubles,
            **self.counted(),
            "unreached": len(self.unreached),
            "idle_logins": self.idle_logins,
            "errors": len(self.errors),
        }

    def __iadd__(self, other: "Report") -> "Report":
        self.points += other.points
        self.troubles += other.troubles
        self.unreached += other.unreached
        self.idle_logins += other.idle_logins
        self.problems += other.problems
        self.errors += other.errors
        return self


def sweep(world: CrashWorld, plan: Iterable[tuple[Scenario, str]], say: Say) -> Report:
    """Kill operators at every request of these scenarios, each with a kind of credential."""
    plan = tuple(plan)
    undisturbed = _lives(world, [(scenario, kind, [None]) for scenario, kind in plan])
    for attempt in undisturbed:
        say(f"{attempt.scenario.name}, {attempt.subject.kind}: {len(attempt.seen)} requests")
    points = [_points(attempt) for attempt in undisturbed]
    wanted = [(scenario, kind, each) for (scenario, kind), each in zip(plan, points, strict=True)]
    attempts = _lives(world, wanted)
    say(f"{sum(each.killed for each in attempts)} of {len(attempts)} operators were killed")
    report = settle(world, [*undisturbed, *attempts], say)
    report.points = sum(each.killed for each in attempts)
    report.unreached = [f"{each} at {each.point}" for each in attempts if not each.killed]
    return report


def settle(world: CrashWorld, attempts: Sequence[Attempt], say: Say) -> Report:
    """An operator that nobody disturbs settles everything; then everything is deleted, and nothing may be left."""
    report = Report()
    operator = world.operator(world.open_lane)
    report.problems = wait_until_settled(world, attempts, SETTLED_WITHIN_SECONDS)
    report.problems += judge(world, attempts)
    say("settled; now all of it is deleted")
    report.problems += _end_all(world, attempts)
    operator.stop()
    report.idle_logins = len(idle_logins(world, attempts, look(world)))
    report.errors = world.misconduct()
    world.open_lane.rest()
    return report


def prepare(world: CrashWorld, subjects: Sequence[Subject]) -> None:
    """Let an operator make working connections of them."""
    if not subjects:
        return
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(world.claim, subjects))
    operator = world.operator(world.open_lane)

    def left() -> list[str]:
        stored = world.connections()
        judged = (unsettled(FIRST_MINT.end, stored.get(each.namespace)) for each in subjects)
        return [what for what in judged if what]

    try:
        wait_until(lambda: not left(), PREPARED_WITHIN_SECONDS, "all connections work", pause=0.3)
        wait_until(
            lambda: world.exposed() >= {each.namespace for each in subjects},
            PREPARED_WITHIN_SECONDS,
            "all agents have an exposure",
            pause=0.3,
        )
    except WaitTimedOut as late:
        state = [f"the operator is dead: {operator.is_dead}", *left()[:5], *map(str, operator.logged()[-20:])]
        raise AssertionError("\n".join([str(late), *state])) from late
    operator.stop()
    world.open_lane.rest()


def _points(undisturbed: Attempt) -> list[Point | None]:
    return [Point(name, number, after) for name, number in undisturbed.seen for after in (False, True)]


def _lives(
    world: CrashWorld, wanted: Sequence[tuple[Scenario, str, Sequence[Point | None]]]
) -> list[Attempt]:
    """One life per point; lanes work side by side, and each of them does one after another."""
    orders: list[tuple[Scenario, Subject, Point | None]] = []
    for scenario, kind, points in wanted:
        subjects = world.subjects(kind, len(points))
        orders += [(scenario, each, point) for each, point in zip(subjects, points, strict=True)]
    prepare(world, [subject for scenario, subject, _ in orders if scenario.prepared])
    by_lane = [[each for each in orders if world.lane_of(each[1]) is lane] for lane in world.lanes]
    with ThreadPoolExecutor(len(world.lanes)) as pool:
        done = list(pool.map(lambda lane: [live(world, *order) for order in lane], by_lane))
    return [attempt for lane in done for attempt in lane]


def _end_all(world: CrashWorld, attempts: Sequence[Attempt]) -> list[Problem]:
    """Delete every connection; what does not go, or is alive without it."""
    kept = [each for each in attempts if each.scenario is not DELETION and not _runs_out_slowly(each)]
    for each in kept:
        world.delete(each.subject)
    try:
        wait_until(lambda: _gone(world, kept), SETTLED_WITHIN_SECONDS, "all is deleted", pause=0.5)
    except Exception as late:  # noqa: BLE001  # reported, not raised: the figures are wanted
        return [Problem(STUCK_FINALIZERS, "deletion of everything", str(late))]
    truth = look(world)
    idle = idle_logins(world, attempts, truth)
    left = [f"lease {each}" for each in truth.leases] + [f"login {each}" for each in truth.logins]
    ours = {each.subject.namespace for each in kept}
    left += [
        f"a token of {space}"
        for accessor, space in truth.tokens.items()
        if space in ours and accessor not in idle
    ]
    return [Problem(LEAKED, "deletion of everything", each) for each in left]


def _gone(world: CrashWorld, attempts: Sequence[Attempt]) -> bool:
    stored = world.connections()
    return not any(each.subject.namespace in stored for each in attempts)


def _runs_out_slowly(attempt: Attempt) -> bool:
    """Nobody can end a JWT, so its connection stays until it has run out."""
    return attempt.subject.kind == "Expiring"
