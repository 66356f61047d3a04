"""Where built and installed programs are kept: outside the tree, shared by all work trees of one user.

An entry is complete or absent: it is made under a partial name and renamed. Two runs at once are serialised
by a lock file, so that the second finds what the first has made.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.waiting import WaitTimedOut, wait_until

Progress = Callable[[str], None]

LOCK_SECONDS = 3600.0
"""A cold build of the largest program takes minutes; who waits longer than this waits for a dead one."""


class ProvisioningFailed(Exception):
    """A program could be neither found nor made; the message says why."""


def say(line: str) -> None:
    """Progress for people: one line on stderr, so that stdout stays parseable."""
    print(line, file=sys.stderr, flush=True)


def default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "leasehold" / "controlplane"


@contextmanager
def only_one(lock: Path, progress: Progress, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file; raises ProvisioningFailed when somebody else holds it for longer than `seconds`."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        if not _try_lock(handle.fileno()):
            progress(f"{lock.stem}: waiting for another run that is making it")
            try:
                wait_until(lambda: _try_lock(handle.fileno()), seconds, f"the lock {lock}", pause=0.2)
            except WaitTimedOut as late:
                raise ProvisioningFailed(str(late)) from late
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def install_from_pypi(distribution: str, requirement: str, cache: Path, progress: Progress) -> Path:
    """Install one wheel, without dependencies, into a directory of its own; raises ProvisioningFailed."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    bounds = requirement.removeprefix(distribution).replace(",", "")
    target = cache / f"{distribution}-{''.join(c if c.isalnum() or c == '.' else '_' for c in bounds)}-{tag}"
    with only_one(target.with_name(target.name + ".lock"), progress):
        if target.is_dir():
            return target
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        progress(f"{distribution}: installing {requirement} from the Python package index")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
        command += ["--only-binary=:all:", "--target", str(partial), requirement]
        try:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=900
            )
        except subprocess.CalledProcessError as failed:
            raise ProvisioningFailed(f"{distribution}: pip failed:\n{failed.stderr[-2000:]}") from failed
        except subprocess.TimeoutExpired as late:
            raise ProvisioningFailed(f"{distribution}: pip did not finish within 900 s") from late
        partial.rename(target)
        progress(f"{distribution}: installed")
    return target
