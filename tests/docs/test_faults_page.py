"""Every row about a fault names a test that does it, and every harm that the tests do has a row."""

import re

import pytest

from crash.harms import KUBERNETES_HARMS, LASTING_KUBERNETES_HARMS, VAULT_HARMS
from docs.test_docs import ROOT, rows

PAGE = ROOT / "docs" / "faults.md"
ROWS = rows(PAGE, "fault", "what you see", "what Leasehold does", "what to do", "test")
TEST = re.compile(r"^`(tests/[\w/]+\.py)::(test_\w+)`$")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_backed_by_a_test(row: list[str]) -> None:
    named = TEST.match(row[-1])
    assert named is not None, "the last cell names one test"
    path, test = named.groups()
    assert f"def {test}(" in (ROOT / path).read_text()
    assert all(row), "no cell is empty"


def test_every_harm_that_is_done_has_a_row() -> None:
    documented = {name for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])}
    done = {harm.name for harm in (*VAULT_HARMS, *KUBERNETES_HARMS, *LASTING_KUBERNETES_HARMS)}
    assert done <= documented
