"""`leasehold` as people run it: a kubeconfig with one context for each of them, and a second cluster for those who
have two."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from typer.testing import CliRunner

from controlplane import Plane
from controlplane.child import Household, clean_environment
from controlplane.keys import make_keys
from controlplane.kube import ADMIN, ApiServer, Etcd
from controlplane.programs import provide_all
from controlplane.sockets import ReservedPorts
from controlplane.waiting import wait_until
from leasehold.cli.app import app
from shipped import ROOT


@dataclass(frozen=True)
class Door:
    """How one context reaches a cluster."""

    server: str
    ca: Path
    token: str
    namespace: str = "default"


def door(plane: Plane, user: str = ADMIN, namespace: str = "default") -> Door:
    """A user's door to the plane."""
    return Door(plane.apiserver.url, plane.apiserver.ca_path, plane.token(user), namespace)


def write_contexts(path: Path, doors: Mapping[str, Door]) -> Path:
    """A kubeconfig in which the first context is the current one."""
    config = {
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": each.server,
                    "certificate-authority-data": base64.b64encode(each.ca.read_bytes()).decode(),
                },
            }
            for name, each in doors.items()
        ],
        "users": [{"name": name, "user": {"token": each.token}} for name, each in doors.items()],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": each.namespace}}
            for name, each in doors.items()
        ],
        "current-context": next(iter(doors)),
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))
    return path


@dataclass(frozen=True)
class Done:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str


class Commands:
    """Somebody at a terminal, with that kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def run(self, *words: str, stdin: str | None = None) -> Done:
        """Run `leasehold` with these words, and see that it ended by itself."""
        result = CliRunner().invoke(app, list(words), input=stdin, env={"KUBECONFIG": str(self.kubeconfig)})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Done(result.exit_code, result.stdout, result.stderr)


@contextmanager
def second_cluster(plane: Plane, workdir: Path) -> Iterator[Door]:
    """An API server of its own with our kinds, where nobody runs an operator; its administrator's door."""
    programs, ports, household = provide_all(progress=lambda _: None), ReservedPorts(), Household(workdir)
    try:
        etcd = Etcd(household, programs.etcd, ports.take(), ports.take())
        server = ApiServer(
            household, programs.kube_apiserver, ports.take(), etcd, make_keys(workdir / "keys"), {}
        )
        etcd.start()
        server.start()
        crds = f"--filename={ROOT / 'crds'}"
        for words in (["apply", crds], ["wait", "--for=condition=Established", "--timeout=30s", crds]):
            _kubectl(plane, server.kubeconfig(ADMIN), words)
        ours = "/apis/leasehold.dev/v1alpha1"
        wait_until(
            lambda: all(
                server.get(f"{ours}/{each}").status == 200 for each in ("mcprevocations", "mcpconnections")
            ),
            30,
            "the second cluster serves our kinds",
        )
        yield Door(server.url, server.ca_path, server.token(ADMIN))
    finally:
        household.end()
        ports.release()


def _kubectl(plane: Plane, kubeconfig: Path, words: list[str]) -> None:

    program = plane.kubectl_program()
    subprocess.run(
        [program, f"--kubeconfig={kubeconfig}", *words],
        env={**clean_environment(kubeconfig.parent), "PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        timeout=60,
    )
