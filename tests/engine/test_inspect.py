"""What was published is looked after in turn: damage is mended once, an orphaned ledger is ended, and the looking
costs a large fleet no more than a small one."""

from datetime import timedelta

from fakes.world import NAMESPACE, World
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.names import FINALIZER, SecretAnnotation
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater
from leasehold.engine.inspect import SECONDS_PER_CONNECTION, Inspector
from leasehold.engine.revoke import Revoker
from objects import a_connection
from virtual_time import in_virtual_time, passing

PERIOD_SECONDS = 300


async def a_ready_world() -> tuple[World, MCPConnection]:
    world = World()
    connection = world.claim()
    await world.start()
    await passing(5)
    assert world.ready(connection) == "Active"
    return world, connection


@in_virtual_time
async def test_a_quiet_fleet_is_never_written_to() -> None:
    world, connection = await a_ready_world()
    before = world.find(connection).metadata.resource_version
    await passing(2 * PERIOD_SECONDS)
    assert world.find(connection).metadata.resource_version == before
    assert world.vault.mints == 1


@in_virtual_time
async def test_changed_data_is_replaced_and_the_exposed_credential_ends() -> None:
    world, connection = await a_ready_world()
    world.people.put_secret_data(NAMESPACE, "orders", "username", "somebody-else")
    await passing(PERIOD_SECONDS + 40)
    assert world.states(connection) == [(2, EntryState.CURRENT)]
    assert world.secret_works()
    assert len(world.leases()) == 1


@in_virtual_time
async def test_damage_that_comes_back_is_not_mended_more_often_than_every_five_minutes() -> None:
    world, connection = await a_ready_world()
    for _ in range(20):
        world.people.put_secret_data(NAMESPACE, "orders", "username", "somebody-else")
        await passing(60)
    assert 2 <= world.find(connection).status.last_generation <= 1 + 20 * 60 // PERIOD_SECONDS + 1


@in_virtual_time
async def test_a_deleted_secret_is_written_anew() -> None:
    world, connection = await a_ready_world()
    world.people.delete_secret(NAMESPACE, "orders")
    await passing(PERIOD_SECONDS + 40)
    assert world.states(connection) == [(2, EntryState.CURRENT)]
    assert world.secret_works()


@in_virtual_time
async def test_a_version_that_a_restore_has_rewritten_is_taken_over() -> None:
    world, connection = await a_ready_world()
    world.people.annotate_secret(NAMESPACE, "orders", "example.com/restored", "yes")
    await passing(PERIOD_SECONDS + 40)
    assert world.states(connection) == [(1, EntryState.CURRENT)]
    probe = await world.cluster.probe_secret(NAMESPACE, "orders")
    record = world.find(connection).status.secret
    assert probe.meta is not None
    assert record is not None
    assert record.resource_version == probe.meta.resource_version


@in_virtual_time
async def test_our_annotations_are_put_right() -> None:
    world, _ = await a_ready_world()
    world.people.annotate_secret(NAMESPACE, "orders", SecretAnnotation.LEASE_ID, "somebody/elses")
    await passing(PERIOD_SECONDS + 40)
    assert world.secret_works(), "the lease id is ours again"
    assert world.vault.mints == 1


@in_virtual_time
async def test_a_lease_that_vault_ended_early_is_replaced() -> None:
    world, connection = await a_ready_world()
    [lease] = world.leases()
    await world.vault.revoke_lease(world.store, lease)
    await passing(PERIOD_SECONDS + 40)
    assert world.states(connection) == [(2, EntryState.CURRENT)]
    assert world.secret_works()


@in_virtual_time
async def test_what_cannot_be_looked_up_decides_nothing() -> None:
    world, connection = await a_ready_world()
    world.vault.fail("lookup_lease", TryLater(Reason.UNREACHABLE, "no Vault"), times=100)
    await passing(2 * PERIOD_SECONDS)
    assert world.states(connection) == [(1, EntryState.CURRENT)]
    assert world.ready(connection) == "Active"


@in_virtual_time
async def test_a_connection_that_went_without_our_leave_is_ended_all_the_same() -> None:
    world, connection = await a_ready_world()
    assert FINALIZER in world.find(connection).metadata.finalizers
    await world.cluster.remove_finalizer(world.find(connection))
    world.people.delete(connection)
    await passing(30)
    assert world.people.find(connection) is None
    assert world.leases() == []


@in_virtual_time
async def test_the_period_grows_with_the_fleet() -> None:
    world = World()
    fleet = 10_000
    inspector = Inspector(
        world.cluster,
        world.vault,
        Revoker(world.vault),
        store_of=lambda uid: world.store,
        fleet_size=lambda: fleet,
        period=timedelta(seconds=PERIOD_SECONDS),
    )
    now = world.now
    dues = [inspector.due(a_connection(uid=f"uid-{number}"), now) for number in range(1000)]
    longest = timedelta(seconds=SECONDS_PER_CONNECTION * fleet)
    assert longest > timedelta(seconds=PERIOD_SECONDS)
    assert max(dues) <= now + longest
    assert max(dues) - min(dues) > longest * 0.9, "looks are spread over the whole period"
