"""A review is a person's own word, and it stays. Tried on a real API server by people with the shipped and the
stock roles, by agents, and by the operator; and what only the operator may write: snapshots and
exposures."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bindings import bind, bound, grant, may, unbind_everywhere
from contract.worlds import RealPeople
from controlplane.waiting import wait_until
from corpus_cases import corpus
from intruder import Intruder
from leasehold.api.names import OPERATOR_USER
from leasehold.api.review import MCPConnectionReview
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core.exposure import ended, exposure_of
from objects import NOON, a_connection

OURS = "/apis/leasehold.dev/v1alpha1"
SNAPSHOTS = f"{OURS}/mcptoolsnapshots"
ON_REVIEWS = {"apiGroups": ["leasehold.dev"], "resources": ["mcpconnectionreviews"]}
ON_CONNECTIONS = {"apiGroups": ["leasehold.dev"], "resources": ["mcpconnections"]}
NAMESPACE_CONTROLLER = "system:serviceaccount:kube-system:namespace-controller"


@pytest.fixture(scope="module")
def namespace(people: RealPeople) -> Iterator[str]:
    """Alice reviews here, and so would the agent's service account; the tenant has the stock role `edit`; Bob may
    write reviews, but attest only one connection."""
    plane, namespace = people.plane, people.namespace()
    people.create_service_account(namespace, "support-bot")
    agent = f"system:serviceaccount:{namespace}:support-bot"
    bind(plane, "leasehold-reviewer", "alice", agent, namespace=namespace)
    bind(plane, "edit", "tenant", namespace=namespace)
    verbs = ["get", "create", "update", "patch", "delete"]
    one = {**ON_CONNECTIONS, "verbs": ["attest"], "resourceNames": ["wiki"]}
    grant(plane, "bob", namespace, {**ON_REVIEWS, "verbs": verbs}, one)
    for user, verb, resource in (
        ("alice", "attest", "mcpconnections"),
        ("bob", "delete", "mcpconnectionreviews"),
        ("tenant", "create", "mcpconnections"),
        (agent, "attest", "mcpconnections"),
    ):
        wait_until(lambda: may(plane, user, verb, resource, namespace), 30, f"{user} may {verb}")  # noqa: B023
    yield namespace
    unbind_everywhere(plane)


def somebody(people: RealPeople, user: str) -> Intruder:
    return Intruder(people.plane, people.plane.token(user))


@pytest.fixture
def alice(people: RealPeople) -> Intruder:
    return somebody(people, "alice")


@pytest.fixture
def bob(people: RealPeople) -> Intruder:
    return somebody(people, "bob")


@pytest.fixture
def tenant(people: RealPeople) -> Intruder:
    return somebody(people, "tenant")


@pytest.fixture
def admin(people: RealPeople) -> Intruder:
    return somebody(people, "admin")


@pytest.fixture
def said(alice: Intruder, admin: Intruder, namespace: str) -> str:
    """What Alice said about a connection; the path of her review."""
    path = f"{reviews(namespace)}/november"
    if admin.tries("GET", path).status != 200:
        made = alice.tries("POST", reviews(namespace), a_review("november", "alice"))
        assert made.status == 201, made.message
    return path


def reviews(namespace: str) -> str:
    return f"{OURS}/namespaces/{namespace}/mcpconnectionreviews"


def a_review(
    name: str, reviewer: str, connection: str = "support-bot-orders", **metadata: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "leasehold.dev/v1alpha1",
        "kind": MCPConnectionReview.KIND,
        "metadata": {"name": name, **metadata},
        "spec": {
            "connection": connection,
            "reviewer": reviewer,
            "decision": "Approve",
            "comment": "still needed",
        },
    }


def is_stored(admin: Intruder, path: str) -> bool:
    return admin.tries("GET", path).status == 200


def test_a_reviewer_says_it_in_their_own_name_and_in_no_other(
    alice: Intruder, admin: Intruder, namespace: str, said: str
) -> None:
    stored = MCPConnectionReview.model_validate(admin.tries("GET", said).body)
    assert stored.spec.reviewer == "alice"
    refused = alice.tries("POST", reviews(namespace), a_review("forged", "bob"))
    assert refused.status == 403
    assert "whoever creates the review" in refused.message
    assert not is_stored(admin, f"{reviews(namespace)}/forged")


def test_to_write_reviews_is_not_to_attest(bob: Intruder, admin: Intruder, namespace: str) -> None:
    refused = bob.tries("POST", reviews(namespace), a_review("unasked", "bob"))
    assert refused.status == 403
    assert "verb attest" in refused.message
    assert not is_stored(admin, f"{reviews(namespace)}/unasked")
    assert bob.tries("POST", reviews(namespace), a_review("wiki", "bob", "wiki")).status == 201


def test_a_reviewer_of_one_namespace_says_nothing_in_another(
    people: RealPeople, alice: Intruder, namespace: str
) -> None:
    assert alice.tries("POST", reviews(people.namespace()), a_review("elsewhere", "alice")).status == 403


def test_an_agent_does_not_review_itself_even_as_a_reviewer(
    people: RealPeople, admin: Intruder, namespace: str
) -> None:
    agent = f"system:serviceaccount:{namespace}:support-bot"
    token = people.plane.service_account_token(namespace, "support-bot", lifetime_seconds=600)
    refused = Intruder(people.plane, token).tries("POST", reviews(namespace), a_review("own", agent))
    assert refused.status == 403
    assert "may be its own" in refused.message
    assert not is_stored(admin, f"{reviews(namespace)}/own")


def test_the_stock_role_edit_is_for_connections_alone(
    people: RealPeople, tenant: Intruder, admin: Intruder, namespace: str, said: str
) -> None:
    connection = a_connection("by-a-tenant", namespace=namespace)
    connections = f"{OURS}/namespaces/{namespace}/mcpconnections"
    assert tenant.tries("POST", connections, connection.to_wire()).status == 201
    assert tenant.patches(f"{connections}/by-a-tenant", {"spec": {"suspend": True}}).status == 200
    assert tenant.tries("GET", said).status == 200
    assert tenant.tries("POST", reviews(namespace), a_review("by-a-tenant", "tenant")).status == 403
    assert tenant.tries("DELETE", said).status == 403
    for resource in (
        "mcpaccesspolicies",
        "mcpagentexposures",
        "mcprevocations",
        "mcpserverprofiles",
        "mcpcredentialstores",
        "mcptoolsnapshots",
    ):
        for verb in ("create", "update", "patch", "delete"):
            assert not may(people.plane, "tenant", verb, resource, namespace), f"{verb} {resource}"
    for verb in ("attest", "abandon"):
        assert not may(people.plane, "tenant", verb, "mcpconnections", namespace)
    assert is_stored(admin, said)
    assert tenant.tries("DELETE", f"{connections}/by-a-tenant").status == 200


@pytest.mark.parametrize(
    "change",
    [{"decision": "Reject"}, {"reviewer": "bob"}, {"comment": "not needed"}, {"connection": "wiki"}],
    ids=lambda change: next(iter(change)),
)
def test_nobody_changes_what_was_said(admin: Intruder, said: str, change: dict[str, Any]) -> None:
    before = admin.tries("GET", said).body
    refused = admin.patches(said, {"spec": change})
    assert refused.status == 422
    assert "create another review" in refused.message
    assert admin.tries("GET", said).body == before


def test_only_the_verb_purge_deletes_a_review(
    people: RealPeople, bob: Intruder, admin: Intruder, namespace: str, said: str
) -> None:
    refused = bob.tries("DELETE", said)
    assert refused.status == 403
    assert "verb purge" in refused.message
    assert is_stored(admin, said)
    grant(people.plane, "tenant", namespace, {**ON_REVIEWS, "verbs": ["delete", "deletecollection", "purge"]})
    wait_until(
        lambda: may(people.plane, "tenant", "purge", "mcpconnectionreviews", namespace), 30, "purge acts"
    )
    tenant = somebody(people, "tenant")
    try:
        assert tenant.tries("DELETE", said).status == 200
        assert not is_stored(admin, said)
    finally:
        people.plane.kubectl("delete", "rolebinding", "granted-tenant-tenant", f"--namespace={namespace}")


def test_a_review_has_no_owner_whose_end_would_end_it(
    people: RealPeople, alice: Intruder, bob: Intruder, admin: Intruder, namespace: str, said: str
) -> None:
    uid = people.create_service_account(namespace, "short-lived")
    owner = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "short-lived", "uid": uid}
    born_owned = a_review("born-owned", "alice", ownerReferences=[owner])
    refused = alice.tries("POST", reviews(namespace), born_owned)
    assert refused.status == 403
    assert "outlives" in refused.message
    assert bob.patches(said, {"metadata": {"ownerReferences": [owner]}}).status == 403
    people.delete_service_account(namespace, "short-lived")
    assert is_stored(admin, said)


def test_a_namespace_goes_with_its_reviews_and_before_that_its_controller_takes_none(
    people: RealPeople, admin: Intruder, alice: Intruder
) -> None:
    plane, namespace = people.plane, people.namespace()
    bind(plane, "leasehold-reviewer", "alice", namespace=namespace)
    wait_until(lambda: may(plane, "alice", "attest", "mcpconnections", namespace), 30, "alice may attest")
    path = f"{reviews(namespace)}/november"
    assert alice.tries("POST", reviews(namespace), a_review("november", "alice")).status == 201
    taken = ["delete", "mcpconnectionreviews", "november", f"--namespace={namespace}"]
    early = plane.kubectl(*taken, f"--as={NAMESPACE_CONTROLLER}", check=False)
    assert early.returncode != 0
    assert "verb purge" in " ".join(early.stderr.split())
    assert is_stored(admin, path)
    plane.kubectl("delete", "namespace", namespace, "--wait=false")
    gone = ["get", "namespace", namespace, "--ignore-not-found", "--output=name"]
    wait_until(lambda: not plane.kubectl(*gone).stdout, 60, "the namespace is gone")
    assert not is_stored(admin, path)


def test_the_operator_writes_no_review_even_if_somebody_binds_it_the_role(
    people: RealPeople, operator: Intruder, admin: Intruder, namespace: str, said: str
) -> None:
    own = a_review("own", OPERATOR_USER)
    assert operator.tries("POST", reviews(namespace), own).status == 403
    with bound(people.plane, OPERATOR_USER, "leasehold-reviewer", proof=("attest", "mcpconnections")):
        refused = operator.tries("POST", reviews(namespace), own)
    assert refused.status == 403
    assert "writes none" in refused.message
    assert not is_stored(admin, f"{reviews(namespace)}/own")
    assert operator.patches(said, {"spec": {"decision": "Reject"}}).status == 403
    assert operator.tries("DELETE", said).status == 403


def test_the_operator_alone_says_whether_a_review_counts(
    bob: Intruder, operator: Intruder, admin: Intruder, said: str
) -> None:
    counted = {"type": "Counted", "status": "True", "reason": "Active", "message": ""}
    status = {"conditions": [{**counted, "lastTransitionTime": "2026-11-20T09:30:00Z"}]}
    current = admin.tries("GET", said).body
    for nobody in (bob, admin):
        assert nobody.tries("PUT", f"{said}/status", {**current, "status": status}).status == 403
    assert operator.tries("PUT", f"{said}/status", {**current, "status": status}).status == 200


# snapshots


def test_nobody_but_the_operator_writes_snapshots(
    people: RealPeople, operator: Intruder, admin: Intruder, tenant: Intruder, namespace: str
) -> None:
    wanted = next(case.after for case in corpus() if case.kind is MCPToolSnapshot and not case.field)
    path = f"{SNAPSHOTS}/{wanted['metadata']['name']}"
    for nobody in (tenant, admin):
        assert nobody.tries("POST", SNAPSHOTS, wanted).status == 403
    assert operator.tries("POST", SNAPSHOTS, wanted).status == 201
    before = admin.tries("GET", path).body
    refused = admin.patches(path, {"metadata": {"labels": {"approved": "yes"}}})
    assert refused.status == 403
    assert "Only Leasehold writes snapshots" in refused.message
    assert admin.patches(path, {"spec": {"tools": 3}}).status == 422
    assert admin.tries("DELETE", path).status == 403
    assert operator.patches(path, {"spec": {"tools": 3}}).status == 403
    assert admin.tries("GET", path).body == before
    assert operator.tries("DELETE", path).status == 200
    assert not is_stored(admin, path)


def test_nobody_but_the_operator_writes_exposures_and_a_namespace_goes_with_its_own(
    people: RealPeople, operator: Intruder, admin: Intruder
) -> None:
    plane, namespace = people.plane, people.namespace()
    exposures = f"{OURS}/namespaces/{namespace}/mcpagentexposures"
    former = ended(a_connection("gone", namespace=namespace, uid="u-gone"), NOON)
    exposure = exposure_of(namespace, "support-bot", [], None, [former], NOON)
    assert exposure is not None
    wanted = {**exposure.to_wire(), "metadata": {"name": "support-bot"}}
    path = f"{exposures}/support-bot"
    assert admin.tries("POST", exposures, wanted).status == 403
    assert operator.tries("POST", exposures, wanted).status == 201
    refused = admin.patches(path, {"spec": {"former": []}})
    assert refused.status == 403
    assert "Only Leasehold writes exposures" in refused.message
    assert admin.tries("DELETE", path).status == 403
    early = plane.kubectl(
        "delete",
        "mcpagentexposures",
        "support-bot",
        f"--namespace={namespace}",
        f"--as={NAMESPACE_CONTROLLER}",
        check=False,
    )
    assert early.returncode != 0
    stored = admin.tries("GET", path).body
    assert (
        operator.tries("PUT", path, {**stored, "spec": {**stored["spec"], "scopes": ["orders:read"]}}).status
        == 200
    )
    plane.kubectl("delete", "namespace", namespace, "--wait=false")
    gone = ["get", "namespace", namespace, "--ignore-not-found", "--output=name"]
    wait_until(lambda: not plane.kubectl(*gone).stdout, 60, "the namespace is gone")


def test_who_reads_all_and_who_runs_the_platform(people: RealPeople, namespace: str) -> None:
    plane = people.plane
    bind(plane, "leasehold-auditor", "gitops")
    bind(plane, "leasehold-platform", "platform")
    wait_until(lambda: may(plane, "gitops", "list", "mcptoolsnapshots"), 30, "the auditor's role acts")
    wait_until(
        lambda: may(plane, "platform", "delete", "mcpcredentialstores"), 30, "the platform's role acts"
    )
    kinds = json.loads(plane.kubectl("get", "--raw", OURS).stdout)["resources"]
    names = {each["name"] for each in kinds if "/" not in each["name"]}
    assert len(names) == 8
    for name in names:
        assert may(plane, "gitops", "list", name), name
        assert not may(plane, "gitops", "create", name), name
    assert {name for name in names if may(plane, "platform", "create", name)} == {
        "mcpaccesspolicies",
        "mcpserverprofiles",
        "mcpcredentialstores",
    }
