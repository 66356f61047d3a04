"""A store that is being deleted stays until nothing needs it; a mint needs it before its ledger says so."""

import pytest

from fakes.world import World
from leasehold.core.faults import TryLater
from leasehold.engine.inventory import Inventory
from objects import a_store
from virtual_time import in_virtual_time, passing


@pytest.mark.parametrize("step", ["login", "mint"])
@in_virtual_time
async def test_a_store_stays_while_a_mint_is_under_way(step: str) -> None:
    world = World()
    await world.start()
    gate = world.vault.hold(step)
    connection = world.claim()
    await world.vault.at_gate[step].wait()
    world.people.delete(world.store)
    await passing(30)
    assert world.people.find(world.store) is not None
    gate.set()
    await passing(30)
    assert world.secret_works()
    assert world.people.find(world.store) is not None
    world.people.delete(connection)
    await passing(60)
    assert world.people.find(world.store) is None
    assert (world.leases(), world.tokens()) == ([], [])


def test_a_mint_that_was_planned_before_its_store_is_deleted_does_not_begin() -> None:
    inventory, store = Inventory(), a_store(metadata={"resourceVersion": "1"})
    inventory.put(store)
    going = {"resourceVersion": "2", "deletionTimestamp": "2026-11-20T12:00:00Z"}
    inventory.put(a_store(metadata=going))
    with pytest.raises(TryLater, match="being deleted"), inventory.minting_from(store):
        pass
    assert not inventory.is_minted_from(store)
