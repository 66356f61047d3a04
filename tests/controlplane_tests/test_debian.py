"""Debian packages: what cannot be had is said, and nothing is left half made."""

import os
from pathlib import Path

import pytest

from controlplane.cache import ProvisioningFailed
from controlplane.debian import unpack_from_debian


def test_without_apt_somebody_has_to_provide_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProvisioningFailed, match="there is no apt-get to have it from: put it on PATH"):
        unpack_from_debian("chromium", tmp_path / "cache", list[str]().append)


def test_what_apt_complains_of_is_told_and_the_cache_stays_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-get").write_text("#!/bin/sh\necho 'E: no such package' >&2\nexit 100\n")
    (tmp_path / "bin" / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ProvisioningFailed, match="apt-get failed:\nE: no such package"):
        unpack_from_debian("chromium", tmp_path / "cache", list[str]().append)
    assert not (tmp_path / "cache" / "chromium-debian").exists()
