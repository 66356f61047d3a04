"""The harness itself: an operator that a test starts never outlives the test, and what it wrote is read."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from audit_lines import Misfit, must_fit
from controlplane.sockets import ReservedPorts
from controlplane.waiting import WaitTimedOut, wait_until
from deployment import Operator
from discretion import Indiscreet, must_be_discreet, tell
from shipped import ROOT

PARENT = """
import os, subprocess, sys
from pathlib import Path
from controlplane.child import spawn
child = spawn(["sleep", "300"], env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A kubeconfig for an API server that nobody has started."""
    ports = ReservedPorts()
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{ports.take()}"}}],
        "users": [{"name": "u", "user": {"token": "nobody's"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    ports.release()
    return path


def test_an_operator_that_does_not_get_ready_is_ended(nowhere: Path, tmp_path: Path) -> None:
    operator = Operator(nowhere, tmp_path)
    with pytest.raises(WaitTimedOut, match="ready"):
        operator.start(ready_seconds=0.5)
    assert operator.exited == -signal.SIGKILL


def test_an_operator_dies_with_the_tests_whatever_kills_them() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    wait_until(lambda: _has_ended(child), 10, "the child is dead")
    os.close(child)


def _has_ended(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "login", "why": "hvs.CAESIJ1vY2ZkZ2hqa2xtbm9wcXJzdHV2d3h5eg"}',
        '{"event": "token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"}',
        '{"event": "-----BEGIN PRIVATE KEY-----"}',
        '{"event": "the password was correct-horse-battery"}',
        '{"event": "saved by the net: [redacted]"}',
        '{"event": "failed", "exception": "Traceback (most recent call last):\\n  File"}',
        "Task exception was never retrieved",
        "[1, 2]",
    ],
)
def test_what_nobody_may_write_is_found(line: str, tmp_path: Path) -> None:
    tell(["correct-horse-battery", "short"])
    output = tmp_path / "operator.log"
    output.write_text(f'{{"event": "started"}}\n{line}\n{{"event": "short"}}\n')
    with pytest.raises(Indiscreet) as found:
        must_be_discreet(output)
    assert "correct-horse" not in str(found.value)
    assert "hvs." not in str(found.value)


def test_what_was_cut_off_by_a_kill_is_no_fault(tmp_path: Path) -> None:
    output = tmp_path / "operator.log"
    output.write_text('{"event": "started"}\n{"event": "min')
    must_be_discreet(output, tmp_path / "never-written")


def test_an_audit_line_that_does_not_fit_the_schema_is_found() -> None:
    lines = (ROOT / "tests" / "core" / "audit-v1.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    must_fit(records)
    del records[3]["data"]["profile"]
    with pytest.raises(Misfit, match=re.escape(records[3]["id"])):
        must_fit(records)
