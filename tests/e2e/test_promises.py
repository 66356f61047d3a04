"""What must not mint, what must not be believed, and what must not be overwritten."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from contract.worlds import RealPeople
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, condition
from e2e.claims import (
    ORDERS,
    claim,
    clear_status,
    generations,
    message,
    the_secret,
    wait_generation,
    wait_probed,
    works,
)
from leasehold.api.connection import EntryState
from leasehold.api.crd import custom_resource_definition
from leasehold.api.names import ABANDON_ANNOTATION, API_VERSION, FINALIZER, SecretAnnotation
from leasehold.api.revocation import MCPRevocation


def test_a_label_edit_does_not_mint(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    deployment.patch(claimed.connection, {"metadata": {"labels": {"edited": "yes"}}})
    deployment.patch(claimed.connection, {"spec": {"idleSeconds": 7200}})
    seen = deployment.wait_for(claimed.connection, "Active")
    assert generations(seen) == {1: EntryState.CURRENT}
    assert the_secret(deployment, seen) == claimed.secret


def test_a_new_owner_changes_the_secret_but_not_the_credential(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    owner = {"user": "carol@example.com", "deputy": None, "team": "orders"}
    deployment.patch(claimed.connection, {"spec": {"owner": owner}})

    def annotations() -> dict[str, str]:
        body = deployment.get_json("secret", claimed.namespace, "agent-server")
        assert body is not None
        return dict(body["metadata"]["annotations"])

    wait_until(
        lambda: annotations()[SecretAnnotation.OWNER] == "carol@example.com", 15, "the new owner shows"
    )
    assert SecretAnnotation.DEPUTY not in annotations()
    assert the_secret(deployment, claimed.connection) == claimed.secret
    seen = deployment.wait_for(claimed.connection, "Active")
    assert generations(seen) == {1: EntryState.CURRENT}


def test_another_template_rotates_and_leaves_no_stale_key(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment, output={"secretName": "agent-server", "templates": {"old": "{{ username }}"}})
    assert "old" in claimed.secret
    deployment.patch(
        claimed.connection, {"spec": {"output": {"templates": {"old": None, "new": "{{ username }}"}}}}
    )
    rotated = wait_generation(deployment, claimed.connection, 2)
    fresh = the_secret(deployment, rotated)
    assert fresh["new"] == fresh["username"] != claimed.secret["username"]
    assert "old" not in fresh


def test_a_restart_neither_mints_nor_writes(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    before = wait_probed(deployment, claimed.connection)
    assert operator.stop() == 0
    operator.start()
    other = claim(deployment)
    assert works(deployment.plane, other.secret)
    after = deployment.find(claimed.namespace)
    assert after is not None
    assert after.metadata.resource_version == before.metadata.resource_version
    assert the_secret(deployment, after) == claimed.secret


def test_a_cleared_status_is_read_back_from_the_secret_without_a_mint(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    clear_status(deployment, claimed.connection)
    recovered = wait_generation(deployment, claimed.connection, 1)
    [entry] = recovered.status.ledger
    assert entry.accessor == claimed.connection.status.ledger[0].accessor
    assert the_secret(deployment, recovered) == claimed.secret
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
    assert not works(deployment.plane, claimed.secret)


def test_a_forged_accessor_is_not_believed(deployment: Deployment, operator: Operator) -> None:
    victim, attacker = claim(deployment), claim(deployment)
    stolen = victim.connection.status.ledger[0].accessor
    command = ["annotate", "--overwrite", "secret", "agent-server", f"--namespace={attacker.namespace}"]
    operator.stop()  # it would put the annotation right
    deployment.plane.kubectl(*command, f"{SecretAnnotation.ACCESSOR}={stolen}")
    clear_status(deployment, attacker.connection)
    operator.start()
    lost = deployment.wait_for(attacker.connection, "LedgerLost", status="False")
    assert condition(lost, "Stalled")["status"] == "True"
    assert works(deployment.plane, victim.secret)


def test_an_object_from_a_backup_without_status_is_never_new(
    deployment: Deployment, operator: Operator
) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile(ORDERS)
    name = "restored"
    body = {
        "apiVersion": "leasehold.dev/v1alpha1",
        "kind": "MCPConnection",
        "metadata": {"name": name, "namespace": namespace, "finalizers": [FINALIZER]},
        "spec": {
            "agent": {"name": "agent", "serviceAccountName": "agent"},
            "profile": profile.metadata.name,
            "owner": {"user": "alice@example.com", "team": "support"},
            "purpose": {"summary": "triage incoming tickets"},
            "output": {"secretName": name},
        },
    }
    deployment.plane.apply(body)
    restored = deployment.find(namespace, name)
    assert restored is not None
    lost = deployment.wait_for(restored, "LedgerLost", status="False")
    assert ABANDON_ANNOTATION in message(lost)
    assert deployment.secret(namespace, name) is None
    deployment.patch(
        restored, {"metadata": {"annotations": {ABANDON_ANNOTATION: "ran out last week, SUP-9"}}}
    )
    fresh = deployment.wait_for(restored, "Active")
    assert generations(fresh) == {2: EntryState.CURRENT}
    operator.wait_audit(fresh, "abandon")


def test_a_foreign_secret_is_refused_before_anything_is_minted(
    deployment: Deployment, operator: Operator
) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile(ORDERS)
    deployment.plane.kubectl(
        "create",
        "secret",
        "generic",
        "agent-server",
        "--from-literal=theirs=kept",
        f"--namespace={namespace}",
    )
    connection = deployment.connection(namespace, profile.metadata.name)
    refused = deployment.wait_for(connection, "SecretConflict", status="False")
    assert "spec.output.secretName" in message(refused)
    assert condition(refused, "Stalled")["status"] == "True"
    assert not [each for each in operator.audit(connection) if each["data"]["action"] == "mint"]
    assert deployment.secret(namespace) == {"theirs": "kept"}
    deployment.plane.kubectl("delete", "secret", "agent-server", f"--namespace={namespace}")
    deployment.wait_for(connection, "Active", 60)


def test_of_two_connections_that_name_one_secret_the_first_keeps_it(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    other = deployment.profile(ORDERS)
    late = deployment.connection(
        claimed.namespace, other.metadata.name, "late", output={"secretName": "agent-server"}
    )
    refused = deployment.wait_for(late, "SecretConflict", status="False")
    assert "agent-server" in message(refused)
    assert generations(refused) == {}
    assert the_secret(deployment, claimed.connection) == claimed.secret
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
    taken = deployment.wait_for(late, "Active")
    secret = deployment.secret(claimed.namespace)
    assert secret is not None
    assert works(deployment.plane, secret)
    assert generations(taken) == {1: EntryState.CURRENT}


def test_a_revocation_that_this_version_cannot_read_denies_every_mint(
    deployment: Deployment, operator: Operator
) -> None:
    people = RealPeople(deployment.plane)
    with later_revocations(people):
        people.revoke("stop-all", {"target": {"newField": "everything"}, "reason": "a drill"})
        try:
            namespace = deployment.namespace()
            profile = deployment.profile(ORDERS)
            connection = deployment.connection(namespace, profile.metadata.name)
            denied = deployment.wait_for(connection, "Revoked", status="False")
            assert "stop-all" in message(denied)
            assert deployment.secret(namespace) is None
            assert generations(denied) == {}
        finally:
            people.remove_revocations()
    deployment.wait_for(connection, "Active", 60)


@contextmanager
def later_revocations(people: RealPeople) -> Iterator[None]:
    """The kind MCPRevocation as a later version might have it: with fields in a target that nobody knows yet."""
    definition = custom_resource_definition(MCPRevocation)
    (version,) = definition["spec"]["versions"]
    target = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["target"] = target
    people.plane.apply(definition)
    try:
        wait_until(lambda: _is_accepted(people, {"newField": "x"}), 15, "the later kind is served")
        yield
    finally:
        people.plane.apply(custom_resource_definition(MCPRevocation))
        wait_until(lambda: not _is_accepted(people, {"newField": "x"}), 15, "our kind is served")


def _is_accepted(people: RealPeople, target: Mapping[str, Any]) -> bool:
    wanted = {
        "apiVersion": API_VERSION,
        "kind": MCPRevocation.KIND,
        "metadata": {"name": "probe"},
        "spec": {"target": target, "reason": "a probe", "requestedBy": people.user()},
    }
    trial = ["create", "--dry-run=server", "--validate=ignore", "--filename=-"]
    return people.plane.kubectl(*trial, input=json.dumps(wanted), check=False).returncode == 0
