"""The page about moving from static secrets, played: the agent's old login works until a person ends it."""

from deployment import Deployment, Operator, condition
from e2e.claims import ORDERS, generations, rows, works


def test_an_agent_moves_from_a_static_secret_to_a_lease_without_a_gap(
    deployment: Deployment, operator: Operator
) -> None:
    plane = deployment.plane
    namespace = deployment.namespace()
    login = {"username": plane.postgres.superuser, "password": plane.postgres.password}
    static = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "orders-login", "namespace": namespace},
    }
    plane.apply({**static, "stringData": login})
    before = deployment.get_json("secret", namespace, "orders-login")

    recorded = deployment.profile()
    body = deployment.connection(namespace, recorded.metadata.name, "orders-static", output=None)
    record = deployment.wait_for(body, "Active", status="True")
    assert condition(record, "CredentialIssued")["reason"] == "RecordOnly"
    assert record.status.lease_end_time is not None
    assert generations(record) == {}

    leased = deployment.profile(ORDERS)
    moved = deployment.wait_for(
        deployment.connection(
            namespace, leased.metadata.name, "orders", output={"secretName": "orders-leased"}
        ),
        "Active",
    )
    secret = deployment.secret(namespace, "orders-leased")
    assert secret is not None
    assert works(plane, secret)
    assert rows(plane, login) == 3
    assert deployment.get_json("secret", namespace, "orders-login") == before, "Leasehold does not touch it"

    plane.kubectl("delete", "mcpconnection", "orders-static", f"--namespace={namespace}")
    assert rows(plane, login) == 3
    deployment.patch(moved, {"spec": {"suspend": True}})
    deployment.wait_for(moved, "Suspended", status="False")
    assert not works(plane, secret)
    assert rows(plane, login) == 3, "only its own source ends a static login"
    assert deployment.get_json("secret", namespace, "orders-login") == before


def test_a_recipe_added_to_a_profile_of_records_leaves_those_without_an_output_alone(
    deployment: Deployment, operator: Operator
) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile()
    record = deployment.connection(namespace, profile.metadata.name, "a-record", output=None)
    deployment.wait_for(record, "Active")
    deployment.profile(ORDERS, name=profile.metadata.name)
    changed = deployment.wait_for(record, "InvalidSpec", status="False")
    assert generations(changed) == {}
    assert "spec.output.secretName" in condition(changed, "Ready")["message"]
