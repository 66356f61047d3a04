"""Debian packages without installing them: what a program needs and this machine lacks is downloaded by apt, and
unpacked into the cache. The machine's own package lists are neither needed nor touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from controlplane.cache import Progress, ProvisioningFailed, only_one

LATER = 900


def unpack_from_debian(package: str, cache: Path, progress: Progress) -> Path:
    """The package, and what it depends on and is not installed, below one directory.

    :raises ProvisioningFailed: there is no apt, or it does not have the package
    """
    target = cache / f"{package}-debian"
    with only_one(target.with_name(target.name + ".lock"), progress):
        if target.is_dir():
            return target
        if shutil.which("apt-get") is None:
            raise ProvisioningFailed(
                f"{package} was not found, and there is no apt-get to have it from: put it on PATH"
            )
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        archives, lists = partial / "archives", partial / "lists"
        for directory in (archives, lists / "partial", partial / "root"):
            directory.mkdir(parents=True)
        progress(f"{package}: downloading Debian's package, and what it needs")
        apt = ["apt-get", "--quiet", f"--option=Dir::State::lists={lists}", "--option=Debug::NoLocking=1"]
        apt += ["--option=Dir::Cache::pkgcache=", "--option=Dir::Cache::srcpkgcache="]
        apt += ["--option=APT::Sandbox::User=root"] if os.geteuid() == 0 else []
        _run(package, [*apt, "update"], archives)
        told = _run(package, [*apt, "--simulate", "--no-install-recommends", "install", package], archives)
        missing = [line.split()[1] for line in told.splitlines() if line.startswith("Inst ")]
        _run(package, [*apt, "download", *missing], archives)
        for archive in sorted(archives.glob("*.deb")):
            _run(package, ["dpkg-deb", "--extract", str(archive), str(partial / "root")], archives)
        (partial / "root").rename(target)
        shutil.rmtree(partial)
        progress(f"{package}: unpacked")
    return target


def _run(package: str, command: list[str], directory: Path) -> str:
    try:
        return subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=LATER,
        ).stdout
    except subprocess.CalledProcessError as failed:
        raise ProvisioningFailed(f"{package}: {command[0]} failed:\n{failed.stderr[-2000:]}") from failed
    except subprocess.TimeoutExpired as late:
        raise ProvisioningFailed(f"{package}: {command[0]} did not finish within {LATER} s") from late
