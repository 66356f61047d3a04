"""What is committed is what the models make."""

from pathlib import Path

from leasehold.api.crd import KINDS
from leasehold.api.generate import main, stale_files, write_files

PROJECT = Path(__file__).parents[2]


def test_generated_files_are_up_to_date() -> None:
    assert stale_files(PROJECT) == []


def test_generating_twice_makes_the_same_bytes(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        write_files(tmp_path / name)
        found = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        texts.append([(str(path.relative_to(tmp_path / name)), path.read_bytes()) for path in found])
    assert texts[0] == texts[1]
    assert len(texts[0]) == len(KINDS) + 1


def test_an_edit_a_loss_and_a_stranger_are_noticed(tmp_path: Path) -> None:
    write_files(tmp_path)
    page, lost = tmp_path / "docs/reference/api.md", tmp_path / "crds/leasehold.dev_mcpconnections.yaml"
    page.write_text(page.read_text() + "\n")
    lost.unlink()
    (tmp_path / "crds/leasehold.dev_others.yaml").write_text("")

    assert stale_files(tmp_path) == [
        "crds/leasehold.dev_mcpconnections.yaml",
        "crds/leasehold.dev_others.yaml",
        "docs/reference/api.md",
    ]
    assert main(["--check", "--output", str(tmp_path)]) == 1
