"""The page about the commands says what the commands say."""

import re
from pathlib import Path

import pytest

from leasehold.cli.reference import PAGE, main, reference_page

ROOT = Path(__file__).parents[2]


def section(command: str) -> str:
    return reference_page().split(f"\n## {command}\n", 1)[1].split("\n## ", 1)[0]


def test_the_page_is_up_to_date() -> None:
    assert main(["--check", "--output", str(ROOT)]) == 0


def test_a_stale_page_and_a_missing_one_are_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", "--output", str(tmp_path)]) == 1
    assert main(["--output", str(tmp_path)]) == 0
    assert main(["--check", "--output", str(tmp_path)]) == 0
    (tmp_path / PAGE).write_text("another")
    assert main(["--check", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("make generate") == 2


def test_every_command_is_there_with_what_it_takes() -> None:
    commands = re.findall(r"^## (.+)$", reference_page(), re.MULTILINE)
    assert {"leasehold list", "leasehold bootstrap vault", "leasehold surface diff"} <= set(commands)
    breakglass = section("leasehold breakglass")
    assert "| **`--reason`** | text |  | Why they are stopped; it stays on record. |" in breakglass
    assert "| `--namespace`, `-n` | text |" in breakglass
    assert "| `--on-lift` | `RequireReview` or `Resume` | `RequireReview` |" in breakglass
    assert "| `--context` | text, more than once |" in breakglass
    assert "| `--yes`, `-y` |  |  |" in breakglass
    assert "`leasehold status NAME [options]`" in section("leasehold status")
    assert "| **`NAME`** |" in section("leasehold status")
