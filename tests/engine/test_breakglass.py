"""One switch revokes everything that it matches, says what is not dead yet, and nobody slips past it."""

from datetime import timedelta

import pytest

from fakes.cluster import with_metadata
from fakes.switches import counts, said, spec, status_of, thrown, working
from fakes.world import LEASED, NAMESPACE, World
from leasehold.api.connection import EntryState, MCPConnection, MCPConnectionStatus
from leasehold.api.names import ABANDON_ANNOTATION
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from objects import a_profile
from virtual_time import in_virtual_time, passing

BY_PROFILE = {"profile": "orders-read"}


@pytest.mark.parametrize("kind", ["Lease", "Token", "login Token"])
@in_virtual_time
async def test_everything_that_matches_is_revoked_verified_and_reported(kind: str) -> None:
    world = World(kind)
    await world.start()
    claimed = await working(world, 5)
    world.people.revoke("stop", spec(BY_PROFILE))
    await passing(5)
    assert {world.ready(each) for each in claimed} == {"Revoked"}
    assert not world.leases()
    assert not world.cluster.secrets
    assert counts(world) == (5, 5, 5, 5, 0)
    assert said(world, "Complete") == ("True", Reason.VERIFIED)
    assert said(world, "Enforced") == ("True", Reason.ENFORCED)
    status = status_of(world)
    assert None not in (status.started_time, status.revoked_time, status.verified_time)
    assert (status.residual_exposure_until, status.residual) == (None, "none")


@in_virtual_time
async def test_nothing_else_is_touched() -> None:
    world = World()
    await world.start()
    one, other = await working(world, 2)
    world.people.revoke("stop", spec({"connection": one.key}))
    await passing(5)
    assert (world.ready(one), world.ready(other)) == ("Revoked", "Active")
    assert world.secret_works("orders-1")
    assert counts(world) == (1, 1, 1, 1, 0)


@in_virtual_time
async def test_a_target_that_nobody_matches_is_said() -> None:
    world = World()
    await world.start()
    await working(world)
    world.people.revoke("stop", spec({"profile": "orders-raed"}))
    await passing(5)
    assert said(world, "Complete") == ("True", Reason.NOTHING_MATCHED)
    events = world.people.events(thrown(world))
    assert ("Warning", "NothingMatched") in {each[:2] for each in events}


@in_virtual_time
async def test_a_connection_that_comes_later_is_born_revoked() -> None:
    world = World()
    await world.start()
    world.people.revoke("stop", spec(BY_PROFILE))
    await passing(5)
    late = world.claim()
    await passing(5)
    assert world.ready(late) == "Revoked"
    assert world.vault.mints == 0
    assert counts(world) == (1, 1, 1, 1, 0)
    assert said(world, "Complete") == ("True", Reason.VERIFIED)


@in_virtual_time
async def test_a_silent_watch_hides_no_revocation() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.watching = False
    world.people.revoke("stop", spec(BY_PROFILE))
    await passing(15)
    assert world.ready(claimed) == "Revoked"
    assert not world.leases()


@in_virtual_time
async def test_an_operator_that_starts_afterwards_carries_it_out() -> None:
    world = World()
    first = await world.start()
    (claimed,) = await working(world)
    assert await first.stop(10)
    world.people.revoke("stop", spec(BY_PROFILE))
    await world.start()
    await passing(5)
    assert world.ready(claimed) == "Revoked"
    assert said(world, "Complete") == ("True", Reason.VERIFIED)


def with_vendor(world: World, vendor: str | None) -> MCPServerProfile:
    profile = world.people.find(a_profile())
    assert profile is not None
    return world.people.change(profile, vendor=vendor)


@pytest.mark.parametrize("restarted", [False, True])
@in_virtual_time
async def test_a_vendor_means_its_connections_although_the_profile_was_deleted(restarted: bool) -> None:
    world = World()
    engine = await world.start()
    profile = with_vendor(world, "Example Inc")
    (claimed,) = await working(world)
    world.people.delete(profile)
    await passing(30)
    assert world.leases()
    if restarted:
        assert await engine.stop(10)
        await world.start()
    world.people.revoke("stop", spec({"vendor": "Example Inc"}))
    await passing(5)
    assert world.ready(claimed) == "Revoked"
    assert not world.leases()
    assert counts(world) == (1, 1, 1, 1, 0)


@in_virtual_time
async def test_whose_profile_becomes_the_vendors_is_revoked_and_not_freed_by_another_word() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.people.revoke("stop", spec({"vendor": "Example Inc"}))
    await passing(5)
    assert (world.ready(claimed), counts(world)[0]) == ("Active", 0)
    with_vendor(world, "Example Inc")
    await passing(5)
    assert world.ready(claimed) == "Revoked"
    assert not world.leases()
    with_vendor(world, "Another Inc")
    await passing(30)
    assert world.ready(claimed) == "Revoked"
    assert world.vault.mints == 1
    assert counts(world) == (1, 1, 1, 1, 0)


@pytest.mark.parametrize("restarted", [False, True])
@in_virtual_time
async def test_leaving_the_target_frees_nobody(restarted: bool) -> None:
    world = World()
    engine = await world.start()
    (claimed,) = await working(world)
    world.people.revoke("stop", spec({"team": "support-platform"}))
    await passing(5)
    if restarted:
        assert await engine.stop(10)
        await world.start()
    owner = {"user": "alice@example.com", "team": "another-team"}
    world.people.change(world.find(claimed), owner=owner)
    await passing(30)
    assert world.ready(claimed) == "Revoked"
    assert world.vault.mints == 1
    assert counts(world)[0] == 1


@in_virtual_time
async def test_a_lift_frees_only_those_whom_a_review_approves_afterwards() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.people.revoke("stop", spec(BY_PROFILE))
    await passing(5)
    world.people.lift("stop")
    await passing(30)
    assert world.ready(claimed) == "Held"
    assert world.vault.mints == 1
    assert said(world, "Enforced") == ("False", Reason.LIFTED)
    assert said(world, "Complete") == ("True", Reason.VERIFIED)
    assert counts(world) == (1, 1, 1, 1, 0)


@in_virtual_time
async def test_a_lift_to_resume_brings_a_fresh_credential() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.people.revoke("stop", spec(BY_PROFILE, onLift="Resume"))
    await passing(5)
    world.people.lift("stop")
    await passing(10)
    assert world.ready(claimed) == "Active"
    assert world.secret_works("orders-0")
    assert world.vault.mints == 2
    assert counts(world) == (1, 1, 1, 1, 0)


@in_virtual_time
async def test_deleting_a_revocation_frees_nobody() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.people.revoke("stop", spec(BY_PROFILE, onLift="Resume"))
    await passing(5)
    world.people.remove_revocations()
    await passing(30)
    assert world.ready(claimed) == "Held"
    assert world.vault.mints == 1


@in_virtual_time
async def test_one_lifted_frees_nobody_whom_another_still_matches() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.people.revoke("stop", spec(BY_PROFILE, onLift="Resume"))
    world.people.revoke("second", spec({"namespace": NAMESPACE}, onLift="Resume"))
    await passing(5)
    world.people.lift("stop")
    await passing(10)
    assert world.ready(claimed) == "Revoked"
    world.people.lift("second")
    await passing(10)
    assert world.ready(claimed) == "Active"


@in_virtual_time
async def test_a_drill_ends_by_itself() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.people.revoke("stop", spec(BY_PROFILE, onLift="Resume", expiresSeconds=60))
    await passing(30)
    assert world.ready(claimed) == "Revoked"
    await passing(60)
    assert world.ready(claimed) == "Active"
    assert said(world, "Enforced") == ("False", Reason.DRILL_OVER)


@in_virtual_time
async def test_what_only_runs_out_is_said_with_its_end() -> None:
    world = World("Expiring")
    await world.start()
    (claimed,) = await working(world)
    end = world.find(claimed).status.ledger[0].expiry_time
    assert end is not None
    world.people.revoke("stop", spec(BY_PROFILE))
    await passing(5)
    status = status_of(world)
    assert (status.matched, status.verified, status.residual_exposure_until) == (1, 0, end)
    assert said(world, "Complete") == ("True", Reason.RESIDUAL_EXPOSURE)
    await passing((end - world.now) / timedelta(seconds=1) + 60)
    assert counts(world) == (1, 1, 1, 1, 0)
    assert said(world, "Complete") == ("True", Reason.VERIFIED)
    assert status_of(world).residual == "none"


@in_virtual_time
async def test_what_never_ends_is_said_to_be_unknown() -> None:
    world = World("Static")
    await world.start()
    await working(world)
    world.people.revoke("stop", spec(BY_PROFILE))
    await passing(10)
    status = status_of(world)
    assert (status.verified, status.secrets_deleted) == (0, 1)
    assert str(status.residual).startswith("unknown")
    assert said(world, "Complete") == ("True", Reason.RESIDUAL_EXPOSURE)


@in_virtual_time
async def test_while_the_store_is_away_the_status_says_so_and_the_secret_is_gone() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.vault.reachable = False
    world.people.revoke("stop", spec(BY_PROFILE))
    await passing(30)
    assert not world.cluster.secrets
    assert counts(world) == (1, 0, 0, 1, 1)
    assert said(world, "Complete") == ("False", Reason.UNREACHABLE)
    status = status_of(world)
    assert [each.reason for each in status.failures] == [Reason.UNREACHABLE]
    assert status.residual_exposure_until == world.find(claimed).status.ledger[0].expiry_time
    world.vault.reachable = True
    await passing(360)
    assert not world.leases()
    assert counts(world) == (1, 1, 1, 1, 0)
    assert said(world, "Complete") == ("True", Reason.VERIFIED)


@in_virtual_time
async def test_what_the_backend_keeps_is_revoked_but_not_reported_dead() -> None:
    world = World()
    await world.start()
    await working(world)
    world.vault.stubborn.add(LEASED)
    world.people.revoke("stop", spec(BY_PROFILE))
    for _ in range(40):
        await passing(1)
        assert counts(world)[2] == 0
        assert said(world, "Complete")[0] == "False"
    assert world.leases()
    world.vault.stubborn.clear()
    await passing(360)
    assert not world.leases()
    assert counts(world) == (1, 1, 1, 1, 0)


@in_virtual_time
async def test_a_mint_in_flight_is_taken_back_and_only_then_reported_dead() -> None:
    world = World()
    answer = world.vault.hold("mint")
    await world.start()
    claimed = world.claim()
    await world.vault.at_gate["mint"].wait()
    assert [state for _, state in world.states(claimed)] == [EntryState.INTENT]
    world.people.revoke("stop", spec(BY_PROFILE))
    await passing(5)
    assert counts(world) == (1, 0, 0, 0, 0), "nobody knows yet whether it has a Secret"
    assert said(world, "Complete") == ("False", Reason.REVOKING)
    answer.set()
    await passing(5)
    assert world.vault.mints == 1
    assert not world.leases()
    assert not world.cluster.secrets
    assert world.ready(claimed) == "Revoked"
    assert said(world, "Complete") == ("True", Reason.VERIFIED)


@in_virtual_time
async def test_the_audit_log_tells_who_threw_the_switch_and_what_it_ended() -> None:
    world = World()
    await world.start()
    (claimed,) = await working(world)
    world.people.revoke("stop", spec(BY_PROFILE, onLift="Resume", incident="INC-7"))
    await passing(5)
    world.people.lift("stop")
    await passing(5)
    data = [record["data"] for record in world.audit.records]
    told = [(d["action"], d["phase"], d["actor"], d["reason"]) for d in data if "revocation" in d]
    assert told == [
        ("breakglass", "intent", "alice@example.com", "Enforced"),
        ("breakglass", "result", "alice@example.com", "Verified"),
        ("lift", "result", "bob@example.com", "Lifted"),
    ]
    ended = [d for d in data if d["reason"] == "Revoked" and d["phase"] == "result"]
    assert [(d["connection"]["name"], d["outcome"]) for d in ended] == [(claimed.metadata.name, "Succeeded")]


async def with_lost_status(world: World, keeps_secret: bool) -> MCPConnection:
    """A working connection whose status is lost while no operator runs."""
    engine = await world.start()
    (claimed,) = await working(world)
    assert await engine.stop(10)
    world.cluster.store(world.find(claimed).model_copy(update={"status": MCPConnectionStatus()}))
    if not keeps_secret:
        world.cluster.secrets.clear()
    world.people.revoke("stop", spec(BY_PROFILE))
    return claimed


@in_virtual_time
async def test_a_lost_ledger_is_never_counted_dead_and_giving_it_up_proves_nothing() -> None:
    world = World()
    claimed = await with_lost_status(world, keeps_secret=False)
    await world.start()
    for _ in range(10):
        await passing(1)
        assert counts(world) == (1, 0, 0, 0, 1)
        assert said(world, "Complete") == ("False", Reason.LEDGER_LOST)
        assert str(status_of(world).residual).startswith("unknown")
    assert world.leases()
    given_up = {ABANDON_ANNOTATION: "nobody knows the lease"}
    world.cluster.store(with_metadata(world.find(claimed), annotations=given_up))
    await passing(10)
    assert counts(world) == (1, 1, 0, 1, 0)
    assert said(world, "Complete") == ("True", Reason.RESIDUAL_EXPOSURE)
    assert str(status_of(world).residual).startswith("unknown")


@in_virtual_time
async def test_a_lost_ledger_that_the_secret_tells_is_ended_once_the_store_is_back() -> None:
    world = World()
    await with_lost_status(world, keeps_secret=True)
    world.vault.reachable = False
    await world.start()
    for _ in range(10):
        await passing(1)
        assert counts(world)[1:4] == (0, 0, 0)
        assert said(world, "Complete")[0] == "False"
    world.vault.reachable = True
    await passing(120)
    assert not world.leases()
    assert not world.cluster.secrets
    assert counts(world) == (1, 1, 1, 1, 0)


@in_virtual_time
async def test_a_connection_that_cannot_be_read_is_said_and_not_called_done() -> None:
    world = World()
    engine = await world.start()
    _, unreadable = await working(world, 2)
    assert await engine.stop(10)
    world.cluster.unreadable.add((MCPConnection.PLURAL, unreadable.key))
    world.people.revoke("stop", spec(BY_PROFILE))
    await world.start(resync_seconds=30)
    await passing(5)
    assert counts(world) == (1, 1, 1, 1, 0)
    assert said(world, "Complete") == ("False", Reason.INVALID_SPEC)
    assert unreadable.key in status_of(world).conditions[1].message
    assert status_of(world).residual == "unknown: 1 cannot be read"
    world.cluster.unreadable.clear()
    await passing(60)
    assert counts(world) == (2, 2, 2, 2, 0)
    assert said(world, "Complete") == ("True", Reason.VERIFIED)
    assert not world.leases()
