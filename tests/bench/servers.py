"""How much CPU time each server of our own control plane takes: where the machine is busy, that and not the clock
says what a connection costs, whatever else runs beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from controlplane import ControlPlane, Plane

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")

Seconds = dict[str, float]


def cpu_seconds(plane: Plane) -> Seconds:
    """By server, since its start; empty where the servers are not ours to look at."""
    if not isinstance(plane, ControlPlane):
        return {}
    pids = {
        "kube-apiserver": plane.apiserver.pid,
        "kube-controller-manager": plane.controller_manager.pid,
        "etcd": plane.etcd.pid,
        "vault": plane.vault.pid,
        "postgres": plane.postgres.pid,
    }
    return {name: _of_family(pid) for name, pid in pids.items()}


def between(before: Seconds, after: Seconds) -> Seconds:
    """Between two looks."""
    return {name: after[name] - before[name] for name in after}


def _of_family(pid: int) -> float:
    """A process and its children, those that have ended included: PostgreSQL has one for each session."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:  # it ended between two looks, and its parent counts it
        return 0.0
    own = sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_SECOND
    return own + sum(_of_family(int(child)) for child in children)
