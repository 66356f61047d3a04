"""A ledger that is gone is never taken for a new beginning. What its Secret says is asked of Vault before it is
believed: anybody who may edit Secrets may have written it."""

import pytest
from hypothesis import given, settings

from fakes.world import ACCOUNT, LEASED, NAMESPACE, World
from leasehold.api.connection import EntryState, MCPConnection, MCPConnectionStatus
from leasehold.api.names import ABANDON_ANNOTATION, SecretAnnotation, store_audience
from strategies import forged_annotations
from virtual_time import in_virtual_time, passing

CURRENT = EntryState.CURRENT


async def with_a_lost_ledger(world: World, *, secret: bool = True) -> MCPConnection:
    """A connection that worked, whose status and perhaps Secret somebody deleted while no operator ran."""
    engine = await world.start()
    connection = world.claim()
    await passing(5)
    assert await engine.stop(5)
    world.engines.clear()
    lose_status(world, connection)
    if not secret:
        world.people.delete_secret(NAMESPACE, "orders")
    return connection


def lose_status(world: World, connection: MCPConnection) -> None:
    world.cluster.store(world.find(connection).model_copy(update={"status": MCPConnectionStatus()}))


def annotate(world: World, name: str, value: str) -> None:
    world.people.annotate_secret(NAMESPACE, "orders", name, value)


def unannotate(world: World, name: str) -> None:
    secret = world.cluster.secrets[NAMESPACE, "orders"]
    world.people._remember(
        secret, annotations={key: value for key, value in secret.meta.annotations.items() if key != name}
    )


@pytest.mark.parametrize("kind", ["Lease", "Token", "login Token", "Static", "Expiring"])
@in_virtual_time
async def test_the_generation_in_the_secret_is_found_again_without_a_mint(kind: str) -> None:
    world = World(kind)
    connection = await with_a_lost_ledger(world)
    minted = world.vault.mints
    await world.start()
    await passing(5)
    assert world.states(connection) == [(1, CURRENT)]
    assert world.ready(connection) == "Active"
    assert world.vault.mints == minted
    assert world.secret_works()


@in_virtual_time
async def test_what_was_found_again_can_be_ended() -> None:
    world = World()
    connection = await with_a_lost_ledger(world)
    await world.start()
    await passing(5)
    world.people.delete(connection)
    await passing(5)
    assert world.people.find(connection) is None
    assert world.leases() == []
    assert not world.cluster.secrets


@in_virtual_time
async def test_what_was_found_again_is_replaced_before_it_ends() -> None:
    world = World()
    connection = await with_a_lost_ledger(world)
    await world.start()
    await passing(2500)
    assert world.secret_works()
    assert world.find(connection).status.last_generation > 1


@in_virtual_time
async def test_without_a_secret_nothing_is_minted_until_a_person_gives_the_ledger_up() -> None:
    world = World()
    connection = await with_a_lost_ledger(world, secret=False)
    await world.start()
    await passing(600)
    assert world.ready(connection) == "LedgerLost"
    assert world.vault.mints == 1
    held = world.find(connection)
    metadata = held.metadata.model_copy(update={"annotations": {ABANDON_ANNOTATION: "revoked by hand"}})
    world.cluster.store(held.model_copy(update={"metadata": metadata}))
    await passing(5)
    assert world.ready(connection) == "Active"
    assert ("abandon", "result", "Succeeded") in world.audited()


@in_virtual_time
async def test_a_deleted_connection_without_ledger_and_secret_stays_until_a_person_gives_it_up() -> None:
    world = World()
    connection = await with_a_lost_ledger(world, secret=False)
    world.people.delete(connection)
    await world.start()
    await passing(600)
    assert world.people.find(connection) is not None
    held = world.find(connection)
    metadata = held.metadata.model_copy(update={"annotations": {ABANDON_ANNOTATION: "revoked by hand"}})
    world.cluster.store(held.model_copy(update={"metadata": metadata}))
    await passing(5)
    assert world.people.find(connection) is None


@in_virtual_time
async def test_somebody_elses_accessor_is_neither_believed_nor_revoked() -> None:
    world = World()
    connection = await with_a_lost_ledger(world)
    world.people.create_service_account(NAMESPACE, "victim")
    audience = store_audience("default")
    jwt = (await world.cluster.request_token(NAMESPACE, "victim", audience, 3600)).token
    victim = await world.vault.login(world.store, "mcp-orders", jwt)
    annotate(world, SecretAnnotation.ACCESSOR, victim.accessor)
    await world.start()
    await passing(60)
    assert world.ready(connection) == "LedgerLost"
    assert victim.accessor in world.vault.tokens
    world.people.delete(connection)
    await passing(60)
    assert victim.accessor in world.vault.tokens
    assert world.people.find(connection) is not None


@in_virtual_time
async def test_the_accessor_of_an_accounts_namesake_is_not_believed() -> None:
    world = World()
    connection = await with_a_lost_ledger(world)
    world.people.delete_service_account(NAMESPACE, ACCOUNT)
    world.people.create_service_account(NAMESPACE, ACCOUNT)
    await world.start()
    await passing(5)
    assert world.ready(connection) == "LedgerLost"


@pytest.mark.parametrize("kind", ["Lease", "Token"])
@in_virtual_time
async def test_a_secret_that_no_longer_tells_its_accessor_proves_nothing(kind: str) -> None:
    """What can be revoked is not let go because somebody removed an annotation."""
    world = World(kind)
    connection = await with_a_lost_ledger(world)
    unannotate(world, SecretAnnotation.ACCESSOR)
    unannotate(world, SecretAnnotation.LEASE_ID)
    await world.start()
    await passing(60)
    assert world.ready(connection) == "LedgerLost"
    world.people.delete(connection)
    await passing(60)
    assert world.people.find(connection) is not None


@in_virtual_time
async def test_a_lease_that_outlived_its_token_is_not_forgotten() -> None:
    world = World()
    connection = await with_a_lost_ledger(world)
    world.vault.stubborn.add(LEASED)
    (token,) = world.tokens()
    await world.vault.revoke_accessor(world.store, token.accessor)
    await world.start()
    await passing(30)
    assert 1 in [generation for generation, _ in world.states(connection)]
    world.vault.stubborn.clear()
    await passing(301)
    assert world.states(connection) == [(2, CURRENT)]
    assert len(world.leases()) == 1


@in_virtual_time
async def test_a_credential_that_is_dead_already_is_replaced() -> None:
    world = World()
    connection = await with_a_lost_ledger(world)
    (token,) = world.tokens()
    await world.vault.revoke_accessor(world.store, token.accessor)
    await world.start()
    await passing(5)
    assert world.states(connection) == [(2, CURRENT)]
    assert world.secret_works()


@in_virtual_time
async def test_a_vault_that_is_away_is_waited_for_before_anything_is_believed() -> None:
    world = World()
    connection = await with_a_lost_ledger(world)
    world.vault.reachable = False
    await world.start()
    await passing(60)
    assert world.ready(connection) == "LedgerLost"
    world.vault.reachable = True
    await passing(301)
    assert world.states(connection) == [(1, CURRENT)]
    assert world.vault.mints == 1


async def _forged(forged: dict[str, str]) -> None:
    world = World()
    connection = await with_a_lost_ledger(world)
    for name, value in forged.items():
        annotate(world, name, value)
    await world.start()
    await passing(10)
    assert world.ready(connection) != ""
    world.people.delete(connection)
    await passing(10)


@settings(max_examples=25, deadline=None)
@given(forged_annotations())
def test_whatever_the_secret_says_the_connection_says_what_became_of_it(forged: dict[str, str]) -> None:
    in_virtual_time(_forged)(forged)


@pytest.mark.parametrize(
    "name", [SecretAnnotation.LEASE_ID, SecretAnnotation.TOKEN_ACCESSOR, SecretAnnotation.ACCESSOR]
)
@in_virtual_time
async def test_a_text_that_no_ledger_can_hold_stops_nothing(name: str) -> None:
    await _forged({name: "x" * 5000})
