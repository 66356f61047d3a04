"""The page about evidence names what the code can find, and the files that it writes."""

import re
from pathlib import Path

from core.evidence_case import a_quarter
from docs.test_docs import rows
from leasehold.core.evidence_exceptions import ExceptionKind
from leasehold.core.evidence_finding import FindingKind
from leasehold.core.evidence_folder import SIGNATURE, SUMS, evidence_files

PAGE = Path(__file__).parents[2] / "docs" / "evidence.md"


def test_every_exception_is_explained() -> None:
    cells = [cell for cell, _ in rows(PAGE, "exception", "what it says")]
    assert re.findall(r"`(\w+)`", " ".join(cells)) == list(ExceptionKind)


def test_every_finding_is_named() -> None:
    section = PAGE.read_text().split("## What verify finds")[1].split("\n## ")[0]
    assert re.findall(r"`([A-Z]\w+)`", section) == list(FindingKind)


def test_every_file_is_explained(tmp_path: Path) -> None:
    cells = " ".join(cell for cell, _ in rows(PAGE, "file", "what it says"))
    written = {
        name.partition("/")[0].removesuffix(".csv") for name in evidence_files(a_quarter(tmp_path / "audit"))
    }
    tables = {name.removesuffix(".json") if name != "manifest.json" else name for name in written}
    assert set(re.findall(r"`([\w.]+)/?`", cells)) == tables | {SUMS, SIGNATURE}
