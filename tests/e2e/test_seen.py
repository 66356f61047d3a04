"""What people and programs see of it: kubectl, GitOps tools, Events, metrics, audit."""

import json

import jsonschema
import pytest

from controlplane.waiting import wait_until
from deployment import STORE, Deployment, Operator
from e2e.claims import ORDERS, claim
from kstatus import Verdict, kstatus
from shipped import ROOT


def test_kubectl_can_wait_for_a_connection(deployment: Deployment, operator: Operator) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile(ORDERS)
    deployment.connection(namespace, profile.metadata.name)
    deployment.plane.kubectl(
        "wait", "--for=condition=Ready", "mcpc/agent-server", f"--namespace={namespace}", "--timeout=30s"
    )


def test_gitops_tools_read_every_state(deployment: Deployment, operator: Operator) -> None:
    def verdict(namespace: str) -> Verdict:
        body = deployment.get_json("mcpconnection", namespace, "agent-server")
        assert body is not None
        return kstatus(body)

    claimed = claim(deployment)
    assert verdict(claimed.namespace) is Verdict.CURRENT
    deployment.patch(claimed.connection, {"spec": {"suspend": True}})
    deployment.wait_for(claimed.connection, "Suspended")
    assert verdict(claimed.namespace) is Verdict.IN_PROGRESS
    namespace = deployment.namespace()
    broken = deployment.connection(namespace, "no-such-profile")
    deployment.wait_for(broken, "InvalidSpec")
    assert verdict(namespace) is Verdict.FAILED


def test_the_columns_tell_what_a_person_needs(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    printed = deployment.plane.kubectl("get", "mcp", f"--namespace={claimed.namespace}").stdout
    header, line = printed.splitlines()[:2]
    assert header.split() == ["NAME", "SERVER", "OWNER", "READY", "REASON", "EXPIRES", "REVIEW-DUE", "AGE"]
    wire = claimed.connection.status.to_wire()
    assert line.split()[2:-1] == [
        "alice@example.com",
        "True",
        "Active",
        wire["credentialExpiryTime"],
        wire["reviewDueTime"],
    ]


def test_events_tell_the_story(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)

    def notes() -> str:
        command = ["get", "events.events.k8s.io", f"--namespace={claimed.namespace}", "--output=json"]
        return " / ".join(
            item["note"] for item in json.loads(deployment.plane.kubectl(*command).stdout)["items"]
        )

    wait_until(lambda: "generation 1 was written to Secret agent-server" in notes(), 15, "the Event is there")


def test_metrics_follow_the_fleet(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    labels = {"namespace": claimed.namespace, "name": "agent-server"}
    wait_until(
        lambda: operator.metric("leasehold_connection_ready", **labels) == 1, 15, "it is measured as ready"
    )
    expiry = claimed.connection.status.credential_expiry_time
    assert expiry is not None
    series = operator.metric("leasehold_connection_credential_expiry_timestamp_seconds", **labels)
    assert series == pytest.approx(expiry.timestamp(), abs=1)
    assert operator.metric("leasehold_connection_ledger_entries", **labels) == 1
    before = operator.metric("leasehold_revocations_total", outcome="verified")
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
    wait_until(
        lambda: operator.metric("leasehold_revocations_total", outcome="verified") > before,
        10,
        "the revocation is counted",
    )
    wait_until(lambda: labels["namespace"] not in operator.get("/metrics")[1], 10, "the series go")
    assert operator.metric("leasehold_leader") == 1


def test_every_audit_line_of_a_life_fits_the_published_schema(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
    schema = json.loads((ROOT / "docs/reference/audit.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    records = operator.wait_audit(claimed.connection, "delete")
    for record in records:
        validator.validate(record)
    steps = [(each["data"]["action"], each["data"]["phase"]) for each in records]
    assert steps[:3] == [("mint", "intent"), ("mint", "result"), ("revoke", "intent")]
    assert steps[-1] == ("delete", "result")
    text = json.dumps(records)
    assert claimed.secret["password"] not in text
    assert claimed.connection.status.ledger[0].accessor not in text


def test_nothing_secret_is_in_status_events_logs_or_metrics(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    body = json.dumps(deployment.get_json("mcpconnection", claimed.namespace, "agent-server"))
    events = deployment.plane.kubectl(
        "get", "events", f"--namespace={claimed.namespace}", "--output=json"
    ).stdout
    everything = body + events + operator.log_path.read_text() + operator.get("/metrics")[1]
    assert claimed.secret["password"] not in everything


def test_nothing_but_status_and_the_finalizer_is_written(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    command = ["get", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}", "--output=json"]
    body = json.loads(deployment.plane.kubectl(*command, "--show-managed-fields").stdout)
    written: set[str] = set()
    for manager in body["metadata"]["managedFields"]:
        if manager["manager"].startswith("kubectl"):
            continue
        fields = manager["fieldsV1"]
        written |= {f"{top}.{name}" for top, names in fields.items() for name in names if top != "f:status"}
        assert set(fields) <= {"f:status", "f:metadata"}
    assert written == {"f:metadata.f:finalizers"}


def test_probes_tell_the_truth(deployment: Deployment, operator: Operator) -> None:
    assert operator.get("/healthz")[0] == 200
    status, text = operator.get("/readyz")
    assert status == 200
    assert "connections are known" in text


def test_a_store_says_whether_it_can_be_used(deployment: Deployment, operator: Operator) -> None:
    deployment.plane.kubectl("wait", "--for=condition=Ready", f"mcpstore/{STORE}", "--timeout=30s")
    body = deployment.get_json("mcpcredentialstore", "", STORE)
    assert body is not None
    assert body["status"]["clusterID"]
