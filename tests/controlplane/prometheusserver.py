"""A real Prometheus that scrapes what a test tells it to, and asks the rules that a test gives it."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controlplane import httpcall
from controlplane.child import Household, Server
from controlplane.programs import provide_monitors
from controlplane.sockets import ReservedPorts

SCRAPE_SECONDS = 1


class QueryFailed(Exception):
    """Prometheus refused an expression; the message is what it said."""


class PrometheusServer(Server):
    """Jobs and rules may be changed while it runs: `scrape` and `use_rules` reload it."""

    def __init__(self, household: Household, program: Path, port: int) -> None:
        super().__init__("prometheus", household)
        self.address = f"http://127.0.0.1:{port}"
        self._program = program
        self._port = port
        self._home = household.workdir / "prometheus"
        self._home.mkdir()
        self._config = self._home / "prometheus.yml"
        self._jobs: dict[str, str] = {}
        self._rules: list[str] = []
        self._configure()

    def command(self) -> Sequence[str | Path]:
        return [
            self._program,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._home / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--web.enable-lifecycle",
        ]

    def ready(self) -> bool:
        return httpcall.answers(200, f"{self.address}/-/ready")

    def scrape(self, job: str, address: str) -> None:
        """Scrape `http://address/metrics` as `job` from now on, in the place of what the job was before."""
        self._jobs[job] = address.removeprefix("http://")
        self._reload()

    def use_rules(self, *files: Path) -> None:
        """Evaluate these rule files, and no others."""
        self._rules = [str(file) for file in files]
        self._reload()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query, each with `metric` and `value`; raises QueryFailed."""
        asked = urllib.parse.urlencode({"query": expression})
        answer = httpcall.call("GET", f"{self.address}/api/v1/query?{asked}", seconds=30)
        body = answer.json()
        if body.get("status") != "success":
            raise QueryFailed(f"{expression}: {body.get('error', answer.text)}")
        data = body["data"]
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        found: list[dict[str, Any]] = data["result"]
        return found

    def alerts(self, name: str) -> list[Mapping[str, str]]:
        """The labels of the alerts of that name that are firing."""
        listed = httpcall.call("GET", f"{self.address}/api/v1/alerts", seconds=30).json()["data"]["alerts"]
        return [
            each["labels"]
            for each in listed
            if each["state"] == "firing" and each["labels"]["alertname"] == name
        ]

    def _configure(self) -> None:
        every = f"{SCRAPE_SECONDS}s"
        jobs = [
            {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [address]}]}
            for job, address in self._jobs.items()
        ]
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": self._rules,
            "scrape_configs": jobs,
        }
        self._config.write_text(json.dumps(config, indent=1))

    def _reload(self) -> None:
        self._configure()
        if self.running:
            answer = httpcall.call("POST", f"{self.address}/-/reload", seconds=30)
            if answer.status != 200:
                raise self._failed(f"refused its configuration: {answer.text}")


@contextmanager
def running_prometheus(workdir: Path) -> Iterator[PrometheusServer]:
    """One that scrapes nothing yet; found or built, and ended with the context."""
    household, ports = Household(workdir), ReservedPorts()
    try:
        server = PrometheusServer(household, provide_monitors().prometheus, ports.take())
        server.start()
        yield server
    finally:
        household.end()
        ports.release()


def promtool(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run Prometheus's own tool, with this on its standard input."""
    program = provide_monitors().promtool
    return subprocess.run(
        [program, *arguments], input=given, capture_output=True, text=True, check=False, timeout=60
    )
