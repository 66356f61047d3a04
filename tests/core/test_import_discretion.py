"""Wherever a secret stands in a file, whole or broken: no part of it is printed, in no format and in no error."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leasehold.cli.import_command import COLUMNS
from leasehold.cli.output import Format, as_rows
from leasehold.core.import_files import read_file
from leasehold.core.import_manifests import Declared, as_manifests
from leasehold.core.import_report import rows
from leasehold.core.import_values import keyed

PART: Final = 8
"""So much of a secret in a row is part of it, and no accident."""

File = tuple[str, bytes]
Plant = Callable[[str], File]

LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
EXAMPLES: Final = int(os.environ.get("LEASEHOLD_TEST_EXAMPLES", "15"))
EACH: Final = settings(
    max_examples=EXAMPLES, deadline=None, derandomize="LEASEHOLD_TEST_EXAMPLES" not in os.environ
)
"""The same ones each time; LEASEHOLD_TEST_EXAMPLES=400 looks for new ones."""

DIGITS: Final = "23456789"
INNOCENT: Final = "Qw7Qw7Qw7Qw7Qw7Qw7Qw7"


def entry(**fields: Any) -> File:
    return "x/mcp.json", json.dumps({"mcpServers": {"s": fields}}, indent=1).encode()


def started(*arguments: str, command: str = "npx") -> File:
    return entry(command=command, args=list(arguments))


WHERE_IT_IS_ONE_BY_ITS_PLACE: Final[dict[str, Plant]] = {
    "a bearer header": lambda s: entry(url="https://a.example/mcp", headers={"Authorization": f"Bearer {s}"}),
    "a bare header": lambda s: entry(url="https://a.example/mcp", headers={"X-API-Key": s}),
    "a header of no telling name": lambda s: entry(url="https://a.example/mcp", headers={"X-Tenant": s}),
    "a variable": lambda s: entry(command="a-mcp", env={"API_TOKEN": s}),
    "a variable of no telling name": lambda s: entry(command="a-mcp", env={"MODE": s}),
    "a variable that a header uses": lambda s: entry(
        url="https://a.example/mcp", headers={"Authorization": "${V}"}, env={"V": f"Bearer {s}"}
    ),
    "a default": lambda s: entry(url="https://a.example/mcp", headers={"Authorization": f"${{T:-{s}}}"}),
    "an option and its value": lambda s: started("-y", "a-mcp", "--api-key", s),
    "an option with its value": lambda s: started("-y", "a-mcp", f"--api-key={s}"),
    "an option of no telling name": lambda s: started("-y", "a-mcp", "--mode", f"v{s}"),
    "a bare argument": lambda s: started("-y", "a-mcp", f"v{s}"),
    "an argument for a program of one's own": lambda s: started(f"v{s}", command="/opt/a-mcp"),
    "an assignment": lambda s: started(f"API_KEY={s}", command="env"),
    "a container's variable": lambda s: started("run", "-e", f"API_KEY={s}", "a/b", command="docker"),
    "a container's variable, joined": lambda s: started("run", f"-eKEY={s}", "a/b", command="docker"),
    "a container's variable, long": lambda s: started("run", f"--env=MODE={s}", "a/b", command="docker"),
    "a header option": lambda s: started(
        "mcp-remote", "https://a.example/mcp", "--header", f"Authorization: Bearer {s}"
    ),
    "a header option without a blank": lambda s: started(
        "mcp-remote", "https://a.example/mcp", "--header", f"Authorization:{s}"
    ),
    "a JSON argument": lambda s: started("-y", "a-mcp", "--config", json.dumps({"apiKey": s, "mode": s})),
    "a command in one text": lambda s: entry(command=f"npx -y a-mcp v{s}"),
    "a command with a blank in it": lambda s: entry(command=f"/opt/a-mcp v{s}", args=["--port", "80"]),
    "a command line for cmd": lambda s: started("/c", f"npx -y a-mcp --key {s}", command="cmd"),
    "a script": lambda s: started("-c", f"TOKEN='{s}' npx -y a-mcp 'v{s}'", command="bash"),
    "a script that does not end": lambda s: started("-c", f"TOKEN='{s} npx -y a-mcp", command="sh"),
    "userinfo": lambda s: entry(url=f"https://u:{quote(s, safe='')}@a.example/mcp"),
    "userinfo as it is": lambda s: entry(url=f"https://u:{s}@a.example/mcp"),
    "a user without a password": lambda s: entry(url=f"https://{s}@a.example/mcp"),
    "a DSN": lambda s: started("-y", "a-mcp", f"postgresql://u:{s}@db/orders"),
    "a repository": lambda s: started("--from", f"git+https://{s}@git.example/a/b", "b", command="uvx"),
    "a query": lambda s: entry(url=f"https://a.example/mcp?token={quote(s, safe='')}"),
    "a query as it is": lambda s: entry(url=f"https://a.example/mcp?token={s}"),
    "a fragment": lambda s: entry(url=f"https://a.example/mcp#{s}"),
    "a client secret": lambda s: entry(url="https://a.example/mcp", oauth={"clientSecret": s}),
    "settings": lambda s: (
        "zed/settings.json",
        json.dumps({"context_servers": {"a": {"settings": {"api_token": s}}}}).encode(),
    ),
    "an input": lambda s: (
        ".vscode/mcp.json",
        json.dumps(
            {
                "inputs": [{"id": "k", "default": s}],
                "servers": {"a": {"url": "https://a.example/mcp", "headers": {"X-Key": "${input:k}"}}},
            }
        ).encode(),
    ),
    "TOML": lambda s: (
        ".codex/config.toml",
        f'[mcp_servers.a]\nurl = "https://a.example/mcp"\nhttp_headers = {{ X-Key = "{s}" }}\n'.encode(),
    ),
    "TOML without quotation marks": lambda s: (
        ".codex/config.toml",
        f'[mcp_servers.a]\ncommand = "a"\nenv = {{ KEY = {s} }}\n'.encode(),
    ),
    "YAML": lambda s: (
        ".continue/config.yaml",
        f"mcpServers:\n  - name: a\n    command: a\n    env:\n      KEY: '{s}'\n".encode(),
    ),
    "YAML without quotation marks": lambda s: (
        ".continue/config.yaml",
        f"mcpServers:\n  - name: a\n    command: a\n    env:\n      KEY: {s}\n".encode(),
    ),
    "an alias of YAML": lambda s: (".continue/config.yaml", f"mcpServers:\n  - *{s}\n".encode()),
    "a tag of YAML": lambda s: (".continue/config.yaml", f"mcpServers:\n  - !{s} x\n".encode()),
    "a text in place of a server": lambda s: ("mcp.json", json.dumps({"mcpServers": {"a": s}}).encode()),
    "a URL without a scheme": lambda s: entry(url=f"a.example/{s}"),
    "a field that nobody knows": lambda s: entry(command="a-mcp", secret=s, note=s),
    "a comment": lambda s: (
        ".vscode/mcp.json",
        f'{{"servers": {{"a": {{"command": "a"}} // {s}\n}}}}'.encode(),
    ),
}

WHERE_ONLY_ITS_LOOK_TELLS: Final[dict[str, Plant]] = {
    "a path": lambda s: entry(url=f"https://a.example/s/{s}/mcp"),
    "a parameter of no telling name": lambda s: entry(url=f"https://a.example/mcp?profile={s}"),
    "the name of a parameter": lambda s: entry(url=f"https://a.example/mcp?{s}=1"),
    "a host": lambda s: entry(url=f"https://{s}.a.example/mcp"),
    "an option": lambda s: started("-y", "a-mcp", f"--{s}"),
    "a short option": lambda s: started("-y", "a-mcp", f"-p{s}"),
    "a package": lambda s: started("-y", s),
    "a program": lambda s: started(command=s),
    "the name of a variable": lambda s: started("run", "-e", s, "a/b", command="docker"),
    "the name of a header": lambda s: entry(url="https://a.example/mcp", headers={s: "x", f"{s}-Key": "x"}),
    "the name of a variable in env": lambda s: entry(command="a", env={s: "x", f"{s}_TOKEN": "x"}),
    "the name of a setting": lambda s: entry(command="a", settings={s: {"token": "x"}}),
    "a reference": lambda s: entry(url="https://a.example/mcp", headers={"Authorization": f"${{{s}}}"}),
    "the path of a file": lambda s: started("a-mcp", f"/home/{s}"),
}

any_secret = st.text(alphabet=LETTERS + DIGITS + "-_.~+/=!@#%&*:;,?", min_size=PART, max_size=40)
token = st.tuples(
    st.text(alphabet=LETTERS, min_size=8, max_size=16),
    st.text(alphabet=DIGITS, min_size=8, max_size=16),
).map("".join)


def printed(file: File) -> Iterator[str]:
    """Whatever a person may come to see of a file."""
    name, data = file
    found = read_file(name, data, keyed(b"key"))
    table = rows(found.servers, "alice")
    yield from (as_rows(table, COLUMNS, output) for output in (Format.JSON, Format.CSV))
    yield as_manifests(found.servers, Declared("alice", "team", "import", "ns"))
    yield from map(str, found.unread)
    yield repr(found)


def leaked(secret: str, plant: Plant) -> set[str]:
    """The parts of a secret that are printed, and would not be if another one stood there."""
    parts = {secret[at : at + PART] for at in range(len(secret) - PART + 1)}
    spelled = parts | {json.dumps(part)[1:-1] for part in parts} | {quote(part, safe="") for part in parts}
    told, innocent = list(printed(plant(secret))), list(printed(plant(INNOCENT)))
    return {
        part
        for part in spelled
        if any(_says(text, part) for text in told) and not any(_says(text, part) for text in innocent)
    }


def _says(text: str, part: str) -> bool:
    return part.lower() in text.lower()


@pytest.mark.parametrize("place", WHERE_IT_IS_ONE_BY_ITS_PLACE)
@EACH
@given(secret=any_secret)
def test_no_part_of_a_secret_is_printed_whatever_it_looks_like(place: str, secret: str) -> None:
    assert leaked(secret, WHERE_IT_IS_ONE_BY_ITS_PLACE[place]) == set()


@pytest.mark.parametrize("place", WHERE_ONLY_ITS_LOOK_TELLS)
@EACH
@given(secret=token)
def test_no_part_of_a_token_is_printed_wherever_it_stands(place: str, secret: str) -> None:
    assert leaked(secret, WHERE_ONLY_ITS_LOOK_TELLS[place]) == set()


@settings(EACH, max_examples=10 * EXAMPLES)
@given(
    place=st.sampled_from(sorted(WHERE_IT_IS_ONE_BY_ITS_PLACE)),
    secret=token,
    at=st.integers(0, 400),
    instead=st.sampled_from(["", '"', "}", "\n", "\x00", "//", "#", "\ud800", "é", "END"]),
)
def test_a_broken_file_prints_no_part_of_a_secret_either(
    place: str, secret: str, at: int, instead: str
) -> None:
    def broken(planted: str) -> File:
        name, data = WHERE_IT_IS_ONE_BY_ITS_PLACE[place](planted)
        rest = b"" if instead == "END" else instead.encode("utf-8", "surrogatepass") + data[at + 1 :]
        return name, data[:at] + rest

    assert leaked(secret, broken) == set()


@EACH
@given(secret=token)
def test_the_same_secret_has_the_same_fingerprint_within_one_run_only(secret: str) -> None:
    one, other = keyed(b"one"), keyed(b"other")
    assert one(secret) == one(f"Bearer {secret}") != other(secret)
    assert one(secret) != one(secret + "x")


def test_a_file_that_is_nested_too_deep_is_unread_and_no_crash() -> None:
    found = read_file("mcp.json", b'{"mcpServers": ' + b"[" * 200_000, keyed(b"key"))
    assert found.servers == ()
    assert len(found.unread) == 1
