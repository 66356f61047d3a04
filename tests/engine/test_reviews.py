"""A connection goes on because somebody stands up for it, and stops when somebody says no."""

from datetime import timedelta
from typing import Any

from fakes.world import NAMESPACE, World
from leasehold.api.base import whole_seconds
from leasehold.api.connection import Assurance, MCPConnection
from leasehold.api.names import SecretAnnotation
from leasehold.api.review import MCPConnectionReview
from objects import a_connection
from virtual_time import in_virtual_time, passing

DAY = 86400


def review(world: World, connection: MCPConnection, decision: str, name: str = "first", **spec: Any) -> None:
    body = {
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "connection": connection.metadata.name,
            "reviewer": "alice@example.com",
            "decision": decision,
            "comment": "looked at it",
            **spec,
        },
    }
    world.people.create(MCPConnectionReview.model_validate(body))


def judged(world: World, name: str = "first") -> tuple[str, str]:
    held = world.cluster.objects[MCPConnectionReview.PLURAL, NAMESPACE, name]
    assert isinstance(held, MCPConnectionReview)
    (condition,) = held.status.conditions
    return condition.status.value, condition.reason.value


def annotation(world: World, name: str) -> str:
    secret = world.people.secret(NAMESPACE, "orders")
    assert secret is not None
    return secret.annotations[name]


@in_virtual_time
async def test_an_approval_renews_the_lease_from_its_own_time() -> None:
    world = World()
    await world.start()
    claimed = world.claim(leaseDurationSeconds=30 * DAY)
    await passing(600)
    said_at = whole_seconds(world.now)
    review(world, claimed, "Approve")
    await passing(5)
    status = world.find(claimed).status
    assert judged(world) == ("True", "Counted")
    assert status.lease_end_time == said_at + timedelta(days=30)
    assert status.approval is not None
    assert (status.approval.review, status.approval.assurance) == ("first", Assurance.OWNER)
    assert annotation(world, SecretAnnotation.LEASE_END_TIME) == status.to_wire()["leaseEndTime"]


@in_virtual_time
async def test_a_renewal_mints_nothing() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    review(world, claimed, "Approve")
    await passing(5)
    assert world.vault.mints == 1
    assert world.ready(claimed) == "Active"


@in_virtual_time
async def test_an_approval_brings_an_expired_connection_back_with_a_fresh_credential() -> None:
    world = World()
    await world.start()
    claimed = world.claim(leaseDurationSeconds=60)
    await passing(90)
    assert world.ready(claimed) == "Expired"
    review(world, claimed, "Approve", reviewer="carol@example.com")
    await passing(5)
    assert world.ready(claimed) == "ReviewDue"
    assert world.secret_works()
    assert world.vault.mints == 2
    approval = world.find(claimed).status.approval
    assert approval is not None
    assert approval.assurance is Assurance.DELEGATE


@in_virtual_time
async def test_a_rejection_ends_the_credential_until_a_newer_approval() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    review(world, claimed, "Reject")
    await passing(5)
    assert world.ready(claimed) == "Rejected"
    assert not world.leases()
    review(world, claimed, "Approve", "second")
    await passing(5)
    assert world.ready(claimed) == "Active"
    assert world.secret_works()


@in_virtual_time
async def test_deleting_a_rejection_frees_nobody() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    review(world, claimed, "Reject")
    await passing(5)
    del world.cluster.objects[MCPConnectionReview.PLURAL, NAMESPACE, "first"]
    await passing(400)
    assert world.ready(claimed) == "Rejected"


@in_virtual_time
async def test_a_rejection_binds_the_name_and_an_approval_does_not() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    review(world, claimed, "Approve")
    await passing(5)
    review(world, claimed, "Reject", "second")
    await passing(5)
    world.people.delete(world.find(claimed))
    await passing(30)
    again = world.claim()
    await passing(5)
    assert world.ready(again) == "Rejected"
    assert world.find(again).status.approval is None
    assert world.vault.mints == 1


@in_virtual_time
async def test_an_approval_from_before_the_connection_is_void() -> None:
    world = World()
    await world.start()
    review(world, a_connection("orders", namespace=NAMESPACE), "Approve")
    await passing(5)
    assert judged(world) == ("False", "NoConnection")
    claimed = world.claim("orders")
    await passing(5)
    assert world.find(claimed).status.approval is None
    status = world.find(claimed).status
    created = claimed.metadata.creation_timestamp
    assert created is not None
    assert status.lease_end_time == created + timedelta(seconds=claimed.spec.lease_duration_seconds)


@in_virtual_time
async def test_an_approval_of_something_that_was_never_captured_is_void() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    review(world, claimed, "Approve", surfaceDigest="sha256:" + "0" * 64)
    await passing(5)
    assert judged(world) == ("False", "AnotherSurface")
    assert world.find(claimed).status.approval is None


@in_virtual_time
async def test_an_agent_does_not_review_itself() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    review(world, claimed, "Approve", reviewer=f"system:serviceaccount:{NAMESPACE}:support-bot")
    await passing(5)
    assert judged(world) == ("False", "ReviewedByAgent")


@in_virtual_time
async def test_after_a_lift_an_approval_frees_and_an_earlier_one_does_not() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    target = {"target": {"profile": "orders-read"}, "reason": "leaked", "requestedBy": "alice@example.com"}
    world.people.revoke("stop", target)
    await passing(5)
    review(world, claimed, "Approve", "before-the-lift")
    await passing(5)
    assert world.ready(claimed) == "Revoked"
    world.people.lift("stop")
    await passing(10)
    assert world.ready(claimed) == "Held"
    review(world, claimed, "Approve", "after-the-lift")
    await passing(5)
    assert world.ready(claimed) == "Active"
    assert world.secret_works()
    assert world.find(claimed).status.holds == ()


@in_virtual_time
async def test_the_audit_log_tells_who_said_what() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    review(world, claimed, "Reject", comment="nobody knows this agent")
    await passing(5)
    data = [record["data"] for record in world.audit.records]
    (told,) = [each for each in data if each["action"] == "reject"]
    assert (told["actor"], told["outcome"], told["message"]) == (
        "alice@example.com",
        "Succeeded",
        "nobody knows this agent",
    )
    assert told["review"] == {"name": "first"}


@in_virtual_time
async def test_the_audit_log_tells_what_came_back_and_by_whom() -> None:
    world = World()
    await world.start()
    claimed = world.claim()
    await passing(5)
    review(world, claimed, "Reject")
    await passing(5)
    review(world, claimed, "Approve", "second", reviewer="carol@example.com")
    await passing(5)
    suspended = world.people.change(claimed, suspend=True)
    await passing(5)
    world.people.change(suspended, suspend=False)
    await passing(5)
    data = [record["data"] for record in world.audit.records]
    told = [
        (each["actor"], each["reason"], each["message"][:18]) for each in data if each["action"] == "restore"
    ]
    assert told == [
        ("carol@example.com", "Approved", "it was Rejected: a"),
        ("leasehold", "Active", "it was Suspended: "),
    ]
