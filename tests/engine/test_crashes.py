"""The process ends at every single call that it makes to the world, before the call arrives and after it was
carried out. Whatever that leaves behind, the next process finds everything that was minted, and settles it."""

from collections.abc import Awaitable, Callable, Iterator

import pytest

from fakes.power import Power, bury
from fakes.world import OVERLAP_SECONDS, RECIPES, World
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.core.ledger import Ledger
from leasehold.engine.runtime import Engine
from virtual_time import in_virtual_time, passing

MINT_SETTLES_SECONDS = 17
LONG_ENOUGH = 2 * MINT_SETTLES_SECONDS + OVERLAP_SECONDS + 20

Act = Callable[[World], Awaitable[MCPConnection]]
Ends = Callable[[World, MCPConnection], Iterator[str]]


async def first_mint(world: World) -> MCPConnection:
    return world.claim()


async def rotation(world: World) -> MCPConnection:
    """Begins with a connection that works, and its recipe changes."""
    connection = only(world)
    output = {"secretName": "orders", "templates": {"url": "{{ server_url }}"}}
    return world.people.change(connection, output=output)


async def deletion(world: World) -> MCPConnection:
    connection = only(world)
    world.people.delete(connection)
    return connection


async def suspension(world: World) -> MCPConnection:
    return world.people.change(only(world), suspend=True)


def one_working_credential(world: World, connection: MCPConnection) -> Iterator[str]:
    """What is not as it has to be for a connection that is in use."""
    status = world.find(connection).status
    if world.ready(connection) != "Active":
        yield f"Ready is {world.ready(connection)}"
    if states_that_settle(status.ledger) != [EntryState.CURRENT]:
        yield f"the ledger is {world.states(connection)}"
    if not world.secret_works():
        yield "the Secret does not work"
    if len(world.leases()) > 1:
        yield f"{len(world.leases())} leases are alive"
    if world.vault.mints > status.last_generation:
        yield f"{world.vault.mints} mints for {status.last_generation} generations"


def states_that_settle(ledger: Ledger) -> list[EntryState]:
    """Without those that nobody can revoke: they stay until they have run out."""
    return [
        entry.state
        for entry in ledger
        if entry.state is EntryState.CURRENT or entry.type is not CredentialType.EXPIRING
    ]


def nothing_left(world: World, connection: MCPConnection) -> Iterator[str]:
    """What is not as it has to be once a connection is deleted."""
    if world.people.find(connection) is not None:
        yield f"the object is still there: {world.states(connection)}"
    yield from no_credential(world)


def no_credential(world: World) -> Iterator[str]:
    if world.leases():
        yield f"leases are alive: {world.leases()}"
    if world.cluster.secrets:
        yield "the Secret is still there"


def stopped(world: World, connection: MCPConnection) -> Iterator[str]:
    """What is not as it has to be while a connection is suspended."""
    if world.ready(connection) != "Suspended":
        yield f"Ready is {world.ready(connection)}"
    if world.states(connection):
        yield f"the ledger is {world.states(connection)}"
    yield from no_credential(world)


def only(world: World) -> MCPConnection:
    (connection,) = [each for each in world.cluster.objects.values() if isinstance(each, MCPConnection)]
    return connection


def in_no_ledger(world: World, connection: MCPConnection) -> list[str]:
    """Leases and minted tokens that are alive and that nothing written down leads to."""
    stored = world.people.find(connection)
    recorded = {entry.accessor for entry in stored.status.ledger} if stored is not None else set()
    leases = [world.vault.leases[lease_id] for lease_id in world.leases()]
    lost = [lease.lease_id for lease in leases if lease.accessor not in recorded]
    return lost + [
        token.accessor for token in world.tokens() if token.parent and token.parent not in recorded
    ]


async def prepared(kind: str, act: Act, power: Power) -> tuple[World, Engine]:
    """A world in which the process whose power fails is about to begin with the scenario."""
    world = World(kind)
    power.counting = False
    ports = power.cluster(world.cluster), power.vault(world.vault)
    engine = await world.start(*ports, inspection_seconds=10**9)
    if act is not first_mint:
        world.claim()
    await passing(5)
    power.counting = True
    return world, engine


async def calls_of(kind: str, act: Act, ends: Ends) -> list[str]:
    """Every call that the scenario makes while all goes well."""
    power = Power()
    world, engine = await prepared(kind, act, power)
    connection = await act(world)
    await passing(OVERLAP_SECONDS + 10)
    assert not list(ends(world, connection))
    assert await engine.stop(10)
    return power.calls


async def after_a_crash(kind: str, act: Act, ends: Ends, power: Power) -> list[str]:
    """What is wrong once the next process has settled what the crash left."""
    world, engine = await prepared(kind, act, power)
    connection = await act(world)
    await passing(OVERLAP_SECONDS + 10)
    assert power.failed.is_set()
    await bury(engine, power)
    lost = [f"{each} was in no ledger at the crash" for each in in_no_ledger(world, connection)]
    following = await world.start()
    await passing(LONG_ENOUGH)
    assert await following.stop(10)
    return lost + list(ends(world, connection))


async def problems(kind: str, act: Act, ends: Ends) -> list[str]:
    calls = await calls_of(kind, act, ends)
    found = []
    for number, method in enumerate(calls, start=1):
        for after in (False, True):
            wrong = await after_a_crash(kind, act, ends, Power(number, after))
            found += [
                f"crash {'after' if after else 'before'} call {number}, {method}: {each}" for each in wrong
            ]
    return found


@pytest.mark.parametrize("kind", RECIPES)
@in_virtual_time
async def test_a_crash_anywhere_in_a_first_mint_leaves_one_working_credential(kind: str) -> None:
    assert await problems(kind, first_mint, one_working_credential) == []


@pytest.mark.parametrize("kind", RECIPES)
@in_virtual_time
async def test_a_crash_anywhere_in_a_rotation_leaves_one_working_credential(kind: str) -> None:
    assert await problems(kind, rotation, one_working_credential) == []


@pytest.mark.parametrize("kind", [kind for kind in RECIPES if kind != "Expiring"])
@in_virtual_time
async def test_a_crash_anywhere_in_a_deletion_leaves_nothing(kind: str) -> None:
    assert await problems(kind, deletion, nothing_left) == []


@in_virtual_time
async def test_a_crash_anywhere_in_a_suspension_leaves_nothing_alive() -> None:
    assert await problems("Lease", suspension, stopped) == []
