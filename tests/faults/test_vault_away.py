"""Vault down, sealed or slow: nothing is lost, nothing is claimed."""

from controlplane import ControlPlane
from controlplane.vaultsetup import CREATE_LOGIN, setup_database_engine
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, condition
from e2e.claims import (
    claim,
    generations,
    message,
    the_secret,
    wait_generation,
    works,
)
from leasehold.api.connection import EntryState
from leasehold.api.names import ABANDON_ANNOTATION


def delete(deployment: Deployment, namespace: str) -> None:
    """Ask for the deletion of the connection."""
    command = ["delete", "mcpconnection", "agent-server", f"--namespace={namespace}", "--wait=false"]
    deployment.plane.kubectl(*command)


def test_a_deletion_while_vault_is_away_ends_with_nothing_alive(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    own_plane.vault.stop()
    try:
        delete(deployment, claimed.namespace)
        pending = deployment.wait_for(claimed.connection, "Deleted", status="False")
        assert generations(pending) == {1: EntryState.REVOKING}
        assert "may work until" in message(pending, "CredentialIssued")
        wait_until(lambda: deployment.secret(claimed.namespace) is None, 20, "the Secret goes at once")
        assert works(own_plane, claimed.secret), "nobody can end a login without Vault"
    finally:
        own_plane.vault.start()
    deployment.wait_gone(claimed.connection, 90)
    assert not works(own_plane, claimed.secret)


def test_a_valid_credential_stays_ready_while_vault_is_sealed(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment, {"ttlSeconds": 30, "overlapSeconds": 2})
    own_plane.vault.seal()
    try:
        waiting = deployment.connection(claimed.namespace, claimed.connection.spec.profile, "second")
        refused = deployment.wait_for(waiting, "StoreUnavailable", status="False")
        assert "sealed" in message(refused)
        assert condition(refused, "Stalled")["status"] == "False"
        assert condition(refused, "Reconciling")["reason"] == "Retrying"
        held = deployment.wait_for(claimed.connection, "StoreUnavailable", 60, status="True")
        assert generations(held) == {1: EntryState.CURRENT}
        assert works(own_plane, claimed.secret)
    finally:
        own_plane.vault.unseal()
    deployment.wait_for(waiting, "Active", 90)
    rotated = wait_generation(deployment, claimed.connection, 2)
    assert works(own_plane, the_secret(deployment, rotated))


def test_a_database_that_is_down_is_told_and_forced_until_the_login_is_gone(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    own_plane.postgres.stop()
    try:
        deployment.patch(claimed.connection, {"spec": {"suspend": True}})
        suspended = deployment.wait_for(claimed.connection, "Suspended", 40, status="False")
        assert generations(suspended)[1] in (EntryState.REVOKING, EntryState.IRREVOCABLE)
        wait_until(
            lambda: (
                generations(deployment.wait_for(claimed.connection, "Suspended"))
                == {1: EntryState.IRREVOCABLE}
            ),
            60,
            "the backend's refusal is told",
        )
    finally:
        own_plane.postgres.start()
    wait_until(
        lambda: generations(deployment.wait_for(claimed.connection, "Suspended")) == {},
        120,
        "the login is proven dead",
    )
    assert not works(own_plane, claimed.secret)


def test_the_escape_releases_a_connection_whose_vault_never_comes_back(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    own_plane.vault.stop()
    try:
        delete(deployment, claimed.namespace)
        deployment.wait_for(claimed.connection, "Deleted")
        patch = {"metadata": {"annotations": {ABANDON_ANNOTATION: "that Vault burnt down, INC-4"}}}
        deployment.patch(claimed.connection, patch)
        deployment.wait_gone(claimed.connection, 60)
    finally:
        own_plane.vault.start()
    records = operator.wait_audit(claimed.connection, "abandon")
    [record] = [each for each in records if each["data"]["action"] == "abandon"]
    assert "INC-4" in record["data"]["message"]
    wait_until(lambda: works(own_plane, claimed.secret), 20, "what was given up is alive, as was said")
    deployment.vault.write("sys/leases/revoke-prefix/database/creds/orders-read")


def test_a_broken_object_does_not_slow_the_others(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator
) -> None:
    setup_database_engine(
        own_plane.vault.api,
        own_plane.postgres,
        role="never",
        creation_statements=["SELECT pg_sleep(60)"],
    )
    namespace = deployment.namespace()
    broken = deployment.profile({"path": "database/creds/never", "type": "Lease"})
    for number in range(8):
        deployment.connection(namespace, broken.metadata.name, f"broken-{number}")
    fine = claim(deployment)
    assert works(own_plane, fine.secret)
    deployment.plane.kubectl("delete", "namespace", namespace, "--wait=false")


def test_an_ambiguous_mint_is_settled_and_never_repeated_under_its_intent(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator
) -> None:
    """Vault is killed while PostgreSQL takes its time: nobody knows what became of the mint."""
    slow = "SELECT pg_sleep(2)"
    setup_database_engine(
        own_plane.vault.api, own_plane.postgres, role="slow", creation_statements=[slow, CREATE_LOGIN]
    )
    namespace = deployment.namespace()
    profile = deployment.profile({"path": "database/creds/slow", "type": "Lease"})
    connection = deployment.connection(namespace, profile.metadata.name)

    def intent_is_open() -> bool:
        found = deployment.find(namespace)
        return found is not None and generations(found) == {1: EntryState.INTENT}

    wait_until(intent_is_open, 20, "the mint is under way")
    own_plane.vault.kill()
    own_plane.vault.start()
    ready = deployment.wait_for(connection, "Active", 90)
    current = [number for number, state in generations(ready).items() if state is EntryState.CURRENT]
    assert current == [2]
    wait_until(
        lambda: set(generations(deployment.wait_for(connection, "Active"))) == {2},
        60,
        "the first mint is settled",
    )
    assert works(own_plane, the_secret(deployment, ready))
    assert deployment.leases("database/creds/slow/") == [
        str(ready.status.ledger[-1].lease_id).removeprefix("database/creds/slow/")
    ]
    records = [each for each in operator.audit(connection) if each["type"].endswith("mint.intent")]
    assert [each["data"]["connection"]["generation"] for each in records] == [1, 2]
