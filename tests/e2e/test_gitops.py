"""What a Git tool sees of a connection's whole life: no difference to what it applied, and health by its rules."""

import json
from typing import Any

from contract.worlds import RealPeople
from controlplane.waiting import wait_until
from deployment import STORE, Deployment, Operator
from e2e.claims import ORDERS, approve, generations, wait_generation
from gitops.health import argocd_health, flux_verdict
from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION

MANAGER = "argocd-controller"
OURS = {"f:metadata", "f:status"}
"""What may be written besides what is declared: the whole status, and of the metadata our finalizer alone."""
DEPUTY = ("--as=deputy", "--as-group=system:masters")


def declare(deployment: Deployment, body: dict[str, Any]) -> dict[str, Any]:
    """Apply it as a Git tool does; what the API server has then."""
    command = ["apply", "--server-side", f"--field-manager={MANAGER}", "--filename=-", "--output=json"]
    applied: dict[str, Any] = json.loads(deployment.plane.kubectl(*command, input=json.dumps(body)).stdout)
    return applied


def stored(deployment: Deployment, body: dict[str, Any]) -> dict[str, Any]:
    """As it is now, with who manages what."""
    metadata = body["metadata"]
    command = ["get", body["kind"], metadata["name"], "--output=json", "--show-managed-fields"]
    if "namespace" in metadata:
        command.append(f"--namespace={metadata['namespace']}")
    found: dict[str, Any] = json.loads(deployment.plane.kubectl(*command).stdout)
    return found


def written_by_others(body: dict[str, Any]) -> dict[str, set[str]]:
    """The fields of managers that are neither the Git tool nor a person with kubectl, two levels deep."""
    written: dict[str, set[str]] = {}
    for entry in body["metadata"]["managedFields"]:
        if entry["manager"] != MANAGER and not entry["manager"].startswith("kubectl"):
            for top, names in entry["fieldsV1"].items():
                written.setdefault(top, set()).update(names)
    return written


def must_be_as_declared(deployment: Deployment, body: dict[str, Any]) -> None:
    """Nothing but status and our finalizer was written, and applying it again changes nothing at all."""
    now = stored(deployment, body)
    written = written_by_others(now)
    assert written.keys() == OURS
    assert written["f:metadata"] == {"f:finalizers"}
    for part in ("labels", "annotations"):
        assert now["metadata"].get(part, {}) == body["metadata"].get(part, {})

    def applying_it_again_writes_nothing() -> bool:  # asked again, for status may be written in between
        before = stored(deployment, body)["metadata"]["resourceVersion"]
        return bool(declare(deployment, body)["metadata"]["resourceVersion"] == before)

    wait_until(applying_it_again_writes_nothing, 30, "what is declared is what is there")


def declared_connection(namespace: str, profile: str, **spec: Any) -> dict[str, Any]:
    """What a team has in Git."""
    return {
        "apiVersion": API_VERSION,
        "kind": MCPConnection.KIND,
        "metadata": {
            "name": "agent-server",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/instance": "mcp-support"},
            "annotations": {"argocd.argoproj.io/tracking-id": "mcp-support:leasehold.dev/MCPConnection"},
        },
        "spec": {
            "agent": {"name": "agent", "serviceAccountName": "agent"},
            "profile": profile,
            "owner": {"user": "alice@example.com", "deputy": "bob@example.com", "team": "support"},
            "purpose": {"summary": "triage incoming tickets", "ticket": "SUP-812"},
            "output": {"secretName": "agent-server"},
            **spec,
        },
    }


def health(deployment: Deployment, body: dict[str, Any]) -> tuple[str, str]:
    """What Argo CD and Flux say."""
    now = stored(deployment, body)
    return argocd_health(now).status, flux_verdict(now)


def test_after_a_whole_life_nothing_differs_from_what_was_declared(
    deployment: Deployment, operator: Operator
) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile({**ORDERS, "ttlSeconds": 15})
    body = declared_connection(namespace, profile.metadata.name)
    fresh = declare(deployment, body)
    assert (argocd_health(fresh).status, flux_verdict(fresh)) == ("Progressing", "InProgress")
    connection = MCPConnection.model_validate(fresh)
    deployment.wait_for(connection, "Active")
    must_be_as_declared(deployment, body)

    wait_generation(deployment, connection, 2)
    must_be_as_declared(deployment, body)

    people = RealPeople(deployment.plane)
    switch = f"stop-{namespace}"
    people.revoke(switch, {"target": {"namespace": namespace}, "reason": "the token was seen in a log"})
    deployment.wait_for(connection, "Revoked", status="False")
    assert health(deployment, body) == ("Healthy", "Current")
    must_be_as_declared(deployment, body)

    lift = json.dumps({"spec": {"lift": {"by": "deputy", "reason": "the token was rotated"}}})
    deployment.plane.kubectl("patch", "mcpkill", switch, "--type=merge", f"--patch={lift}", *DEPUTY)
    deployment.plane.kubectl("delete", "mcpkill", switch)
    deployment.wait_for(connection, "Held", status="False")
    assert health(deployment, body) == ("Healthy", "Current")
    approve(deployment, connection)
    deployment.wait_for(connection, "Active", status="True")

    body["spec"]["suspend"] = True
    declare(deployment, body)
    suspended = deployment.wait_for(connection, "Suspended", status="False")
    assert generations(suspended) == {}
    assert health(deployment, body) == ("Healthy", "Current")
    must_be_as_declared(deployment, body)

    body["spec"]["suspend"] = False
    declare(deployment, body)
    deployment.wait_for(connection, "Active", status="True")
    assert health(deployment, body) == ("Healthy", "Current")
    must_be_as_declared(deployment, body)

    for kind, name in (("MCPServerProfile", profile.metadata.name), ("MCPCredentialStore", STORE)):
        written = written_by_others(stored(deployment, {"kind": kind, "metadata": {"name": name}}))
        assert written.keys() <= OURS, kind
        assert written.get("f:metadata", set()) <= {"f:finalizers"}, kind


def test_the_secret_carries_no_mark_of_a_git_tool(deployment: Deployment, operator: Operator) -> None:
    namespace = deployment.namespace()
    body = declared_connection(namespace, deployment.profile(ORDERS).metadata.name)
    deployment.wait_for(MCPConnection.model_validate(declare(deployment, body)), "Active")
    secret = deployment.get_json("secret", namespace, "agent-server")
    assert secret is not None
    marks = {**secret["metadata"]["labels"], **secret["metadata"]["annotations"]}
    assert not [name for name in marks if "argocd" in name or "toolkit" in name or name.endswith("/instance")]


def test_what_a_person_must_mend_fails_the_sync(deployment: Deployment, operator: Operator) -> None:
    namespace = deployment.namespace()
    body = declared_connection(namespace, deployment.profile(ORDERS).metadata.name)
    del body["spec"]["output"]
    deployment.wait_for(MCPConnection.model_validate(declare(deployment, body)), "InvalidSpec")
    assert health(deployment, body) == ("Degraded", "Failed")
