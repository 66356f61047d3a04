"""Gives birth to operators: what takes a second of CPU, the imports, is done once, and each operator is a fork of
this process. From the fork on it is `python -m leasehold` with its own environment, files and session."""

import contextlib
import gc
import json
import os
import signal
import sys
from typing import Any

import leasehold.__main__ as program


def main() -> None:
    """Orders come in as JSON lines, and pids go out; at the end of the input every child is killed."""
    children: set[int] = set()
    gc.freeze()
    try:
        for line in sys.stdin:
            pid = os.fork()
            if pid == 0:
                _live(json.loads(line))
            children.add(pid)
            print(pid, flush=True)
            children -= _reaped(children)
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _reaped(children: set[int]) -> set[int]:
    return {child for child in children if os.waitpid(child, os.WNOHANG)[0] == child}


def _live(order: dict[str, Any]) -> None:
    """The child; it never returns."""
    status = 70
    try:
        os.setsid()
        for stream, descriptor in (("audit", 1), ("log", 2)):
            target = os.open(order[stream], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.dup2(target, descriptor)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.environ.update(order["environment"])
        status = program.main()
    finally:
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
