"""`leasehold bootstrap vault` on the command line: what it reads, and how it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from leasehold.cli.app import app

STORE: dict[str, Any] = {
    "apiVersion": "leasehold.dev/v1alpha1",
    "kind": "MCPCredentialStore",
    "metadata": {"name": "default"},
    "spec": {"address": "https://vault.example.com", "auth": {"method": "JWT", "mount": "jwt-c17"}},
}
PROFILE: dict[str, Any] = {
    "apiVersion": "leasehold.dev/v1alpha1",
    "kind": "MCPServerProfile",
    "metadata": {"name": "orders-read"},
    "spec": {
        "url": "https://orders-mcp.tools.svc/mcp",
        "owner": {"team": "orders"},
        "credential": {
            "storeName": "default",
            "vaultRole": "mcp-orders",
            "path": "database/creds/orders-read",
            "type": "Lease",
            "ttlSeconds": 3600,
        },
    },
}
COMMAND = ["bootstrap", "vault", "--issuer", "https://k.example"]


def written(folder: Path, *documents: object) -> str:
    file = folder / "manifests.yaml"
    file.write_text("\n---\n".join(json.dumps(document) for document in documents))
    return str(file)


def test_manifests_come_from_files_lists_and_standard_input(tmp_path: Path) -> None:
    file = written(tmp_path, STORE, PROFILE, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, None)
    from_file = CliRunner().invoke(app, [*COMMAND, "-f", file])
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [PROFILE, STORE]})
    from_stdin = CliRunner().invoke(app, [*COMMAND, "-f", "-"], input=listed)
    assert from_file.exit_code == from_stdin.exit_code == 0
    assert from_file.stdout == from_stdin.stdout
    assert "auth/jwt-c17/role/mcp-orders" in from_file.stdout


def test_a_directory_stands_for_the_manifests_in_it(tmp_path: Path) -> None:
    (tmp_path / "store.yml").write_text(json.dumps(STORE))
    (tmp_path / "profile.json").write_text(json.dumps(PROFILE))
    (tmp_path / "README.md").write_text("a: [")
    (tmp_path / "below.yaml").mkdir()
    (tmp_path / "below.yaml" / "other.yaml").write_text("a: [")
    result = CliRunner().invoke(app, [*COMMAND, "-f", str(tmp_path)])
    assert result.exit_code == 0, result.stderr
    assert "auth/jwt-c17/role/mcp-orders" in result.stdout


def test_files_directories_and_standard_input_go_together(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text(json.dumps(PROFILE))
    result = CliRunner().invoke(app, [*COMMAND, "-f", str(tmp_path), "-f", "-"], input=json.dumps(STORE))
    assert result.exit_code == 0, result.stderr
    assert "auth/jwt-c17/role/mcp-orders" in result.stdout


def test_a_directory_without_manifests_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    result = CliRunner().invoke(app, [*COMMAND, "-f", str(tmp_path)])
    assert result.exit_code == 2
    assert "has no manifest" in result.stderr
    assert result.stdout == ""


def test_one_store_of_several_can_be_chosen(tmp_path: Path) -> None:
    other = {
        **STORE,
        "metadata": {"name": "other"},
        "spec": {**STORE["spec"], "address": "https://b.example"},
    }
    file = written(tmp_path, STORE, other, PROFILE)
    assert CliRunner().invoke(app, [*COMMAND, "-f", file]).exit_code == 2
    chosen = CliRunner().invoke(app, [*COMMAND, "-f", file, "--store", "other"])
    assert chosen.exit_code == 0
    assert "mcp-orders" not in chosen.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "no YAML"),
        (json.dumps({**STORE, "spec": {"auth": {"mount": "m"}}}), "MCPCredentialStore default"),
        (json.dumps(PROFILE), "no MCPCredentialStore"),
        ("[]", "no MCPCredentialStore"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_printed(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    result = CliRunner().invoke(app, [*COMMAND, "-f", str(tmp_path / "bad.yaml")])
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*COMMAND, "-f", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "none.yaml" in result.stderr


def test_a_check_needs_somebody_who_logs_in(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*COMMAND, "-f", written(tmp_path, STORE, PROFILE), "--check"])
    assert result.exit_code == 2
    assert "--service-account" in result.stderr


def test_breakglass_prints_the_commands_of_each_server(tmp_path: Path) -> None:
    record = {
        **PROFILE,
        "metadata": {"name": "wiki"},
        "spec": {"owner": {"team": "t"}, "url": "https://w.example/mcp"},
    }
    result = CliRunner().invoke(
        app, [*COMMAND, "--breakglass", "-f", written(tmp_path, STORE, PROFILE, record)]
    )
    assert result.exit_code == 0, result.stderr
    assert "# ==== https://orders-mcp.tools.svc/mcp" in result.stdout
    assert "vault write auth/jwt-c17/role/mcp-orders" in result.stdout
    assert "nothing for profile wiki" in result.stdout


@pytest.mark.parametrize("other", ["--terraform", "--check"])
def test_breakglass_is_neither_terraform_nor_a_check(tmp_path: Path, other: str) -> None:
    result = CliRunner().invoke(
        app, [*COMMAND, "--breakglass", other, "-f", written(tmp_path, STORE, PROFILE)]
    )
    assert result.exit_code == 2
    assert "choose one" in result.stderr
    assert result.stdout == ""


def test_the_version_is_said() -> None:
    result = CliRunner().invoke(app, ["version"])
    assert result.exit_code == 0
    assert result.stdout.strip()[0].isdigit()
