"""What a benchmark reads off the world: the operator's own metrics, its audit lines, and the API server's truth.

Audit lines tell when a phase is nearly over without costing the operator a scrape; that it is over, only a list
of the objects says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.fleet import Fleet
from controlplane import Plane, httpcall
from controlplane.waiting import wait_until
from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION

MEBIBYTE: Final = 1 << 20
REQUESTS: Final = "leasehold_cluster_request_duration_seconds_count"
VAULT_REQUESTS: Final = "leasehold_vault_request_duration_seconds_count"
PASSES: Final = "leasehold_reconcile_duration_seconds_count"

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True)
class Scrape:
    """One look at /metrics, or the difference of two."""

    series: Series

    @classmethod
    def parse(cls, text: str) -> Scrape:
        """The operator's own series; those of single connections are left out."""
        series: Series = {}
        for line in text.splitlines():
            if line.startswith(("leasehold_connection_", "leasehold_ledger_", "#")):
                continue
            name, _, value = line.rpartition(" ")
            name, _, labels = name.partition("{")
            pairs = (pair.partition("=") for pair in labels.rstrip("}").split(",") if pair)
            series[name, tuple((key, text.strip('"')) for key, _, text in pairs)] = float(value)
        return cls(series)

    def __sub__(self, earlier: Scrape) -> Scrape:
        return Scrape({key: value - earlier.series.get(key, 0.0) for key, value in self.series.items()})

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series of that name with these labels."""
        return sum(
            value
            for (called, has), value in self.series.items()
            if called == name and labels.items() <= dict(has).items()
        )

    def requests(self, verb: str, resource: str) -> int:
        """How many requests of that kind the API server carried out."""
        return sum(
            int(self.total(REQUESTS, verb=verb, resource=resource, outcome=outcome))
            for outcome in ("200", "201")
        )

    @property
    def api_requests(self) -> int:
        """All requests to the API server but the election's, which come by the clock."""
        return int(self.total(REQUESTS) - self.total(REQUESTS, resource="leases"))

    @property
    def api_writes(self) -> dict[str, int]:
        """What was written for connections, by what it was."""
        return {
            "status": self.requests("update", "mcpconnections/status"),
            "finalizer": self.requests("patch", "mcpconnections"),
            "secret": self.requests("create", "secrets") + self.requests("patch", "secrets"),
        }

    @property
    def vault_requests(self) -> int:
        """All requests to Vault."""
        return int(self.total(VAULT_REQUESTS))

    @property
    def mints(self) -> int:
        """Credentials that were minted."""
        return int(self.total("leasehold_mints_total", outcome="succeeded"))

    @property
    def passes(self) -> int:
        """Passes over objects."""
        return int(self.total(PASSES))

    @property
    def waiting(self) -> int:
        """How many objects wait for a worker."""
        return int(self.total("leasehold_queue_depth"))

    @property
    def cpu_seconds(self) -> float:
        """What the process has used."""
        return self.total("process_cpu_seconds_total")

    @property
    def rss_mib(self) -> float:
        """What it holds in memory now."""
        return self.total("process_resident_memory_bytes") / MEBIBYTE


@dataclass
class AuditTail:
    """Reads results off an operator's audit file as they are appended."""

    path: Path
    _offset: int = 0
    _results: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def succeeded(self, action: str, fleet: Fleet | None = None) -> int:
        """How often this action has succeeded since the file began: for one fleet's connections where one is given,
        for an operator looks after everything that it finds on its cluster."""
        self._read()
        done = self._results[action]
        return len(done) if fleet is None else sum(fleet.owns(each["namespace"]) for each in done)

    def generations(self, action: str, fleet: Fleet) -> dict[tuple[str, str], list[int]]:
        """With which generations this action has succeeded, in order, by namespace and name."""
        self._read()
        found: dict[tuple[str, str], list[int]] = {name: [] for name in fleet.names()}
        for each in self._results[action]:
            if fleet.owns(each["namespace"]):
                found[each["namespace"], each["name"]].append(each["generation"])
        return found

    def _read(self) -> None:
        for record in self._new():
            data = record["data"]
            if data["phase"] == "result" and data["outcome"] == "Succeeded" and "connection" in data:
                self._results[data["action"]].append(data["connection"])

    def _new(self) -> Iterator[dict[str, Any]]:
        with self.path.open("rb") as file:
            file.seek(self._offset)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)


@dataclass(frozen=True)
class Truth:
    """The connections as the API server has them."""

    plane: Plane

    def connections(self, fleet: Fleet) -> list[dict[str, Any]]:
        """A consistent list."""
        answer = httpcall.call(
            "GET",
            f"{self.plane.apiserver.url}/apis/{API_VERSION}/{MCPConnection.PLURAL}",
            headers={"Authorization": f"Bearer {self.plane.token()}"},
            ca=self.plane.apiserver.ca_path,
            seconds=60,
        )
        if answer.status != 200:
            raise RuntimeError(f"the connections cannot be listed: {answer.status} {answer.text[:300]}")
        items: list[dict[str, Any]] = answer.json()["items"]
        return [item for item in items if fleet.owns(item["metadata"]["namespace"])]

    def wait_all(
        self, fleet: Fleet, holds: Callable[[dict[str, Any]], bool], seconds: float, what: str
    ) -> None:
        """Until it holds of every connection of the fleet."""

        def all_hold() -> bool:
            found = self.connections(fleet)
            return len(found) == fleet.size and all(map(holds, found))

        wait_until(all_hold, seconds, what, pause=0.2)

    def wait_gone(self, fleet: Fleet, seconds: float) -> None:
        """Until there is none any more."""
        wait_until(lambda: not self.connections(fleet), seconds, f"the connections of {fleet.name} are gone")


def holds_generation(number: int) -> Callable[[dict[str, Any]], bool]:
    """Ready, with that generation as the current one."""

    def holds(connection: dict[str, Any]) -> bool:
        status = connection.get("status", {})
        conditions = {each["type"]: each for each in status.get("conditions", ())}
        states = {entry["generation"]: entry["state"] for entry in status.get("ledger", ())}
        return conditions.get("Ready", {}).get("status") == "True" and states.get(number) == "Current"

    return holds
