"""Revocations in a `World`: what is thrown, and what its status says."""

from typing import Any

from fakes.world import World
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.api.revocation import MCPRevocation, MCPRevocationStatus
from leasehold.ports import Cluster
from virtual_time import passing

QUIET: dict[str, Any] = {"inspection_seconds": 10**9, "revocation_list_seconds": 10**9}
"""Settings of an engine that calls nothing in turn."""
SUSPECT = {"user": "alice@example.com", "team": "suspects"}
OTHERS = {"user": "alice@example.com", "team": "others"}
BY_TEAM = {"team": "suspects"}
"""A target that an edit of the owner enters and leaves."""


def spec(target: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The spec of a revocation by alice."""
    return {"target": target, "reason": "leaked", "requestedBy": "alice@example.com", **fields}


def thrown(world: World, name: str = "stop") -> MCPRevocation:
    """The revocation as it is stored."""
    held = world.cluster.objects[MCPRevocation.PLURAL, "", name]
    assert isinstance(held, MCPRevocation)
    return held


def status_of(world: World, name: str = "stop") -> MCPRevocationStatus:
    """What it says."""
    return thrown(world, name).status


def said(world: World, kind: str, name: str = "stop") -> tuple[str, Reason]:
    """Status and reason of a condition."""
    found = next(each for each in status_of(world, name).conditions if each.type == kind)
    return found.status.value, found.reason


def counts(world: World, name: str = "stop") -> tuple[int, int, int, int, int]:
    """Matched, revoked, verified, Secrets deleted, failed."""
    status = status_of(world, name)
    return status.matched, status.revoked, status.verified, status.secrets_deleted, status.failed


async def working(world: World, number: int = 1) -> list[MCPConnection]:
    """Connections that have their credential."""
    claimed = [world.claim(f"orders-{each}") for each in range(number)]
    await passing(5)
    assert all(world.ready(each) == "Active" for each in claimed)
    return claimed


class Writes:
    """The cluster, with its status writes written down: the kind, and the pending holds of a revocation."""

    def __init__(self, behind: Cluster) -> None:
        self._behind = behind
        self.told: list[tuple[str, int]] = []

    def __getattr__(self, method: str) -> Any:
        return getattr(self._behind, method)

    async def put_status(self, resource: Any) -> Any:
        pending = len(resource.status.pending_holds) if isinstance(resource, MCPRevocation) else 0
        self.told.append((resource.KIND, pending))
        return await self._behind.put_status(resource)
