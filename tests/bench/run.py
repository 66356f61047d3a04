"""`make bench`: how many connections a second the operator takes from nothing to Ready, next to the floor on the
same servers in the same run, and what it costs to edit, restart, rotate and delete them.

Both sides include the creation of the connections by the same crowd. The floor is measured before and after the
operator, for a machine is not equally fast all the time."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.engines import EngineName
from bench.fleet import Fleet
from bench.readings import AuditTail, Scrape, holds_generation
from bench.servers import Seconds, between, cpu_seconds
from bench.stage import LONG_SECONDS, FloorRun, Say, Stage, scrape, wait_settled
from controlplane import Plane
from controlplane.waiting import wait_until
from deployment import Operator
from shipped import shipped

SHORTEST_OVERLAP_SECONDS: Final = 5
OVERLAP_BY_CREATION: Final = 1.5
"""The overlap is longer than a rotation of all, so that endings are not measured with it."""


@dataclass(frozen=True)
class Report:
    """The figures of one run; `per connection` is of the first mint.

    `cpu_ratio` is the floor's CPU time, servers included, over the operator's: on a busy machine it is what `ratio`
    would be without whatever else runs there."""

    engine: str
    connections: int
    connections_per_second: float
    floor_per_second: float
    ratio: float
    floor_runs_per_second: tuple[float, float]
    api_writes_per_connection: dict[str, float]
    api_requests_per_connection: float
    vault_requests_per_connection: float
    api_writes_per_rotation: dict[str, float]
    mints_by_label_edit: int
    writes_by_label_edit: int
    mints_by_restart: int
    writes_by_restart: int
    live_leases_at_ready: int
    live_leases_after_deletion: int
    rotation_per_second: float
    deletion_per_second: float
    operator_cpu_seconds: dict[str, float]
    operator_rss_mib: float
    cpu_ms_per_connection: dict[str, float]
    floor_cpu_ms_per_connection: dict[str, float]
    cpu_ratio: float

    def as_json(self) -> dict[str, Any]:
        """As printed."""
        return asdict(self)


@dataclass(frozen=True)
class Look:
    """A moment, and all counters at it."""

    moment: float
    scrape: Scrape
    servers: Seconds


@dataclass(frozen=True)
class Phase:
    """One thing that was done to the whole fleet, and what the operator did about it."""

    seconds: float
    spent: Scrape
    server_cpu_seconds: Seconds


class Bench:
    """The phases, in order, with one fleet."""

    def __init__(self, stage: Stage, fleet: Fleet, say: Say) -> None:
        self._stage = stage
        self._fleet = fleet
        self._say = say
        self._operator = stage.operator().start()
        self._tail = AuditTail(self._operator.audit_path)

    @property
    def operator(self) -> Operator:
        """The operator under measurement."""
        return self._operator

    def create(self) -> Phase:
        """From nothing to Ready."""
        crowd = self._stage.crowd("create", self._fleet)
        before = self._look()
        crowd.finish()
        self._wait_audit("mint")
        self._stage.truth.wait_all(self._fleet, holds_generation(1), LONG_SECONDS, "all are Ready")
        return self._over("create", before)

    def edit_labels(self) -> Phase:
        """A label on each: nobody's credential changes."""
        crowd = self._stage.crowd("label", self._fleet)
        before = self._look()
        crowd.finish()
        wait_settled(self._operator, before.scrape, self._fleet.size)
        return self._over("label edit", before)

    def restart(self) -> Phase:
        """A new process looks at everything and changes nothing. Its counters begin at zero."""
        before = Look(time.monotonic(), Scrape({}), cpu_seconds(self._stage.plane))
        if self._operator.stop() != 0:
            raise RuntimeError("the operator did not stop well")
        self._operator.start()
        wait_settled(self._operator, Scrape({}), self._fleet.size)
        return self._over("restart", before)

    def rotate(self, overlap_seconds: int) -> Phase:
        """All get another credential, for their profile has changed."""
        before = self._look()
        self._stage.change_recipe(overlap_seconds)
        self._wait_audit("rotate")
        self._stage.truth.wait_all(self._fleet, holds_generation(2), LONG_SECONDS, "all have rotated")
        return self._over("rotate", before)

    def end_overlap(self) -> Phase:
        """The replaced credentials die."""
        before = self._look()
        self._wait_audit("revoke")
        self._stage.wait_leases(self._fleet.size)
        return self._over("overlap ends", before)

    def delete(self) -> Phase:
        """Every object and every credential goes."""
        crowd = self._stage.crowd("delete", self._fleet)
        before = self._look()
        crowd.finish()
        self._wait_audit("delete")
        self._stage.truth.wait_gone(self._fleet, LONG_SECONDS)
        return self._over("delete", before)

    def _wait_audit(self, action: str) -> None:
        size = self._fleet.size
        wait_until(
            lambda: self._tail.succeeded(action) >= size, LONG_SECONDS, f"{size} times {action}", pause=0.1
        )

    def _look(self) -> Look:
        return Look(time.monotonic(), scrape(self._operator), cpu_seconds(self._stage.plane))

    def _over(self, name: str, before: Look) -> Phase:
        after = self._look()
        seconds, spent = after.moment - before.moment, after.scrape - before.scrape
        written = ", ".join(f"{what} {number}" for what, number in spent.api_writes.items())
        self._say(
            f"{name}: {seconds:.1f} s, {self._fleet.size / seconds:.1f}/s; {spent.passes} passes, "
            f"{spent.mints} mints, {spent.api_requests} requests to the API server ({written}), "
            f"{spent.vault_requests} to Vault; {spent.cpu_seconds:.1f} CPU s"
        )
        return Phase(seconds, spent, between(before.servers, after.servers))


def run_bench(plane: Plane, engine: EngineName, size: int, say: Say) -> Report:
    """One whole run on a control plane that nobody else uses."""
    with shipped(plane):
        stage = Stage(plane, engine, say)
        fleets = [stage.fleet(name, size) for name in ("floor", "fleet", "again")]
        floors = [_floor(stage, fleets[0], say)]
        bench = Bench(stage, fleets[1], say)
        try:
            created = bench.create()
            live_at_ready = stage.live_leases()
            edited = bench.edit_labels()
            restarted = bench.restart()
            overlap = max(SHORTEST_OVERLAP_SECONDS, int(OVERLAP_BY_CREATION * created.seconds))
            rotated = bench.rotate(overlap)
            ended = bench.end_overlap()
            rss = scrape(bench.operator).rss_mib
            deleted = bench.delete()
            live_after = stage.live_leases()
        finally:
            bench.operator.stop()
        floors.append(_floor(stage, fleets[2], say))
    floor = 2 * size / sum(run.seconds for run in floors)
    of_operator = _milliseconds(created.server_cpu_seconds, created.spent.cpu_seconds, size)
    of_floor = _mean(
        [_milliseconds(run.server_cpu_seconds, run.cpu_seconds, size) for run in floors],
    )
    phases = {
        "create": created,
        "label_edit": edited,
        "restart": restarted,
        "rotate": rotated,
        "overlap_ends": ended,
        "delete": deleted,
    }
    return Report(
        engine=engine,
        connections=size,
        connections_per_second=round(size / created.seconds, 1),
        floor_per_second=round(floor, 1),
        ratio=round(size / created.seconds / floor, 3),
        floor_runs_per_second=(round(size / floors[0].seconds, 1), round(size / floors[1].seconds, 1)),
        api_writes_per_connection=_each(created, size),
        api_requests_per_connection=round(created.spent.api_requests / size, 2),
        vault_requests_per_connection=round(created.spent.vault_requests / size, 2),
        api_writes_per_rotation=_each(rotated, size),
        mints_by_label_edit=edited.spent.mints,
        writes_by_label_edit=sum(edited.spent.api_writes.values()),
        mints_by_restart=restarted.spent.mints,
        writes_by_restart=sum(restarted.spent.api_writes.values()),
        live_leases_at_ready=live_at_ready,
        live_leases_after_deletion=live_after,
        rotation_per_second=round(size / rotated.seconds, 1),
        deletion_per_second=round(size / deleted.seconds, 1),
        operator_cpu_seconds={name: round(phase.spent.cpu_seconds, 2) for name, phase in phases.items()},
        operator_rss_mib=round(rss, 1),
        cpu_ms_per_connection=of_operator,
        floor_cpu_ms_per_connection=of_floor,
        cpu_ratio=round(sum(of_floor.values()) / sum(of_operator.values()), 3),
    )


def _floor(stage: Stage, fleet: Fleet, say: Say) -> FloorRun:
    run = stage.floor(fleet)
    say(f"floor: {run.seconds:.1f} s, {fleet.size / run.seconds:.1f}/s; {run.cpu_seconds:.1f} CPU s")
    return run


def _milliseconds(servers: Seconds, client_seconds: float, size: int) -> dict[str, float]:
    """Per connection, of each server and of the client itself."""
    spent = {"client": client_seconds, **servers}
    return {name: round(1000 * seconds / size, 2) for name, seconds in spent.items()}


def _mean(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(sum(run[name] for run in runs) / len(runs), 2) for name in runs[0]}


def _each(phase: Phase, size: int) -> dict[str, float]:
    return {what: round(number / size, 3) for what, number in phase.spent.api_writes.items()}
