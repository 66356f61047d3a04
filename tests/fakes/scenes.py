"""What may be under way when something happens to a process, and what has to be true in the end."""

from collections.abc import Awaitable, Callable, Iterator

from fakes.world import World
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.core.ledger import Ledger

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
