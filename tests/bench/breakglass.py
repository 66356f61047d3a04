"""`make bench-breakglass`: how long one `MCPRevocation` takes over a whole fleet, next to the floor on the same
servers in the same run: idle, and while as many other connections are being rotated.

The marks are counted from the creation of the revocation, or from the word to the floor, and are seen from outside
(`bench.marks`); `verified` is what the status of the revocation says, or the floor's own word."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import asdict, dataclass
from threading import Thread
from typing import Any, Final

from bench.engines import EngineName, set_up
from bench.fleet import Fleet
from bench.marks import Marks, Spectator, mean
from bench.readings import AuditTail, holds_generation
from bench.stage import LONG_SECONDS, OVERLAP_SECONDS, PROFILE, Process, Say, Stage
from contract.worlds import RealPeople
from controlplane import Plane
from controlplane.waiting import wait_until
from crash.admin import Admin
from leasehold.api.names import API_VERSION
from leasehold.api.profile import MCPServerProfile
from leasehold.api.revocation import MCPRevocation
from shipped import shipped

REVOCATIONS: Final = f"/apis/{API_VERSION}/{MCPRevocation.PLURAL}"
WELL_UNDER_WAY: Final = 0.03
"""The share of the others that has been rotated when the switch is thrown."""


@dataclass(frozen=True)
class Strike:
    """One fleet's end, by the operator and by the floor."""

    marks: Marks
    floor: Marks
    counts: dict[str, int]
    """The status of the revocation at the end."""
    rotated_meanwhile: int
    rotated: int
    """By the time at which the rotation was over."""

    def as_json(self) -> dict[str, Any]:
        """As printed."""
        return {
            "seconds_to": asdict(self.marks),
            "floor_seconds_to": asdict(self.floor),
            "ratios": self.marks.ratios_to(self.floor),
            "status": self.counts,
            "rotated_meanwhile": self.rotated_meanwhile,
            "rotated": self.rotated,
        }


@dataclass(frozen=True)
class BreakglassReport:
    """The figures of one run."""

    engine: str
    connections: int
    idle: Strike
    under_rotation: Strike
    others: dict[tuple[str, str], list[int]]
    """The generations to which each of those beside was rotated, once by each of two strikes."""

    def as_json(self) -> dict[str, Any]:
        """As printed."""
        return {
            "engine": self.engine,
            "connections": self.connections,
            "idle": self.idle.as_json(),
            "under_rotation": {
                **self.under_rotation.as_json(),
                "ratios_to_idle_floor": self.under_rotation.marks.ratios_to(self.idle.floor),
            },
        }


class Range:
    """Where the strikes are carried out: one operator, and fleets with a profile each."""

    def __init__(self, stage: Stage, size: int, say: Say) -> None:
        self._stage = stage
        self._size = size
        self._say = say
        self._admin = Admin(stage.plane)
        self._user = RealPeople(stage.plane).user()
        self._recipe = set_up(stage.engine, stage.plane)
        self._ttl_seconds = 3600
        self.operator = stage.operator()
        self._tail = AuditTail(self.operator.audit_path)
        self._others = Fleet(f"others-{uuid.uuid4().hex[:6]}", size, PROFILE)

    def floor(self, rotating: bool) -> Marks:
        """A bare client ends a fleet of its own."""
        fleet = self._fleet(f"floor-{uuid.uuid4().hex[:6]}", PROFILE)
        kubeconfigs = str(self._stage.kubeconfig), str(self._stage.plane.kubeconfig("admin"))
        bare = Process("bench.strikes", *kubeconfigs, fleet.name, str(fleet.size), fleet.profile)
        spectator = self._spectator(fleet, json.loads(bare.line()))
        said: list[str] = []
        listening = Thread(target=lambda: said.append(bare.line()), daemon=True)
        listening.start()

        def is_dead() -> bool:
            return said == ["dead"]

        before = self.rotate_others() if rotating else 0
        begun = time.monotonic()
        bare.go()
        marks = spectator.look_on(is_dead, is_dead, begun)
        listening.join()
        bare.ended()
        self._say(f"floor{', while others rotate' if rotating else ''}: {asdict(marks)}")
        if rotating:
            self.rotation_is_over(before)
        return marks

    def others(self) -> None:
        """A fleet beside, that no revocation matches."""
        self._stage.crowd("settle", self._others).finish()
        self._provide(self._others)

    def rotations(self) -> dict[tuple[str, str], list[int]]:
        """The generations to which each of the others was rotated so far."""
        return self._tail.generations("rotate", self._others)

    def rotate_others(self) -> int:
        """Begin to rotate the others; returns, once it is well under way, how many rotations there had been."""
        before = self._rotated()
        self._ttl_seconds -= 60
        patch = json.dumps({"spec": {"credential": {"ttlSeconds": self._ttl_seconds}}})
        self._stage.plane.kubectl(
            "patch", MCPServerProfile.PLURAL, PROFILE, "--type=merge", f"--patch={patch}"
        )
        enough = before + max(1, int(self._size * WELL_UNDER_WAY))
        wait_until(lambda: self._rotated() >= enough, LONG_SECONDS, "the others rotate")
        return before

    def rotation_is_over(self, before: int) -> None:
        """Until all others have rotated."""
        wanted = before + self._size
        wait_until(lambda: self._rotated() >= wanted, LONG_SECONDS, "all others have rotated")

    def strike(self, name: str, rotating: bool) -> tuple[Marks, dict[str, int], int, int]:
        """Provide a fleet, and throw the switch on it."""
        profile = f"{PROFILE}-{name}"
        self._stage.deployment.profile({**self._recipe, "overlapSeconds": OVERLAP_SECONDS}, name=profile)
        fleet = self._fleet(f"{name}-{uuid.uuid4().hex[:6]}", profile)
        spectator = self._spectator(fleet, self._provide(fleet))
        before = self.rotate_others() if rotating else 0
        rotated = self._rotated()
        begun = time.monotonic()
        self._throw(name, profile)
        marks = spectator.look_on(
            lambda: self._counts(name)["verified"] == self._size, lambda: self._is_complete(name), begun
        )
        meanwhile = self._rotated() - rotated
        self._say(f"operator, {name}: {asdict(marks)}, {meanwhile} others rotated meanwhile")
        if rotating:
            self.rotation_is_over(before)
        rotated = self._rotated() - before
        counts = self._counts(name)
        self._stage.crowd("delete", fleet).finish()
        self._stage.truth.wait_gone(fleet, LONG_SECONDS)
        return marks, counts, meanwhile, rotated

    def _rotated(self) -> int:
        return self._tail.succeeded("rotate", self._others)

    def _fleet(self, name: str, profile: str) -> Fleet:
        fleet = Fleet(name, self._size, profile)
        self._stage.crowd("settle", fleet).finish()
        return fleet

    def _provide(self, fleet: Fleet) -> dict[str, str]:
        """Let the operator mint for all of it; the lease id of each accessor."""
        self._stage.crowd("create", fleet).finish()
        wait_until(
            lambda: self._tail.succeeded("mint", fleet) >= fleet.size,
            LONG_SECONDS,
            f"{fleet.name} is minted",
        )
        truth = self._stage.truth
        truth.wait_all(fleet, holds_generation(1), LONG_SECONDS, f"{fleet.name} is Ready")
        entries = [entry for each in truth.connections(fleet) for entry in each["status"]["ledger"]]
        return {entry["accessor"]: entry["leaseID"] for entry in entries}

    def _spectator(self, fleet: Fleet, held: dict[str, str]) -> Spectator:
        spectator = Spectator(self._stage.plane, fleet, held, self._stage.lease_path)
        if len(held) != fleet.size or not spectator.everything_is_alive():
            raise RuntimeError(f"not everything of {fleet.name} is alive before it is ended")
        return spectator

    def _throw(self, name: str, profile: str) -> None:
        spec = {"target": {"profile": profile}, "reason": "a benchmark", "requestedBy": self._user}
        kind = {"apiVersion": API_VERSION, "kind": MCPRevocation.KIND}
        self._admin.create(REVOCATIONS, {**kind, "metadata": {"name": name}, "spec": spec})

    def _is_complete(self, name: str) -> bool:
        found = self._admin.get(f"{REVOCATIONS}/{name}") or {}
        conditions = found.get("status", {}).get("conditions", ())
        return any(each["type"] == "Complete" and each["status"] == "True" for each in conditions)

    def _counts(self, name: str) -> dict[str, int]:
        found = self._admin.get(f"{REVOCATIONS}/{name}") or {}
        status = found.get("status", {})
        counted = ("matched", "revoked", "verified", "secretsDeleted", "failed")
        return {each: status.get(each, 0) for each in counted}


def run_breakglass(plane: Plane, engine: EngineName, size: int, say: Say) -> BreakglassReport:
    """One whole run on a control plane that nobody else uses."""
    with shipped(plane):
        stage = Stage(plane, engine, say)
        place = Range(stage, size, say)
        try:
            floors = [place.floor(rotating=False)]
            place.operator.start()
            idle = place.strike("idle", rotating=False)
            floors.append(place.floor(rotating=False))
            place.others()
            busy = place.strike("busy", rotating=True)
            busy_floor = place.floor(rotating=True)
        finally:
            place.operator.stop()
    return BreakglassReport(
        engine=engine,
        connections=size,
        idle=Strike(idle[0], mean(floors), *idle[1:]),
        under_rotation=Strike(busy[0], busy_floor, *busy[1:]),
        others=place.rotations(),
    )
