"""What others do to a published Secret or its credential is noticed, mended once, and nothing exposed lives on."""

import base64

from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import claim, generations, the_secret, wait_generation, works
from leasehold.api.connection import EntryState
from leasehold.api.names import SecretAnnotation


def test_changed_data_rotates_once_and_ends_the_exposed_login(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    forged = base64.b64encode(b"someone-else").decode()
    command = ["patch", "secret", "agent-server", f"--namespace={claimed.namespace}", "--type=merge"]
    deployment.plane.kubectl(*command, f'--patch={{"data": {{"username": "{forged}"}}}}')
    rotated = wait_generation(deployment, claimed.connection, 2)
    fresh = the_secret(deployment, rotated)
    assert works(deployment.plane, fresh)
    wait_until(lambda: not works(deployment.plane, claimed.secret), 15, "the exposed login ends")
    deployment.plane.kubectl(*command, f'--patch={{"data": {{"username": "{forged}"}}}}')
    looks = operator.metric(
        "leasehold_cluster_request_duration_seconds_count", verb="look", resource="secrets"
    )
    wait_until(
        lambda: (
            operator.metric(
                "leasehold_cluster_request_duration_seconds_count", verb="look", resource="secrets"
            )
            > looks + 5
        ),
        40,
        "the operator has looked again",
    )
    again = deployment.find(claimed.namespace)
    assert again is not None
    assert generations(again) == {2: EntryState.CURRENT}, (
        "a repair that does not last is not repeated at once"
    )


def test_a_deleted_secret_is_made_anew_with_a_fresh_login(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    deployment.plane.kubectl("delete", "secret", "agent-server", f"--namespace={claimed.namespace}")
    rotated = wait_generation(deployment, claimed.connection, 2)
    assert works(deployment.plane, the_secret(deployment, rotated))
    wait_until(lambda: not works(deployment.plane, claimed.secret), 15, "the lost login ends")


def test_foreign_annotations_do_not_rotate_and_ours_are_put_right(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    command = ["annotate", "--overwrite", "secret", "agent-server", f"--namespace={claimed.namespace}"]
    deployment.plane.kubectl(*command, "example.com/theirs=kept", f"{SecretAnnotation.ACCESSOR}=forged")

    def annotations() -> dict[str, str]:
        body = deployment.get_json("secret", claimed.namespace, "agent-server")
        assert body is not None
        return dict(body["metadata"]["annotations"])

    accessor = claimed.connection.status.ledger[0].accessor
    wait_until(
        lambda: annotations()[SecretAnnotation.ACCESSOR] == accessor, 20, "our annotation is put right"
    )
    assert annotations()["example.com/theirs"] == "kept"
    seen = deployment.find(claimed.namespace)
    assert seen is not None
    assert generations(seen) == {1: EntryState.CURRENT}
    assert the_secret(deployment, seen) == claimed.secret


def test_a_login_that_was_revoked_at_vault_is_issued_anew(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    deployment.vault.write(
        "sys/leases/revoke", lease_id=claimed.connection.status.ledger[0].lease_id, sync=True
    )
    assert not works(deployment.plane, claimed.secret)
    fresh = wait_generation(deployment, claimed.connection, 2)
    assert works(deployment.plane, the_secret(deployment, fresh))
    wait_until(
        lambda: "GoneEarly" in [each["data"]["reason"] for each in operator.audit(claimed.connection)],
        15,
        "the early end is recorded",
    )


def test_a_stripped_finalizer_does_not_save_a_credential(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    plane = deployment.plane
    plane.kubectl("delete", "validatingadmissionpolicybinding", "leasehold-ledger-finalizer")
    try:
        patch = '--patch={"metadata": {"finalizers": null}}'
        name = ("mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
        command = ["patch", *name, "--type=merge", patch]

        def gone() -> bool:
            """Stripped and deleted; the operator may put its finalizer back in between, and then once more."""
            plane.kubectl(*command, check=False)
            plane.kubectl("delete", *name, "--wait=false", check=False)
            return deployment.find(claimed.namespace) is None

        operator.stop()
        wait_until(
            lambda: plane.kubectl(*command, check=False).returncode == 0, 15, "the finalizer is stripped"
        )
        operator.start()
        deployment.wait_for(claimed.connection, "Active")
        wait_until(gone, 30, "the object is gone")
    finally:
        deployment.restore_policies()
    wait_until(lambda: not works(plane, claimed.secret), 60, "the login ends all the same")
