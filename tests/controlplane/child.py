"""One server process: started with nothing shared, watched while it starts, and never left behind.

Every child has closed stdin, a log file and a session of its own. On Linux the kernel ends it when we die,
whatever kills us; that promise is made to the *thread* that forks, so one long-lived thread starts them
all.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from controlplane.waiting import WaitTimedOut, wait_until

PR_SET_PDEATHSIG = 1
KILL_SECONDS = 20.0

_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="controlplane-spawner")


class ServerFailed(Exception):
    """A server exited, or did not get ready; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Account:
    """The unprivileged account that a server is run under."""

    uid: int
    gid: int


def _state(stat: Path) -> str:
    """The state of a thread, by proc(5): the field after its name, which may hold anything but ends with `)`."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:  # it has ended meanwhile
        return "T"


class Household:
    """All children of one control plane, so that each is ended, in reverse order, whatever went wrong."""

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self._lock = threading.Lock()
        self._members: list[Server] = []
        self._closed = False

    def admit(self, server: Server) -> None:
        """Called before a start: refuses when the end has begun, else remembers the order."""
        with self._lock:
            if self._closed:
                raise ServerFailed(f"{server.name}: not started, the control plane is ending")
            if server not in self._members:
                self._members.append(server)

    def pids(self) -> list[int]:
        return [server.pid for server in self._members if server.running]

    def end(self) -> None:
        """Stop every member, newest first; each is tried, whatever the one before it did."""
        with self._lock:
            self._closed = True
        _spawner.submit(lambda: None).result()  # what was being started is known after this
        with ExitStack() as stops:
            for server in self._members:
                stops.callback(server.stop)


class Server(ABC):
    """A child that answers on 127.0.0.1. Subclasses say how it is called and when it is ready."""

    ready_seconds = 60.0
    stop_seconds = 20.0
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL

    def __init__(self, name: str, household: Household, *, account: Account | None = None) -> None:
        self.name = name
        self.workdir = household.workdir
        self.log = household.workdir / f"{name}.log"
        self._household = household
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The argument list, program first."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers; a connection that is refused is False, not an exception."""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailed(f"{self.name} was never started")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it is ready; raises ServerFailed at once when it exits instead."""
        if self.running:
            return
        _spawner.submit(self._spawn).result()
        self.wait_until_ready()

    def stop(self) -> None:
        """Ask it to end, wait, then kill it. Its data and its port stay for the next start."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(self.stop_signal)
        process.send_signal(signal.SIGCONT)  # a paused server hears nothing else
        try:
            process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL: what a crash looks like."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(KILL_SECONDS)

    def pause(self) -> None:
        """SIGSTOP: connections are accepted by the kernel and never answered. Returns when every thread stands."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(self._stands, 10, f"{self.name} stands still")

    def _stands(self) -> bool:
        tasks = Path(f"/proc/{self.pid}/task")
        return all(_state(task / "stat") in "Tt" for task in tasks.iterdir())

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def wait_until_ready(self) -> None:
        self.wait_for(self.ready, "ready")

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for this server; raises ServerFailed when it exits or when the bound has passed."""

        def alive_and_true() -> bool:
            if not self.running:
                raise self._failed(f"exited with status {self._process.returncode if self._process else '?'}")
            return condition()

        try:
            wait_until(alive_and_true, self.ready_seconds, f"{self.name} {what}")
        except WaitTimedOut as late:
            raise self._failed(f"was not {what} within {self.ready_seconds:g} s") from late

    def _failed(self, how: str) -> ServerFailed:
        lines = self.log.read_text(errors="replace").splitlines()[-30:] if self.log.exists() else []
        return ServerFailed("\n".join([f"{self.name} {how}; the end of its log:", *lines]))

    def _spawn(self) -> None:
        self._household.admit(self)
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.workdir,
                env=clean_environment(self.workdir),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._account.uid if self._account else None,
                group=self._account.gid if self._account else None,
                extra_groups=[] if self._account else None,
                preexec_fn=_dies_with_us(self.death_signal),
            )


def spawn(
    command: Sequence[str | Path], *, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program that is no server of a household; the kernel ends it, too, when we die."""
    return _spawner.submit(
        lambda: subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=env,
            start_new_session=True,
            preexec_fn=_dies_with_us(signal.SIGKILL),
        )
    ).result()


def clean_environment(home: Path) -> Mapping[str, str]:
    """Nothing of the caller's: no proxies, no VAULT_… or KUBECONFIG; caches go to the working directory."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C"}


def _dies_with_us(death_signal: int) -> Callable[[], None] | None:
    """A hook between fork and exec, after the change of user, which clears the death signal (prctl(2))."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: after it, loading could deadlock
    parent = os.getpid()

    def hook() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # we died between the fork and the line above
            os._exit(1)

    return hook
