"""`leasehold import` on the command line: what it reads, what it prints, and what its exit status says."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from commands import Done
from leasehold.api.connection import MCPConnection
from leasehold.cli.app import app
from leasehold.core.hidden_text import hidden

CORPUS = Path(__file__).parents[1] / "import_corpus"
SECRET = "FAKE-correct-horse"
FORMATS = ("table", "wide", "json", "yaml", "csv")

CLEAN = {"mcpServers": {"wiki": {"url": "https://wiki.example.com/mcp"}}}
STATIC = {"mcpServers": {"wiki": {"url": "https://wiki.example.com/mcp", "headers": {"X-API-Key": SECRET}}}}
NOTHING: dict[str, object] = {"mcpServers": {}}
BROKEN = '{"mcpServers": {"a": {"env": {"TOKEN": "' + SECRET


def file(folder: Path, name: str, content: object) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def imported(*words: str) -> Done:
    result = CliRunner().invoke(app, ["import", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert SECRET not in result.stdout + result.stderr
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.mark.parametrize(
    ("content", "options", "status"),
    [
        (CLEAN, ("--owner", "alice"), 0),
        (CLEAN, (), 3),
        (STATIC, ("--owner", "alice"), 3),
        (NOTHING, (), 0),
        (BROKEN, (), 1),
        ({"theme": "dark"}, (), 1),
    ],
)
def test_the_exit_status_says_whether_a_person_is_needed(
    tmp_path: Path, content: object, options: tuple[str, ...], status: int
) -> None:
    assert imported(file(tmp_path, "mcp.json", content), *options).status == status


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    broken, clean = file(tmp_path, "a/mcp.json", BROKEN), file(tmp_path, "b/mcp.json", CLEAN)
    done = imported(broken, str(tmp_path / "none.json"), clean, "--owner", "alice", "-o", "json")
    assert done.status == 0
    assert [row["server"] for row in json.loads(done.out)] == ["wiki"]
    assert done.err.splitlines() == [
        f"{broken}:1: column 40: it ends too early; close every quotation mark, brace and bracket",
        f"{tmp_path}/none.json: it cannot be read: No such file or directory",
        "1 server in 1 source: 0 with a static credential, 0 with a secret that another one has, too, 0 without an "
        "owner, 0 to a server that nobody registered, 1 not compared with what is registered",
    ]


def test_where_nothing_is_found_a_file_that_cannot_be_read_is_no_all_clear(tmp_path: Path) -> None:
    nothing, broken = file(tmp_path, "a/mcp.json", NOTHING), file(tmp_path, "b/mcp.json", BROKEN)
    assert imported(nothing).status == 0
    assert imported(nothing, broken).status == 1


def test_a_directory_is_searched_for_the_files_of_known_clients(tmp_path: Path) -> None:
    file(tmp_path, "alice/.cursor/mcp.json", STATIC)
    file(tmp_path, "bob/.mcp.json", STATIC)
    file(tmp_path, "bob/.vscode/settings.json", {"editor.tabSize": 2})
    file(tmp_path, "bob/node_modules/x/.mcp.json", CLEAN)
    file(tmp_path, "bob/other.json", CLEAN)
    done = imported(str(tmp_path), "-o", "json")
    assert done.status == 3
    found = {row["agent"]: row for row in json.loads(done.out)}
    assert set(found) == {"cursor", "claude-code"}
    assert found["cursor"]["sameSecret"] == f"claude-code/wiki in {tmp_path}/bob/.mcp.json"
    assert found["cursor"]["fingerprint"] == found["claude-code"]["fingerprint"]
    assert found["cursor"]["where"] == f"{tmp_path}/alice/.cursor/mcp.json#/mcpServers/wiki/headers/X-API-Key"
    assert "2 with a secret that another one has" in done.err


def test_a_file_is_known_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(tmp_path, ".cursor/mcp.json", CLEAN)
    monkeypatch.chdir(tmp_path / ".cursor")
    (row,) = json.loads(imported("mcp.json", "-o", "json").out)
    assert (row["client"], row["where"]) == ("Cursor", "mcp.json#/mcpServers/wiki")


def test_a_directory_without_such_files_holds_nothing(tmp_path: Path) -> None:
    done = imported(str(tmp_path))
    assert done.status == 0
    assert done.err.startswith("0 servers in 0 sources: ")


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".mcp.json")
    assert imported(str(tmp_path)).status == 0


def test_fingerprints_are_new_in_each_run(tmp_path: Path) -> None:
    path = file(tmp_path, "mcp.json", STATIC)
    one, other = (json.loads(imported(path, "-o", "json").out)[0]["fingerprint"] for _ in range(2))
    assert one != other


@pytest.mark.parametrize("output", FORMATS)
def test_no_secret_of_the_corpus_is_printed(output: str) -> None:
    done = imported(str(CORPUS), *map(str, sorted((CORPUS / "broken").rglob("*.*"))), "-o", output)
    assert done.status == 3
    assert "FAKE" not in (done.out + done.err).upper()
    assert hidden(done.out) == ""
    assert len(done.err.splitlines()) > 12


def test_rows_have_the_same_columns_as_json_and_as_csv() -> None:
    rows = json.loads(imported(str(CORPUS), "-o", "json").out)
    lines = list(csv.DictReader(io.StringIO(imported(str(CORPUS), "-o", "csv").out)))
    assert len(lines) == len(rows) > 60
    assert list(lines[0]) == list(rows[0])
    assert [line["where"] for line in lines] == [row["where"] for row in rows]


def test_without_a_cluster_nothing_is_compared_and_nothing_is_a_shadow(tmp_path: Path) -> None:
    done = imported(file(tmp_path, "mcp.json", CLEAN), "--owner", "alice", "-o", "json")
    assert (done.status, [row["registration"] for row in json.loads(done.out)]) == (0, ["NotCompared"])


def test_manifests_carry_what_a_person_said(tmp_path: Path) -> None:
    path = file(tmp_path, "mcp.json", CLEAN)
    said = ("--owner", "alice@example.com", "--team", "support", "--purpose", "look things up")
    done = imported(path, *said, "-n", "support", "--agent", "bot", "-o", "yaml")
    assert done.status == 0
    _, document = yaml.safe_load_all(done.out)
    connection = MCPConnection.model_validate(document)
    assert connection.metadata.namespace == "support"
    assert connection.spec.agent.name == "bot"
    assert connection.spec.owner.user == "alice@example.com"
    assert connection.spec.purpose.summary == "look things up"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--cluster"),
        (("x", "--owner", "a" * 257), "--owner"),
        (("x", "--team", "a" * 129), "--team"),
        (("x", "--purpose", "a" * 513), "--purpose"),
        (("x", "--namespace", "Not A Name"), "--namespace"),
        (("x", "--agent", "Not A Name"), "--agent"),
        (("x", "-o", "xml"), "--output"),
        (("x", "--nothing"), "--nothing"),
    ],
)
def test_wrong_use_is_refused(words: tuple[str, ...], told: str) -> None:
    done = imported(*words)
    assert (done.status, done.out) == (2, "")
    assert told in done.err
