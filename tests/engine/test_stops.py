"""A stop finishes what is under way and starts nothing, and what is broken or slow holds nobody else up."""

import asyncio

from fakes.vault import cut_off
from fakes.world import LEASED, NAMESPACE, World
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson, TryLater
from objects import a_profile
from virtual_time import in_virtual_time, passing


@in_virtual_time
async def test_a_stop_finishes_the_mint_that_is_under_way() -> None:
    world = World()
    engine = await world.start()
    gate = world.vault.hold("mint")
    connection = world.claim()
    await world.vault.at_gate["mint"].wait()
    stopping = asyncio.create_task(engine.stop(60))
    await passing(5)
    assert not stopping.done()
    gate.set()
    assert await stopping
    assert world.ready(connection) == "Active"
    assert world.secret_works()


@in_virtual_time
async def test_a_stop_finishes_the_revocation_that_is_under_way() -> None:
    world = World()
    engine = await world.start()
    connection = world.claim()
    await passing(5)
    gate = world.vault.hold("revoke_accessor")
    world.people.delete(connection)
    await world.vault.at_gate["revoke_accessor"].wait()
    stopping = asyncio.create_task(engine.stop(60))
    await passing(1)
    gate.set()
    assert await stopping
    assert world.people.find(connection) is None
    assert world.leases() == []


@in_virtual_time
async def test_a_stop_begins_no_mint() -> None:
    world = World()
    engine = await world.start()
    gate = world.vault.hold("mint")
    world.claim("under-way")
    await world.vault.at_gate["mint"].wait()
    stopping = asyncio.create_task(engine.stop(60))
    await passing(1)
    late = world.claim("late")
    await passing(5)
    gate.set()
    assert await stopping
    await passing(60)
    assert world.vault.mints == 1
    assert world.find(late).status.ledger == ()
    assert engine.ready() == (False, "stopping: what is under way is finished, nothing is started")


@in_virtual_time
async def test_a_stop_tells_when_something_was_not_through_in_time() -> None:
    world = World()
    engine = await world.start()
    gate = world.vault.hold("mint")
    connection = world.claim()
    await world.vault.at_gate["mint"].wait()
    assert not await engine.stop(10)
    gate.set()
    following = await world.start()
    del world.vault.gates["mint"]
    await passing(60)
    assert world.ready(connection) == "Active"
    assert len(world.leases()) == 1
    assert await following.stop(10)


@in_virtual_time
async def test_an_engine_says_when_it_is_alive_and_ready() -> None:
    world = World()
    engine = await world.start()
    assert engine.live()[0]
    assert engine.ready()[0]
    await engine.stop(1)
    assert not engine.ready()[0]
    assert engine.live()[0]


@in_virtual_time
async def test_a_role_that_vault_refuses_holds_up_only_its_own_connections() -> None:
    world = World()
    broken = world.people.create(
        a_profile(vaultRole="unknown").model_copy(
            update={"metadata": world.profile.metadata.model_copy(update={"name": "broken", "uid": "x"})}
        )
    )
    await world.start()
    bad = [world.claim(f"bad-{number}", profile=broken.metadata.name) for number in range(20)]
    good = [world.claim(f"good-{number}") for number in range(20)]
    await passing(5)
    assert {world.ready(each) for each in good} == {"Active"}
    assert {world.ready(each) for each in bad} == {"StoreUnavailable"}


@in_virtual_time
async def test_an_object_that_cannot_be_read_holds_nobody_up() -> None:
    world = World()
    world.cluster.unreadable.add((MCPConnection.PLURAL, f"{NAMESPACE}/unreadable"))
    engine = await world.start()
    broken = world.claim("broken")
    wire = world.find(broken).to_wire()
    wire["metadata"]["resourceVersion"] = world.cluster.next_version()
    wire["spec"]["leaseDurationSeconds"] = "for ever"
    engine.on_event(MCPConnection.KIND, "MODIFIED", wire)
    good = world.claim("good")
    await passing(5)
    assert world.ready(good) == "Active"
    assert engine.live()[0]


@in_virtual_time
async def test_mints_that_hang_hold_no_revocation_up() -> None:
    world = World()
    await world.start()
    connection = world.claim("first")
    await passing(5)
    world.vault.hold("mint")
    for number in range(50):
        world.claim(f"slow-{number}")
    await passing(5)
    world.people.delete(connection)
    await passing(2)
    assert world.people.find(connection) is None
    assert world.leases() == []


@in_virtual_time
async def test_mints_of_connections_that_also_have_something_to_end_hold_no_revocation_up() -> None:
    """Their mints were cut off once already, so each has an open intent, or a lease that its backend keeps."""
    world = World()
    await world.start()
    connection = world.claim("first")
    await passing(5)
    world.vault.fail("mint", cut_off(), times=50, afterwards=True)
    for number in range(50):
        world.claim(f"slow-{number}")
    await passing(1)
    world.vault.hold("mint")
    await passing(30)
    world.people.delete(connection)
    await passing(2)
    assert world.people.find(connection) is None


@in_virtual_time
async def test_a_backend_that_keeps_its_leases_holds_up_no_mint() -> None:
    world = World()
    await world.start()
    stuck = [world.claim(f"stuck-{number}") for number in range(20)]
    await passing(5)
    world.vault.stubborn.add(LEASED)
    for each in stuck:
        world.people.delete(each)
    await passing(30)
    good = world.claim("good")
    await passing(15)
    assert world.ready(good) == "Active"


@in_virtual_time
async def test_a_mistake_in_one_pass_is_contained_and_tried_again() -> None:
    world = World()
    engine = await world.start()
    world.cluster.fail("probe_secret", ZeroDivisionError("a mistake of ours"))
    unlucky, lucky = world.claim("unlucky"), world.claim("lucky")
    await passing(30)
    assert [world.ready(each) for each in (unlucky, lucky)] == ["Active", "Active"]
    assert engine.live()[0]


@in_virtual_time
async def test_what_the_watches_missed_is_found_by_comparing() -> None:
    world = World()
    engine = await world.start(resync_seconds=60)
    stays, goes = world.claim("stays"), world.claim("goes")
    await passing(5)
    world.watching = False
    missed = world.claim("missed")
    world.people.change(stays, suspend=True)
    world.people.delete(goes)
    await passing(65)
    assert world.ready(missed) == "Active"
    assert world.ready(stays) == "Suspended"
    assert world.people.find(goes) is None
    await passing(60)
    assert engine.ready() == (True, "2 connections are known")


@in_virtual_time
async def test_an_api_server_that_cannot_be_listed_stops_nothing() -> None:
    world = World()
    engine = await world.start(resync_seconds=60)
    world.cluster.fail("list_all", TryLater(Reason.CLUSTER_UNAVAILABLE, "gone away"), times=3)
    connection = world.claim()
    await passing(200)
    assert world.ready(connection) == "Active"
    assert engine.live()[0]


@in_virtual_time
async def test_an_object_that_nobody_lets_us_read_is_kept_and_all_else_is_compared() -> None:
    world = World()
    engine = await world.start(resync_seconds=60)
    for name in ("gone", "also-gone", "stays"):
        world.claim(name)
    await passing(5)
    world.watching = False
    for name in ("gone", "also-gone"):
        del world.cluster.objects["mcpconnections", NAMESPACE, name]
    world.cluster.fail("get", NeedsPerson(Reason.REFUSED, "our rights went before it"))
    await passing(60)
    assert engine.ready() == (True, "2 connections are known")
    await passing(60)
    assert engine.ready() == (True, "1 connections are known")


@in_virtual_time
async def test_an_object_that_vanished_is_not_asked_for_without_end() -> None:
    """Its deletion was missed, so what is known of it stays until the next comparison."""
    world = World()
    engine = await world.start(resync_seconds=300)
    connection = world.claim()
    await passing(5)
    held = world.find(connection)
    world.watching = False
    del world.cluster.objects["mcpconnections", NAMESPACE, "orders"]
    wire = held.to_wire()
    wire["metadata"]["resourceVersion"] = world.cluster.next_version()
    wire["spec"]["suspend"] = True
    engine.on_event(MCPConnection.KIND, "MODIFIED", wire)
    calls = world.calls
    await passing(60)
    assert world.calls - calls < 300
    assert world.leases() == []
