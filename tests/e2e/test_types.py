"""Every way in which a credential ends, on real engines: used for real, and dead (or said not to be) afterwards."""

from datetime import UTC, datetime

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from controlplane.vaultapi import VaultRefused
from controlplane.vaultsetup import (
    create_token_reviewer,
    setup_kubernetes_auth,
    setup_kv_engine,
    setup_oidc_tokens,
    setup_pki_engine,
    setup_ssh_engine,
    setup_token_role,
)
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, condition
from e2e.claims import claim, clear_status, generations, message, the_secret, wait_generation, works


def verify_signature(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Raises unless the issuer signed the certificate."""
    key = issuer.public_key()
    algorithm = certificate.signature_hash_algorithm
    assert algorithm is not None
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))


def delete(deployment: Deployment, namespace: str) -> None:
    """Delete the connection and wait until it is gone."""
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={namespace}")


def test_a_login_token_is_the_credential_where_no_path_is_named(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment, {"path": None, "type": "Token"})
    accessor = claimed.connection.status.ledger[0].accessor
    found = deployment.vault.write("auth/token/lookup", token=claimed.secret["token"])
    assert found["data"]["accessor"] == accessor
    delete(deployment, claimed.namespace)
    with pytest.raises(VaultRefused):
        deployment.vault.write("auth/token/lookup", token=claimed.secret["token"])


def test_a_child_token_dies_with_its_login(deployment: Deployment, operator: Operator) -> None:
    path = setup_token_role(
        deployment.vault, role="e2e-child", policies=("default",), token_explicit_max_ttl=3600
    )
    claimed = claim(deployment, {"path": path, "type": "Token", "method": "Write"})
    entry = claimed.connection.status.ledger[0]
    found = deployment.vault.write("auth/token/lookup", token=claimed.secret["token"])
    assert found["data"]["accessor"] == entry.token_accessor != entry.accessor
    delete(deployment, claimed.namespace)
    with pytest.raises(VaultRefused):
        deployment.vault.write("auth/token/lookup", token=claimed.secret["token"])


def test_an_orphan_token_does_not_fit_and_is_taken_back(deployment: Deployment, operator: Operator) -> None:
    path = setup_token_role(deployment.vault, role="e2e-orphan", policies=("default",), orphan=True)
    namespace = deployment.namespace()
    profile = deployment.profile({"path": path, "type": "Token", "method": "Write"})
    connection = deployment.connection(namespace, profile.metadata.name)
    refused = deployment.wait_for(connection, "InvalidSpec", status="False")
    assert "orphan" in message(refused)
    assert deployment.secret(namespace) is None


def test_a_jwt_only_runs_out_and_its_end_is_said(deployment: Deployment, operator: Operator) -> None:
    path = setup_oidc_tokens(deployment.vault, role="e2e-agent", ttl_seconds=20)
    claimed = claim(deployment, {"path": path, "type": "Expiring", "ttlSeconds": 3600})
    entry = claimed.connection.status.ledger[0]
    claims = jwt.decode(claimed.secret["token"], options={"verify_signature": False})
    assert entry.expiry_time == datetime.fromtimestamp(claims["exp"], UTC)
    assert entry.accessor == "", "the login token has been given back"
    deployment.patch(claimed.connection, {"spec": {"suspend": True}})
    suspended = deployment.wait_for(claimed.connection, "Suspended", status="False")
    assert deployment.secret(claimed.namespace) is None
    assert suspended.status.residual_exposure_until == entry.expiry_time
    assert "may work until" in message(suspended, "CredentialIssued")
    wait_until(
        lambda: generations(deployment.wait_for(claimed.connection, "Suspended")) == {},
        40,
        "the JWT has run out",
    )


def test_a_leased_certificate_is_signed_and_revoked_with_its_lease(
    deployment: Deployment, operator: Operator
) -> None:
    leased, _ = setup_pki_engine(deployment.vault)
    recipe = {
        "path": leased,
        "type": "Lease",
        "method": "Write",
        "parameters": {"common_name": "agent.example.com"},
    }
    claimed = claim(deployment, recipe)
    certificate = x509.load_pem_x509_certificate(claimed.secret["certificate"].encode())
    verify_signature(certificate, x509.load_pem_x509_certificate(claimed.secret["issuing_ca"].encode()))
    assert claimed.connection.status.ledger[0].residual_time == certificate.not_valid_after_utc
    clear_status(deployment, claimed.connection)
    recovered = wait_generation(deployment, claimed.connection, 1)
    assert recovered.status.ledger[0].residual_time == certificate.not_valid_after_utc
    deployment.patch(claimed.connection, {"spec": {"suspend": True}})
    suspended = deployment.wait_for(claimed.connection, "Suspended", status="False")
    assert generations(suspended) == {}
    assert suspended.status.residual_exposure_until == certificate.not_valid_after_utc
    crl = deployment.vault.call("GET", "pki/cert/crl")["data"]["certificate"]
    revoked = x509.load_pem_x509_crl(crl.encode())
    assert revoked.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None


def test_an_unleased_certificate_is_expiring(deployment: Deployment, operator: Operator) -> None:
    _, unleased = setup_pki_engine(deployment.vault)
    recipe = {"path": unleased, "method": "Write", "parameters": {"common_name": "agent.example.com"}}
    claimed = claim(deployment, {**recipe, "type": "Expiring"})
    certificate = x509.load_pem_x509_certificate(claimed.secret["certificate"].encode())
    assert claimed.connection.status.ledger[0].expiry_time == certificate.not_valid_after_utc


def test_an_answer_that_does_not_fit_its_type_is_revoked_and_reported(
    deployment: Deployment, operator: Operator
) -> None:
    _, unleased = setup_pki_engine(deployment.vault)
    namespace = deployment.namespace()
    recipe = {"path": unleased, "method": "Write", "parameters": {"common_name": "agent.example.com"}}
    profile = deployment.profile({**recipe, "type": "Lease"})
    connection = deployment.connection(namespace, profile.metadata.name)
    refused = deployment.wait_for(connection, "InvalidSpec", status="False")
    assert "no lease came" in message(refused)
    assert condition(refused, "Stalled")["status"] == "True"
    assert deployment.secret(namespace) is None
    operator.wait_audit(connection, "mint", "intent")


def test_a_one_time_password_has_a_lease(deployment: Deployment, operator: Operator) -> None:
    path = setup_ssh_engine(deployment.vault)
    claimed = claim(
        deployment, {"path": path, "type": "Lease", "method": "Write", "parameters": {"ip": "127.0.0.1"}}
    )
    lease = claimed.connection.status.ledger[0].lease_id
    assert lease is not None
    assert claimed.secret["key"]
    delete(deployment, claimed.namespace)
    with pytest.raises(VaultRefused):
        deployment.vault.write("ssh/verify", otp=claimed.secret["key"])
    with pytest.raises(VaultRefused):
        deployment.vault.write("sys/leases/lookup", lease_id=lease)


def test_a_static_secret_is_handed_out_and_said_to_have_no_end(
    deployment: Deployment, operator: Operator
) -> None:
    path = setup_kv_engine(deployment.vault)
    claimed = claim(deployment, {"path": path, "type": "Static"})
    assert claimed.secret["api-key"] == "an-example-and-not-a-secret"
    assert "without an end" in message(claimed.connection, "CredentialIssued")
    server = claimed.connection.status.server
    assert server is not None
    assert server.revocability == "not revocable and without an end"
    delete(deployment, claimed.namespace)
    wait_until(
        lambda: "NotRevocable" in [each["data"]["reason"] for each in operator.audit(claimed.connection)],
        15,
        "that it was not revoked is recorded",
    )


def test_a_store_with_kubernetes_auth_mints_as_well(deployment: Deployment, operator: Operator) -> None:
    plane = deployment.plane
    setup_kubernetes_auth(
        deployment.vault,
        "kubernetes-e2e",
        host=plane.apiserver.url,
        ca=plane.apiserver.ca_path,
        reviewer_token=create_token_reviewer(plane),
    )
    store = deployment.register_store(
        "kube", "kubernetes-e2e", auth={"method": "Kubernetes", "mount": "kubernetes-e2e"}
    )
    recipe = {"path": "database/creds/orders-read", "type": "Lease", "storeName": "kube"}
    profile = deployment.profile(recipe, store=store)
    namespace = deployment.namespace()
    connection = deployment.connection(namespace, profile.metadata.name)
    secret = the_secret(deployment, deployment.wait_for(connection, "Active"))
    assert works(plane, secret)
    delete(deployment, namespace)
    assert not works(plane, secret)


def test_a_store_stays_until_no_ledger_names_it(deployment: Deployment, operator: Operator) -> None:
    store = deployment.register_store("going", "jwt-going")
    recipe = {"path": "database/creds/orders-read", "type": "Lease", "storeName": "going", "ttlSeconds": 12}
    profile = deployment.profile(recipe, store=store)
    namespace = deployment.namespace()
    connection = deployment.connection(namespace, profile.metadata.name)
    secret = the_secret(deployment, deployment.wait_for(connection, "Active"))
    deployment.plane.kubectl("delete", "mcpstore", "going", "--wait=false")
    drained = deployment.wait_for(connection, "StoreUnavailable")
    assert "is being deleted" in message(drained)
    assert deployment.get_json("mcpcredentialstore", "", "going") is not None
    wait_until(
        lambda: deployment.get_json("mcpcredentialstore", "", "going") is None, 60, "the store is released"
    )
    assert not works(deployment.plane, secret)


def test_a_vault_that_refuses_says_what_to_mend(deployment: Deployment, operator: Operator) -> None:
    namespace = deployment.namespace()
    profile = deployment.profile({"path": "database/creds/not-there", "type": "Lease"})
    connection = deployment.connection(namespace, profile.metadata.name)
    refused = deployment.wait_for(connection, "StoreUnavailable", status="False")
    assert "database/creds/not-there" in message(refused)
    assert condition(refused, "Stalled")["status"] == "True"
    assert generations(refused) == {}
    fine = claim(deployment, {"path": "database/creds/orders-read", "type": "Lease"})
    assert the_secret(deployment, fine.connection)
