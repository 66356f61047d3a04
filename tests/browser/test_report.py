"""The report of an access review in a real browser: on screen and on paper, whatever people have written in it."""

import io
import re
from pathlib import Path

import pytest
from pypdf import PdfReader

from controlplane.browser import Browser, provide_chromium
from core.evidence_case import a_quarter, living
from leasehold.api.base import rfc3339
from leasehold.core.evidence_folder import evidence_files
from leasehold.core.evidence_report import REPORT
from objects import NOON, a_connection
from png_pixels import colours

RED = (255, 0, 0)
PAINTS = '</td></tr></table><div style="position:fixed;inset:0;background:#f00">gotcha</div>'
LANDSCAPE = (842, 595)
"""A4, in points."""


@pytest.fixture(scope="module")
def browser() -> Browser:
    return provide_chromium()


def report(workdir: Path) -> Path:
    """A quarter of forty connections, of whom one has a purpose that would paint the page red."""
    hostile = living(spec={"purpose": {"summary": PAINTS}})
    others = [
        a_connection(f"bot-{number}", uid=f"uid-{number}", metadata={"creationTimestamp": rfc3339(NOON)})
        for number in range(40)
    ]
    files = evidence_files(a_quarter(workdir / "audit", connections=(hostile, *others)))
    page = workdir / "report.html"
    page.write_bytes(files[REPORT])
    return page


def test_a_screen_shows_black_on_white_and_nothing_that_somebody_smuggled_in(
    browser: Browser, tmp_path: Path
) -> None:
    page = report(tmp_path)
    found = colours(browser.screenshot(page, tmp_path, 700, 400))
    assert found.total() == 700 * 400
    assert RED not in found
    assert found[(255, 255, 255)] > 0.8 * found.total()
    assert sum(count for colour, count in found.items() if max(colour) < 96) > 1000
    unescaped = tmp_path / "unescaped.html"
    unescaped.write_text(page.read_text().replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"'))
    painted = colours(browser.screenshot(unescaped, tmp_path, 700, 400))
    assert painted[RED] > 0.8 * painted.total(), "this test sees what it looks for"


def test_paper_has_every_row_and_the_titles_of_a_table_on_each_of_its_pages(
    browser: Browser, tmp_path: Path
) -> None:
    pages = PdfReader(io.BytesIO(browser.pdf(report(tmp_path), tmp_path))).pages
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in pages} == {LANDSCAPE}
    texts = [page.extract_text() for page in pages]
    everything = "\n".join(texts)
    assert set(re.findall(r"support/bot-(\d+)\b", everything)) == {str(number) for number in range(40)}
    assert "".join(PAINTS.split()) in "".join(everything.split()), "a narrow column wraps it"
    within = [text for text in texts if len(re.findall("NeverReviewed", text)) > 5]
    assert len(within) > 1
    assert all(
        re.search(r"What\s+Connection\s+Generation\s+Since\s+Until\s+Deadline\s+Why", text) for text in within
    )
