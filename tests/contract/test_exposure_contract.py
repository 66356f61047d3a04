"""What every `ports.Cluster` does with exposures: in memory, and on a real API server with the operator's own
rights and policies."""

from collections.abc import Iterator

import pytest

from contract.worlds import World, fake_world, real_world
from controlplane import Plane
from controlplane.waiting import wait_until
from leasehold.api.exposure import MCPAgentExposure
from leasehold.core.exposure import ended, exposure_of
from leasehold.core.faults import Conflict, Fault, Vanished
from objects import NOON, a_connection
from shipped import operator_token, shipped


@pytest.fixture(scope="module")
def operator_login(plane: Plane) -> Iterator[str]:
    with shipped(plane):
        yield operator_token(plane)


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return fake_world()
    return real_world(request.getfixturevalue("plane"), request.getfixturevalue("operator_login"))


def an_exposure(namespace: str, agent: str = "support-bot") -> MCPAgentExposure:
    former = ended(a_connection("gone", namespace=namespace, uid="u-gone"), NOON)
    exposure = exposure_of(namespace, agent, [], None, [former], NOON)
    assert exposure is not None
    return exposure


def created(world: World, exposure: MCPAgentExposure) -> MCPAgentExposure:
    """Once rights and policies act."""
    made: list[MCPAgentExposure] = []

    def tried() -> bool:
        try:
            made.append(world.run(lambda cluster: cluster.create_exposure(exposure)))
        except (Conflict, Vanished):
            raise
        except Fault:
            return False
        return True

    wait_until(tried, 15, "the operator may write exposures")
    return made[0]


def test_an_exposure_is_written_onto_the_version_that_was_read(world: World) -> None:
    wanted = an_exposure(world.people.namespace())
    stored = created(world, wanted)
    assert stored.spec == wanted.spec
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.create_exposure(wanted))
    agent = stored.model_copy(update={"spec": stored.spec.model_copy(update={"scopes": ("orders:read",)})})
    newer = world.run(lambda cluster: cluster.replace_exposure(agent))
    assert (newer.spec.scopes, newer.spec.former) == (("orders:read",), wanted.spec.former)
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.replace_exposure(agent))
    read = world.run(lambda cluster: cluster.get(MCPAgentExposure, "support-bot", stored.metadata.namespace))
    assert read is not None
    assert (read.spec, read.metadata.resource_version) == (newer.spec, newer.metadata.resource_version)
    listed, _ = world.run(lambda cluster: cluster.list_all(MCPAgentExposure))
    assert stored.key in {each.key for each in listed}


def test_an_exposure_is_deleted_at_the_version_that_was_read(world: World) -> None:
    stored = created(world, an_exposure(world.people.namespace()))
    changed = stored.model_copy(update={"spec": stored.spec.model_copy(update={"scopes": ("orders:read",)})})
    newer = world.run(lambda cluster: cluster.replace_exposure(changed))
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.delete_exposure(stored))
    world.run(lambda cluster: cluster.delete_exposure(newer))
    world.run(lambda cluster: cluster.delete_exposure(newer))
    with pytest.raises(Vanished):
        world.run(lambda cluster: cluster.replace_exposure(newer))


def test_another_one_of_that_name_is_neither_written_nor_deleted(world: World) -> None:
    first = created(world, an_exposure(world.people.namespace()))
    world.run(lambda cluster: cluster.delete_exposure(first))
    second = created(world, an_exposure(first.metadata.namespace))
    with pytest.raises((Vanished, Conflict)):
        world.run(lambda cluster: cluster.replace_exposure(first))
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.delete_exposure(first))
    listed, _ = world.run(lambda cluster: cluster.list_all(MCPAgentExposure))
    assert second.metadata.uid in {each.metadata.uid for each in listed}


def test_nothing_is_written_into_a_namespace_that_goes(world: World) -> None:
    namespace = world.people.namespace()
    created(world, an_exposure(namespace, "another"))
    world.people.terminate(namespace)

    def is_refused() -> bool:
        try:
            world.run(lambda cluster: cluster.create_exposure(an_exposure(namespace)))
        except Vanished:
            return True
        return False

    wait_until(is_refused, 15, "the namespace takes nothing")
