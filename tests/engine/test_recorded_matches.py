"""What is recorded in a revocation's status holds for everybody who reads it: another leader, its fences, and
whoever does not see the connection yet."""

import asyncio
import random
from typing import Any, cast

import pytest

from fakes.cluster import key_of
from fakes.switches import (
    BY_TEAM,
    OTHERS,
    QUIET,
    SUSPECT,
    Writes,
    counts,
    said,
    spec,
    status_of,
    thrown,
    working,
)
from fakes.world import World
from leasehold.api.connection import MCPConnection
from leasehold.api.hold import MAX_HOLDS
from leasehold.api.reasons import Reason
from leasehold.ports import Cluster
from virtual_time import in_virtual_time, passing


def record(world: World, *uids: str) -> None:
    """Another leader writes down whom it has matched."""
    revocation = thrown(world)
    status = revocation.status.model_copy(update={"pending_holds": uids})
    world.cluster.store(revocation.model_copy(update={"status": status}))


@in_virtual_time
async def test_whom_another_leader_has_matched_is_matched() -> None:
    world = World()
    await world.start()
    one, other = await working(world, 2)
    world.people.revoke("stop", spec({"connection": one.key}))
    await passing(5)
    record(world, other.metadata.uid)
    await passing(5)
    assert world.ready(other) == "Revoked"
    assert counts(world) == (2, 2, 2, 2, 0)
    assert status_of(world).pending_holds == ()
    assert world.vault.mints == 2


class Slow(Writes):
    """Writes take their time, there and back."""

    def __init__(self, behind: Cluster, chance: random.Random) -> None:
        super().__init__(behind)
        self._chance = chance

    async def put_status(self, resource: Any) -> Any:
        await asyncio.sleep(self._chance.uniform(0, 0.3))
        try:
            return await super().put_status(resource)
        finally:
            await asyncio.sleep(self._chance.uniform(0, 0.3))


def known_to_match(world: World) -> set[str]:
    """The uids that anything which is written down says to have matched."""
    stored = [each for each in world.cluster.objects.values() if isinstance(each, MCPConnection)]
    return {each.metadata.uid for each in stored if each.status.holds} | set(status_of(world).pending_holds)


@pytest.mark.parametrize("seed", range(3))
@in_virtual_time
async def test_two_that_both_believe_to_lead_forget_nobody_whom_either_has_matched(seed: int) -> None:
    world, chance = World(), random.Random(seed)
    await world.start(cast(Cluster, Slow(world.cluster, chance)), **QUIET)
    claimed = [world.people.change(each, owner=SUSPECT) for each in await working(world, 8)]
    await passing(5)
    world.people.revoke("stop", spec(BY_TEAM))
    await passing(chance.uniform(0.35, 0.9))
    known = known_to_match(world)
    assert len(known) == 8
    for each in claimed[:5]:
        world.people.change(world.find(each), owner=OTHERS)
    await world.start(cast(Cluster, Slow(world.cluster, chance)), **QUIET)
    for _ in range(200):
        await passing(0.05)
        assert known_to_match(world) >= known
    assert {world.ready(each) for each in claimed} == {"Revoked"}
    assert counts(world) == (8, 8, 8, 8, 0)
    assert status_of(world).pending_holds == ()
    assert world.vault.mints == 8


@in_virtual_time
async def test_a_fence_denies_whom_another_leader_has_matched() -> None:
    world = World()
    answer = world.vault.hold("mint")
    await world.start(**QUIET)
    world.people.revoke("stop", spec({"connection": "support/another"}))
    claimed = world.claim()
    await world.vault.at_gate["mint"].wait()
    world.watching = False
    record(world, claimed.metadata.uid)
    answer.set()
    await passing(5)
    assert world.vault.mints == 1
    assert not world.leases()
    assert not world.cluster.secrets
    assert world.ready(claimed) == "Revoked"


@in_virtual_time
async def test_a_match_that_is_not_in_view_stays_recorded_until_it_is() -> None:
    world = World()
    await world.start()
    (one,) = await working(world)
    world.watching = False
    late = world.claim("late")
    world.people.revoke("stop", spec({"connection": one.key}))
    record(world, late.metadata.uid)
    await passing(15)
    assert status_of(world).matched == 1
    assert status_of(world).pending_holds == (late.metadata.uid,)
    assert said(world, "Complete")[0] == "False"
    await world.start()
    await passing(5)
    assert world.ready(late) == "Revoked"
    assert said(world, "Complete") == ("True", Reason.VERIFIED)


@pytest.mark.parametrize("seen", [False, True])
@in_virtual_time
async def test_a_match_that_is_deleted_is_waited_for_no_longer(seen: bool) -> None:
    world = World()
    engine = await world.start()
    one, other = await working(world, 2)
    world.vault.reachable = False
    world.people.revoke("stop", spec({"connection": one.key}))
    record(world, other.metadata.uid)
    await passing(0.1)
    if not seen:
        assert await engine.stop(10)
    del world.cluster.objects[key_of(other)]
    world.vault.reachable = True
    if not seen:
        await world.start()
    await passing(120)
    assert status_of(world).pending_holds == ()
    assert said(world, "Complete") == ("True", Reason.VERIFIED)


@in_virtual_time
async def test_a_revocation_whose_hold_has_no_place_is_complete_and_gets_the_first_that_is_free() -> None:
    world = World()
    engine = await world.start(**QUIET)
    (claimed,) = await working(world)
    for number in range(MAX_HOLDS):
        world.people.revoke(f"stop-{number}", spec(BY_TEAM, onLift="Resume"))
    world.people.change(claimed, owner=SUSPECT)
    await passing(30)
    assert len(world.find(claimed).status.holds) == MAX_HOLDS
    world.people.revoke("newest", spec(BY_TEAM))
    await passing(30)
    assert said(world, "Complete", "newest") == ("True", Reason.VERIFIED)
    assert status_of(world, "newest").pending_holds == (claimed.metadata.uid,)
    assert await engine.stop(10)
    world.people.change(world.find(claimed), owner=OTHERS)
    await world.start(**QUIET)
    await passing(30)
    assert said(world, "Complete", "newest") == ("True", Reason.VERIFIED)
    for number in range(MAX_HOLDS):
        world.people.lift(f"stop-{number}")
    await passing(30)
    assert [hold.revocation for hold in world.find(claimed).status.holds] == ["newest"]
    assert status_of(world, "newest").pending_holds == ()
    assert (world.ready(claimed), world.vault.mints) == ("Revoked", 1)
