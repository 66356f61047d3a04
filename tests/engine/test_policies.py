"""Access policies over the running engine: warnings end nothing, denials end after their grace, and what cannot be
read, or was deleted, widens nothing in silence."""

from datetime import timedelta
from typing import Any

from fakes.world import NAMESPACE, World
from leasehold.api.base import rfc3339
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.review import MCPConnectionReview
from objects import a_policy
from virtual_time import in_virtual_time, passing

MINUTE = 60
GRACE = 30 * MINUTE
TOO_LONG: dict[str, Any] = {"maxTTLSeconds": 60}


def policed(world: World, name: str = "strict", **spec: Any) -> MCPAccessPolicy:
    """The platform creates a policy."""
    return world.people.create(a_policy(name, metadata={"uid": "", "generation": 1}, **spec))


def told(world: World, action: str = "policy") -> list[str]:
    """The reasons of the audit records of that action, in order."""
    return [each["data"]["reason"] for each in world.audit.records if each["data"]["action"] == action]


def approve(world: World, reviewer: str, connection: str = "orders") -> None:
    body = {
        "metadata": {"name": f"review-{world.cluster.next_version()}", "namespace": NAMESPACE},
        "spec": {"connection": connection, "reviewer": reviewer, "decision": "Approve", "comment": "needed"},
    }
    world.people.create(MCPConnectionReview.model_validate(body))


@in_virtual_time
async def test_a_warning_is_said_and_never_ends_anything() -> None:
    world = World()
    connection = world.claim()
    await world.start()
    await passing(5)
    policed(world, **TOO_LONG, effect="Warn")
    await passing(5)
    assert (world.ready(connection), world.secret_works()) == ("PolicyViolated", True)
    await passing(20 * GRACE)
    assert (world.ready(connection), world.secret_works()) == ("PolicyViolated", True)
    assert told(world) == ["PolicyViolated"]


@in_virtual_time
async def test_a_denial_ends_after_its_grace_whichever_process_counts_it() -> None:
    world = World()
    connection = world.claim()
    await world.start()
    await passing(5)
    policed(world, **TOO_LONG, graceSeconds=GRACE)
    await passing(5)
    [violation] = world.find(connection).status.policy_violations
    since = violation.since_time
    assert violation.deadline_time == since + timedelta(seconds=GRACE)
    [record] = [each["data"] for each in world.audit.records if each["data"]["action"] == "policy"]
    assert record["violation"] == {
        "name": "strict",
        "generation": 1,
        "rule": "TTL",
        "effect": "Deny",
        "since": rfc3339(since),
        "deadline": rfc3339(violation.deadline_time),
    }
    await passing(GRACE / 2)
    await world.engines.pop().stop(1)
    await world.start()
    await passing((since + timedelta(seconds=GRACE - MINUTE) - world.now).total_seconds())
    assert world.secret_works()
    assert world.find(connection).status.policy_violations == (violation,)
    await passing(2 * MINUTE)
    assert (world.ready(connection), world.leases()) == ("PolicyViolated", [])
    assert world.people.secret(NAMESPACE, "orders") is None
    [revoked] = [
        each["data"]
        for each in world.audit.records
        if each["data"]["action"] == "revoke"
        and each["data"]["phase"] == "result"
        and each["data"]["reason"] == "PolicyViolated"
    ]
    assert [(each["name"], each["generation"]) for each in revoked["policies"]] == [("strict", 1)]
    events = [message for _, reason, message in world.people.events(connection) if reason == "PolicyViolated"]
    assert len(events) == 2, "one when the time begins, one when it is over"
    assert all("strict (generation 1)" in message for message in events)


@in_virtual_time
async def test_nothing_is_minted_before_the_first_approval_by_another_person() -> None:
    world = World()
    policed(world, requires=["Approval"], secondApproverFrom="High", graceSeconds=GRACE)
    connection = world.claim()
    await world.start()
    await passing(5)
    assert (world.ready(connection), world.tokens()) == ("PolicyViolated", [])
    approve(world, "alice@example.com")
    await passing(5)
    assert (world.ready(connection), world.tokens()) == ("PolicyViolated", [])
    approve(world, "bob@example.com")
    await passing(5)
    assert (world.ready(connection), world.secret_works()) == ("Active", True)


@in_virtual_time
async def test_a_policy_that_comes_while_vault_is_asked_is_not_slipped_past() -> None:
    world = World()
    await world.start()
    world.delays["list_revocations"] = [5.0]
    connection = world.claim()
    await passing(1)
    policed(world, **TOO_LONG, graceSeconds=GRACE)
    await passing(30)
    assert (world.ready(connection), world.leases()) == ("PolicyViolated", [])
    assert world.people.secret(NAMESPACE, "orders") is None


@in_virtual_time
async def test_a_deleted_policy_gives_back_what_it_denied_and_says_so() -> None:
    world = World()
    connection = world.claim()
    await world.start()
    await passing(5)
    policy = policed(world, **TOO_LONG)
    await passing(5)
    assert (world.ready(connection), world.leases()) == ("PolicyViolated", [])
    world.people.delete(policy)
    await passing(5)
    assert (world.ready(connection), world.secret_works()) == ("Active", True)
    assert told(world) == ["PolicyViolated", "PolicyRemoved", "PolicySatisfied"]
    [removed] = [each for each in world.audit.records if each["data"]["reason"] == "PolicyRemoved"]
    assert removed["data"]["policy"]["generation"] == 1
    [satisfied] = [
        each["data"] for each in world.audit.records if each["data"]["reason"] == "PolicySatisfied"
    ]
    assert "strict (generation 1)" in satisfied["message"]
    assert "gone" in satisfied["message"]
    assert [reason for _, reason, _ in world.people.events(policy)] == ["PolicyRemoved"]


@in_virtual_time
async def test_an_agents_place_is_free_once_an_older_connection_is_gone() -> None:
    world = World()
    policed(world, maxConnectionsPerAgent=1)
    older = world.claim("orders")
    await world.start()
    await passing(5)
    younger = world.claim("more-orders")
    await passing(5)
    assert [world.ready(each) for each in (older, younger)] == ["Active", "PolicyViolated"]
    world.people.delete(older)
    await passing(30)
    assert world.ready(younger) == "Recreated"
    approve(world, "alice", "more-orders")
    await passing(30)
    assert (world.ready(younger), world.secret_works("more-orders")) == ("Active", True)


@in_virtual_time
async def test_a_policy_of_another_version_lets_nobody_new_in_until_it_is_mended_or_gone() -> None:
    world = World()
    working = world.claim("orders")
    engine = await world.start()
    await passing(5)
    policy = policed(world, maxTTLSeconds=86400)
    await passing(1)
    body = policy.to_wire()
    body["metadata"]["resourceVersion"] = str(world.cluster.next_version())
    body["spec"] = {"allowedPlanets": ["earth"]}
    engine.on_event("MCPAccessPolicy", "MODIFIED", body)
    newcomer = world.claim("more-orders")
    await passing(5)
    assert [world.ready(each) for each in (working, newcomer)] == ["Active", "PolicyUnreadable"]
    assert world.secret_works("orders")
    assert world.people.secret(NAMESPACE, "more-orders") is None
    body["metadata"]["resourceVersion"] = str(world.cluster.next_version())
    engine.on_event("MCPAccessPolicy", "DELETED", body)
    await passing(5)
    assert (world.ready(newcomer), world.secret_works("more-orders")) == ("Active", True)
