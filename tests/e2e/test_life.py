"""The main job: a claim becomes a credential that works, and stops working when it has to."""

import psycopg
import pytest

from controlplane import Plane
from deployment import Deployment, Operator

LEASE = {"path": "database/creds/orders-read", "type": "Lease"}


def rows(plane: Plane, secret: dict[str, str]) -> int:
    """How many orders the credential of a Secret can read."""
    dsn = plane.postgres.dsn("orders", user=secret["username"], password=secret["password"])
    with psycopg.connect(dsn) as database:
        found = database.execute("select count(*) from orders").fetchone()
    assert found is not None
    return int(found[0])


def test_a_claim_becomes_a_credential_that_works(deployment: Deployment, operator: Operator) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile(LEASE)
    claimed = deployment.connection(namespace, profile.metadata.name)
    ready = deployment.wait_for(claimed, "Active")
    secret = deployment.secret(namespace)
    assert secret is not None
    assert rows(deployment.plane, secret) == 3
    assert [entry.state for entry in ready.status.ledger] == ["Current"]


def test_deleting_a_connection_ends_its_credential(deployment: Deployment, operator: Operator) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile(LEASE)
    claimed = deployment.connection(namespace, profile.metadata.name)
    deployment.wait_for(claimed, "Active")
    secret = deployment.secret(namespace)
    assert secret is not None
    deployment.plane.kubectl(
        "delete", "mcpconnection", "agent-server", f"--namespace={namespace}", "--wait=false"
    )
    deployment.wait_gone(claimed)
    assert deployment.secret(namespace) is None
    with pytest.raises(psycopg.OperationalError):
        rows(deployment.plane, secret)
