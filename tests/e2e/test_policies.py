"""Access policies on a real cluster: nothing is minted against them, and what they deny dies at Vault."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import claim, message, works
from e2e.test_idle import dies_at_vault, found, recorded

LONG = 90


@contextmanager
def policed(deployment: Deployment, name: str, namespace: str, **spec: Any) -> Iterator[str]:
    """A policy about one namespace, while it lasts."""
    about = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    body = {
        "apiVersion": "leasehold.dev/v1alpha1",
        "kind": "MCPAccessPolicy",
        "metadata": {"name": name},
        "spec": {"namespaces": about, **spec},
    }
    deployment.plane.apply(body)
    try:
        yield name
    finally:
        deployment.plane.kubectl("delete", "mcpaccesspolicies", name, "--ignore-not-found")


def test_what_a_policy_denies_dies_at_vault_and_comes_back_when_the_policy_is_gone(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    with policed(
        deployment, f"for-{claimed.namespace}", claimed.namespace, maxTTLSeconds=10, graceSeconds=5
    ) as name:
        denied = deployment.wait_for(claimed.connection, "PolicyViolated", LONG, status="False")
        assert f"MCPAccessPolicy {name} (generation 1), TTL" in message(denied)
        assert dies_at_vault(deployment, claimed.connection)
        assert not works(deployment.plane, claimed.secret)
        wait_until(lambda: not found(deployment, denied).status.ledger, LONG, "its ledger is empty")
        [violation] = found(deployment, denied).status.policy_violations
        assert (violation.policy, violation.rule, violation.generation) == (name, "TTL", 1)
        assert violation.deadline_time is not None
    deployment.wait_for(claimed.connection, "Active", LONG, status="True")
    assert recorded(operator, denied, "policy") == ["PolicyViolated", "PolicySatisfied"]
