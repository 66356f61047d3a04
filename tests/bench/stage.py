"""What both the operator and the floor run on: the shipped manifests, a prepared Vault, one profile, and processes
that act as the teams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from bench.engines import EngineName, set_up
from bench.fleet import Fleet
from bench.floor import UNPACED
from bench.readings import Scrape, Truth
from bench.servers import Seconds, between, cpu_seconds
from controlplane import Plane
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, operator_kubeconfig
from leasehold.api.profile import MCPServerProfile
from shipped import ROOT

Say = Callable[[str], None]
PROFILE: Final = "bench"
OVERLAP_SECONDS: Final = 300
LONG_SECONDS: Final = 1800.0
"""No phase of any size that we run takes longer: a run that hangs ends with a reason."""


@dataclass(frozen=True)
class FloorRun:
    """What it took a bare client, in seconds: on the clock, of its own CPU time, of the servers'."""

    seconds: float
    cpu_seconds: float
    server_cpu_seconds: Seconds


@dataclass
class Stage:
    """A control plane with one store and one profile."""

    plane: Plane
    engine: EngineName
    say: Say
    deployment: Deployment = field(init=False)
    kubeconfig: Path = field(init=False)
    lease_path: str = field(init=False)

    def __post_init__(self) -> None:
        self.say(f"preparing Vault, a store and a profile for {self.engine}")
        self.deployment = Deployment(self.plane)
        recipe = set_up(self.engine, self.plane)
        self.lease_path = recipe["path"]
        self.deployment.profile({**recipe, "overlapSeconds": OVERLAP_SECONDS}, name=PROFILE)
        self.kubeconfig = operator_kubeconfig(self.plane, "bench")
        self.truth = Truth(self.plane)

    def operator(self) -> Operator:
        """An operator that no quota slows down, for the Vault is ours alone, and that probes nobody: what a probe
        finds is written to each connection of the fleet, whenever it comes."""
        return Operator(
            self.kubeconfig, self.plane.workdir, vault_requests_per_second=UNPACED, probe_workers=0
        )

    def fleet(self, name: str, size: int) -> Fleet:
        """A fleet whose namespaces and service accounts are there, and whose connections are not."""
        fleet = Fleet(f"{name}-{uuid.uuid4().hex[:6]}", size, PROFILE)
        self.crowd("settle", fleet).finish()
        return fleet

    def crowd(self, act: str, fleet: Fleet) -> Process:
        """The teams, ready to do something to the whole fleet."""
        admin = str(self.plane.kubeconfig("admin"))
        return Process("bench.crowd", act, admin, fleet.name, str(fleet.size), fleet.profile)

    def live_leases(self) -> int:
        """How many leases Vault has."""
        return len(self.deployment.leases(self.lease_path))

    def wait_leases(self, number: int) -> None:
        """Vault revokes in a queue of its own."""
        wait_until(lambda: self.live_leases() == number, 120, f"Vault has {number} leases")

    def change_recipe(self, overlap_seconds: int) -> None:
        """An edit of the profile after which every credential has to be another one."""
        patch = json.dumps({"spec": {"credential": {"ttlSeconds": 3000, "overlapSeconds": overlap_seconds}}})
        self.plane.kubectl(
            "patch", MCPServerProfile.PLURAL, PROFILE, "--type=merge", f"--patch={patch}", check=True
        )

    def floor(self, fleet: Fleet) -> FloorRun:
        """A bare client provides the fleet; nothing is left."""
        crowd = self.crowd("create", fleet)
        bare = Process("bench.floor", str(self.kubeconfig), PROFILE, str(fleet.size), stdin=crowd.output)
        before, begun = cpu_seconds(self.plane), time.monotonic()
        crowd.go()
        result = json.loads(bare.line())
        seconds = time.monotonic() - begun
        servers = between(before, cpu_seconds(self.plane))
        crowd.ended()
        bare.ended()
        self.crowd("delete", fleet).finish()
        self.truth.wait_gone(fleet, LONG_SECONDS)
        self.wait_leases(0)
        return FloorRun(seconds, result["cpu_seconds"], servers)


class Process:
    """A module of ours in a process of its own: it says `ready`, and begins at a word."""

    def __init__(self, module: str, *arguments: str, stdin: IO[bytes] | None = None) -> None:
        self._name = " ".join((module, *arguments[:1]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE if stdin is None else stdin,
            stdout=subprocess.PIPE,
            bufsize=0,  # what follows the first line may be for another process
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT / "operator")))},
        )
        assert self._process.stdout is not None
        self.output: IO[bytes] = self._process.stdout
        if (said := self.line()) != "ready":
            raise RuntimeError(f"{self._name} said {said!r} and ended with {self._process.wait(30)}")

    def line(self) -> str:
        """The next line of its output; empty at its end."""
        return self.output.readline().decode().strip()

    def go(self) -> None:
        """The word."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.close()

    def ended(self) -> None:
        """Wait until it has ended well."""
        if (status := self._process.wait(LONG_SECONDS)) != 0:
            raise RuntimeError(f"{self._name} ended with status {status}")

    def finish(self) -> None:
        """Begin and wait for the end; what it prints is nobody's."""
        self.go()
        while self.output.read(1 << 20):
            pass
        self.ended()


def scrape(operator: Operator) -> Scrape:
    """The operator's metrics now."""
    return Scrape.parse(operator.get("/metrics")[1])


def wait_settled(operator: Operator, since: Scrape, passes: int) -> Scrape:
    """Until the operator has made that many passes and nothing waits any more; its metrics then."""

    def settled() -> Scrape | None:
        now = scrape(operator)
        return now if (now - since).passes >= passes and now.waiting == 0 else None

    found = wait_until(settled, LONG_SECONDS, f"the operator has made {passes} passes", pause=0.5)
    assert found is not None
    return found
