"""An access review's evidence from a running operator: claimed, approved, revoked and gone, exported by an auditor
with no more than the auditor's role, and verified."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bindings import bind, may, unbind_everywhere
from commands import Commands, door, write_contexts
from controlplane.waiting import wait_until
from deployment import STORE, Deployment, Operator
from e2e.claims import Claim, approve, claim
from leasehold.api.base import rfc3339

PEOPLE = {
    "security": ("leasehold-breakglass", "breakglass", "mcprevocations"),
    "security-deputy": ("leasehold-lift", "lift", "mcprevocations"),
    "bob": ("leasehold-auditor", "list", "mcprevocations"),
}


@pytest.fixture(scope="module")
def commands(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Contexts for those who stop and lift, and for bob, who audits."""
    plane = deployment.plane
    for user, (role, _, _) in PEOPLE.items():
        bind(plane, role, user)
    for user, (_, verb, resource) in PEOPLE.items():
        wait_until(lambda: may(plane, user, verb, resource), 30, f"{user} may {verb}")  # noqa: B023
    doors = {user: door(plane, user) for user in ("bob", "security", "security-deputy")}
    yield Commands(write_contexts(tmp_path_factory.mktemp("evidence") / "config", doors))
    unbind_everywhere(plane)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key to sign with; the public one is beside it."""
    made = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "auditor.key"
    path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_suffix(".pub").write_bytes(public)
    return path


def stop(commands: Commands, claimed: Claim) -> None:
    """Break glass for one connection, wait until it is verified, and lift that."""
    words = ("--connection", claimed.connection.key, "--reason", "a leak", "--yes", "-o", "json")
    done = commands.run("breakglass", *words, "--context", "security")
    assert done.status == 0, done.err
    (row,) = json.loads(done.out)
    lifted = commands.run("lift", row["revocation"], "--reason", "over", "--context", "security-deputy")
    assert lifted.status == 0, lifted.err


def rows_of(folder: Path, name: str, claimed: Claim, column: str = "connectionUID") -> list[dict[str, Any]]:
    """The rows of a table about one connection."""
    rows = json.loads((folder / f"{name}.json").read_text())
    return [row for row in rows if row[column] == claimed.connection.metadata.uid]


AUDIT_POLICY = """
path "auth/token/lookup-accessor" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "sys/leases/lookup/*" { capabilities = ["list", "sudo"] }
"""
"""What docs/evidence.md says an auditor's token needs."""
NO_POLICY = 'path "*" { capabilities = ["deny"] }'


def vault_option(deployment: Deployment, folder: Path, policy: str) -> str:
    """What --vault takes: the store's address, and a file with a token of just that policy."""
    vault = deployment.plane.vault
    name = f"evidence-{uuid.uuid4().hex[:8]}"
    vault.api.write(f"sys/policies/acl/{name}", policy=policy)
    made = vault.api.write("auth/token/create", policies=[name], no_default_policy=True, ttl="10m")
    file = folder / f"{name}.token"
    file.write_text(made["auth"]["client_token"])
    return f"{vault.address}={file}"


def test_what_was_claimed_approved_and_revoked_is_in_evidence_that_verifies(
    deployment: Deployment, operator: Operator, commands: Commands, key: Path, tmp_path: Path
) -> None:
    gone = claim(deployment)  # before the period begins, as is what this operator's chain follows
    kept, stopped = claim(deployment), claim(deployment)
    approve(deployment, kept.connection)
    wait_until(
        lambda: [each for each in operator.audit(kept.connection) if each["data"]["action"] == "approve"],
        30,
        "the approval is on record",
    )
    stop(commands, stopped)
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={gone.namespace}")
    folder = tmp_path / "q4"
    created = kept.connection.metadata.creation_timestamp
    assert created is not None
    words = [
        "export",
        "--from",
        rfc3339(created),
        "--output",
        str(folder),
        "--audit",
        str(operator.audit_path),
    ]
    words += ["--metrics", f"{operator.address}/metrics", "--sign", str(key)]
    words += ["--vault", vault_option(deployment, tmp_path, AUDIT_POLICY)]
    exported = commands.run("evidence", *words)
    assert exported.status == 0, exported.err

    told = json.loads((folder / "manifest.json").read_text())
    namespace = deployment.get_json("namespace", "", "kube-system")
    assert namespace is not None
    assert told["cluster"]["uid"] == namespace["metadata"]["uid"]
    assert told["readBy"] == "bob"
    existence = {
        name: rows_of(folder, "population", claimed, "uid")[0]["existence"]
        for name, claimed in (("kept", kept), ("stopped", stopped), ("gone", gone))
    }
    assert existence == {"kept": "Exists", "stopped": "Exists", "gone": "Gone"}
    (decision,) = rows_of(folder, "decisions", kept)
    assert (decision["decision"], decision["counted"], decision["toldBy"]) == ("Approve", "Yes", "API, Audit")
    for claimed in (stopped, gone):
        (ending,) = rows_of(folder, "endings", claimed)
        assert (ending["generation"], ending["state"]) == (1, "Verified")
    (switch,) = [
        row
        for row in json.loads((folder / "revocations.json").read_text())
        if stopped.connection.key in row["target"]
    ]
    assert (switch["verified"], switch["residual"], switch["liftedBy"]) == (1, "none", "security-deputy")
    assert switch["secondsToVerified"] >= 0
    compared = {row["subject"]: row for row in json.loads((folder / "reconciliation.json").read_text())}
    assert compared["findings"]["holds"] == "Yes"
    assert compared["connections"]["other"] >= 2
    assert compared[f"store {STORE}"]["one"] >= 1
    looked = {row["thing"]: row for row in rows_of(folder, "lookups", kept)}
    assert {thing: (row["found"], row["holds"]) for thing, row in looked.items()} == {
        "Login": ("Alive", "Yes"),
        "Lease": ("Alive", "Yes"),
    }
    assert all(row["ttlSeconds"] > 0 for row in looked.values())
    path = str(kept.connection.status.ledger[0].lease_id).rpartition("/")[0]
    listed = compared[f"store {STORE}: {path}"]  # other tests of this plane have leases there, too
    assert 1 <= listed["other"] <= listed["one"]
    assert (listed["holds"] == "Yes") == (listed["other"] == listed["one"])

    assert not any(
        secret.encode() in path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        for secret in (kept.secret["password"], kept.connection.status.ledger[0].accessor)
    )
    verified = commands.run("evidence", "verify", str(folder), "--key", str(key.with_suffix(".pub")))
    assert verified.status == 0, verified.err
    saved = tmp_path / "metrics.txt"
    saved.write_text(operator.get("/metrics")[1])
    mine = ["--metrics", str(saved), "--vault", vault_option(deployment, tmp_path, NO_POLICY)]
    powerless = tmp_path / "powerless"
    done = commands.run("evidence", "export", "--from", rfc3339(created), "--output", str(powerless), *mine)
    assert done.status == 0, done.err
    assert {row["found"] for row in rows_of(powerless, "lookups", kept)} == {"Unknown"}
    assert {row["holds"] for row in rows_of(powerless, "lookups", kept)} == {"NotCompared"}
    assert "not compared: ledger = Vault" in done.err
    assert "not compared: ledger = audit: no audit records were given" in done.err
    compared = {row["subject"]: row for row in json.loads((powerless / "reconciliation.json").read_text())}
    assert compared["connections"]["other"] >= 2
    with (folder / "sources" / "audit-0001.jsonl").open("r+b") as audit:
        lines = audit.read().splitlines(keepends=True)
        audit.seek(0)
        audit.truncate()
        audit.write(b"".join([*lines[:3], *lines[4:]]))
    found = commands.run("evidence", "verify", str(folder), "--key", str(key.with_suffix(".pub")))
    assert found.status == 3
    assert "Gap: of /leasehold/" in found.err


def test_a_period_that_has_not_come_yet_and_one_without_an_inside_are_refused(
    deployment: Deployment, operator: Operator, commands: Commands, tmp_path: Path
) -> None:
    for words, told in (
        (("--from", "2026-01-01", "--to", "2199-01-01"), "--to: 2199-01-01T00:00:00Z has not come yet"),
        (("--from", "2198-01-01"), "--from: 2198-01-01T00:00:00Z is not before"),
    ):
        done = commands.run("evidence", "export", *words, "--output", str(tmp_path / "none"))
        assert done.status == 2, done.err
        assert told in done.err
    assert not (tmp_path / "none").exists()


def test_metrics_of_somebody_else_and_rights_that_are_missing_are_told(
    deployment: Deployment, operator: Operator, commands: Commands, tmp_path: Path
) -> None:
    words = ("export", "--from", "2026-01-01", "--output", str(tmp_path / "none"))
    done = commands.run("evidence", *words, "--metrics", f"{operator.address}/healthz")
    assert done.status == 1
    assert "has no metrics of Leasehold" in done.err
    done = commands.run("evidence", *words, "--context", "security")
    assert done.status == 1
    assert "kube-system" in done.err
