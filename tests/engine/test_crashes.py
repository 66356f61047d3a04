"""The process ends at every single call that it makes to the world, before the call arrives and after it was
carried out. Whatever that leaves behind, the next process finds everything that was minted, and settles it."""

from typing import Any

import pytest

from fakes.power import Power, bury
from fakes.scenes import (
    Act,
    Ends,
    deletion,
    first_mint,
    in_no_ledger,
    nothing_left,
    one_working_credential,
    rotation,
    stopped,
    suspension,
)
from fakes.world import OVERLAP_SECONDS, RECIPES, World
from leasehold.engine.runtime import Engine
from virtual_time import in_virtual_time, passing

MINT_SETTLES_SECONDS = 17
QUIET: dict[str, Any] = {"inspection_seconds": 10**9, "revocation_list_seconds": 10**9}
"""Nothing is called in turn, so that every call belongs to the scenario."""
LONG_ENOUGH = 2 * MINT_SETTLES_SECONDS + OVERLAP_SECONDS + 20


async def prepared(kind: str, act: Act, power: Power) -> tuple[World, Engine]:
    """A world in which the process whose power fails is about to begin with the scenario."""
    world = World(kind)
    power.counting = False
    ports = power.cluster(world.cluster), power.vault(world.vault)
    engine = await world.start(*ports, **QUIET)
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
