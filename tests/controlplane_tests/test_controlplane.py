"""The control plane itself: every server is real, answers, can be taken away, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from controlplane import ControlPlane, Plane, httpcall, vaultsetup
from controlplane.child import ServerFailed
from controlplane.external import ExternalPlane, IncompleteEnvironment, NotOurs
from controlplane.plane import CommandFailed
from controlplane.vaultapi import VaultRefused
from controlplane.waiting import wait_until

AUDIENCE = "leasehold.dev/store/test"
TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def ours() -> Iterator[ControlPlane]:
    """A control plane that may be taken apart."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def namespace(plane: Plane) -> Iterator[str]:
    name = f"controlplane-{secrets.token_hex(3)}"
    plane.kubectl("create", "namespace", name)
    yield name
    plane.kubectl("delete", "namespace", name, "--wait=false")


def test_every_server_answers(plane: Plane) -> None:
    version = json.loads(plane.kubectl("version", "--output=json").stdout)
    assert int(version["serverVersion"]["minor"].rstrip("+")) >= 34
    health = plane.vault.api.call("GET", "sys/health")
    assert health["initialized"]
    assert not health["sealed"]
    with psycopg.connect(plane.postgres.dsn()) as database:
        assert database.execute("select 1").fetchone() == (1,)


def test_a_user_without_a_role_may_nothing(plane: Plane) -> None:
    with pytest.raises(CommandFailed, match="Forbidden"):
        plane.kubectl("get", "secrets", user="tenant")
    whoami = json.loads(plane.kubectl("auth", "whoami", "--output=json", user="security").stdout)
    assert whoami["status"]["userInfo"]["username"] == "security"
    assert "security" in whoami["status"]["userInfo"]["groups"]


def test_a_deleted_namespace_goes_away_with_what_is_in_it(plane: Plane) -> None:
    name = f"controlplane-{secrets.token_hex(3)}"
    plane.kubectl("create", "namespace", name)
    plane.kubectl("create", "configmap", "inside", f"--namespace={name}")
    plane.kubectl("delete", "namespace", name, "--timeout=50s")
    assert plane.kubectl("get", "namespace", name, check=False).returncode != 0


def test_the_garbage_collector_deletes_what_an_owner_leaves(plane: Plane, namespace: str) -> None:
    plane.kubectl("create", "configmap", "owner", f"--namespace={namespace}")
    owner = json.loads(
        plane.kubectl("get", "configmap", "owner", f"--namespace={namespace}", "--output=json").stdout
    )
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    plane.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "owned", "namespace": namespace, "ownerReferences": [reference]},
        }
    )
    plane.kubectl("delete", "configmap", "owner", f"--namespace={namespace}")

    def gone() -> bool:
        found = plane.kubectl("get", "configmap", "owned", f"--namespace={namespace}", check=False)
        return "NotFound" in found.stderr

    wait_until(gone, 30, "the owned ConfigMap is collected", pause=0.2)


def test_an_admission_policy_is_enforced(plane: Plane, namespace: str) -> None:
    group = "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    validation = {"expression": "object.metadata.name == 'allowed'", "message": "only one name is allowed"}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]},
    }
    binding = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {
            "policyName": namespace,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        },
    }
    plane.apply({"apiVersion": "v1", "kind": "List", "items": [policy, binding]})
    try:

        def denied() -> bool:
            tried = plane.kubectl(
                "create", "configmap", "other", "--dry-run=server", f"--namespace={namespace}", check=False
            )
            return "only one name is allowed" in tried.stderr

        wait_until(denied, 30, "the policy denies", pause=0.2)
        plane.kubectl("create", "configmap", "allowed", f"--namespace={namespace}")
    finally:
        plane.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", namespace)


def test_a_requested_token_logs_in_to_vault_by_jwt(plane: Plane, namespace: str) -> None:
    vault, mount = plane.vault.api, f"jwt-{namespace}"
    plane.kubectl("create", "serviceaccount", "agent", f"--namespace={namespace}")
    vaultsetup.setup_jwt_auth(vault, mount, plane.service_account_public_keys)
    vaultsetup.put_jwt_role(
        vault, mount, "agent", audience=AUDIENCE, policies=["nothing"], namespace=namespace
    )
    auth = vaultsetup.login(
        vault, mount, "agent", plane.service_account_token(namespace, "agent", [AUDIENCE])
    )
    assert auth["accessor"]
    assert auth["policies"] == ["nothing"]
    assert auth["metadata"]["namespace"] == namespace
    assert auth["metadata"]["serviceAccount"] == "agent"
    assert auth["metadata"]["serviceAccountUID"]


def test_a_token_of_another_namespace_does_not_log_in(plane: Plane, namespace: str) -> None:
    vault, mount = plane.vault.api, f"jwt-{namespace}"
    vaultsetup.setup_jwt_auth(vault, mount, plane.service_account_public_keys)
    vaultsetup.put_jwt_role(
        vault, mount, "agent", audience=AUDIENCE, policies=["nothing"], namespace=namespace
    )
    foreign = plane.service_account_token("default", "default", [AUDIENCE])
    with pytest.raises(VaultRefused, match="namespace"):
        vaultsetup.login(vault, mount, "agent", foreign)


def test_vault_asks_the_cluster_about_a_kubernetes_login(plane: Plane, namespace: str) -> None:
    vault, mount = plane.vault.api, f"kubernetes-{namespace}"
    plane.kubectl("create", "serviceaccount", "agent", f"--namespace={namespace}")
    vaultsetup.setup_kubernetes_auth(
        vault,
        mount,
        host=plane.apiserver.url,
        ca=plane.apiserver.ca_path,
        reviewer_token=vaultsetup.create_token_reviewer(plane, namespace),
    )
    vaultsetup.put_kubernetes_role(
        vault, mount, "agent", audience=AUDIENCE, policies=["nothing"], namespace=namespace
    )
    token = plane.service_account_token(namespace, "agent", [AUDIENCE])
    auth = vaultsetup.login(vault, mount, "agent", token)
    assert auth["metadata"]["service_account_name"] == "agent"
    plane.kubectl("delete", "serviceaccount", "agent", f"--namespace={namespace}")

    def refused() -> bool:
        try:
            vaultsetup.login(vault, mount, "agent", token)
        except VaultRefused:
            return True
        return False

    wait_until(refused, 30, "the API server's cache of good tokens (10 s) forgets it", pause=0.5)


def test_a_database_credential_works_until_it_is_revoked(plane: Plane) -> None:
    vault = plane.vault.api
    path = vaultsetup.setup_database_engine(vault, plane.postgres)
    minted = vault.call("GET", path)
    login = plane.postgres.dsn("orders", minted["data"]["username"], minted["data"]["password"])
    with psycopg.connect(login, autocommit=True) as session:
        assert session.execute("select count(*) from orders").fetchone() == (3,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("delete from orders")
        vault.write("sys/leases/revoke", lease_id=minted["lease_id"], sync=True)
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match="failed"):
        psycopg.connect(login)
    with psycopg.connect(plane.postgres.dsn()) as server:
        role = [minted["data"]["username"]]
        assert not server.execute("select 1 from pg_roles where rolname = %s", role).fetchone()


def test_a_database_login_ends_with_its_lease_even_without_vault(plane: Plane) -> None:
    path = vaultsetup.setup_database_engine(plane.vault.api, plane.postgres)
    minted = plane.vault.api.call("GET", path)
    with psycopg.connect(plane.postgres.dsn()) as server:
        found = server.execute(
            "select rolvaliduntil - now() from pg_roles where rolname = %s", [minted["data"]["username"]]
        ).fetchone()
    assert found is not None
    assert found[0].total_seconds() <= minted["lease_duration"] + 60


def test_every_engine_mints_what_its_type_promises(plane: Plane, namespace: str) -> None:
    vault, suffix = plane.vault.api, namespace
    password = vault.write(vaultsetup.setup_ssh_engine(vault, f"ssh-{suffix}"), ip="127.0.0.1")
    assert password["lease_id"]
    assert password["lease_duration"] <= 3600
    leased, unleased = vaultsetup.setup_pki_engine(vault, f"pki-{suffix}")
    assert vault.write(leased, common_name="a.example")["lease_id"]
    certificate = vault.write(unleased, common_name="b.example")
    assert not certificate["lease_id"]
    assert certificate["data"]["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    vaultsetup.put_policy(vault, "child", {"auth/token/lookup-self": ["read"]})
    child = vault.write(vaultsetup.setup_token_role(vault, policies=["child"]), policies=["child"])
    assert child["auth"]["token_type"] == "service"
    assert not child["auth"]["orphan"]
    static = vault.read(vaultsetup.setup_kv_engine(vault, f"kv-{suffix}"))
    assert static is not None
    assert static["data"]["data"]
    assert not static["lease_id"]


def test_a_login_may_be_given_a_signed_identity(plane: Plane, namespace: str) -> None:
    vault, mount = plane.vault.api, f"jwt-{namespace}"
    path = vaultsetup.setup_oidc_tokens(vault)
    vaultsetup.put_policy(vault, namespace, {path: ["read"]})
    vaultsetup.setup_jwt_auth(vault, mount, plane.service_account_public_keys)
    vaultsetup.put_jwt_role(
        vault, mount, "agent", audience=AUDIENCE, policies=[namespace], namespace="default"
    )
    token = plane.service_account_token("default", "default", [AUDIENCE])
    auth = vaultsetup.login(vault, mount, "agent", token)
    signed = vault.with_token(auth["client_token"]).read(path)
    assert signed is not None
    assert signed["data"]["token"].count(".") == 2
    assert signed["data"]["ttl"] <= 600


def test_all_of_the_setup_may_be_done_twice(plane: Plane) -> None:
    vault = plane.vault.api

    def setup() -> list[Any]:
        vaultsetup.setup_jwt_auth(vault, "jwt-twice", plane.service_account_public_keys)
        return [
            vaultsetup.setup_database_engine(vault, plane.postgres, "database-twice"),
            vaultsetup.setup_ssh_engine(vault, "ssh-twice"),
            vaultsetup.setup_pki_engine(vault, "pki-twice"),
            vaultsetup.setup_oidc_tokens(vault),
            vaultsetup.setup_token_role(vault),
            vaultsetup.setup_kv_engine(vault, "kv-twice"),
            vaultsetup.create_token_reviewer(plane).count("."),
        ]

    assert setup() == setup()
    assert len(vault.list("pki-twice/issuers")) == 1


def test_vault_keeps_its_address_and_its_data_over_a_restart(ours: ControlPlane) -> None:
    path = vaultsetup.setup_kv_engine(ours.vault.api)
    ours.vault.stop()
    with pytest.raises(OSError, match="refused"):
        ours.vault.api.read(path)
    ours.vault.start()
    kept = ours.vault.api.read(path)
    assert kept is not None
    assert kept["data"]["data"]["api-key"]


def test_a_sealed_vault_answers_503_until_it_is_unsealed(ours: ControlPlane) -> None:
    ours.vault.seal()
    assert httpcall.call("GET", f"{ours.vault.address}/v1/sys/health").status == 503
    with pytest.raises(VaultRefused) as refused:
        ours.vault.api.read("sys/mounts")
    assert refused.value.status == 503
    ours.vault.unseal()
    assert ours.vault.api.read("sys/mounts")


def test_a_paused_vault_lets_its_callers_wait(ours: ControlPlane) -> None:
    ours.vault.pause()
    with pytest.raises(TimeoutError):
        httpcall.call("GET", f"{ours.vault.address}/v1/sys/health", seconds=0.5)
    ours.vault.resume()
    assert httpcall.call("GET", f"{ours.vault.address}/v1/sys/health").status == 200


def test_the_database_and_the_api_server_come_back_where_they_were(ours: ControlPlane) -> None:
    vaultsetup.setup_orders_database(ours.postgres)
    ours.kubectl("create", "configmap", "kept")
    ours.postgres.kill()
    ours.apiserver.stop()
    with pytest.raises(OSError, match="refused"):
        ours.apiserver.get("/readyz")
    ours.postgres.start()
    ours.apiserver.start()
    with psycopg.connect(ours.postgres.dsn("orders")) as database:
        assert database.execute("select count(*) from orders").fetchone() == (3,)
    ours.kubectl("get", "configmap", "kept")


def test_a_server_that_exits_at_once_is_reported_with_its_log(ours: ControlPlane) -> None:
    ours.vault.stop()
    config = ours.workdir / "vault.json"
    intact = config.read_text()
    config.write_text("{")
    with pytest.raises(ServerFailed, match=r"(?s)exited with status 1; .*storage backend"):
        ours.vault.start()
    config.write_text(intact)
    ours.vault.start()


def test_leaving_ends_every_process_and_removes_every_file() -> None:
    with ControlPlane() as plane:
        pids, workdir = plane.pids(), plane.workdir
        assert len(pids) == 5
    assert not any(_alive(pid) for pid in pids)
    assert not workdir.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_its_launcher(number: signal.Signals) -> None:
    place = Path(tempfile.mkdtemp(prefix="leasehold-"))
    place.chmod(0o711)
    environment = os.environ | {"PYTHONPATH": str(TESTS), "TMPDIR": str(place)}
    command = [sys.executable, "-m", "controlplane", "up"]
    up = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert up.stdout is not None
        first = up.stdout.readline()
        assert first.startswith(b"KUBECONFIG="), "it did not start"
        servers = _children(up.pid)
        assert len(servers) == 5
        up.send_signal(number)
        up.wait(60)
        wait_until(lambda: not any(_alive(pid) for pid in servers), 20, "the servers are gone")
        if number is signal.SIGTERM:
            assert list(place.iterdir()) == []
    finally:
        up.kill()
        up.communicate(timeout=20)
        shutil.rmtree(place)


def test_a_plane_given_by_the_environment_is_not_ours_to_stop(plane: Plane) -> None:
    given = {
        "LEASEHOLD_TEST_KUBECONFIG": str(plane.kubeconfig()),
        "LEASEHOLD_TEST_VAULT_ADDR": plane.vault.address,
        "LEASEHOLD_TEST_VAULT_TOKEN": plane.vault.root_token,
        "LEASEHOLD_TEST_POSTGRES_DSN": plane.postgres.dsn(),
    }
    with ExternalPlane(given) as external:
        assert external.apiserver.url == plane.apiserver.url
        assert external.service_account_public_key == plane.service_account_public_key
        assert external.vault.api.call("GET", "sys/health")["initialized"]
        whoami = json.loads(external.kubectl("auth", "whoami", "--output=json", user="security").stdout)
        assert whoami["status"]["userInfo"]["username"] == "security"
        with psycopg.connect(external.postgres.dsn()) as database:
            assert database.execute("select 1").fetchone() == (1,)
        with pytest.raises(NotOurs, match="Vault"):
            external.vault.stop()


def test_half_an_environment_is_an_error() -> None:
    with pytest.raises(IncompleteEnvironment, match="LEASEHOLD_TEST_VAULT_TOKEN"):
        ExternalPlane({"LEASEHOLD_TEST_KUBECONFIG": "given", "LEASEHOLD_TEST_VAULT_ADDR": "given"})


def _alive(pid: int) -> bool:
    """A zombie is dead: who reaps it is not our business."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def _children(pid: int) -> list[int]:
    everyone = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [child for child in everyone if _stat(child)[1:2] == [str(pid)]]


def _stat(pid: int) -> list[str]:
    """State, parent and so on (proc(5)); empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
