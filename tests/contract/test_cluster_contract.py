"""What every `ports.Cluster` does: in memory, and on a real API server with the operator's own rights."""

import asyncio
import uuid
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from contract.worlds import ClusterWithClock, World, fake_world, real_world
from controlplane import Plane
from controlplane.waiting import wait_until
from leasehold.api.connection import MCPConnection, MCPConnectionStatus
from leasehold.api.names import FINALIZER, SecretAnnotation, SecretLabel
from leasehold.api.reasons import Reason
from leasehold.api.revocation import MAX_PENDING_HOLDS
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import (
    EventType,
    Heartbeat,
    LabelledHeartbeat,
    SecretContent,
    SecretMeta,
    SecretState,
    SecretTouch,
)
from leasehold.core.faults import Conflict, NeedsPerson, TryLater, Vanished
from leasehold.core.sealed import Sealed
from objects import NOON, a_connection
from shipped import ROOT, operator_token, shipped


@pytest.fixture(scope="module")
def operator_login(plane: Plane) -> Iterator[str]:
    with shipped(plane):
        yield operator_token(plane)


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return fake_world()
    return real_world(request.getfixturevalue("plane"), request.getfixturevalue("operator_login"))


def a_stored_connection(world: World) -> MCPConnection:
    """A connection of a team, as the operator reads it."""
    namespace = world.people.namespace()
    return world.people.create(a_connection(namespace=namespace))


def a_content(connection: MCPConnection, generation: int = 1, **data: str) -> SecretContent:
    """A Secret of that connection."""
    return SecretContent(
        namespace=connection.metadata.namespace,
        name="support-bot-orders",
        labels={
            SecretLabel.MANAGED_BY: SecretLabel.MANAGED_BY_VALUE,
            SecretLabel.CONNECTION_UID: connection.metadata.uid,
        },
        annotations={
            SecretAnnotation.GENERATION: str(generation),
            SecretAnnotation.OWNER: "alice@example.com",
        },
        owner=connection,
        data=Sealed(data or {"username": "v-support", "password": "first"}),
    )


def with_generation(connection: MCPConnection, generation: int) -> MCPConnection:
    return connection.model_copy(update={"status": MCPConnectionStatus(last_generation=generation)})


# reading


def test_an_object_is_read_as_it_is_stored(world: World) -> None:
    stored = a_stored_connection(world)
    metadata = stored.metadata
    read = world.run(lambda cluster: cluster.get(MCPConnection, metadata.name, metadata.namespace))
    assert read == world.people.find(stored)


def test_what_does_not_exist_is_none(world: World) -> None:
    namespace = world.people.namespace()
    assert world.run(lambda cluster: cluster.get(MCPConnection, "nobody", namespace)) is None
    assert world.run(lambda cluster: cluster.get(MCPCredentialStore, "nobody")) is None
    assert world.run(lambda cluster: cluster.namespace_labels("no-such-namespace")) is None
    assert world.run(lambda cluster: cluster.service_account(namespace, "nobody")) is None


def test_a_list_holds_every_object_of_its_kind_in_all_namespaces(world: World) -> None:
    first, second = a_stored_connection(world), a_stored_connection(world)
    listed, unreadable = world.run(lambda cluster: cluster.list_all(MCPConnection))
    assert {first.metadata.uid, second.metadata.uid} <= {found.metadata.uid for found in listed}
    assert unreadable == []


def test_a_namespace_is_known_by_its_labels(world: World) -> None:
    namespace = world.people.namespace({"mcp": "true"})
    labels = world.run(lambda cluster: cluster.namespace_labels(namespace))
    assert labels is not None
    assert labels["mcp"] == "true"


def test_a_service_account_is_known_by_its_uid(world: World) -> None:
    namespace = world.people.namespace()
    uid = world.people.create_service_account(namespace, "support-bot")
    found = world.run(lambda cluster: cluster.service_account(namespace, "support-bot"))
    assert found is not None
    assert found.uid == uid


def test_a_heartbeat_says_when_it_was_renewed_to_the_microsecond(world: World) -> None:
    namespace, renewed = world.people.namespace(), NOON + timedelta(microseconds=123456)
    assert world.run(lambda cluster: cluster.heartbeat(namespace, "orders")) is None
    for moment in (renewed, renewed + timedelta(hours=1), None):
        world.people.renew(namespace, "orders", moment)
        assert world.run(lambda cluster: cluster.heartbeat(namespace, "orders")) == Heartbeat(moment)
    world.people.delete_lease(namespace, "orders")
    assert world.run(lambda cluster: cluster.heartbeat(namespace, "orders")) is None
    assert world.run(lambda cluster: cluster.heartbeat("no-such-namespace", "orders")) is None


def test_labelled_heartbeats_are_listed_with_all_that_they_say(world: World) -> None:
    namespace, renewed = world.people.namespace(), NOON + timedelta(microseconds=123456)
    whole = LabelledHeartbeat(
        namespace, "orders", "", renewed, 300, "https://shop.example.com/mcp", "shop-bot", "pod-a"
    )
    bare = LabelledHeartbeat(namespace, "tickets", "", renewed)
    expected = {replace(each, uid=world.people.beat(each)) for each in (whole, bare)}
    world.people.renew(namespace, "an-election", renewed)
    listed = world.run(lambda cluster: cluster.list_heartbeats())
    assert {each for each in listed if each.namespace == namespace} == expected
    world.people.delete_lease(namespace, "orders")
    listed = world.run(lambda cluster: cluster.list_heartbeats())
    assert [each.name for each in listed if each.namespace == namespace] == ["tickets"]


# status: the compare-and-swap


def test_a_status_is_stored_and_answered_with_its_new_version(world: World) -> None:
    stored = a_stored_connection(world)
    answered = world.run(lambda cluster: cluster.put_status(with_generation(stored, 7)))
    assert answered.status.last_generation == 7
    assert answered.metadata.resource_version != stored.metadata.resource_version
    assert world.people.find(stored) == answered


def test_a_status_with_fields_left_out_replaces_the_whole_status(world: World) -> None:
    stored = a_stored_connection(world)
    secret = {"name": "s", "uid": "u", "resource_version": "1", "digest": "sha256:" + "0" * 64}
    full = MCPConnectionStatus.model_validate({"last_generation": 7, "secret": secret})
    answered = world.run(lambda cluster: cluster.put_status(stored.model_copy(update={"status": full})))
    assert answered.status.secret is not None
    emptied = world.run(lambda cluster: cluster.put_status(with_generation(answered, 8)))
    assert emptied.status.secret is None


def test_a_status_write_changes_nothing_but_status(world: World) -> None:
    stored = a_stored_connection(world)
    suspended = stored.model_copy(
        update={
            "spec": stored.spec.model_copy(update={"suspend": True}),
            "metadata": stored.metadata.model_copy(update={"labels": {"stolen": "true"}}),
        }
    )
    answered = world.run(lambda cluster: cluster.put_status(with_generation(suspended, 7)))
    assert answered.spec == stored.spec
    assert answered.metadata.labels == stored.metadata.labels


def test_a_status_based_on_an_old_version_is_a_conflict(world: World) -> None:
    stored = a_stored_connection(world)
    world.people.edit(stored)
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.put_status(with_generation(stored, 7)))
    found = world.people.find(stored)
    assert found is not None
    assert found.status.last_generation == 0


def test_of_two_writers_of_one_version_exactly_one_wins(world: World) -> None:
    stored = a_stored_connection(world)

    async def race(cluster: ClusterWithClock) -> list[object]:
        writes = [cluster.put_status(with_generation(stored, number)) for number in range(1, 9)]
        return list(await asyncio.gather(*writes, return_exceptions=True))

    outcomes = world.run(race)
    assert sum(isinstance(outcome, MCPConnection) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7


def test_a_status_for_an_object_that_is_gone_has_vanished(world: World) -> None:
    stored = a_stored_connection(world)
    world.people.delete(stored)
    with pytest.raises(Vanished):
        world.run(lambda cluster: cluster.put_status(with_generation(stored, 7)))


def test_a_status_never_lands_on_another_object_of_that_name(world: World) -> None:
    stored = a_stored_connection(world)
    world.people.delete(stored)
    successor = world.people.create(stored)
    assert successor.metadata.uid != stored.metadata.uid
    with pytest.raises(Vanished):
        world.run(lambda cluster: cluster.put_status(with_generation(stored, 7)))
    assert world.people.find(stored) == successor


# finalizer


def test_our_finalizer_keeps_a_deleted_object_until_it_is_removed(world: World) -> None:
    stored = a_stored_connection(world)
    held = world.run(lambda cluster: cluster.add_finalizer(stored))
    assert held.metadata.finalizers == (FINALIZER,)
    world.people.delete(held)
    deleted = world.people.find(held)
    assert deleted is not None
    assert deleted.metadata.deletion_timestamp is not None
    world.run(lambda cluster: cluster.remove_finalizer(deleted))
    assert world.people.find(held) is None


def test_adding_the_finalizer_twice_changes_nothing(world: World) -> None:
    once = world.run(lambda cluster: cluster.add_finalizer(a_stored_connection(world)))
    twice = world.run(lambda cluster: cluster.add_finalizer(once))
    assert twice == once


def test_a_finalizer_needs_the_version_that_was_looked_at(world: World) -> None:
    stored = a_stored_connection(world)
    world.people.edit(stored)
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.add_finalizer(stored))
    current = world.people.find(stored)
    assert current is not None
    held = world.run(lambda cluster: cluster.add_finalizer(current))
    world.people.edit(held)
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.remove_finalizer(held))
    assert world.people.find(held) is not None


def test_a_finalizer_for_another_object_of_that_name_has_vanished(world: World) -> None:
    stored = a_stored_connection(world)
    world.people.delete(stored)
    with pytest.raises(Vanished):
        world.run(lambda cluster: cluster.add_finalizer(stored))
    successor = world.people.create(stored)
    with pytest.raises(Vanished):
        world.run(lambda cluster: cluster.add_finalizer(stored))
    world.run(lambda cluster: cluster.remove_finalizer(stored))
    assert world.people.find(stored) == successor


# tokens


def test_a_token_is_for_one_account_and_expires_by_the_servers_clock(world: World) -> None:
    namespace = world.people.namespace()
    uid = world.people.create_service_account(namespace, "support-bot")

    async def scenario(cluster: ClusterWithClock) -> None:
        await cluster.namespace_labels(namespace)
        before = cluster.clock.now()
        token = await cluster.request_token(namespace, "support-bot", "leasehold.dev/store/default", 600)
        after = cluster.clock.now()
        assert before is not None
        assert after is not None
        assert before + timedelta(seconds=590) < token.expiry <= after + timedelta(seconds=600)
        assert token.service_account_uid == uid
        assert token.token.reveal()
        assert token.token.reveal() not in repr(token)

    world.run(scenario)


def test_a_token_for_an_account_that_is_gone_has_vanished(world: World) -> None:
    namespace = world.people.namespace()
    world.people.create_service_account(namespace, "support-bot")
    world.people.delete_service_account(namespace, "support-bot")
    with pytest.raises(Vanished):
        world.run(lambda c: c.request_token(namespace, "support-bot", "leasehold.dev/store/default", 600))


def test_a_token_that_the_policy_forbids_needs_a_person(world: World) -> None:
    namespace = world.people.namespace()
    world.people.create_service_account(namespace, "support-bot")
    with pytest.raises(NeedsPerson) as caught:
        world.run(lambda c: c.request_token(namespace, "support-bot", "leasehold.dev/store/default", 7200))
    assert caught.value.reason is Reason.REFUSED


# Secrets


def test_a_free_name_is_told_from_ours_and_from_a_foreign_one(world: World) -> None:
    connection = a_stored_connection(world)
    namespace = connection.metadata.namespace
    created = world.run(lambda cluster: cluster.create_secret(a_content(connection)))
    world.people.create_secret(namespace, "theirs", {"password": "theirs"})

    free = world.run(lambda cluster: cluster.probe_secret(namespace, "nobodys"))
    ours = world.run(lambda cluster: cluster.probe_secret(namespace, "support-bot-orders"))
    foreign = world.run(lambda cluster: cluster.probe_secret(namespace, "theirs"))

    assert (free.state, free.meta) == (SecretState.FREE, None)
    assert (ours.state, ours.meta) == (SecretState.MANAGED, created)
    assert (foreign.state, foreign.meta) == (SecretState.FOREIGN, None)


def test_a_secret_is_created_as_asked_for(world: World) -> None:
    connection = a_stored_connection(world)
    content = a_content(connection)
    created = world.run(lambda cluster: cluster.create_secret(content))
    seen = world.people.secret(content.namespace, content.name)
    assert seen is not None
    assert dict(seen.data) == {"username": "v-support", "password": "first"}
    assert seen.type == "Opaque"
    assert dict(seen.labels) == dict(content.labels) == dict(created.labels)
    assert dict(seen.annotations) == dict(content.annotations) == dict(created.annotations)
    assert seen.owner_uids == created.owner_uids == (connection.metadata.uid,)
    assert seen.uid == created.uid


def test_a_taken_name_is_a_conflict_whoever_has_it(world: World) -> None:
    connection = a_stored_connection(world)
    namespace = connection.metadata.namespace
    world.people.create_secret(namespace, "support-bot-orders", {"password": "theirs"})
    with pytest.raises(Conflict):
        world.run(lambda cluster: cluster.create_secret(a_content(connection)))
    seen = world.people.secret(namespace, "support-bot-orders")
    assert seen is not None
    assert dict(seen.data) == {"password": "theirs"}


def test_a_touch_tells_untouched_from_changed_and_gone(world: World) -> None:
    content = a_content(a_stored_connection(world))
    created = world.run(lambda cluster: cluster.create_secret(content))

    def touch() -> SecretTouch:
        return world.run(
            lambda cluster: cluster.touch_secret(content.namespace, content.name, created.resource_version)
        )

    assert touch() is SecretTouch.UNTOUCHED
    assert touch() is SecretTouch.UNTOUCHED, "a touch changes nothing"
    world.people.annotate_secret(content.namespace, content.name, "example.com/reload", "yes")
    assert touch() is SecretTouch.CHANGED
    world.people.delete_secret(content.namespace, content.name)
    assert touch() is SecretTouch.GONE


def test_a_touch_of_a_secret_that_lost_our_label_is_a_change(world: World) -> None:
    content = a_content(a_stored_connection(world))
    created = world.run(lambda cluster: cluster.create_secret(content))
    world.people.unlabel_secret(content.namespace, content.name, SecretLabel.MANAGED_BY)
    touched = world.run(
        lambda cluster: cluster.touch_secret(content.namespace, content.name, created.resource_version)
    )
    assert touched is SecretTouch.CHANGED


def test_only_our_own_secret_is_read_with_its_data(world: World) -> None:
    content = a_content(a_stored_connection(world))
    world.run(lambda cluster: cluster.create_secret(content))
    world.people.put_secret_data(content.namespace, content.name, "password", "changed")
    world.people.create_secret(content.namespace, "theirs", {"password": "theirs"})
    ours = world.run(lambda cluster: cluster.read_secret(content.namespace, content.name))
    assert ours is not None
    assert ours.data.reveal() == {"username": "v-support", "password": "changed"}
    assert world.run(lambda cluster: cluster.read_secret(content.namespace, "theirs")) is None
    assert world.run(lambda cluster: cluster.read_secret(content.namespace, "nobodys")) is None


def test_replacing_a_secret_leaves_no_key_of_the_old_one(world: World) -> None:
    connection = a_stored_connection(world)
    namespace = connection.metadata.namespace

    async def scenario(cluster: ClusterWithClock) -> SecretMeta:
        created = await cluster.create_secret(
            a_content(connection, username="u", password="first", old="key")
        )
        return await cluster.replace_secret(
            a_content(connection, 2, username="u", password="second"), created.resource_version
        )

    replaced = world.run(scenario)
    seen = world.people.secret(namespace, "support-bot-orders")
    assert seen is not None
    assert dict(seen.data) == {"username": "u", "password": "second"}
    assert replaced.annotations[SecretAnnotation.GENERATION] == "2"
    assert dict(replaced.annotations) == dict(seen.annotations)


def test_replacing_a_secret_drops_our_old_annotations_and_keeps_other_peoples(world: World) -> None:
    connection = a_stored_connection(world)
    content = a_content(connection)
    created = world.run(lambda cluster: cluster.create_secret(content))
    annotated = world.run(
        lambda cluster: cluster.annotate_secret(
            content.namespace, content.name, {SecretAnnotation.TICKET: "SUP-812"}, created.resource_version
        )
    )
    assert annotated.annotations[SecretAnnotation.TICKET] == "SUP-812"
    world.people.annotate_secret(content.namespace, content.name, "example.com/reload", "yes")
    probe = world.run(lambda cluster: cluster.probe_secret(content.namespace, content.name))
    assert probe.meta is not None
    version = probe.meta.resource_version
    world.run(lambda cluster: cluster.replace_secret(a_content(connection, 2), version))
    seen = world.people.secret(content.namespace, content.name)
    assert seen is not None
    assert SecretAnnotation.TICKET not in seen.annotations
    assert seen.annotations["example.com/reload"] == "yes"


@pytest.mark.parametrize("write", ["replace", "annotate"])
def test_a_secret_is_written_onto_the_version_that_was_looked_at_only(world: World, write: str) -> None:
    connection = a_stored_connection(world)
    content = a_content(connection)
    namespace, name = content.namespace, content.name
    created = world.run(lambda cluster: cluster.create_secret(content))

    def attempt(cluster: ClusterWithClock) -> Awaitable[SecretMeta]:
        if write == "replace":
            return cluster.replace_secret(
                a_content(connection, 2, password="second"), created.resource_version
            )
        annotations = {SecretAnnotation.OWNER: "mallory"}
        return cluster.annotate_secret(namespace, name, annotations, created.resource_version)

    world.people.put_secret_data(namespace, name, "password", "damaged")
    with pytest.raises(Conflict):
        world.run(attempt)
    seen = world.people.secret(namespace, name)
    assert seen is not None
    assert seen.data["password"] == "damaged"
    assert seen.annotations[SecretAnnotation.OWNER] == "alice@example.com"
    world.people.delete_secret(namespace, name)
    with pytest.raises(Vanished):
        world.run(attempt)
    assert world.people.secret(namespace, name) is None


def test_an_annotation_is_removed_with_none(world: World) -> None:
    connection = a_stored_connection(world)
    content = a_content(connection)

    async def scenario(cluster: ClusterWithClock) -> SecretMeta:
        created = await cluster.create_secret(content)
        return await cluster.annotate_secret(
            content.namespace, content.name, {SecretAnnotation.OWNER: None}, created.resource_version
        )

    annotated = world.run(scenario)
    assert set(annotated.annotations) == {SecretAnnotation.GENERATION}


def test_a_secret_is_deleted_by_its_uid_only(world: World) -> None:
    connection = a_stored_connection(world)
    content = a_content(connection)
    created = world.run(lambda cluster: cluster.create_secret(content))
    world.run(lambda cluster: cluster.delete_secret(content.namespace, content.name, connection.metadata.uid))
    assert world.people.secret(content.namespace, content.name) is not None
    world.run(lambda cluster: cluster.delete_secret(content.namespace, content.name, created.uid))
    assert world.people.secret(content.namespace, content.name) is None
    world.run(lambda cluster: cluster.delete_secret(content.namespace, content.name, created.uid))


def test_a_secret_that_lost_our_label_is_not_ours_to_delete(world: World) -> None:
    connection = a_stored_connection(world)
    content = a_content(connection)
    created = world.run(lambda cluster: cluster.create_secret(content))
    world.people.unlabel_secret(content.namespace, content.name, SecretLabel.MANAGED_BY)
    with pytest.raises(NeedsPerson) as caught:
        world.run(lambda cluster: cluster.delete_secret(content.namespace, content.name, created.uid))
    assert caught.value.reason is Reason.SECRET_CONFLICT
    assert world.people.secret(content.namespace, content.name) is not None


def test_a_namespace_that_is_being_deleted_takes_nothing_new(world: World) -> None:
    connection = a_stored_connection(world)
    namespace = connection.metadata.namespace
    world.people.terminate(namespace)

    async def scenario(cluster: ClusterWithClock) -> None:
        await cluster.namespace_labels(namespace)
        with pytest.raises(TryLater, match="being deleted"):
            await cluster.create_secret(a_content(connection))
        with pytest.raises(TryLater, match="being deleted"):
            await cluster.emit_event(connection, EventType.NORMAL, Reason.ISSUED, "Mint", "A credential.")

    world.run(scenario)
    assert world.people.secret(namespace, "support-bot-orders") is None


def test_nothing_secret_is_in_a_fault(world: World) -> None:
    connection = a_stored_connection(world)
    content = a_content(connection, password="hunter2-and-more")
    unfit = SecretContent(content.namespace, content.name, {}, {}, connection, content.data)
    with pytest.raises(NeedsPerson) as caught:
        world.run(lambda cluster: cluster.create_secret(unfit))
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "hunter2" not in f"{chain!r} {chain.args}"
        chain = chain.__cause__ or chain.__context__


# revocations and events


def test_every_revocation_is_listed(world: World) -> None:
    assert world.run(lambda cluster: cluster.list_revocations()) == ()
    spec = {"target": {"namespace": "support"}, "reason": "INC-7", "requestedBy": "security"}
    world.people.revoke("stop-support", spec)
    try:
        (revocation,) = world.run(lambda cluster: cluster.list_revocations())
    finally:
        world.people.remove_revocations()
    assert revocation.name == "stop-support"
    assert world.run(lambda cluster: cluster.list_revocations()) == ()


def test_the_status_of_a_revocation_takes_as_many_pending_holds_as_it_may_name(world: World) -> None:
    spec = {"target": {"namespace": "nobody"}, "reason": "INC-8", "requestedBy": "security"}
    pending = tuple(str(uuid.uuid4()) for _ in range(MAX_PENDING_HOLDS))
    world.people.revoke("stop-nobody", spec)

    async def scenario(cluster: ClusterWithClock) -> None:
        (fact,) = await cluster.list_revocations()
        assert fact.revocation is not None
        for _ in range(2):  # the second one meets what the first one left in the managed fields
            status = fact.revocation.status.model_copy(update={"pending_holds": pending})
            written = await cluster.put_status(fact.revocation.model_copy(update={"status": status}))
            assert written.status.pending_holds == pending
            (fact,) = await cluster.list_revocations()
            assert fact.revocation == written

    try:
        world.run(scenario)
    finally:
        world.people.remove_revocations()


def test_there_are_no_revocations_where_their_kind_is_not_installed(
    plane: Plane, operator_login: str
) -> None:
    definition = str(ROOT / "crds" / "leasehold.dev_mcprevocations.yaml")
    plane.kubectl("delete", "--filename", definition)
    try:
        found = real_world(plane, operator_login).run(lambda cluster: cluster.list_revocations())
    finally:
        plane.kubectl("apply", "--filename", definition)
        listed = ["get", "mcprevocations", "--output=name"]
        wait_until(
            lambda: plane.kubectl(*listed, check=False).returncode == 0, 30, "the kind is served again"
        )
    assert found == ()


def test_an_event_is_found_on_its_object(world: World) -> None:
    connection = a_stored_connection(world)

    async def scenario(cluster: ClusterWithClock) -> None:
        await cluster.get(MCPConnection, connection.metadata.name, connection.metadata.namespace)
        await cluster.emit_event(
            connection, EventType.WARNING, Reason.DRIFTED, "Probe", "A tool has changed."
        )

    world.run(scenario)
    assert world.people.events(connection) == [("Warning", "Drifted", "A tool has changed.")]
