"""What the fleets mint: the cheapest leased credential that Vault has, and the one that most people want."""

from __future__ import annotations

from typing import Any, Final, Literal

from controlplane import Plane
from controlplane.vaultsetup import setup_database_engine, setup_ssh_engine

EngineName = Literal["otp", "postgres"]
ENGINES: Final[tuple[EngineName, ...]] = ("otp", "postgres")


def set_up(engine: EngineName, plane: Plane) -> dict[str, Any]:
    """The recipe that mints from it."""
    if engine == "otp":
        path = setup_ssh_engine(plane.vault.api)
        return {"path": path, "method": "Write", "parameters": {"ip": "10.0.0.1"}, "type": "Lease"}
    path = setup_database_engine(plane.vault.api, plane.postgres, max_open_connections=32)
    return {"path": path, "type": "Lease"}
