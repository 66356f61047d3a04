"""A process that loses the lead while it mints, and two that act at once: neither is a second credential."""

import asyncio
from typing import Any, cast

import pytest

from fakes.world import OVERLAP_SECONDS, RECIPES, World
from leasehold.api.connection import EntryState
from leasehold.ports import Cluster
from virtual_time import in_virtual_time, passing


@pytest.mark.parametrize("at", ["login", "cluster_id", "mint"])
@in_virtual_time
async def test_a_lead_lost_during_a_mint_publishes_nothing_and_leaves_nothing_alive(at: str) -> None:
    world = World()
    await world.start()
    await passing(1)
    gate = world.vault.hold(at)
    connection = world.claim()
    await world.vault.at_gate[at].wait()
    world.lead.is_leader = False
    gate.set()
    await passing(1)
    assert world.vault.mints == (1 if at == "mint" else 0)
    assert world.leases() == []
    assert world.tokens() == []
    assert not world.cluster.secrets
    assert world.states(connection) == []


@in_virtual_time
async def test_a_process_that_does_not_lead_never_asks_for_a_mint() -> None:
    world = World()
    world.lead.is_leader = False
    await world.start()
    world.claim()
    await passing(600)
    assert world.vault.mints == 0
    assert not world.cluster.secrets


@pytest.mark.parametrize("kind", RECIPES)
@in_virtual_time
async def test_two_that_lead_at_once_leave_one_working_credential(kind: str) -> None:
    """Both see every claim and every change at the same moment, and race for each ledger."""
    world = World(kind)
    engines = [await world.start(), await world.start()]
    connections = [world.claim(f"orders-{number}") for number in range(5)]
    await passing(30)
    for connection in connections:
        output = {"secretName": connection.metadata.name, "templates": {"url": "{{ server_url }}"}}
        world.people.change(connection, output=output)
    await passing(2 * OVERLAP_SECONDS + 60)
    for connection in connections:
        assert world.ready(connection) == "Active"
        states = [state for _, state in world.states(connection)]
        assert states.count(EntryState.CURRENT) == 1
        assert world.secret_works(connection.metadata.name)
    if kind == "Lease":
        assert len(world.leases()) == len(connections)
    for engine in engines:
        assert await engine.stop(10)


@in_virtual_time
async def test_two_that_lead_at_once_leave_nothing_of_what_is_deleted() -> None:
    world = World()
    engines = [await world.start(), await world.start()]
    connections = [world.claim(f"orders-{number}") for number in range(5)]
    await passing(30)
    for connection in connections:
        world.people.delete(connection)
    await passing(60)
    assert [world.people.find(connection) for connection in connections] == [None] * 5
    assert world.leases() == []
    assert world.tokens() == []
    assert not world.cluster.secrets
    for engine in engines:
        assert await engine.stop(10)


class Paused:
    """The cluster as a process reaches it that is paused right before it records what it has published."""

    def __init__(self, behind: Cluster) -> None:
        self._behind = behind
        self._published = False
        self.at_gate, self.gate = asyncio.Event(), asyncio.Event()

    def __getattr__(self, method: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if method == "put_status" and self._published and not self.gate.is_set():
                self.at_gate.set()
                await self.gate.wait()
            answer = await getattr(self._behind, method)(*args, **kwargs)
            self._published = self._published or method in ("create_secret", "replace_secret")
            return answer

        return call


@pytest.mark.parametrize("kind", RECIPES)
@in_virtual_time
async def test_what_another_process_has_adopted_is_not_revoked_by_the_one_that_minted_it(kind: str) -> None:
    """Paused between the Secret and the ledger, it wakes up to a ledger that names its mint as Current."""
    world = World(kind)
    paused = Paused(world.cluster)
    first = await world.start(cast(Cluster, paused))
    connection = world.claim()
    await paused.at_gate.wait()
    world.lead.is_leader = False
    second = await world.start()
    await passing(5)
    assert [state for _, state in world.states(connection)] == [EntryState.CURRENT]
    paused.gate.set()
    await passing(5)
    assert [state for _, state in world.states(connection)] == [EntryState.CURRENT]
    assert world.secret_works()
    assert world.vault.mints <= 1
    for engine in (first, second):
        assert await engine.stop(10)
