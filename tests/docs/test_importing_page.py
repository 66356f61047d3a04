"""The page about imports names the kinds, clients and statuses that the code has."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs.test_docs import rows
from leasehold.cli.app import app
from leasehold.core.import_files import CLIENTS
from leasehold.core.import_found import CredentialKind
from leasehold.core.import_registered import Registration

PAGE = Path(__file__).parents[2] / "docs" / "importing.md"


def test_every_kind_of_credential_is_documented_with_what_it_takes_to_replace_it() -> None:
    documented = rows(PAGE, "credential", "where it comes from", "revocable")
    assert [(kind.strip("`"), revocable) for kind, _, revocable in documented] == [
        (str(kind), str(kind.revocable)) for kind in CredentialKind
    ]


def test_every_registration_is_documented() -> None:
    assert [name.strip("`") for name, _ in rows(PAGE, "registration", "meaning")] == list(Registration)


def test_every_file_of_a_client_is_documented() -> None:
    documented = rows(PAGE, "file", "client", "agent")
    assert [(file.strip("`"), client, agent.strip("`")) for file, client, agent in documented] == [
        (pattern, client.name, client.agent) for pattern, client in CLIENTS
    ]


TOKEN = "ghp_FAKEfake0123456789"
IMAGE = "ghcr.io/github/github-mcp-server"
VARIABLE = "GITHUB_PERSONAL_ACCESS_TOKEN"
SHOP = {
    ".cursor/mcp.json": {
        "github": {"url": "https://api.example.com/mcp/", "headers": {"Authorization": f"Bearer {TOKEN}"}}
    },
    ".mcp.json": {
        "gh": {"command": "docker", "args": ["run", "-i", "-e", VARIABLE, IMAGE], "env": {VARIABLE: TOKEN}},
        "linear": {"type": "http", "url": "https://mcp.linear.app/mcp"},
    },
}


def test_the_table_is_what_the_command_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, servers in SHOP.items():
        file = tmp_path / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"mcpServers": servers}))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["import", "shop"])
    shown = PAGE.read_text().split("$ leasehold import shop\n")[1].split("```")[0]
    assert shown == result.stdout + result.stderr
