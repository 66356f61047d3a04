"""A server that is a command: started, asked, ended with all that it started, whatever it does."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from controlplane.waiting import wait_until
from leasehold.adapters.mcp_limits import ProbeLimits
from leasehold.adapters.mcp_stdio import capture
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault
from leasehold.core.probe import Probed
from leasehold.core.surface import Identity

OLD = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    method, number = asked["method"], asked.get("id")
    if method == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "old"}}
    elif method == "tools/list":
        print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}))
        print(json.dumps({"jsonrpc": "2.0", "id": "p", "method": "ping"}), flush=True)
        assert json.loads(sys.stdin.readline()) == {"jsonrpc": "2.0", "id": "p", "result": {}}
        result = {"tools": [{"name": "a"}]}
    else:
        UNKNOWN
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)
"""
REFUSING = """
        if number is None: continue
        error = {"code": -32602, "message": "what"}
        print(json.dumps({"jsonrpc": "2.0", "id": number, "error": error}), flush=True)
        continue
"""
MUTE = "continue"
DYING = "sys.exit('I never heard of ' + method) if method == 'server/discover' else None; REFUSING"
BRIEF = ProbeLimits(seconds=2.0)


def program(folder: Path, text: str) -> list[str]:
    file = folder / "server.py"
    file.write_text(text)
    return [sys.executable, str(file)]


def old_server(folder: Path, unknown: str) -> list[str]:
    refusing = REFUSING.strip().replace("\n        ", "\n        ")
    text = unknown.replace("; REFUSING", "\n        " + refusing)
    return program(folder, OLD.replace("UNKNOWN", text.strip()))


def outcome(command: list[str], limits: ProbeLimits | None = None) -> Probed | Fault:
    try:
        return asyncio.run(capture(command, limits))
    except Fault as fault:
        return fault


def fault_of(command: list[str], limits: ProbeLimits | None = None) -> Fault:
    ended = outcome(command, limits)
    assert isinstance(ended, Fault), ended
    return ended


@pytest.mark.parametrize("unknown", [REFUSING, DYING])
def test_a_server_that_does_not_know_the_newest_era_is_asked_in_the_earlier_one(
    tmp_path: Path, unknown: str
) -> None:
    probed = outcome(old_server(tmp_path, unknown))
    assert isinstance(probed, Probed), probed
    assert probed.surface.era == "2025-06-18"
    assert probed.surface.tools == ({"name": "a"},)
    assert probed.identity == Identity("stdio:", None)


def test_a_server_that_is_silent_about_what_it_does_not_know_is_asked_in_the_earlier_era(
    tmp_path: Path,
) -> None:
    text = OLD.replace("UNKNOWN", "if method == 'server/discover': continue\n        " + REFUSING.strip())
    probed = outcome(program(tmp_path, text), ProbeLimits(seconds=8.0))
    assert isinstance(probed, Probed), probed
    assert probed.surface.tools == ({"name": "a"},)


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("import sys; sys.exit('no module named shop')", Reason.UNREACHABLE, "no module named shop"),
        ("print('Listening on stdio')", Reason.MALFORMED, "cannot be read"),
        ("import sys; sys.stdout.write('x' * 9_000_000)", Reason.TOO_LARGE, "line"),
        ('while True: print(\'{"jsonrpc":"2.0","method":"n"}\')', Reason.TOO_LARGE, "messages"),
        ("import time; time.sleep(600)", Reason.TIMEOUT, "2 s"),
        ("import sys\nwhile True: sys.stderr.write('x' * 9999)", Reason.TIMEOUT, "2 s"),
    ],
)
def test_what_goes_wrong_is_told(tmp_path: Path, text: str, reason: Reason, words: str) -> None:
    limits = BRIEF if reason is Reason.TIMEOUT else ProbeLimits()
    fault = fault_of(program(tmp_path, text), limits)
    assert fault.reason is reason
    assert words in fault.message


@pytest.mark.parametrize("command", [["/nowhere/server"], ["a\0b"]])
def test_a_command_that_does_not_start_is_said(command: list[str]) -> None:
    assert fault_of(command).reason is Reason.UNREACHABLE


def test_nothing_of_a_command_is_left_behind(tmp_path: Path) -> None:
    """It ignores both the end of its input and SIGTERM, and so does its child."""
    pids = tmp_path / "pids"
    text = f"""
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
with open({str(pids)!r}, "a") as file: file.write(f"{{os.getpid()}}\\n")
time.sleep(600)
"""
    assert fault_of(program(tmp_path, text), ProbeLimits(seconds=6.0)).reason is Reason.TIMEOUT
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 2
    wait_until(lambda: not any(map(_lives, started)), 10.0, "the end of the command and its child")


def _lives(pid: int) -> bool:
    """Whether it runs; a dead child of a dead parent may wait for somebody to collect it."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
