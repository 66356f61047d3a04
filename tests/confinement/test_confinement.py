"""Thefts, tried on a real API server: by an operator that somebody has taken over, and by tenants with the
rights of the stock role `edit`. Each attempt says what must still be true afterwards."""

import base64
import json
from typing import Any

import pytest

from contract.worlds import RealPeople
from controlplane.waiting import wait_until
from intruder import Intruder
from leasehold.api.connection import MCPConnection
from leasehold.api.names import ABANDON_ANNOTATION, FINALIZER, OPERATOR_AUDIENCE, SecretLabel
from objects import NOON, a_connection

OURS = {SecretLabel.MANAGED_BY: SecretLabel.MANAGED_BY_VALUE}
STORE_AUDIENCE = "leasehold.dev/store/default"


@pytest.fixture
def namespace(people: RealPeople) -> str:
    """Where the user `tenant` has what the stock role `edit` is made of, and all rights on connections but one."""
    namespace = people.namespace()
    verbs = ["get", "list", "create", "update", "patch", "delete"]
    resources = ["mcpconnections", "mcpconnections/status"]
    rules = [{"apiGroups": ["leasehold.dev"], "resources": resources, "verbs": verbs}]
    role = {"kind": "Role", "metadata": {"name": "connections", "namespace": namespace}, "rules": rules}
    bindings = [
        _binding(namespace, "Role", "connections"),
        _binding(namespace, "ClusterRole", "system:aggregate-to-edit"),
    ]
    items = [{"apiVersion": "rbac.authorization.k8s.io/v1", **item} for item in (role, *bindings)]
    people.plane.apply({"apiVersion": "v1", "kind": "List", "items": items})
    people.create_service_account(namespace, "support-bot")
    return namespace


@pytest.fixture
def tenant(people: RealPeople, namespace: str) -> Intruder:
    """A member of the team that owns the namespace."""
    tenant = Intruder(people.plane, people.plane.token("tenant"))
    rights = (_connections(namespace), f"/api/v1/namespaces/{namespace}/secrets")
    for path in rights:
        wait_until(lambda: tenant.tries("GET", path).status == 200, 30, "the tenant's rights act")  # noqa: B023
    return tenant


@pytest.fixture
def connection(people: RealPeople, operator: Intruder, namespace: str) -> MCPConnection:
    """A connection that holds our finalizer."""
    created = people.create(a_connection(namespace=namespace))
    assert operator.patches(_of(created), {"metadata": {"finalizers": [FINALIZER]}}).status == 200
    stored = people.find(created)
    assert stored is not None
    return stored


# the operator and Secrets


@pytest.mark.parametrize("verb", ["get", "list", "watch"])
def test_the_operator_reads_no_secret_at_all(
    people: RealPeople, operator: Intruder, namespace: str, verb: str
) -> None:
    people.create_secret(namespace, "ours", {"password": "p"}, OURS)
    path = {
        "get": f"/api/v1/namespaces/{namespace}/secrets/ours",
        "list": f"/api/v1/namespaces/{namespace}/secrets",
        "watch": "/api/v1/secrets?watch=true&timeoutSeconds=1",
    }[verb]
    reply = operator.tries("GET", path)
    assert reply.status == 403
    assert "data" not in reply.body


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"metadata": {"labels": OURS}},
        {"metadata": {"annotations": {"example.com/mark": "x"}}},
        {"stringData": {"password": "mine"}},
    ],
    ids=["nothing", "our label", "an annotation", "data"],
)
def test_the_operator_patches_no_foreign_secret_not_even_with_nothing(
    people: RealPeople, operator: Intruder, namespace: str, patch: dict[str, Any]
) -> None:
    people.create_secret(namespace, "theirs", {"password": "theirs"})
    before = people.secret(namespace, "theirs")
    reply = operator.patches(f"/api/v1/namespaces/{namespace}/secrets/theirs", patch)
    assert reply.status == 422
    assert "data" not in reply.body
    assert people.secret(namespace, "theirs") == before


def test_the_operator_applies_and_updates_no_foreign_secret(
    people: RealPeople, operator: Intruder, namespace: str
) -> None:
    people.create_secret(namespace, "theirs", {"password": "theirs"})
    before = people.secret(namespace, "theirs")
    path = f"/api/v1/namespaces/{namespace}/secrets/theirs"
    secret = _secret(namespace, "theirs")
    applied = operator.tries(
        "PATCH", f"{path}?fieldManager=x&force=true", secret, "application/apply-patch+yaml"
    )
    updated = operator.tries("PUT", path, secret)
    assert (applied.status, updated.status) == (422, 403)
    assert people.secret(namespace, "theirs") == before


def test_the_operator_does_not_delete_a_foreign_secret(
    people: RealPeople, operator: Intruder, namespace: str
) -> None:
    people.create_secret(namespace, "theirs", {"password": "theirs"})
    assert operator.tries("DELETE", f"/api/v1/namespaces/{namespace}/secrets/theirs").status == 422
    assert operator.tries("DELETE", f"/api/v1/namespaces/{namespace}/secrets").status == 403
    assert people.secret(namespace, "theirs") is not None


def test_the_operator_does_not_take_its_label_off(
    people: RealPeople, operator: Intruder, namespace: str
) -> None:
    people.create_secret(namespace, "ours", {"password": "p"}, OURS)
    patch = {"metadata": {"labels": {SecretLabel.MANAGED_BY: None}}}
    assert operator.patches(f"/api/v1/namespaces/{namespace}/secrets/ours", patch).status == 422
    seen = people.secret(namespace, "ours")
    assert seen is not None
    assert dict(seen.labels) == OURS


def test_the_operator_has_no_service_account_token_made_for_it(
    people: RealPeople, operator: Intruder, namespace: str
) -> None:
    secret = _secret(namespace, "stolen", type="kubernetes.io/service-account-token")
    secret["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "support-bot"}
    reply = operator.tries("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    assert reply.status == 422
    assert "Opaque" in reply.message
    assert people.secret(namespace, "stolen") is None


def test_the_operator_creates_no_secret_without_its_label(
    people: RealPeople, operator: Intruder, namespace: str
) -> None:
    secret = _secret(namespace, "planted")
    secret["metadata"]["labels"] = {}
    assert operator.tries("POST", f"/api/v1/namespaces/{namespace}/secrets", secret).status == 422
    assert people.secret(namespace, "planted") is None


# the operator and tokens


@pytest.mark.parametrize(
    ("audiences", "seconds"),
    [
        ([], 600),
        (["https://kubernetes.default.svc"], 600),
        ([STORE_AUDIENCE, "https://kubernetes.default.svc"], 600),
        ([STORE_AUDIENCE, "leasehold.dev/store/other"], 600),
        (["leasehold.dev.evil.example/store/x"], 600),
        ([OPERATOR_AUDIENCE], 600),
        ([STORE_AUDIENCE], 31536000),
        ([STORE_AUDIENCE], 3601),
    ],
    ids=[
        "the default",
        "the API's",
        "two",
        "two stores",
        "a lookalike",
        "its own login",
        "a year",
        "too long",
    ],
)
def test_the_operator_gets_no_token_but_for_a_store_and_an_hour(
    operator: Intruder, namespace: str, audiences: list[str], seconds: int
) -> None:
    reply = operator.tries("POST", _token_path(namespace), _token_request(audiences, seconds))
    assert reply.status == 403
    assert "status" not in reply.body or "token" not in str(reply.body["status"])


def test_the_operator_gets_the_tokens_that_it_works_with(operator: Intruder, namespace: str) -> None:
    own = _token_path("leasehold-system", "leasehold")
    for path, audience in ((_token_path(namespace), STORE_AUDIENCE), (own, OPERATOR_AUDIENCE)):
        reply = operator.tries("POST", path, _token_request([audience], 3600))
        assert reply.status == 201
        assert _claims(reply.body["status"]["token"])["aud"] == [audience]


# the operator and heartbeats


def test_the_operator_reads_leases_and_does_nothing_else_to_them(
    people: RealPeople, operator: Intruder, namespace: str
) -> None:
    people.renew(namespace, "orders", NOON)
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    assert operator.tries("GET", f"{leases}/orders").status == 200
    labelled = "?labelSelector=leasehold.dev%2Fheartbeat%3Dtrue"
    for path in (leases, "/apis/coordination.k8s.io/v1/leases"):
        assert operator.tries("GET", f"{path}{labelled}").status == 200
        assert operator.tries("GET", f"{path}{labelled}&watch=true&timeoutSeconds=1").status == 403
    assert operator.patches(f"{leases}/orders", {"spec": {"holderIdentity": "mine"}}).status == 403
    assert operator.tries("DELETE", f"{leases}/orders").status == 403
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "planted"}}
    assert operator.tries("POST", leases, lease).status == 403


# the operator and our own kinds


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"suspend": True}},
        {"spec": {"owner": {"user": "mallory@example.com"}}},
        {"metadata": {"labels": {"team": "mallory"}}},
        {"metadata": {"annotations": {ABANDON_ANNOTATION: "because"}}},
        {"metadata": {"ownerReferences": []}},
        {"metadata": {"finalizers": ["example.com/other", "example.com/hold"]}},
        {"metadata": {"finalizers": [FINALIZER]}},
    ],
    ids=["spec", "owner", "label", "abandon", "owner references", "adds a finalizer", "removes another's"],
)
def test_the_operator_changes_nothing_of_a_connection_but_its_finalizer(
    people: RealPeople, operator: Intruder, namespace: str, patch: dict[str, Any]
) -> None:
    created = people.create(a_connection(namespace=namespace))
    uid = people.create_service_account(namespace, "owner")
    owner = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "owner", "uid": uid}
    held = {"metadata": {"ownerReferences": [owner], "finalizers": ["example.com/other"]}}
    named = f"mcpconnections/{created.metadata.name}"
    people.plane.kubectl("patch", named, f"-n={namespace}", "--type=merge", f"--patch={json.dumps(held)}")
    before = people.find(created)
    assert operator.patches(_of(created), patch).status == 403
    assert people.find(created) == before


def test_the_operator_creates_and_deletes_no_connection(
    people: RealPeople, operator: Intruder, connection: MCPConnection
) -> None:
    assert operator.tries("DELETE", _of(connection)).status == 403
    made = a_connection("forged", namespace=connection.metadata.namespace)
    reply = operator.tries("POST", _connections(connection.metadata.namespace), made.to_wire())
    assert reply.status == 403
    assert people.find(made) is None
    assert people.find(connection) == connection


# tenants


@pytest.mark.parametrize("audience", [STORE_AUDIENCE, OPERATOR_AUDIENCE, "leasehold.dev/anything"])
def test_a_tenant_gets_no_token_that_a_store_accepts(tenant: Intruder, namespace: str, audience: str) -> None:
    for audiences in ([audience], ["https://example.com", audience]):
        reply = tenant.tries("POST", _token_path(namespace), _token_request(audiences, 600))
        assert reply.status == 403
        assert "reserved for Leasehold" in reply.message


def test_a_tenant_gets_any_other_token(tenant: Intruder, namespace: str) -> None:
    for audiences in ([], ["https://example.com"]):
        assert tenant.tries("POST", _token_path(namespace), _token_request(audiences, 600)).status == 201


def test_not_even_an_administrator_gets_a_token_that_a_store_accepts(
    people: RealPeople, namespace: str
) -> None:
    admin = Intruder(people.plane, people.plane.token())
    reply = admin.tries("POST", _token_path(namespace), _token_request([STORE_AUDIENCE], 600))
    assert reply.status == 403


def test_a_tenant_projects_no_token_that_a_store_accepts(tenant: Intruder, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    plain, ours = (
        {"configMap": {"name": "x"}},
        {"serviceAccountToken": {"path": "t", "audience": STORE_AUDIENCE}},
    )
    refused = tenant.tries("POST", pods, _pod([plain, ours]))
    assert refused.status == 403
    assert "mount its Secret" in refused.message
    other = {"serviceAccountToken": {"path": "t", "audience": "https://example.com"}}
    default = {"serviceAccountToken": {"path": "d"}}
    assert tenant.tries("POST", pods, _pod([plain, other, default])).status == 201


def test_a_tenant_writes_no_status_even_with_the_right_to(
    people: RealPeople, tenant: Intruder, connection: MCPConnection
) -> None:
    reply = tenant.patches(f"{_of(connection)}/status", {"status": {"lastGeneration": 99}})
    assert reply.status == 403
    assert "Only Leasehold writes status" in reply.message
    forged = {**connection.to_wire(), "status": {"lastGeneration": 99}}
    tenant.tries("PUT", _of(connection), forged)
    found = people.find(connection)
    assert found is not None
    assert found.status == connection.status


@pytest.mark.parametrize("finalizers", [None, [], ["example.com/other"]])
def test_a_tenant_does_not_strip_our_finalizer(
    people: RealPeople, tenant: Intruder, connection: MCPConnection, finalizers: list[str] | None
) -> None:
    reply = tenant.patches(_of(connection), {"metadata": {"finalizers": finalizers}})
    assert reply.status == 403
    assert ABANDON_ANNOTATION in reply.message
    assert tenant.tries("DELETE", _of(connection)).status == 200
    tenant.patches(_of(connection), {"metadata": {"finalizers": finalizers}})
    found = people.find(connection)
    assert found is not None
    assert FINALIZER in found.metadata.finalizers


def test_a_tenant_still_edits_a_connection_and_its_own_finalizers(
    people: RealPeople, tenant: Intruder, connection: MCPConnection
) -> None:
    patch = {"spec": {"suspend": True}, "metadata": {"finalizers": [FINALIZER, "example.com/other"]}}
    assert tenant.patches(_of(connection), patch).status == 200
    found = people.find(connection)
    assert found is not None
    assert found.spec.suspend


def test_only_the_verb_abandon_lets_somebody_abandon_credentials(
    people: RealPeople, tenant: Intruder, connection: MCPConnection
) -> None:
    namespace = connection.metadata.namespace
    patch = {"metadata": {"annotations": {ABANDON_ANNOTATION: "the Vault is gone"}}}
    refused = tenant.patches(_of(connection), patch)
    assert refused.status == 403
    assert "verb abandon" in refused.message
    born_abandoned = a_connection("born-abandoned", namespace=namespace).to_wire()
    born_abandoned["metadata"]["annotations"] = {ABANDON_ANNOTATION: "why not"}
    assert tenant.tries("POST", _connections(namespace), born_abandoned).status == 403

    plane = people.plane
    one = f"--resource-name={connection.metadata.name}"
    resource = "--resource=mcpconnections.leasehold.dev"
    plane.kubectl("create", "role", "abandon", "--verb=abandon", resource, one, f"-n={namespace}")
    plane.kubectl("create", "rolebinding", "abandon", "--role=abandon", "--user=tenant", f"-n={namespace}")
    wait_until(lambda: tenant.patches(_of(connection), patch).status == 200, 30, "the verb is enough")
    found = people.find(connection)
    assert found is not None
    assert found.metadata.annotations[ABANDON_ANNOTATION] == "the Vault is gone"
    assert tenant.tries("POST", _connections(namespace), born_abandoned).status == 403


def test_an_abandoned_connection_stays_editable_for_its_team(
    people: RealPeople, tenant: Intruder, connection: MCPConnection
) -> None:
    admin = Intruder(people.plane, people.plane.token())
    abandon = {"metadata": {"annotations": {ABANDON_ANNOTATION: "the Vault is gone"}}}
    assert admin.patches(_of(connection), abandon).status == 200
    assert tenant.patches(_of(connection), {"spec": {"suspend": True}}).status == 200


def test_a_deleted_namespace_goes_once_the_operator_lets_go(
    people: RealPeople, operator: Intruder, connection: MCPConnection
) -> None:
    namespace = connection.metadata.namespace
    people.create_secret(namespace, "ours", {"password": "p"}, OURS)
    people.plane.kubectl("delete", "namespace", namespace, "--wait=false")
    wait_until(lambda: people.secret(namespace, "ours") is None, 60, "the Secret goes with its namespace")
    assert people.find(connection) is not None
    assert operator.patches(_of(connection), {"metadata": {"finalizers": None}}).status == 200
    gone = ["get", "namespace", namespace, "--ignore-not-found", "--output=name"]
    wait_until(lambda: not people.plane.kubectl(*gone).stdout, 60, "the namespace is gone")


def _binding(namespace: str, kind: str, role: str) -> dict[str, Any]:
    return {
        "kind": "RoleBinding",
        "metadata": {"name": role.removeprefix("system:"), "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "tenant"}],
    }


def _connections(namespace: str) -> str:
    return f"/apis/leasehold.dev/v1alpha1/namespaces/{namespace}/mcpconnections"


def _of(connection: MCPConnection) -> str:
    return f"{_connections(connection.metadata.namespace)}/{connection.metadata.name}"


def _token_path(namespace: str, name: str = "support-bot") -> str:
    return f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"


def _token_request(audiences: list[str], seconds: int) -> dict[str, Any]:
    spec = {"audiences": audiences, "expirationSeconds": seconds}
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _secret(namespace: str, name: str, type: str = "Opaque") -> dict[str, Any]:  # noqa: A002
    metadata = {"name": name, "namespace": namespace, "labels": dict(OURS)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type}


def _pod(sources: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "pod-"},
        "spec": {
            "containers": [{"name": "main", "image": "none"}],
            "volumes": [
                {"name": "empty", "emptyDir": {}},
                {"name": "token", "projected": {"sources": sources}},
            ],
        },
    }
