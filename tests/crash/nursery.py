"""Operators that start in milliseconds and die at a word."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controlplane.waiting import WaitTimedOut
from discretion import indiscretions
from leasehold.core.redaction import redacted
from shipped import ROOT

LONGEST_END_SECONDS = 60.0


class OperatorProcess:
    """One operator."""

    def __init__(self, pid: int, log: Path, audit: Path, task: str) -> None:
        self.pid = pid
        self.log = log
        self.audit = audit
        self.task = task
        """What it was started for."""
        self._descriptor = os.pidfd_open(pid)

    def kill(self) -> None:
        """SIGKILL; returns when it is dead, and its connections with it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM; returns when it has ended."""
        self._end(signal.SIGTERM)

    def ask_to_stop(self) -> None:
        """SIGTERM; returns at once."""
        self._send(signal.SIGTERM)

    def ends_within(self, seconds: float) -> bool:
        """Wait until it has ended, by itself or because it was asked to."""
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    @property
    def is_dead(self) -> bool:
        """Whether it has ended."""
        return self.ends_within(0)

    def logged(self) -> list[dict[str, Any]]:
        """Its log; a line that is no JSON is there as `raw`."""
        lines: list[dict[str, Any]] = []
        if not self.log.exists():  # it is not quite born yet
            return lines
        for line in self.log.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"raw": line})
        return lines

    def misconduct(self) -> list[str]:
        """What it wrote and must not: see `discretion`, and errors."""
        said = [
            what for output in (self.log, self.audit) if output.exists() for what in indiscretions(output)
        ]
        said += [str(line) for line in self.logged() if line.get("level") in ("error", "critical")]
        return [f"{self.task}: {redacted(what)[:1500]}" for what in said]

    def _end(self, signum: signal.Signals) -> None:
        self._send(signum)
        if not self.ends_within(LONGEST_END_SECONDS):
            raise WaitTimedOut(f"the operator {self.pid} did not end on {signum.name}")

    def _send(self, signum: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signum)


class Nursery:
    """A context manager; whatever it gave birth to is dead when it ends."""

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        self._lock = threading.Lock()
        self._living: list[OperatorProcess] = []
        self._unheard: list[OperatorProcess] = []

    def __enter__(self) -> Self:
        source = os.pathsep.join([str(ROOT / "operator"), str(ROOT / "tests")])
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "crash.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": source},
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end_all()
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.close()
        self._zygote.wait(30)
        self._zygote.stdout.close()

    def end_all(self) -> None:
        """Kill whoever lives."""
        for each in self._living:
            each.kill()

    def misconduct(self) -> list[str]:
        """What those who have ended since the last call wrote and must not."""
        with self._lock:
            ended = [each for each in self._unheard if each.is_dead]
            self._unheard = [each for each in self._unheard if each not in ended]
        return [what for each in ended for what in each.misconduct()]

    def operator(self, kubeconfig: Path, task: str, **settings: Any) -> OperatorProcess:
        """Start one, with a lease of its own: nobody has to wait for the lease of the dead."""
        name = f"crash-{uuid.uuid4().hex[:12]}"
        given = {
            "kubeconfig": kubeconfig,
            "listen_host": "127.0.0.1",
            "listen_port": 0,
            "lease_name": name,
            "probe_workers": 0,  # a probe comes when it likes, and would shift the requests that are counted
            **settings,
        }
        audit, log = self._workdir / f"{name}.audit", self._workdir / f"{name}.log"
        order = {
            "environment": {f"LEASEHOLD_{key.upper()}": str(value) for key, value in given.items()},
            "audit": str(audit),
            "log": str(log),
        }
        with self._lock:
            assert self._zygote.stdin is not None
            assert self._zygote.stdout is not None
            self._zygote.stdin.write(json.dumps(order) + "\n")
            self._zygote.stdin.flush()
            process = OperatorProcess(int(self._zygote.stdout.readline()), log, audit, task)
            self._living = [each for each in self._living if not each.is_dead] + [process]
            self._unheard.append(process)
        return process
