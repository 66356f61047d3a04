"""What every `ports.Cluster` does with snapshots: in memory, and on a real API server with its own rights."""

import uuid
from collections.abc import Iterator

import pytest

from contract.worlds import World, fake_world, real_world
from controlplane import Plane
from controlplane.waiting import wait_until
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core.faults import Conflict
from leasehold.core.probe import Probed
from leasehold.core.snapshot_content import saved_from, snapshot_of
from leasehold.core.surface import Identity, surface_digest
from mcp_surfaces import SEARCH, a_surface, edited
from objects import NOON
from shipped import operator_token, shipped

ODD = a_surface(
    (edited(SEARCH, description="Zö\u200b\U000e0041 <&> ☃", limit=2**60, title="leasehold:string:x"),)
)


@pytest.fixture(scope="module")
def operator_login(plane: Plane) -> Iterator[str]:
    with shipped(plane):
        yield operator_token(plane)


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return fake_world()
    return real_world(request.getfixturevalue("plane"), request.getfixturevalue("operator_login"))


def a_snapshot() -> MCPToolSnapshot:
    """Of a profile that no other test has."""
    probed = Probed(ODD, Identity("https://orders.example.com", "Example CA"))
    return snapshot_of(f"orders-{uuid.uuid4().hex[:8]}", probed, NOON)


def test_a_snapshot_holds_what_was_captured_until_it_is_deleted(world: World) -> None:
    snapshot = a_snapshot()
    name = snapshot.metadata.name

    def created() -> bool:
        try:
            world.run(lambda cluster: cluster.create_snapshot(snapshot))
        except Conflict:
            return True
        return name in world.run(lambda cluster: cluster.snapshot_names())

    wait_until(created, 15, "the policies let the operator write")
    read = world.run(lambda cluster: cluster.get(MCPToolSnapshot, name))
    assert read is not None
    assert read.spec == snapshot.spec
    assert surface_digest(saved_from(read).surface) == surface_digest(ODD)
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.create_snapshot(snapshot))
    world.run(lambda cluster: cluster.delete_snapshot(name))
    world.run(lambda cluster: cluster.delete_snapshot(name))
    assert world.run(lambda cluster: cluster.get(MCPToolSnapshot, name)) is None
    assert name not in world.run(lambda cluster: cluster.snapshot_names())
