"""`leasehold policy test`: what it reads, prints, and ends with."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from leasehold.cli.app import app
from objects import a_connection, a_policy, a_profile

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "support", "labels": {"env": "prod"}},
}
PROD = {"matchLabels": {"env": "prod"}}


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["policy", "test", *arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def manifests(policy: dict[str, Any], *more: dict[str, Any]) -> str:
    objects = [a_connection().to_wire(), a_profile().to_wire(), a_policy(**policy).to_wire(), *more]
    return yaml.safe_dump_all(objects)


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ({"maxTTLSeconds": 3600}, 0),
        ({"maxTTLSeconds": 3599}, 3),
        ({"maxTTLSeconds": 3599, "effect": "Warn"}, 3),
        ({"maxTTLSeconds": 3600, "requires": ["Approval"]}, 0),
        ({"maxTTLSeconds": 60, "namespaces": {"matchLabels": {"env": "test"}}}, 0),
        ({"maxTTLSeconds": 60, "namespaces": PROD}, 3),
        ({"maxTTLSeconds": 60, "namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, 0),
    ],
)
def test_the_exit_status_says_whether_a_policy_is_violated(policy: dict[str, Any], status: int) -> None:
    code, out, _ = run("-", stdin=manifests(policy, NAMESPACE))
    assert code == status
    assert ("TTL" in out) == (status == 3)


def test_files_and_directories_are_read_together_and_json_has_it_all(tmp_path: Path) -> None:
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "orders.yaml").write_text(yaml.safe_dump(a_connection().to_wire()))
    (tmp_path / "profile.json").write_text(json.dumps(a_profile().to_wire()))
    policy = a_policy(allowedProfiles=["wiki"], requires=["Approval"])
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy.to_wire()))
    code, out, _ = run(str(tmp_path / "teams"), str(tmp_path), "-o", "json")
    assert code == 3
    printed = json.loads(out)
    assert printed["connections"] == 1
    first, second = printed["findings"]
    assert first == {
        "connection": "support/support-bot-orders",
        "policy": "strict",
        "rule": "Profile",
        "effect": "Deny",
        "message": "spec.profile is orders-read; allowed are wiki",
        "owed": False,
    }
    assert (second["rule"], second["owed"]) == ("Approval", True)


def test_a_namespace_that_is_not_given_is_no_pass() -> None:
    code, out, _ = run("-", stdin=manifests({"maxTTLSeconds": 3600, "namespaces": PROD}))
    assert code == 3
    assert "labels of namespace support are not given" in out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (yaml.safe_dump(a_connection().to_wire()), "no MCPAccessPolicy"),
        (yaml.safe_dump(a_policy(maxTTLSeconds=60).to_wire()), "no MCPConnection"),
        (
            manifests({"maxTTLSeconds": 60}).replace("maxTTLSeconds: 60", "maxTTLSeconds: many"),
            "maxTTLSeconds",
        ),
        (manifests({"maxTTLSeconds": 60}, {"apiVersion": "v1", "kind": "Namespace"}), "metadata.name"),
        ("{", "is no YAML"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_name(text: str, says: str) -> None:
    code, _, error = run("-", stdin=text)
    assert code == 2
    assert says in error
