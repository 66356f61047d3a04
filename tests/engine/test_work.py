"""A ledger is written only over the ledger that it was computed from, whatever else changed meanwhile, and
whatever became of the answer."""

import pytest

from fakes.cluster import FakeCluster
from fakes.people import FakePeople
from leasehold.api.base import whole_seconds
from leasehold.api.connection import MCPConnection
from leasehold.api.names import FINALIZER
from leasehold.api.reasons import Reason
from leasehold.core.faults import Conflict, OutcomeUnknown, TryLater, Vanished
from leasehold.engine.inventory import Inventory
from leasehold.engine.work import REAPPLICATIONS, LostRace, Work
from objects import NOON, a_connection
from observations import an_intent
from virtual_time import in_virtual_time

LOST = OutcomeUnknown("the connection was cut")


class Desk:
    """One connection in a cluster, and a pass that works on it."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.people = FakePeople(self.cluster)
        self.people.namespace(name="support")
        self.inventory = Inventory()
        self.work = self.begin(self.people.create(a_connection(namespace="support")))

    def begin(self, connection: MCPConnection) -> Work:
        return Work(self.cluster, self.inventory, connection)

    @property
    def stored(self) -> MCPConnection:
        found = self.people.find(self.work.connection)
        assert found is not None
        return found

    async def somebody_else_writes(self) -> None:
        other = self.begin(self.stored)
        other.set_ledger((an_intent(1, accessor="somebody-elses"),), 1)
        await other.commit()


@in_virtual_time
async def test_what_is_committed_is_stored_and_known() -> None:
    desk = Desk()
    desk.work.set_ledger((an_intent(1),), 1)
    await desk.work.commit()
    assert desk.stored.status.ledger == (an_intent(1),)
    assert desk.inventory.connections.get(desk.stored.key) == desk.stored


@in_virtual_time
async def test_an_unchanged_status_is_not_written() -> None:
    desk = Desk()
    version = desk.stored.metadata.resource_version
    desk.cluster.fail("put_status", AssertionError("nothing is to be written"))
    await desk.work.commit()
    assert desk.stored.metadata.resource_version == version


@in_virtual_time
async def test_an_edit_in_between_costs_neither_the_edit_nor_the_ledger() -> None:
    desk = Desk()
    desk.people.change(desk.work.connection, suspend=True)
    desk.work.set_ledger((an_intent(1),), 1)
    await desk.work.commit()
    assert desk.stored.spec.suspend
    assert desk.stored.status.ledger == (an_intent(1),)
    assert desk.work.connection.spec.suspend


@in_virtual_time
async def test_a_ledger_that_somebody_else_wrote_is_not_overwritten() -> None:
    desk = Desk()
    await desk.somebody_else_writes()
    desk.work.set_ledger((an_intent(1),), 1)
    with pytest.raises(LostRace):
        await desk.work.commit()
    assert desk.stored.status.ledger[0].accessor == "somebody-elses"
    assert desk.inventory.connections.get(desk.stored.key) == desk.stored


@in_virtual_time
async def test_a_write_that_arrived_without_an_answer_is_recognised() -> None:
    desk = Desk()
    desk.cluster.fail("put_status", LOST, afterwards=True)
    desk.work.set_ledger((an_intent(1),), 1)
    await desk.work.commit()
    assert desk.stored.status.ledger == (an_intent(1),)


@in_virtual_time
async def test_a_write_that_never_arrived_is_repeated() -> None:
    desk = Desk()
    desk.cluster.fail("put_status", LOST)
    desk.work.set_ledger((an_intent(1),), 1)
    await desk.work.commit()
    assert desk.stored.status.ledger == (an_intent(1),)


@in_virtual_time
async def test_a_write_without_an_answer_does_not_hide_that_somebody_else_wrote() -> None:
    desk = Desk()
    await desk.somebody_else_writes()
    desk.cluster.fail("put_status", LOST)
    desk.work.set_ledger((an_intent(1),), 1)
    with pytest.raises(LostRace):
        await desk.work.commit()


@in_virtual_time
async def test_a_doubt_that_cannot_be_cleared_is_a_fault() -> None:
    desk = Desk()
    desk.cluster.fail("put_status", LOST, afterwards=True)
    desk.cluster.fail("get", TryLater(Reason.CLUSTER_UNAVAILABLE, "gone away"))
    desk.work.set_ledger((an_intent(1),), 1)
    with pytest.raises(TryLater):
        await desk.work.commit()


@in_virtual_time
async def test_a_namesake_is_not_written_to() -> None:
    desk = Desk()
    desk.people.delete(desk.stored)
    successor = desk.people.create(a_connection(namespace="support"))
    desk.work.set_ledger((an_intent(1),), 1)
    with pytest.raises(Vanished):
        await desk.work.commit()
    assert desk.stored == successor


@in_virtual_time
async def test_a_namesake_is_not_written_to_after_a_conflict_either() -> None:
    desk = Desk()
    desk.people.edit(desk.stored)
    desk.cluster.fail("put_status", Conflict("changed"))
    desk.people.delete(desk.stored)
    successor = desk.people.create(a_connection(namespace="support"))
    desk.work.set_ledger((an_intent(1),), 1)
    with pytest.raises(Vanished):
        await desk.work.commit()
    assert desk.stored == successor


@in_virtual_time
async def test_an_object_that_changes_faster_than_it_can_be_written_is_given_up_for_now() -> None:
    desk = Desk()
    desk.cluster.fail("put_status", Conflict("changed"), times=REAPPLICATIONS)
    desk.work.set_ledger((an_intent(1),), 1)
    with pytest.raises(Conflict):
        await desk.work.commit()
    assert desk.stored.status.ledger == ()


@in_virtual_time
async def test_the_object_is_held_whatever_happens_on_the_way() -> None:
    for trouble in (None, Conflict("changed"), LOST):
        for afterwards in (False, True):
            desk = Desk()
            if trouble is not None:
                desk.cluster.fail("add_finalizer", trouble, afterwards=afterwards)
            await desk.work.hold()
            assert desk.stored.metadata.finalizers == (FINALIZER,)
            assert FINALIZER in desk.work.connection.metadata.finalizers


@in_virtual_time
async def test_holding_does_not_hide_that_somebody_else_wrote() -> None:
    desk = Desk()
    await desk.somebody_else_writes()
    with pytest.raises(LostRace):
        await desk.work.hold()


@in_virtual_time
async def test_the_object_is_released_whatever_happens_on_the_way() -> None:
    for trouble in (None, Conflict("changed"), LOST):
        for afterwards in (False, True):
            desk = Desk()
            await desk.work.hold()
            desk.people.delete(desk.stored)
            desk.work = desk.begin(desk.stored)
            if trouble is not None:
                desk.cluster.fail("remove_finalizer", trouble, afterwards=afterwards)
            await desk.work.release()
            assert desk.people.find(desk.work.connection) is None


@in_virtual_time
async def test_releasing_does_not_hide_that_somebody_else_wrote() -> None:
    desk = Desk()
    await desk.work.hold()
    await desk.somebody_else_writes()
    with pytest.raises(LostRace):
        await desk.work.release()
    assert FINALIZER in desk.stored.metadata.finalizers


def test_times_are_as_the_api_server_stores_them() -> None:
    assert whole_seconds(NOON.replace(microsecond=999999)) == NOON
