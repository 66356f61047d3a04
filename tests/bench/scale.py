"""`make bench-scale`: what a large fleet costs an operator that has nothing to do, and how long a new process takes
until it has looked at all of it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.engines import EngineName
from bench.readings import AuditTail, Scrape, holds_generation
from bench.stage import LONG_SECONDS, Say, Stage, scrape, wait_settled
from controlplane import Plane
from controlplane.waiting import wait_until
from shipped import shipped

IDLE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class ScaleReport:
    """The figures. `idle` is after the restart, when no Events of the creation are left to be sent; it includes
    looking after the fleet: Secrets touched and leases looked up in turn."""

    engine: str
    connections: int
    creation_seconds: float
    connections_per_second: float
    rss_mib_after_creation: float
    idle_cpu_share: float
    idle_api_requests_per_second: float
    idle_vault_requests_per_second: float
    idle_rss_mib: float
    restart_seconds_to_ready: float
    restart_seconds_to_settled: float
    restart_cpu_seconds: float
    mints_by_restart: int
    writes_by_restart: int
    live_leases: int

    def as_json(self) -> dict[str, Any]:
        """As printed."""
        return asdict(self)


def run_scale(plane: Plane, engine: EngineName, size: int, say: Say) -> ScaleReport:
    """One run on a control plane that nobody else uses."""
    with shipped(plane):
        stage = Stage(plane, engine, say)
        say(f"preparing {size} service accounts")
        fleet = stage.fleet("fleet", size)
        operator = stage.operator().start()
        try:
            say(f"creating {size} connections that mint {engine} credentials")
            tail, begun = AuditTail(operator.audit_path), time.monotonic()
            stage.crowd("create", fleet).finish()
            wait_until(
                lambda: tail.succeeded("mint") >= size,
                LONG_SECONDS,
                f"{size} connections are minted",
                pause=1,
            )
            stage.truth.wait_all(fleet, holds_generation(1), LONG_SECONDS, "all are Ready")
            creation = time.monotonic() - begun
            created = wait_settled(operator, Scrape({}), size)
            say(f"created in {creation:.0f} s, {size / creation:.1f}/s; restarting the operator")
            operator.stop()
            begun = time.monotonic()
            operator.start()
            ready = time.monotonic() - begun
            restarted = wait_settled(operator, Scrape({}), size)
            settled = time.monotonic() - begun
            say(f"it has looked at all after {settled:.1f} s; watching it idle for {IDLE_SECONDS:.0f} s")
            begun = time.monotonic()
            time.sleep(IDLE_SECONDS)
            after = scrape(operator)
            idle, idle_seconds = after - restarted, time.monotonic() - begun
            leases = stage.live_leases()
        finally:
            operator.stop()
    return ScaleReport(
        engine=engine,
        connections=size,
        creation_seconds=round(creation, 1),
        connections_per_second=round(size / creation, 1),
        rss_mib_after_creation=round(created.rss_mib, 1),
        idle_cpu_share=round(idle.cpu_seconds / idle_seconds, 4),
        idle_api_requests_per_second=round(idle.api_requests / idle_seconds, 1),
        idle_vault_requests_per_second=round(idle.vault_requests / idle_seconds, 1),
        idle_rss_mib=round(after.rss_mib, 1),
        restart_seconds_to_ready=round(ready, 1),
        restart_seconds_to_settled=round(settled, 1),
        restart_cpu_seconds=round(restarted.cpu_seconds, 2),
        mints_by_restart=restarted.mints,
        writes_by_restart=sum(restarted.api_writes.values()),
        live_leases=leases,
    )
