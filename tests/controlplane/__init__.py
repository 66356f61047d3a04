"""A real control plane without containers: etcd, Kubernetes, Vault and PostgreSQL as plain processes.

Tests, the demo and the benchmark all get theirs from `open_plane`, so that what one of them sees is what
the others see.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from controlplane.cache import Progress, say
from controlplane.external import ExternalPlane, environment_names_one
from controlplane.launcher import ControlPlane
from controlplane.plane import Plane

__all__ = ["ControlPlane", "ExternalPlane", "Plane", "open_plane"]


def open_plane(progress: Progress = say) -> AbstractContextManager[Plane]:
    """The control plane that the environment names, else one of our own."""
    if environment_names_one():
        return ExternalPlane(os.environ)
    return ControlPlane(progress=progress)
