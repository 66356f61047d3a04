"""A mint whose answer was never seen may have been carried out, or may still be: nothing is repeated under its
intent, and nothing under it is revoked before the mint is over, for a revocation would miss what comes to life
afterwards."""

import pytest

from fakes.power import Power, bury
from fakes.vault import cut_off
from fakes.world import CHILD, LEASED, World
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.names import SecretAnnotation
from leasehold.core.faults import OutcomeUnknown
from virtual_time import in_virtual_time, passing

INTENT, CURRENT = EntryState.INTENT, EntryState.CURRENT
MINT_IS_OVER = 17
LOST = OutcomeUnknown("the connection was cut")


async def cut_off_once(world: World, *, afterwards: bool) -> MCPConnection:
    """A first mint whose answer was lost."""
    await world.start()
    world.vault.fail("mint", cut_off(), afterwards=afterwards)
    connection = world.claim()
    await passing(0.5)
    assert world.states(connection) == [(1, INTENT)]
    return connection


@pytest.mark.parametrize("kind", ["Lease", "Token"])
@pytest.mark.parametrize("minted", [True, False], ids=["minted", "never arrived"])
@in_virtual_time
async def test_the_next_generation_does_not_wait_and_the_lost_one_is_settled_after_its_time(
    kind: str, minted: bool
) -> None:
    world = World(kind)
    connection = await cut_off_once(world, afterwards=minted)
    await passing(5)
    assert world.states(connection) == [(1, INTENT), (2, CURRENT)]
    assert world.secret_works()
    await passing(MINT_IS_OVER + 5)
    assert world.states(connection) == [(2, CURRENT)]
    assert len(world.leases()) == (1 if kind == "Lease" else 0)
    assert world.secret_works()
    assert world.vault.mints == (2 if minted else 1)


@in_virtual_time
async def test_an_open_intent_is_left_alone_until_its_mint_is_over() -> None:
    world = World()
    connection = await cut_off_once(world, afterwards=True)
    (entry,) = world.find(connection).status.ledger
    assert entry.mint_deadline_time is not None
    while world.now < entry.mint_deadline_time:
        assert entry.accessor in [token.accessor for token in world.tokens()]
        await passing(1)
    await passing(2)
    assert entry.accessor not in [token.accessor for token in world.tokens()]


@pytest.mark.parametrize("how", ["suspended", "deleted", "revoked"])
@in_virtual_time
async def test_a_denial_waits_for_an_open_intent_which_was_given_to_nobody(how: str) -> None:
    world = World()
    connection = await cut_off_once(world, afterwards=True)
    if how == "suspended":
        world.people.change(connection, suspend=True)
    elif how == "deleted":
        world.people.delete(connection)
    else:
        world.people.revoke("breakglass", {})
    await passing(5)
    assert world.states(connection) == [(1, INTENT)]
    assert not world.cluster.secrets
    await passing(MINT_IS_OVER)
    assert world.leases() == []
    assert (world.people.find(connection) is None) is (how == "deleted")


@in_virtual_time
async def test_a_mint_that_goes_on_after_the_process_has_died_is_ended_when_it_is_over() -> None:
    """Its lease comes to life under a token that must still be there then."""
    world, power = World(), Power()
    engine = await world.start(power.cluster(world.cluster), power.vault(world.vault))
    gate = world.vault.hold("mint")
    connection = world.claim()
    await world.vault.at_gate["mint"].wait()
    await bury(engine, power)
    del world.vault.gates["mint"]
    await world.start()
    await passing(4)
    assert world.states(connection) == [(1, INTENT), (2, CURRENT)]
    gate.set()
    await passing(1)
    assert len(world.leases()) == 2
    await passing(MINT_IS_OVER)
    assert world.states(connection) == [(2, CURRENT)]
    assert len(world.leases()) == 1
    assert world.secret_works()


@in_virtual_time
async def test_mints_that_are_lost_one_after_the_other_fill_the_ledger_and_no_more() -> None:
    world = World()
    await world.start()
    world.vault.fail("mint", cut_off(), times=100, afterwards=True)
    world.vault.stubborn.add(LEASED)
    connection = world.claim()
    for _ in range(100):
        await passing(10)
        assert len(world.states(connection)) <= 7
    assert world.vault.mints == world.find(connection).status.last_generation


@in_virtual_time
async def test_a_secret_that_was_written_without_an_answer_is_adopted_without_a_mint() -> None:
    world = World()
    await world.start()
    world.cluster.fail("create_secret", LOST, afterwards=True)
    connection = world.claim()
    await passing(5)
    assert world.states(connection) == [(1, CURRENT)]
    assert world.ready(connection) == "Active"
    assert world.vault.mints == 1
    assert world.secret_works()
    assert ("adopt", "result", "Succeeded") in world.audited()


@in_virtual_time
async def test_a_secret_that_was_never_written_is_not_waited_for() -> None:
    world = World()
    await world.start()
    world.cluster.fail("create_secret", LOST)
    connection = world.claim()
    await passing(MINT_IS_OVER + 5)
    assert world.states(connection) == [(2, CURRENT)]
    assert len(world.leases()) == 1
    assert world.secret_works()


@in_virtual_time
async def test_a_lease_that_is_known_is_looked_up_even_where_its_secret_was_lost() -> None:
    """Vault told its lease id: that its token is gone proves nothing as long as the backend keeps it."""
    world = World()
    await world.start()
    world.vault.stubborn.add(LEASED)
    world.cluster.fail("create_secret", LOST)
    connection = world.claim()
    await passing(MINT_IS_OVER + 30)
    assert [generation for generation, _ in world.states(connection)] == [1, 2]
    assert len(world.leases()) == 2
    world.vault.stubborn.clear()
    await passing(301)
    assert world.states(connection) == [(2, CURRENT)]
    assert len(world.leases()) == 1


@pytest.mark.parametrize("kind", ["Lease", "Token", "login Token", "Static"])
@in_virtual_time
async def test_an_adopted_credential_is_replaced_before_it_ends(kind: str) -> None:
    world = World(kind)
    await world.start()
    world.cluster.fail("create_secret", LOST, afterwards=True)
    connection = world.claim()
    await passing(5)
    assert world.states(connection) == [(1, CURRENT)]
    await passing(2500)
    assert world.secret_works()
    assert world.find(connection).status.last_generation > 1


@in_virtual_time
async def test_a_ledger_entry_without_an_answer_is_found_where_it_was_written() -> None:
    for afterwards in (False, True):
        world = World()
        await world.start()
        world.cluster.fail("put_status", LOST, times=2, afterwards=afterwards)
        connection = world.claim()
        await passing(30)
        assert world.ready(connection) == "Active"
        assert len(world.leases()) == 1
        assert world.vault.mints == 1


@in_virtual_time
async def test_a_conflict_in_the_middle_of_a_mint_loses_neither_edit_nor_credential() -> None:
    world = World("Token")
    gate = world.vault.hold("mint")
    await world.start()
    connection = world.claim()
    await world.vault.at_gate["mint"].wait()
    world.watching = False
    world.people.change(connection, owner={"user": "carol@example.com", "team": "support-platform"})
    gate.set()
    await passing(5)
    assert world.states(connection) == [(1, CURRENT)]
    secret = world.people.secret("support", "orders")
    assert secret is not None
    assert secret.annotations[SecretAnnotation.OWNER] == "carol@example.com"
    assert world.vault.engines[CHILD] is not None
    assert world.vault.mints == 1


@in_virtual_time
async def test_who_lost_the_race_for_the_ledger_ends_what_it_minted() -> None:
    world = World()
    gate = world.vault.hold("mint")
    await world.start()
    connection = world.claim()
    await world.vault.at_gate["mint"].wait()
    held = world.find(connection)
    status = held.status.model_copy(update={"ledger": (), "last_generation": 5})
    world.cluster.store(held.model_copy(update={"status": status}))
    gate.set()
    await passing(30)
    assert len(world.leases()) == 1
    assert world.states(connection)[0][0] > 5
    assert world.secret_works()
