"""The main job: a claim becomes a credential that works, is replaced in time, and stops working when it has to."""

from datetime import timedelta

from controlplane.waiting import wait_until
from deployment import Deployment, Operator, condition
from e2e.claims import ORDERS, claim, generations, message, the_secret, wait_generation, works
from leasehold.api.connection import EntryState
from leasehold.api.names import FINALIZER, SecretAnnotation, SecretLabel


def test_a_claim_becomes_a_credential_that_works(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    assert works(deployment.plane, claimed.secret)
    assert generations(claimed.connection) == {1: EntryState.CURRENT}
    assert FINALIZER in claimed.connection.metadata.finalizers
    assert condition(claimed.connection, "Reconciling")["status"] == "False"
    assert condition(claimed.connection, "Stalled")["status"] == "False"


def test_the_secret_says_whose_it_is_and_until_when(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    body = deployment.get_json("secret", claimed.namespace, "agent-server")
    assert body is not None
    entry = claimed.connection.status.ledger[0]
    annotations = body["metadata"]["annotations"]
    assert annotations[SecretAnnotation.OWNER] == "alice@example.com"
    assert annotations[SecretAnnotation.TEAM] == "support"
    assert annotations[SecretAnnotation.PURPOSE] == "triage incoming tickets"
    assert annotations[SecretAnnotation.GENERATION] == "1"
    assert annotations[SecretAnnotation.ACCESSOR] == entry.accessor
    assert annotations[SecretAnnotation.LEASE_ID] == entry.lease_id
    wire = claimed.connection.status.to_wire()
    assert annotations[SecretAnnotation.CREDENTIAL_EXPIRY_TIME] == wire["credentialExpiryTime"]
    assert annotations[SecretAnnotation.LEASE_END_TIME] == wire["leaseEndTime"]
    assert body["metadata"]["labels"][SecretLabel.MANAGED_BY] == SecretLabel.MANAGED_BY_VALUE
    assert body["type"] == "Opaque"
    [owner] = body["metadata"]["ownerReferences"]
    assert owner["uid"] == claimed.connection.metadata.uid
    assert "blockOwnerDeletion" not in owner


def test_templates_become_keys_that_programs_read(deployment: Deployment, operator: Operator) -> None:
    address = f"{deployment.plane.postgres.host}:{deployment.plane.postgres.port}"
    templates = {
        "dsn": "postgresql://{{ username }}:{{ password }}@" + address + "/orders",
        "orders.env": "PGUSER={{ username }}\nPGPASSWORD={{ password }}\n",
    }
    claimed = claim(deployment, output={"secretName": "agent-server", "templates": templates})
    name, password = claimed.secret["username"], claimed.secret["password"]
    assert claimed.secret["dsn"] == f"postgresql://{name}:{password}@{address}/orders"
    assert claimed.secret["orders.env"] == f"PGUSER={name}\nPGPASSWORD={password}\n"


def test_a_rotation_overlaps_and_then_ends_the_old_login(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment, {"ttlSeconds": 15, "overlapSeconds": 6})
    rotated = wait_generation(deployment, claimed.connection, 2)
    fresh = the_secret(deployment, rotated)
    assert fresh["username"] != claimed.secret["username"]
    assert works(deployment.plane, fresh)
    assert generations(rotated)[1] is EntryState.RETIRING
    assert works(deployment.plane, claimed.secret), "the old login has to work during the overlap"
    wait_until(lambda: not works(deployment.plane, claimed.secret), 15, "the old login ends")


def test_the_lease_ends_on_time_and_the_record_stays(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment, reason="ReviewDue", leaseDurationSeconds=12)
    end = claimed.connection.status.lease_end_time
    created = claimed.connection.metadata.creation_timestamp
    assert created is not None
    assert end == created + timedelta(seconds=12)
    over = deployment.wait_for(claimed.connection, "Expired", 30, status="False")
    assert generations(over) == {}
    assert not works(deployment.plane, claimed.secret)
    assert deployment.secret(claimed.namespace) is None
    assert "without a review" in message(over)


def test_a_review_is_due_in_the_last_fourteen_days(deployment: Deployment, operator: Operator) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile(ORDERS)
    connection = deployment.connection(namespace, profile.metadata.name, leaseDurationSeconds=13 * 86400)
    due = deployment.wait_for(connection, "ReviewDue", status="True")
    assert works(deployment.plane, the_secret(deployment, due))


def test_suspending_ends_the_credential_and_resuming_gives_a_fresh_one(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    deployment.patch(claimed.connection, {"spec": {"suspend": True}})
    suspended = deployment.wait_for(claimed.connection, "Suspended", status="False")
    assert generations(suspended) == {}
    assert not works(deployment.plane, claimed.secret)
    assert deployment.secret(claimed.namespace) is None
    deployment.patch(claimed.connection, {"spec": {"suspend": False}})
    resumed = deployment.wait_for(claimed.connection, "Active")
    assert generations(resumed) == {2: EntryState.CURRENT}
    assert works(deployment.plane, the_secret(deployment, resumed))


def test_deleting_a_connection_ends_its_credential(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
    assert deployment.find(claimed.namespace) is None
    assert deployment.secret(claimed.namespace) is None
    assert not works(deployment.plane, claimed.secret)


def test_deleting_a_namespace_ends_every_credential_in_it(deployment: Deployment, operator: Operator) -> None:
    first = claim(deployment)
    profile = first.connection.spec.profile
    other = deployment.connection(first.namespace, profile, "second")
    second = the_secret(deployment, deployment.wait_for(other, "Active"))
    deployment.plane.kubectl("delete", "namespace", first.namespace, "--timeout=60s", seconds=70)
    assert not works(deployment.plane, first.secret)
    assert not works(deployment.plane, second)


def test_a_deleted_service_account_ends_the_credential(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment)
    deployment.plane.kubectl("delete", "serviceaccount", "agent", f"--namespace={claimed.namespace}")
    gone = deployment.wait_for(claimed.connection, "ServiceAccountGone", status="False")
    assert generations(gone) == {}
    assert not works(deployment.plane, claimed.secret)


def test_a_service_account_that_comes_later_is_enough(deployment: Deployment, operator: Operator) -> None:
    namespace = deployment.namespace(accounts=())
    profile = deployment.profile(ORDERS)
    connection = deployment.connection(namespace, profile.metadata.name)
    missing = deployment.wait_for(connection, "ServiceAccountGone", status="False")
    assert "service account agent" in message(missing)
    deployment.plane.kubectl("create", "serviceaccount", "agent", f"--namespace={namespace}")
    deployment.wait_for(connection, "Active", 90)


def test_a_namespace_that_is_no_longer_allowed_loses_its_credential(
    deployment: Deployment, operator: Operator
) -> None:
    namespace = deployment.namespace({"mcp": "true"})
    profile = deployment.profile(ORDERS, allowedNamespaces={"matchLabels": {"mcp": "true"}})
    connection = deployment.connection(namespace, profile.metadata.name)
    secret = the_secret(deployment, deployment.wait_for(connection, "Active"))
    patch = '{"spec": {"allowedNamespaces": {"matchLabels": {"mcp": "certified"}}}}'
    deployment.plane.kubectl(
        "patch", "mcpserverprofile", profile.metadata.name, "--type=merge", f"--patch={patch}"
    )
    refused = deployment.wait_for(connection, "NamespaceNotAllowed", status="False")
    assert namespace in message(refused)
    wait_until(lambda: not works(deployment.plane, secret), 15, "the login ends")


def test_a_credential_without_its_profile_runs_out(deployment: Deployment, operator: Operator) -> None:
    claimed = claim(deployment, {"ttlSeconds": 12, "overlapSeconds": 2})
    deployment.plane.kubectl("delete", "mcpserverprofile", claimed.connection.spec.profile)
    invalid = deployment.wait_for(claimed.connection, "InvalidSpec", status="False")
    assert "there is no MCPServerProfile" in message(invalid)
    assert condition(invalid, "Stalled")["status"] == "True"
    wait_until(lambda: not works(deployment.plane, claimed.secret), 30, "the login runs out")
    wait_until(lambda: deployment.secret(claimed.namespace) is None, 30, "the Secret goes with it")


def test_a_record_only_connection_is_ready_without_a_secret(
    deployment: Deployment, operator: Operator
) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile()
    connection = deployment.connection(namespace, profile.metadata.name, output=None)
    recorded = deployment.wait_for(connection, "Active", status="True")
    assert generations(recorded) == {}
    assert condition(recorded, "CredentialIssued")["reason"] == "RecordOnly"
    assert FINALIZER not in recorded.metadata.finalizers
