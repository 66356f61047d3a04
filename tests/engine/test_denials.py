"""Deny wins: a no that comes while a mint is under way, at the last moment, leaves nothing alive and no Secret."""

from collections.abc import Callable

import pytest

from fakes.world import LEASED, World
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater
from virtual_time import in_virtual_time, passing

Denial = Callable[[World, MCPConnection], object]

DENIALS: dict[str, Denial] = {
    "Revoked": lambda world, connection: world.people.revoke("breakglass", {}),
    "Suspended": lambda world, connection: world.people.change(connection, suspend=True),
    "gone": lambda world, connection: world.people.delete(connection),
}
BEFORE_FENCE_1 = {"the login": "login", "the ledger entry": "cluster_id"}


def ready(world: World, connection: MCPConnection) -> str:
    return world.ready(connection) if world.people.find(connection) is not None else "gone"


def assert_nothing_is_left(world: World, connection: MCPConnection) -> None:
    assert world.leases() == []
    assert world.tokens() == []
    assert not world.cluster.secrets
    if world.people.find(connection) is not None:
        assert world.states(connection) == []


async def held_at(world: World, operation: str) -> MCPConnection:
    """A first mint that waits at this operation of Vault's."""
    await world.start()
    await passing(1)
    gate = world.vault.hold(operation)
    connection = world.claim()
    await world.vault.at_gate[operation].wait()
    assert not gate.is_set()
    return connection


@pytest.mark.parametrize("at", BEFORE_FENCE_1)
@pytest.mark.parametrize("denial", DENIALS)
@in_virtual_time
async def test_a_denial_during_a_step_before_the_mint_keeps_it_from_being_asked_for(
    denial: str, at: str
) -> None:
    world = World()
    connection = await held_at(world, BEFORE_FENCE_1[at])
    DENIALS[denial](world, connection)
    await passing(0)
    world.vault.gates[BEFORE_FENCE_1[at]].set()
    await passing(5)
    assert world.vault.mints == 0
    assert_nothing_is_left(world, connection)
    assert ready(world, connection) == denial


@pytest.mark.parametrize("denial", DENIALS)
@in_virtual_time
async def test_a_denial_while_vault_mints_keeps_the_credential_from_everybody(denial: str) -> None:
    world = World()
    connection = await held_at(world, "mint")
    DENIALS[denial](world, connection)
    await passing(0)
    world.vault.gates["mint"].set()
    await passing(5)
    assert world.vault.mints == 1
    assert ("mint", "result", "Succeeded") not in world.audited()
    assert_nothing_is_left(world, connection)
    assert ready(world, connection) == denial


@in_virtual_time
async def test_what_a_denial_takes_back_stays_in_the_ledger_until_vault_has_let_it_go() -> None:
    world = World()
    connection = await held_at(world, "mint")
    world.vault.stubborn.add(LEASED)
    world.people.change(connection, suspend=True)
    world.vault.gates["mint"].set()
    await passing(5)
    assert [state for _, state in world.states(connection)] != []
    assert not world.cluster.secrets
    world.vault.stubborn.clear()
    await passing(120)
    assert_nothing_is_left(world, connection)


@in_virtual_time
async def test_a_denied_rotation_ends_what_was_current_too() -> None:
    world = World()
    await world.start()
    connection = world.claim()
    await passing(5)
    gate = world.vault.hold("mint")
    output = {"secretName": "orders", "templates": {"url": "{{ server_url }}"}}
    world.people.change(connection, output=output)
    await world.vault.at_gate["mint"].wait()
    world.people.revoke("breakglass", {})
    gate.set()
    await passing(5)
    assert ready(world, connection) == "Revoked"
    assert_nothing_is_left(world, connection)


@in_virtual_time
async def test_a_recipe_that_changes_during_the_mint_is_minted_as_it_is_now() -> None:
    world = World()
    connection = await held_at(world, "mint")
    recipe = world.profile.to_wire()["spec"]["credential"]
    world.people.change(world.profile, credential={**recipe, "ttlSeconds": 900})
    await passing(0)
    world.vault.gates["mint"].set()
    await passing(5)
    (entry,) = world.find(connection).status.ledger
    assert (entry.generation, entry.state) == (2, EntryState.CURRENT)
    assert entry.expiry_time is not None
    assert (entry.expiry_time - world.now).total_seconds() < 900
    assert len(world.leases()) == 1
    assert world.secret_works()


@in_virtual_time
async def test_revocations_that_cannot_be_listed_are_not_taken_for_none() -> None:
    world = World()
    await world.start()
    world.cluster.fail("list_revocations", TryLater(Reason.CLUSTER_UNAVAILABLE, "gone away"))
    connection = world.claim()
    await passing(0.5)
    assert world.vault.mints == 0
    assert_nothing_is_left(world, connection)
    await passing(30)
    assert world.ready(connection) == "Active"


@in_virtual_time
async def test_revocations_that_cannot_be_listed_after_the_mint_keep_it_from_everybody() -> None:
    world = World()
    connection = await held_at(world, "mint")
    world.cluster.fail("list_revocations", TryLater(Reason.CLUSTER_UNAVAILABLE, "gone away"))
    world.vault.gates["mint"].set()
    await passing(0.5)
    assert world.vault.mints == 1
    assert_nothing_is_left(world, connection)


@in_virtual_time
async def test_a_mint_that_the_fence_held_up_for_too_long_is_not_sent_any_more() -> None:
    """Its request could outlive the moment at which the ledger takes it for over."""
    world = World()
    await world.start()
    world.delays["list_revocations"] = [30.0]
    connection = world.claim()
    await passing(30.5)
    assert world.vault.mints == 0
    await passing(30)
    assert world.ready(connection) == "Active"
    assert len(world.leases()) == 1


@in_virtual_time
async def test_a_lifted_revocation_lets_the_connection_go_on() -> None:
    world = World()
    connection = await held_at(world, "login")
    world.people.revoke("breakglass", {})
    world.vault.gates["login"].set()
    await passing(5)
    assert world.ready(connection) == "Revoked"
    world.people.remove_revocations()
    await passing(301)
    assert world.ready(connection) == "Active"
    assert world.secret_works()


@in_virtual_time
async def test_a_revocation_that_a_mint_came_upon_first_is_for_everybody() -> None:
    world = World()
    await world.start(inspection_seconds=86400, standing_check_seconds=86400)
    others = [world.claim(f"team-{number}") for number in range(3)]
    await passing(5)
    world.people.revoke("breakglass", {})
    first = world.claim("first")
    await passing(1)
    assert world.ready(first) == "Revoked"
    await passing(300)
    assert [world.ready(other) for other in others] == ["Revoked"] * 3
    assert world.leases() == []


@in_virtual_time
async def test_a_process_that_leads_no_more_takes_its_mint_back_and_begins_none() -> None:
    world = World()
    connection = await held_at(world, "mint")
    world.lead.is_leader = False
    world.vault.gates["mint"].set()
    late = world.claim("late")
    await passing(60)
    assert world.vault.mints == 1
    assert_nothing_is_left(world, connection)
    assert_nothing_is_left(world, late)
    assert world.find(late).status.last_generation <= 2
