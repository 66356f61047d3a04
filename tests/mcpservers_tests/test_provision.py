"""What cannot be installed is a failure with a reason, and leaves nothing that a later run would take for whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from controlplane.cache import ProvisioningFailed
from mcpservers.provision import PINS, Node, provide_npm, provide_python


def failing_npm(folder: Path) -> Node:
    npm = folder / "npm.py"
    npm.write_text("import sys\nsys.exit('the registry is away')\n")
    return Node(Path(sys.executable), (sys.executable, str(npm)))


def test_an_npm_that_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningFailed, match="the registry is away"):
        provide_npm(failing_npm(tmp_path), tmp_path / "cache", lambda _: None)
    assert not list((tmp_path / "cache").glob("npm-*/"))


def test_a_pip_that_fails_is_said(tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("this is no requirement\n")
    with pytest.raises(ProvisioningFailed, match="pip failed"):
        provide_python(pins, tmp_path / "cache", lambda _: None)
    assert not list((tmp_path / "cache").glob("pins-*/"))


@pytest.mark.parametrize("pins", sorted(PINS.glob("python-*.txt")), ids=lambda pins: pins.stem)
def test_every_python_package_is_pinned_to_one_version(pins: Path) -> None:
    lines = [line for line in pins.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all(line.count("==") == 1 for line in lines)
