"""Programs: what is too old is not used, what is missing is built once, a failure says why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.cache import ProvisioningFailed, only_one
from controlplane.gobuild import GoSource, build
from controlplane.programs import ETCD, KUBE_APISERVER, KUBECTL, PROMETHEUS, VAULT, Program, find

WRAPPER = "module example.test/wrapper\n\ngo 1.26\n\nrequire example.test/tiny v0.3.1\n\n"
REPLACE = "replace example.test/tiny => ./tiny\n"
HELLO = 'package main\n\nfunc main() { println("hello") }\n'


def fake_program(directory: Path, name: str, says: str, status: int = 0) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    (directory / name).chmod(0o755)


def tiny_module(directory: Path, source: str = HELLO) -> GoSource:
    """A wrapper module and the one program that it pins, both on disk."""
    (directory / "tiny").mkdir(parents=True)
    (directory / "go.mod").write_text(WRAPPER + REPLACE)
    (directory / "tiny" / "go.mod").write_text("module example.test/tiny\n\ngo 1.26\n")
    (directory / "tiny" / "main.go").write_text(source)
    return GoSource(directory, "example.test/tiny", "example.test/tiny")


@pytest.mark.parametrize(
    ("program", "says", "why"),
    [
        (KUBECTL, "Client Version: v1.32.4-dispatcher", "it is 1.32.4, wanted is 1.34 or later"),
        (KUBE_APISERVER, "Kubernetes v1.33.9", "it is 1.33.9, wanted is 1.34 or later"),
        (VAULT, "Vault v1.14.10 (0abc), built 2024-01-01", "it is 1.14.10, wanted is 1.15 or later"),
        (ETCD, "etcd Version: 3.4.30", "it is 3.4.30, wanted is 3.5 or later"),
        (ETCD, "no idea", "it does not say its version"),
        (
            PROMETHEUS,
            "prometheus, version 2.42.0+ds (branch: debian)",
            "it is 2.42.0, wanted is 3.0 or later",
        ),
    ],
)
def test_an_unacceptable_program_on_path_is_not_used(
    tmp_path: Path, program: Program, says: str, why: str
) -> None:
    fake_program(tmp_path / "bin", program.name, says)
    told: list[str] = []
    assert find(program, {"PATH": str(tmp_path / "bin")}, told.append) is None
    assert told == [f"{program.name}: {tmp_path / 'bin' / program.name} is not used: {why}"]


def test_a_program_that_fails_is_not_used(tmp_path: Path) -> None:
    fake_program(tmp_path / "bin", "etcd", "etcd Version: 3.6.1", status=3)
    assert find(ETCD, {"PATH": str(tmp_path / "bin")}, lambda _: None) is None


def test_an_acceptable_program_behind_an_old_one_is_used(tmp_path: Path) -> None:
    fake_program(tmp_path / "old", "kubectl", "Client Version: v1.32.4")
    fake_program(tmp_path / "new", "kubectl", "Client Version: v1.36.0\nKustomize Version: v5.0.1")
    path = {"PATH": f"{tmp_path / 'old'}:{tmp_path / 'new'}"}
    assert find(KUBECTL, path, lambda _: None) == tmp_path / "new" / "kubectl"


def test_given_assets_come_before_the_path(tmp_path: Path) -> None:
    for place in ("assets", "path"):
        fake_program(tmp_path / place, "etcd", "etcd Version: 3.6.1")
    environ = {"KUBEBUILDER_ASSETS": str(tmp_path / "assets"), "PATH": str(tmp_path / "path")}
    assert find(ETCD, environ, lambda _: None) == tmp_path / "assets" / "etcd"


def test_two_builds_at_once_build_once(tmp_path: Path) -> None:
    source = tiny_module(tmp_path / "wrapper")
    told: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        built = list(pool.map(lambda _: build("tiny", source, tmp_path / "cache", told.append), range(2)))
    assert built[0] == built[1]
    assert built[0].parent.name.startswith("tiny-v0.3.1-")
    assert sum("building v0.3.1" in line for line in told) == 1
    assert sum("built in" in line for line in told) == 1
    assert not list(tmp_path.glob("cache/*/.*.partial"))


def test_a_build_that_fails_says_why_and_leaves_nothing_to_be_found(tmp_path: Path) -> None:
    source = tiny_module(tmp_path / "wrapper", "package main\n\nfunc main() { missing() }\n")
    for _ in range(2):
        with pytest.raises(ProvisioningFailed, match="undefined: missing"):
            build("tiny", source, tmp_path / "cache", lambda _: None)


def test_other_sums_are_another_entry(tmp_path: Path) -> None:
    source = tiny_module(tmp_path / "wrapper")
    before = source.entry("tiny")
    (tmp_path / "wrapper" / "go.sum").write_text("example.test/other v1.0.0 h1:AAAA=\n")
    assert source.entry("tiny") != before


def test_other_tags_are_another_entry(tmp_path: Path) -> None:
    source = tiny_module(tmp_path / "wrapper")
    assert replace(source, tags="small").entry("tiny") != source.entry("tiny")


def test_nobody_waits_for_a_lock_without_end(tmp_path: Path) -> None:
    with (
        only_one(tmp_path / "lock", lambda _: None),
        pytest.raises(ProvisioningFailed, match="the lock"),
        only_one(tmp_path / "lock", lambda _: None, seconds=0.3),
    ):
        raise AssertionError("the lock was had twice")
