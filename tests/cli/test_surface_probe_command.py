"""`leasehold surface probe` on the command line: what it sends, prints, and how it refuses."""

import asyncio
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from adapters.mcp_stage import Asked, Behaviour, Line, Stage, handshake, stateless
from adapters.test_mcp_tls import OTHER, OURS
from leasehold.cli.app import app
from leasehold.core.surface import surface_digest
from leasehold.core.surface_saved import from_saved

SECRET = "correct-horse-battery-staple"
SERVER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    opening = {"supportedVersions": ["2026-07-28"], "capabilities": {}}
    result = {"tools": [{"name": "a"}], "prompts": [], "resourceTemplates": [], **opening}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


@contextmanager
def served(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Stage]:
    """A server in a loop of its own: the command has one, too."""
    stage, up, over = Stage(behaviour, tls), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with stage.open():
            up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert up.wait(10)
        yield stage
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["surface", "probe", *arguments], input=stdin)


def test_a_surface_is_printed_as_a_file_that_can_be_read_again() -> None:
    with served(stateless()) as stage:
        result = run(stage.url, "--allow-loopback")
    assert result.exit_code == 0, result.stderr
    saved = from_saved(result.stdout.encode())
    assert [tool["name"] for tool in saved.surface.tools] == ["price"]
    assert json.loads(result.stdout)["digest"] == surface_digest(saved.surface)
    assert saved.identity is not None
    assert saved.identity.origin == stage.url.removesuffix("/mcp")


def test_headers_come_from_options_files_and_standard_input(tmp_path: Path) -> None:
    lines = f"# for the shop\n\nAuthorization: Bearer {SECRET}\n"
    (tmp_path / "headers").write_text(lines)
    with served(handshake()) as stage:
        from_file = run(
            stage.url,
            "--allow-loopback",
            "--header",
            "X-Tenant: acme",
            "--header-file",
            str(tmp_path / "headers"),
        )
        from_stdin = run(stage.url, "--allow-loopback", "--header-file", "-", stdin=lines)
    assert from_file.exit_code == from_stdin.exit_code == 0
    assert {asked.headers["authorization"] for asked in stage.asked} == {f"Bearer {SECRET}"}
    assert stage.asked[0].headers["x-tenant"] == "acme"
    assert SECRET not in from_file.stdout


def test_the_ca_and_the_client_certificate_come_from_files(tmp_path: Path) -> None:
    context = OURS.server(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=OTHER.pem)
    certificate, key = OTHER.pair("agent")
    files = {"ca.pem": OURS.pem, "cert.pem": certificate, "key.pem": key, "both.pem": certificate + key}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    ca, cert, alone, both = (f"{tmp_path}/{name}" for name in ("ca.pem", "cert.pem", "key.pem", "both.pem"))
    with served(stateless(), tls=context) as stage:
        apart = run(stage.url, "--allow-loopback", "--ca", ca, "--cert", cert, "--key", alone)
        together = run(stage.url, "--allow-loopback", "--ca", ca, "--cert", both)
        unbelieved = run(stage.url, "--allow-loopback", "--cert", both)
    assert (apart.exit_code, together.exit_code) == (0, 0), apart.stderr + together.stderr
    assert json.loads(apart.stdout)["identity"]["tlsIssuer"] == "Acme Trust Services"
    assert unbelieved.exit_code == 1
    assert unbelieved.stderr.startswith("TLSFailed: ")


def test_a_failure_is_a_reason_on_standard_error_and_nothing_else() -> None:
    async def refuse(asked: Asked, line: Line) -> None:
        await line.answer(401)

    with served(refuse) as stage:
        result = run(stage.url, "--allow-loopback", "--header", f"Authorization: {SECRET}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Unauthorized: ")
    assert SECRET not in result.stderr


def test_this_machine_is_not_connected_unless_that_is_said() -> None:
    with served(stateless()) as stage:
        refused = run(stage.url)
        denied = run(stage.url, "--allow-loopback", "--deny", "127.0.0.0/8")
    assert refused.exit_code == denied.exit_code == 1
    assert refused.stderr.startswith("AddressDenied: ")
    assert denied.stderr.startswith("AddressDenied: ")
    assert stage.asked == []


def test_a_command_is_started_and_asked(tmp_path: Path) -> None:
    (tmp_path / "a server.py").write_text(SERVER)
    result = run("--stdio", f"{sys.executable} '{tmp_path}/a server.py'")
    assert result.exit_code == 0, result.stderr
    assert from_saved(result.stdout.encode()).surface.tools == ({"name": "a"},)


def test_a_command_is_supplied_to_its_profile_by_a_patch(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    command = f"{sys.executable} {tmp_path}/server.py"
    patch = run("--stdio", command, "-o", "patch")
    assert patch.exit_code == 0, patch.stderr
    supplied = yaml.safe_load(patch.stdout)["spec"]["suppliedSurface"]
    assert supplied == run("--stdio", command).stdout
    assert from_saved(supplied.encode()).surface.tools == ({"name": "a"},)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "URL"),
        (["ftp://mcp.example.com"], "https://"),
        (["https://mcp.example.com/mcp/"], "slash"),
        (["https://user:pw@mcp.example.com"], "user"),
        (["https://mcp.example.com", "--header", SECRET], "Name: value"),
        (["https://mcp.example.com", "--header", f"A: {SECRET}", "--header", "a: b"], "twice"),
        (["https://mcp.example.com", "--header", f"Host: {SECRET}"], "Host".lower()),
        (["https://mcp.example.com", "--header-file", "/nowhere"], "/nowhere"),
        (["https://mcp.example.com", "--ca", "/nowhere"], "/nowhere"),
        (["https://mcp.example.com", "--key", "/nowhere"], "--cert"),
        (["https://mcp.example.com", "--deny", "10.0.0.1/8"], "--deny"),
        (["https://mcp.example.com", "--transport", "Stdio"], "--stdio"),
        (["https://mcp.example.com", "--stdio", "server"], "--stdio"),
        (["--stdio", "server", "--header", f"A: {SECRET}"], "--stdio"),
        (["https://mcp.example.com", "-o", "patch"], "--stdio"),
        (["--stdio", ""], "command"),
        (["--stdio", "'"], "quotation"),
        (["https://mcp.example.com", "--timeout", "0"], "timeout"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_sent(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert SECRET not in result.stderr
    assert result.stdout == ""
