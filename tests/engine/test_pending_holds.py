"""Whom a revocation has matched is written down before anything of them is revoked, so that nobody escapes: not by
an edit, not by a crash, not by both together, and not by a lift that comes early."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from fakes.cluster import with_metadata
from fakes.power import Power, bury
from fakes.switches import BY_TEAM, OTHERS, QUIET, SUSPECT, Writes, counts, said, spec, status_of, working
from fakes.world import World
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater
from leasehold.engine.revocation_reports import RECORD_SECONDS
from leasehold.ports import Cluster
from virtual_time import in_virtual_time, passing

UNAVAILABLE = TryLater(Reason.CLUSTER_UNAVAILABLE, "the API server does not answer")

Throw = Callable[[World, MCPConnection], Awaitable[None]]


async def thrown_on_it(world: World, connection: MCPConnection) -> None:
    world.people.revoke("stop", spec(BY_TEAM))


async def joining_later(world: World, connection: MCPConnection) -> None:
    """Right after another edit, so that the status of the revocation is not written anew for a while."""
    world.people.edit(connection)
    await passing(0.1)
    world.people.change(connection, owner=SUSPECT)


async def about_to(throw: Throw, power: Power) -> tuple[World, Any, MCPConnection]:
    """A world in which a working connection is about to be matched, by a process whose power fails then."""
    world = World()
    power.counting = False
    engine = await world.start(power.cluster(world.cluster), power.vault(world.vault), **QUIET)
    (claimed,) = await working(world)
    if throw is joining_later:
        world.people.revoke("stop", spec(BY_TEAM))
    else:
        claimed = world.people.change(claimed, owner=SUSPECT)
    await passing(5)
    assert world.secret_works("orders-0")
    power.counting = True
    return world, engine, claimed


async def escapes(throw: Throw, power: Power) -> list[str]:
    """What is wrong if the process ends at one call, the connection leaves the target, and the next one starts."""
    world, engine, claimed = await about_to(throw, power)
    await throw(world, claimed)
    await passing(10)
    assert power.failed.is_set()
    await bury(engine, power)
    is_told = status_of(world).matched > 0 or world.find(claimed).status.holds
    was_touched = not world.secret_works("orders-0") or is_told
    world.people.change(world.find(claimed), owner=OTHERS)
    await world.start(**QUIET)
    await passing(10)
    if not was_touched:
        return [] if world.ready(claimed) == "Active" else ["it was not touched, and is not Active"]
    wrong = []
    if world.ready(claimed) != "Revoked":
        wrong.append(f"it is {world.ready(claimed)}")
    if status_of(world).pending_holds:
        wrong.append("its hold is still pending")
    world.people.lift("stop")
    await passing(10)
    if world.ready(claimed) != "Held":
        wrong.append(f"after the lift it is {world.ready(claimed)}")
    if world.vault.mints != 1:
        wrong.append(f"{world.vault.mints - 1} credentials were minted")
    return wrong


@pytest.mark.parametrize("throw", [thrown_on_it, joining_later])
@in_virtual_time
async def test_nobody_escapes_by_leaving_the_target_while_the_operator_crashes(throw: Throw) -> None:
    power = Power()
    world, engine, claimed = await about_to(throw, power)
    await throw(world, claimed)
    await passing(10)
    assert world.ready(claimed) == "Revoked"
    assert await engine.stop(10)
    wrong = []
    for number, method in enumerate(power.calls, start=1):
        for after in (False, True):
            found = await escapes(throw, Power(number, after))
            wrong += [
                f"crash {'after' if after else 'before'} call {number}, {method}: {each}" for each in found
            ]
    assert wrong == []


@in_virtual_time
async def test_all_matches_cost_one_write_before_the_first_stroke_and_one_each_after() -> None:
    world = World()
    writes = Writes(world.cluster)
    await world.start(cast(Cluster, writes), **QUIET)
    claimed = await working(world, 20)
    writes.told.clear()
    world.people.revoke("stop", spec({"profile": "orders-read"}))
    await passing(5)
    assert {world.ready(each) for each in claimed} == {"Revoked"}
    assert writes.told[0] == ("MCPRevocation", 20)
    assert [kind for kind, _ in writes.told].count("MCPConnection") == 20
    assert writes.told[-1] == ("MCPRevocation", 0)
    assert status_of(world).pending_holds == ()
    assert said(world, "Complete") == ("True", Reason.VERIFIED)


@in_virtual_time
async def test_a_write_that_hangs_holds_the_strokes_up_for_two_seconds_and_no_longer() -> None:
    world = World()
    await world.start(**QUIET)
    (claimed,) = await working(world)
    world.delays["put_status"] = [3600.0]
    world.people.revoke("stop", spec({"profile": "orders-read"}))
    await passing(RECORD_SECONDS - 0.5)
    assert world.leases()
    await passing(1)
    assert not world.leases()
    await passing(5)
    assert [hold.revocation for hold in world.find(claimed).status.holds] == ["stop"]


@in_virtual_time
async def test_a_write_that_fails_is_made_good_and_nothing_waits_for_it() -> None:
    world = World()
    await world.start(**QUIET)
    (claimed,) = await working(world)
    world.cluster.fail("put_status", UNAVAILABLE, times=3)
    world.people.revoke("stop", spec({"profile": "orders-read"}))
    await passing(0.1)
    assert not world.leases()
    await passing(10)
    assert world.ready(claimed) == "Revoked"
    assert counts(world) == (1, 1, 1, 1, 0)


@in_virtual_time
async def test_one_whose_hold_cannot_be_written_is_revoked_all_the_same() -> None:
    world = World()
    await world.start(**QUIET)
    (claimed,) = await working(world)
    world.people.revoke("stop", spec(BY_TEAM))
    await passing(5)
    world.cluster.fail("put_status", UNAVAILABLE, times=2)
    world.people.change(claimed, owner=SUSPECT)
    await passing(0.5)
    assert not world.leases()
    await passing(10)
    assert world.ready(claimed) == "Revoked"


@pytest.mark.parametrize("crashed", [False, True])
@in_virtual_time
async def test_a_lift_before_the_holds_are_written_frees_nobody_without_a_review(crashed: bool) -> None:
    world = World()
    power = Power()
    power.counting = False
    engine = await world.start(power.cluster(world.cluster), power.vault(world.vault), **QUIET)
    (claimed,) = await working(world)
    look = world.vault.hold("lookup_lease")
    world.people.revoke("stop", spec({"profile": "orders-read"}))
    await world.vault.at_gate["lookup_lease"].wait()
    assert world.find(claimed).status.holds == ()
    assert not world.leases()
    if crashed:
        await bury(engine, power)
    world.people.lift("stop")
    look.set()
    if crashed:
        await world.start(**QUIET)
    await passing(20)
    assert world.ready(claimed) == "Held"
    assert world.vault.mints == 1
    assert status_of(world).pending_holds == ()


@in_virtual_time
async def test_a_lift_to_resume_owes_no_holds() -> None:
    world = World()
    await world.start(**QUIET)
    (claimed,) = await working(world)
    look = world.vault.hold("lookup_lease")
    world.people.revoke("stop", spec({"profile": "orders-read"}, onLift="Resume"))
    await world.vault.at_gate["lookup_lease"].wait()
    world.people.lift("stop")
    look.set()
    await passing(20)
    assert world.ready(claimed) == "Active"
    assert status_of(world).pending_holds == ()


@in_virtual_time
async def test_one_that_only_others_keep_from_going_is_not_waited_for() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    held = world.find(claimed)
    world.cluster.store(with_metadata(held, finalizers=(*held.metadata.finalizers, "example.com/backup")))
    world.people.delete(claimed)
    await passing(10)
    assert world.find(claimed).metadata.finalizers == ("example.com/backup",)
    world.people.revoke("stop", spec({"profile": "orders-read"}))
    await passing(5)
    assert counts(world) == (1, 1, 1, 1, 0)
    assert said(world, "Complete") == ("True", Reason.VERIFIED)
