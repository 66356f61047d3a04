"""A person's word on the real API server: it renews a lease, ends a credential, and frees what a lift has held."""

import json
import uuid
from typing import Any

from contract.worlds import RealPeople
from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import Claim, claim, generations, message, the_secret, works
from leasehold.api.connection import EntryState
from leasehold.api.review import MCPConnectionReview


def say(deployment: Deployment, claimed: Claim, decision: str, **spec: Any) -> str:
    name = f"said-{uuid.uuid4().hex[:8]}"
    body = {
        "apiVersion": "leasehold.dev/v1alpha1",
        "kind": MCPConnectionReview.KIND,
        "metadata": {"name": name, "namespace": claimed.namespace},
        "spec": {
            "connection": claimed.connection.metadata.name,
            "reviewer": RealPeople(deployment.plane).user(),
            "decision": decision,
            "comment": "looked at what it does",
            **spec,
        },
    }
    deployment.plane.kubectl("create", "--filename=-", input=json.dumps(body))
    return name


def judged(deployment: Deployment, claimed: Claim, name: str) -> tuple[str, str]:
    def found() -> tuple[str, str] | None:
        body = deployment.get_json("mcpconnectionreview", claimed.namespace, name)
        assert body is not None
        conditions = body.get("status", {}).get("conditions", [])
        return (conditions[0]["status"], conditions[0]["reason"]) if conditions else None

    verdict = wait_until(found, 15, f"review {name} is judged")
    assert verdict is not None
    return verdict


def test_an_approval_brings_an_expired_connection_back(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment, reason="ReviewDue", leaseDurationSeconds=12)
    expired = deployment.wait_for(claimed.connection, "Expired", 30, status="False")
    assert not works(deployment.plane, claimed.secret)
    name = say(deployment, claimed, "Approve")
    assert judged(deployment, claimed, name) == ("True", "Counted")
    back = deployment.wait_for(expired, "ReviewDue", status="True")
    assert generations(back) == {2: EntryState.CURRENT}
    assert works(deployment.plane, the_secret(deployment, back))
    assert back.status.approval is not None
    assert back.status.approval.review == name


def test_a_rejection_ends_the_credential_until_somebody_approves(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    name = say(deployment, claimed, "Reject")
    rejected = deployment.wait_for(claimed.connection, "Rejected", status="False")
    assert name in message(rejected)
    assert not works(deployment.plane, claimed.secret)
    deployment.plane.kubectl("delete", "mcprev", name, f"--namespace={claimed.namespace}")
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
    again = deployment.connection(claimed.namespace, claimed.connection.spec.profile)
    still = deployment.wait_for(again, "Rejected", status="False")
    assert name in message(still), "it is on record although review and connection are gone"
    say(deployment, Claim(still, {}), "Approve")
    deployment.wait_for(again, "Active")


def test_a_rejection_binds_whoever_takes_the_name(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    say(deployment, claimed, "Reject")
    deployment.wait_for(claimed.connection, "Rejected", status="False")
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
    again = deployment.connection(claimed.namespace, claimed.connection.spec.profile)
    deployment.wait_for(again, "Rejected", status="False")
    wait_until(
        lambda: operator.metric("leasehold_reviews_total", decision="Reject", assurance="Delegate") or None,
        15,
        "the rejections are counted",
    )


def test_an_approval_of_another_surface_is_void(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    name = say(deployment, claimed, "Approve", surfaceDigest="sha256:" + "0" * 64)
    assert judged(deployment, claimed, name) == ("False", "AnotherSurface")
