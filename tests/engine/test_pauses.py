"""The process that leads is stopped at every single call that it makes to the world, for longer than its lease.
Another one takes over and settles what it finds; then the first one wakes up, where it was and with what it knew,
to a lead that it has lost. Nothing is minted twice, nothing that is in use dies, and nothing leaks."""

import asyncio
from typing import Any

import pytest

from fakes.power import Pause
from fakes.scenes import (
    Act,
    Ends,
    deletion,
    first_mint,
    nothing_left,
    one_working_credential,
    rotation,
    stopped,
    suspension,
)
from fakes.world import OVERLAP_SECONDS, RECIPES, Lead, World
from leasehold.engine.runtime import Engine
from virtual_time import in_virtual_time, passing

MINT_SETTLES_SECONDS = 17
QUIET: dict[str, Any] = {"inspection_seconds": 10**9, "revocation_list_seconds": 10**9}
"""Nothing is called in turn, so that every call belongs to the scenario."""
PAUSES = {"until the other has adopted what it found": 5, "until the other has settled everything": 60}


async def prepared(kind: str, act: Act, pause: Pause) -> tuple[World, Engine]:
    """A world in which the process that is to be stopped is about to begin with the scenario."""
    world = World(kind)
    pause.counting = False
    ports = pause.cluster(world.cluster), pause.vault(world.vault)
    engine = await world.start(*ports, **QUIET)
    if act is not first_mint:
        world.claim()
    await passing(5)
    pause.counting = True
    return world, engine


async def calls_of(kind: str, act: Act) -> list[str]:
    """Every call that the scenario makes while all goes well."""
    pause = Pause()
    world, engine = await prepared(kind, act, pause)
    await act(world)
    await passing(OVERLAP_SECONDS + 10)
    assert await engine.stop(10)
    return pause.calls


async def after_a_pause(kind: str, act: Act, ends: Ends, pause: Pause, seconds: float) -> list[str]:
    """What is wrong once both processes have done what they could."""
    world, engine = await prepared(kind, act, pause)
    connection = await act(world)
    await asyncio.wait_for(pause.failed.wait(), OVERLAP_SECONDS + 10)
    world.engines.remove(engine)  # no watch tells a stopped process anything
    world.lead.is_leader, world.lead = False, Lead()
    other = await world.start(**QUIET)
    await passing(seconds)
    pause.woken.set()
    if not await engine.stop(60):
        return ["the process that lost the lead did not end"]
    await passing(2 * MINT_SETTLES_SECONDS + OVERLAP_SECONDS + 20)
    assert await other.stop(10)
    return list(ends(world, connection))


async def problems(kind: str, act: Act, ends: Ends) -> list[str]:
    found = []
    for number, method in enumerate(await calls_of(kind, act), start=1):
        for after in (False, True):
            for until, seconds in PAUSES.items():
                wrong = await after_a_pause(kind, act, ends, Pause(number, after), seconds)
                place = f"{'after' if after else 'before'} call {number}, {method}, {until}"
                found += [f"stopped {place}: {each}" for each in wrong]
    return found


@pytest.mark.parametrize("kind", RECIPES)
@in_virtual_time
async def test_a_pause_anywhere_in_a_first_mint_leaves_one_working_credential(kind: str) -> None:
    assert await problems(kind, first_mint, one_working_credential) == []


@pytest.mark.parametrize("kind", RECIPES)
@in_virtual_time
async def test_a_pause_anywhere_in_a_rotation_leaves_one_working_credential(kind: str) -> None:
    assert await problems(kind, rotation, one_working_credential) == []


@pytest.mark.parametrize("kind", [kind for kind in RECIPES if kind != "Expiring"])
@in_virtual_time
async def test_a_pause_anywhere_in_a_deletion_leaves_nothing(kind: str) -> None:
    assert await problems(kind, deletion, nothing_left) == []


@in_virtual_time
async def test_a_pause_anywhere_in_a_suspension_leaves_nothing_alive() -> None:
    assert await problems("Lease", suspension, stopped) == []
