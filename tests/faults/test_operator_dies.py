"""The operator is killed, or asked to stop, while a mint is under way."""

import pytest

from controlplane import ControlPlane
from controlplane.vaultsetup import CREATE_LOGIN, setup_database_engine
from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import generations, the_secret, works
from leasehold.api.connection import EntryState, MCPConnection


@pytest.fixture
def minting(own_plane: ControlPlane, deployment: Deployment, operator: Operator) -> MCPConnection:
    """A connection whose first mint takes two seconds in PostgreSQL, and is under way."""
    setup_database_engine(
        own_plane.vault.api,
        own_plane.postgres,
        role="dies",
        creation_statements=["SELECT pg_sleep(2)", CREATE_LOGIN],
    )
    namespace = deployment.namespace()
    profile = deployment.profile({"path": "database/creds/dies", "type": "Lease"})
    connection = deployment.connection(namespace, profile.metadata.name)

    def under_way() -> bool:
        found = deployment.find(namespace)
        return found is not None and generations(found) == {1: EntryState.INTENT}

    wait_until(under_way, 20, "the mint is under way")
    return connection


def leases_of(deployment: Deployment) -> int:
    """How many logins Vault has handed out by the slow role."""
    return len(deployment.leases("database/creds/dies/"))


def test_a_stop_finishes_the_mint_under_way(
    deployment: Deployment, operator: Operator, minting: MCPConnection
) -> None:
    assert operator.stop() == 0
    found = deployment.find(minting.metadata.namespace)
    assert found is not None
    assert generations(found) == {1: EntryState.CURRENT}
    assert works(deployment.plane, the_secret(deployment, found))
    operator.start()
    deployment.plane.kubectl(
        "delete", "mcpconnection", "agent-server", f"--namespace={minting.metadata.namespace}"
    )
    assert leases_of(deployment) == 0


def test_a_kill_in_the_middle_of_a_mint_leaves_nothing_behind(
    deployment: Deployment, operator: Operator, minting: MCPConnection
) -> None:
    operator.kill()
    operator.start()
    ready = deployment.wait_for(minting, "Active", 60)
    assert works(deployment.plane, the_secret(deployment, ready))
    wait_until(
        lambda: len(generations(deployment.wait_for(minting, "Active"))) == 1, 60, "the lost mint is settled"
    )
    wait_until(lambda: leases_of(deployment) == 1, 20, "one login is alive")
    deployment.plane.kubectl(
        "delete", "mcpconnection", "agent-server", f"--namespace={minting.metadata.namespace}"
    )
    wait_until(lambda: leases_of(deployment) == 0, 20, "none is alive")


def test_a_deletion_in_the_middle_of_a_mint_leaves_nothing_behind(
    deployment: Deployment, operator: Operator, minting: MCPConnection
) -> None:
    deployment.plane.kubectl(
        "delete", "mcpconnection", "agent-server", f"--namespace={minting.metadata.namespace}"
    )
    assert deployment.secret(minting.metadata.namespace) is None
    wait_until(lambda: leases_of(deployment) == 0, 20, "none is alive")
