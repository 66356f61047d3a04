"""A release of the chart on a real API server, and the operator as its Deployment would run it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart, Config

from chart.rendering import ACCOUNT, CHART, NAMESPACE, RELEASE, environment
from controlplane import Plane
from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from discretion import tell
from leasehold.api.crd import KINDS
from leasehold.api.names import GROUP
from leasehold.core.bootstrap_roles import BootstrapOptions
from leasehold.settings import PREFIX
from shipped import ROOT


class Prepared(Deployment):
    """A Vault that was prepared for the operator of the release, as NOTES.txt says."""

    @property
    def options(self) -> BootstrapOptions:
        return BootstrapOptions(
            public_keys=tuple(self.plane.service_account_public_keys),
            operator_namespace=NAMESPACE,
            operator_service_account=ACCOUNT,
        )


class Release:
    """What Helm has installed."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._helm = Config(kubeconfig_path=plane.kubeconfig("admin"), namespace=NAMESPACE)
        self.uninstalled = ""

    def install(self, values: Mapping[str, Any]) -> None:
        """Install it, and wait until its policies and rights act."""
        with Chart.load(CHART) as chart:
            self._helm.install(chart, RELEASE, dict(values), namespace=NAMESPACE, create_namespace=True)
        self._wait()

    def upgrade(self, values: Mapping[str, Any]) -> None:
        """Install it anew over itself, with these values and no others."""
        with Chart.load(CHART) as chart:
            self._helm.upgrade(chart, RELEASE, dict(values), namespace=NAMESPACE, reset_values=True)
        self._wait()

    def uninstall(self) -> str:
        """Uninstall it; what Helm says about that."""
        self.uninstalled = str(self._helm.uninstall(RELEASE)["info"])
        self._helm.close()
        return self.uninstalled

    def settings(self) -> dict[str, str]:
        """What the operator's container is told, as the API server stores it."""
        found = self.plane.kubectl("get", "deployment", ACCOUNT, f"--namespace={NAMESPACE}", "--output=json")
        variables = environment(json.loads(found.stdout))
        return {name.removeprefix(PREFIX).lower(): value for name, value in variables.items()}

    def operator(self) -> Operator:
        """The operator with these settings and with the rights of its service account, not started."""
        return Operator(self._kubeconfig(), self.plane.workdir, **self.settings())

    def doctor(self, *namespaces: str) -> tuple[int, str]:
        """What `leasehold doctor` finds, asked as NOTES.txt says: its exit status, and what it says."""
        command = [sys.executable, "-c", "from leasehold.cli.app import main; main()", "doctor"]
        command += ["--kubeconfig", str(self.plane.kubeconfig("admin"))]
        command += ["--operator-namespace", NAMESPACE, "--operator-service-account", ACCOUNT]
        command += ["--lease-name", ACCOUNT, *(f"--namespace={name}" for name in namespaces)]
        done = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": str(ROOT / "operator")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    def _kubeconfig(self) -> Path:
        config = yaml.safe_load(self.plane.kubeconfig("admin").read_text())
        token = self.plane.service_account_token(NAMESPACE, ACCOUNT, lifetime_seconds=3600)
        tell([token])
        for user in config["users"]:
            user["user"] = {"token": token}
        path = self.plane.workdir / "released.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path

    def _wait(self) -> None:
        kinds = ",".join(f"{kind.PLURAL}.{GROUP}" for kind in KINDS)

        def served() -> bool:
            listed = self.plane.kubectl("get", kinds, "--all-namespaces", "--output=name", check=False)
            return listed.returncode == 0

        wait_until(served, 30, "all kinds are served")
        wait_until(self._policies_act, 30, "the admission policies act")

    def _policies_act(self) -> bool:
        asked = ["--namespace=default", "--audience=leasehold.dev/store/policy-check"]
        done = self.plane.kubectl("create", "token", "default", *asked, check=False)
        return done.returncode != 0 and "reserved for Leasehold" in done.stderr


@contextmanager
def released(plane: Plane, values: Mapping[str, Any]) -> Iterator[Release]:
    """A release with these values, which is gone at the end."""
    release = Release(plane)
    release.install(values)
    try:
        yield release
    finally:
        if not release.uninstalled:
            release.uninstall()


@contextmanager
def running(release: Release) -> Iterator[Operator]:
    """The operator of the release; at the end it has complained of nothing and was refused nothing."""
    operator = release.operator().start()
    try:
        yield operator
        assert operator.metric("leasehold_cluster_request_duration_seconds_count", outcome="403") == 0
        assert operator.metric("leasehold_cluster_request_duration_seconds_count", outcome="200") > 0
    finally:
        assert operator.stop() == 0
    assert operator.complaints() == []
