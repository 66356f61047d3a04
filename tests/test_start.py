"""A start that cannot work says which setting is to blame, in one line, and gives no traceback."""

import gc
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from leasehold.__main__ import CANNOT_START, main

NO_CLUSTER = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: nobody}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """What a start sets for its whole process is as it was afterwards."""
    root, thresholds = logging.getLogger(), gc.get_threshold()
    handlers, level, hooks = root.handlers, root.level, (sys.unraisablehook, threading.excepthook)
    yield
    root.handlers, root.level = handlers, level
    sys.unraisablehook, threading.excepthook = hooks
    gc.set_threshold(*thresholds)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that can be read."""
    path = tmp_path / "kubeconfig"
    path.write_text(NO_CLUSTER)
    monkeypatch.setenv("LEASEHOLD_KUBECONFIG", str(path))
    return path


@pytest.mark.usefixtures("kubeconfig")
def test_a_port_that_is_taken(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("LEASEHOLD_LISTEN_HOST", "127.0.0.1")
        monkeypatch.setenv("LEASEHOLD_LISTEN_PORT", str(taken.getsockname()[1]))
        assert main() == CANNOT_START
    assert_it_blames("LEASEHOLD_LISTEN_PORT", "already in use", capfd)


def test_a_kubeconfig_that_is_not_there(
    kubeconfig: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASEHOLD_KUBECONFIG", f"{kubeconfig}-of-tomorrow")
    assert main() == CANNOT_START
    assert_it_blames("LEASEHOLD_KUBECONFIG", "no such file", capfd)


@pytest.mark.parametrize(
    "text", ["a: [", "[]", "just words", NO_CLUSTER.replace("current-context: x", "current-context: y"), "\0"]
)
def test_a_kubeconfig_that_is_none(kubeconfig: Path, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    kubeconfig.write_text(text)
    assert main() == CANNOT_START
    assert_it_blames("LEASEHOLD_KUBECONFIG", str(kubeconfig), capfd)


def test_neither_a_kubeconfig_nor_a_pod(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEASEHOLD_KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert main() == CANNOT_START
    assert_it_blames("LEASEHOLD_KUBECONFIG", "this is no pod", capfd)


def test_a_log_level_that_does_not_exist(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASEHOLD_LOG_LEVEL", "LOUD")
    assert main() == CANNOT_START
    assert_it_blames("LEASEHOLD_LOG_LEVEL", "'INFO'", capfd)


def assert_it_blames(setting: str, why: str, capfd: pytest.CaptureFixture[str]) -> None:
    said = capfd.readouterr().err
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    assert setting in last
    assert why in last
