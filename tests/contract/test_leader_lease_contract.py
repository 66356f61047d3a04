"""What every `ports.LeaderLease` does: in memory, and on a real API server with the operator's shipped rights."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import pytest

from controlplane import Plane
from deployment import operator_kubeconfig
from fakes.leader_lease import FakeLeaderLease, FakeLeaseServer
from leasehold.adapters.cluster_lease import KubernetesLeaderLease
from leasehold.api.names import OPERATOR_NAMESPACE
from leasehold.core.faults import Conflict, NeedsPerson
from leasehold.core.leader import LeaderClaim, LeaderRecord
from leasehold.ports import LeaderLease
from leasehold.settings import Settings
from shipped import shipped

T = TypeVar("T")

NAME = Settings().lease_name
NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
FIRST = LeaderClaim("replica-a", 15, acquired=NOON, renewed=NOON, transitions=1, audit_end='{"sequence": 7}')
RENEWED = replace(FIRST, renewed=NOON + timedelta(microseconds=1))


class World(Protocol):
    """A place with one lease, none at first, and people who do things to it."""

    def run(self, scenario: Callable[[LeaderLease], Awaitable[T]]) -> T: ...

    def delete(self) -> None: ...

    def create_empty(self) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        self.server = FakeLeaseServer()

    def run(self, scenario: Callable[[LeaderLease], Awaitable[T]]) -> T:
        async def awaited() -> T:
            return await scenario(FakeLeaderLease(self.server))

        return asyncio.run(awaited())

    def delete(self) -> None:
        self.server.delete()

    def create_empty(self) -> None:
        self.server.write(LeaderClaim("", 0), None)


class RealWorld:
    def __init__(self, plane: Plane, kubeconfig: str, namespace: str = OPERATOR_NAMESPACE, name: str = NAME):
        self.plane, self.kubeconfig = plane, kubeconfig
        self.namespace, self.name = namespace, name

    def run(self, scenario: Callable[[LeaderLease], Awaitable[T]]) -> T:
        async def opened() -> T:
            async with KubernetesLeaderLease.opened(self.kubeconfig, self.namespace, self.name) as lease:
                return await scenario(lease)

        return asyncio.run(opened())

    def delete(self) -> None:
        command = ["delete", "lease", self.name, "--ignore-not-found", f"--namespace={self.namespace}"]
        self.plane.kubectl(*command)

    def create_empty(self) -> None:
        metadata = {"name": self.name, "namespace": self.namespace}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
        self.plane.kubectl("create", "--filename=-", input=json.dumps(lease))


@pytest.fixture(scope="module")
def kubeconfig(plane: Plane) -> Iterator[str]:
    with shipped(plane):
        yield str(operator_kubeconfig(plane, "contract"))


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    real = RealWorld(request.getfixturevalue("plane"), request.getfixturevalue("kubeconfig"))
    real.delete()
    yield real
    real.delete()


def write(world: World, claim: LeaderClaim, over: LeaderRecord | None) -> LeaderRecord:
    return world.run(lambda lease: lease.write(claim, over))


def read(world: World) -> LeaderRecord | None:
    return world.run(lambda lease: lease.read())


def test_a_lease_that_does_not_exist_is_none(world: World) -> None:
    assert read(world) is None


def test_a_claim_is_read_as_it_was_written(world: World) -> None:
    written = write(world, FIRST, None)
    assert written.claim == FIRST
    assert read(world) == written


def test_a_lease_is_created_only_where_there_is_none(world: World) -> None:
    written = write(world, FIRST, None)
    with pytest.raises(Conflict):
        write(world, RENEWED, None)
    assert read(world) == written


def test_a_renewal_is_a_new_version(world: World) -> None:
    written = write(world, FIRST, None)
    renewed = write(world, RENEWED, written)
    assert renewed.claim == RENEWED
    assert renewed.uid == written.uid
    assert renewed.version != written.version


def test_a_claim_that_changes_nothing_is_no_new_version(world: World) -> None:
    written = write(world, FIRST, None)
    assert write(world, FIRST, written).version == written.version


def test_of_two_claims_over_one_record_one_is_refused(world: World) -> None:
    written = write(world, FIRST, None)
    renewed = write(world, RENEWED, written)
    with pytest.raises(Conflict):
        write(world, replace(FIRST, holder="replica-b"), written)
    assert read(world) == renewed


def test_a_lease_that_was_deleted_is_not_created_by_a_renewal(world: World) -> None:
    written = write(world, FIRST, None)
    world.delete()
    with pytest.raises(Conflict):
        write(world, RENEWED, written)
    assert read(world) is None


def test_another_lease_of_that_name_is_not_overwritten(world: World) -> None:
    written = write(world, FIRST, None)
    world.delete()
    other = write(world, replace(FIRST, holder="replica-b"), None)
    with pytest.raises(Conflict):
        write(world, RENEWED, written)
    assert read(world) == other


def test_a_lease_is_given_up_by_naming_nobody(world: World) -> None:
    written = write(world, FIRST, None)
    given_up = write(world, replace(RENEWED, holder=""), written)
    assert given_up.claim.holder == ""
    taken = write(world, replace(RENEWED, holder="replica-b"), given_up)
    assert read(world) == taken


def test_a_lease_that_says_nothing_is_nobodys(world: World) -> None:
    world.create_empty()
    found = read(world)
    assert found is not None
    assert found.claim == LeaderClaim("", 0)
    assert write(world, FIRST, found).claim == FIRST


def test_the_servers_time_is_known_from_the_first_answer_on(world: World) -> None:
    async def scenario(lease: LeaderLease) -> datetime | None:
        await lease.read()
        return lease.clock.now()

    assert world.run(scenario) is not None


@pytest.mark.parametrize(
    "elsewhere", [{"name": "another"}, {"namespace": "kube-system", "name": NAME}], ids=["name", "namespace"]
)
def test_the_operator_writes_no_other_lease(plane: Plane, kubeconfig: str, elsewhere: dict[str, Any]) -> None:
    world = RealWorld(plane, kubeconfig, **elsewhere)
    world.create_empty()
    try:
        uid, version = plane.kubectl(
            "get",
            "lease",
            world.name,
            f"--namespace={world.namespace}",
            "--output=jsonpath={.metadata.uid} {.metadata.resourceVersion}",
        ).stdout.split()
        with pytest.raises(NeedsPerson):
            write(world, FIRST, LeaderRecord(LeaderClaim("", 0), uid, version))
    finally:
        world.delete()
