"""Files as people have them, one of each shape, broken ones included: what is found in each is in one table."""

from pathlib import Path
from typing import Final

import pytest

from leasehold.core.import_files import Import, read_file
from leasehold.core.import_found import Credential
from leasehold.core.import_values import keyed

CORPUS: Final = Path(__file__).parents[1] / "import_corpus"
TABLE: Final = CORPUS / "expected.md"
HEAD: Final = "| file | server | transport | target | credentials |"
FILES: Final = sorted(
    str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*") if path.is_file() and path != TABLE
)
each_file = pytest.mark.parametrize("name", FILES)


def read(name: str) -> Import:
    return read_file(name, (CORPUS / name).read_bytes(), keyed(b"one key for all files"))


def shared() -> dict[str, str]:
    """A short name for each secret that more than one server has."""
    seen: dict[str, set[tuple[str, str]]] = {}
    for name in FILES:
        for server in read(name).servers:
            for each in server.credentials:
                if each.fingerprint:
                    seen.setdefault(each.fingerprint, set()).add((name, server.name))
    several = [fingerprint for fingerprint, users in seen.items() if len(users) > 1]
    return {fingerprint: f"={number}" for number, fingerprint in enumerate(several, start=1)}


def written(credential: Credential, names: dict[str, str]) -> str:
    words = [str(credential.kind), credential.name, names.get(credential.fingerprint or "", "")]
    return " ".join(word for word in words if word)


def lines(name: str, names: dict[str, str]) -> list[str]:
    """What the table says of a file."""
    found = read(name)
    rows = [
        [
            name,
            server.name if server.enabled else f"{server.name} (off)",
            str(server.transport),
            f"`{server.identity}`",
            ", ".join(written(each, names) for each in server.credentials),
        ]
        for server in found.servers
    ]
    rows += [[name, f"line {each.line or '-'}", each.problem, "", ""] for each in found.unread]
    return ["| " + " | ".join(row) + " |" for row in rows]


def expected() -> dict[str, list[str]]:
    by_file: dict[str, list[str]] = {}
    for line in TABLE.read_text().partition(HEAD)[2].splitlines()[2:]:
        by_file.setdefault(line.split("|")[1].strip(), []).append(line)
    return by_file


def test_the_corpus_is_large_enough_and_has_broken_files() -> None:
    assert len(FILES) >= 30
    assert sum(name.startswith("broken/") for name in FILES) >= 10


def test_the_table_names_no_other_files() -> None:
    assert sorted(expected()) == FILES


@each_file
def test_each_file_is_read_as_the_table_says(name: str) -> None:
    assert lines(name, shared()) == expected()[name]


@each_file
def test_no_secret_of_a_file_is_in_what_is_found(name: str) -> None:
    data = (CORPUS / name).read_bytes()
    found = read(name)
    assert b"FAKE" not in repr(found).upper().encode()
    assert (
        "FAKE" in data.decode("utf-16" if data[:2] == b"\xff\xfe" else "latin-1") or name in WITHOUT_SECRETS
    )


WITHOUT_SECRETS: Final = frozenset(
    {
        "broken/empty/mcp.json",
        "placeholders/.mcp.json",
        "vault-references/mcp.json",
        "vscode/.vscode/settings.json",
    }
)
