"""What an agent can reach and has reached, kept by the running engine; and that nothing is got rid of by deleting a
connection and creating it anew."""

from datetime import timedelta
from typing import Any

from fakes.cluster import key_of
from fakes.world import NAMESPACE, World
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.core.faults import TryLater
from leasehold.core.former import LOOKED_AT_ANEW
from virtual_time import in_virtual_time, passing

AGENT = "support-bot"


def exposure(world: World) -> MCPAgentExposure:
    found = there(world)
    assert found is not None
    return found


def there(world: World) -> MCPAgentExposure | None:
    [*found] = [each for each in world.cluster.objects.values() if isinstance(each, MCPAgentExposure)]
    assert len(found) < 2
    return found[0] if found else None


def say(world: World, decision: str, connection: str = "orders") -> None:
    body = {
        "metadata": {"name": f"review-{world.cluster.next_version()}", "namespace": NAMESPACE},
        "spec": {"connection": connection, "reviewer": "alice", "decision": decision, "comment": "seen"},
    }
    world.people.create(MCPConnectionReview.model_validate(body))


async def begun(**settings: Any) -> tuple[World, MCPConnection]:
    world = World()
    connection = world.claim()
    await world.start(**settings)
    await passing(10)
    return world, connection


@in_virtual_time
async def test_an_agent_has_one_exposure_that_is_written_only_when_it_changes() -> None:
    world, first = await begun()
    world.claim("more-orders")
    await passing(10)
    spec = exposure(world).spec
    assert (spec.agent, spec.connection_count) == (AGENT, 2)
    assert [each.name for each in spec.connections] == ["orders", "more-orders"]
    assert [each.name for each in spec.profiles] == ["orders-read"]
    assert spec.scopes == ("orders:read",)
    version = exposure(world).metadata.resource_version
    generation = world.find(first).status.last_generation
    await passing(2 * 3600)
    assert world.find(first).status.last_generation > generation, "rotations are nothing new"
    assert exposure(world).metadata.resource_version == version


@in_virtual_time
async def test_what_is_denied_is_listed_and_not_reached() -> None:
    world, connection = await begun()
    world.people.change(connection, suspend=True)
    await passing(10)
    spec = exposure(world).spec
    assert [each.denied_by for each in spec.connections] == ["Suspended"]
    assert (spec.profiles, spec.scopes, spec.capabilities) == ((), (), ())


@in_virtual_time
async def test_a_changed_profile_changes_the_exposure_of_every_agent_on_it() -> None:
    world, _ = await begun()
    world.people.change(world.profile, dataClasses=["personal"])
    await passing(10)
    assert exposure(world).spec.data_classes == ("personal",)


@in_virtual_time
async def test_an_end_is_on_record_before_the_connection_is_gone() -> None:
    world, connection = await begun()
    written: list[bool] = []
    took_off = world.cluster.remove_finalizer

    async def noting(resource: Any) -> None:
        if isinstance(resource, MCPConnection):
            written.append(bool(exposure(world).spec.former))
        await took_off(resource)

    world.cluster.remove_finalizer = noting  # type: ignore[method-assign]
    world.people.delete(connection)
    await passing(20)
    assert world.people.find(connection) is None
    assert written == [True]
    [former] = exposure(world).spec.former
    assert (former.name, former.profile, former.last_generation) == ("orders", "orders-read", 1)
    assert former.uid == connection.metadata.uid
    assert exposure(world).spec.connections == ()


@in_virtual_time
async def test_a_connection_created_anew_waits_for_a_person() -> None:
    world, connection = await begun()
    world.people.delete(connection)
    await passing(20)
    again = world.claim("orders-2")
    await passing(20)
    assert world.ready(again) == "Recreated"
    assert world.states(again) == []
    assert not world.leases()
    say(world, "Approve", "orders-2")
    await passing(20)
    assert (world.ready(again), world.secret_works("orders-2")) == ("Active", True)


@in_virtual_time
async def test_after_ninety_days_nobody_has_to_look_at_it_anew() -> None:
    world, connection = await begun()
    world.people.delete(connection)
    await passing(20)
    again = world.claim()
    ended_then = world.now - LOOKED_AT_ANEW + timedelta(minutes=20)
    [former] = exposure(world).spec.former
    earlier = former.model_copy(update={"ended_time": ended_then.replace(microsecond=0)})
    spec = exposure(world).spec.model_copy(update={"former": (earlier,)})
    world.cluster.store(exposure(world).model_copy(update={"spec": spec}))
    await passing(14 * 60)
    world.people.edit(again)
    await passing(60)
    assert world.ready(again) == "Recreated"
    await passing(10 * 60)
    assert (world.ready(again), world.secret_works()) == ("Active", True)


@in_virtual_time
async def test_a_rejection_outlives_the_connection_under_whatever_name() -> None:
    world, connection = await begun()
    say(world, "Reject")
    await passing(20)
    world.people.delete(connection)
    await passing(20)
    assert exposure(world).spec.former[0].rejection is not None
    for name in ("fresh-start", "once-more"):
        again = world.claim(name)
        await passing(20)
        assert (world.ready(again), world.states(again)) == ("Rejected", [])
        world.people.delete(again)
        await passing(20)
    last = world.claim("last")
    await passing(20)
    say(world, "Approve", "last")
    await passing(20)
    assert (world.ready(last), world.secret_works("last")) == ("Active", True)
    world.people.delete(last)
    await passing(20)
    newest = world.claim("newest")
    await passing(20)
    assert world.ready(newest) == "Recreated", "what was approved since is not rejected any more"


@in_virtual_time
async def test_a_second_connection_beside_a_rejected_one_is_rejected_as_well() -> None:
    world, _ = await begun()
    say(world, "Reject")
    await passing(20)
    beside = world.claim("beside")
    await passing(20)
    assert (world.ready(beside), world.states(beside)) == ("Rejected", [])


@in_virtual_time
async def test_a_hold_outlives_the_connection_and_an_approval_ends_it() -> None:
    world, connection = await begun()
    said = {"reason": "a leak", "requestedBy": "alice@example.com"}
    world.people.revoke("leak", {"target": {"connection": connection.key}, **said})
    await passing(20)
    assert world.ready(connection) == "Revoked"
    world.people.delete(connection)
    await passing(20)
    assert [hold.revocation for hold in exposure(world).spec.former[0].holds] == ["leak"]
    again = world.claim("under-another-name")
    await passing(20)
    assert (world.ready(again), world.states(again)) == ("Revoked", [])
    world.people.remove_revocations()  # by force: nobody saw a lift
    await passing(60)
    assert (world.ready(again), world.states(again)) == ("Held", [])
    say(world, "Approve", "under-another-name")
    await passing(60)
    assert (world.ready(again), world.secret_works("under-another-name")) == ("Active", True)


@in_virtual_time
async def test_an_end_that_cannot_be_recorded_waits_and_is_not_lost() -> None:
    world, connection = await begun()
    replaced = world.cluster.replace_exposure

    async def away(exposure: MCPAgentExposure) -> MCPAgentExposure:
        raise TryLater(Reason.CLUSTER_UNAVAILABLE, "not now")

    world.cluster.replace_exposure = away  # type: ignore[method-assign]
    world.people.delete(connection)
    await passing(20)
    assert not world.leases(), "its credential ends all the same"
    assert world.people.find(connection) is not None
    world.cluster.replace_exposure = replaced  # type: ignore[method-assign]
    await passing(120)
    assert world.people.find(connection) is None
    assert [each.name for each in exposure(world).spec.former] == ["orders"]


@in_virtual_time
async def test_a_successor_remembers_what_ended_while_nobody_looked() -> None:
    world, connection = await begun()
    await world.engines.pop().stop(1)
    del world.cluster.objects[key_of(connection)]  # its finalizer was stripped
    await world.start()
    again = world.claim("orders-2")
    await passing(20)
    [former] = exposure(world).spec.former
    assert (former.name, former.last_generation) == ("orders", None)
    assert world.ready(again) == "Recreated"


@in_virtual_time
async def test_an_exposure_that_somebody_removed_is_written_again() -> None:
    world, _ = await begun()
    del world.cluster.objects[key_of(exposure(world))]
    await passing(700)
    assert exposure(world).spec.connection_count == 1
