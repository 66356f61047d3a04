"""What kubectl users apply, and what the chart says of its values, is what the chart makes."""

import shutil
from pathlib import Path

import pytest

from chart_source.__main__ import chart_files, main, plain_manifests, stale
from shipped import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what is generated, and of what it is generated from."""
    shutil.copytree(ROOT / "charts", tmp_path / "charts")
    return tmp_path


def test_generated_files_are_up_to_date() -> None:
    assert stale(ROOT, {**chart_files(ROOT), **plain_manifests(ROOT)}) == []


def test_generating_writes_what_is_there_already(project: Path) -> None:
    for path in (*chart_files(project), *plain_manifests(project)):
        if path.name not in ("README.md", "values.yaml"):
            (project / path).unlink()
    assert main(["--root", str(project)]) == 0
    written = [*chart_files(project), *plain_manifests(project)]
    assert stale(ROOT, {path: (project / path).read_text() for path in written}) == []


def test_an_edit_by_hand_is_noticed_in_a_manifest_and_in_a_template(project: Path) -> None:
    edits = {
        "charts/manifests/roles.yaml": ("lift]", "lift, delete]"),
        "charts/leasehold/templates/rbac.yaml": ("[create, patch, delete]", "[get, create, patch, delete]"),
        "charts/leasehold/values.yaml": ("how much is logged", "how little is logged"),
    }
    for path, (before, after) in edits.items():
        text = (project / path).read_text()
        (project / path).write_text(text.replace(before, after))
    assert stale(project, {**chart_files(project), **plain_manifests(project)}) == [
        "charts/leasehold/values.yaml",
        "charts/manifests/rbac.yaml",
        "charts/manifests/roles.yaml",
    ]
    assert main(["--check", "--root", str(project)]) == 1
