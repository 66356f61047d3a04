"""What the documentation says about names, defaults and examples is what the code has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from leasehold.api.reasons import Reason
from leasehold.settings import PREFIX, Settings
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.metrics import Telemetry

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
OPERATING = ROOT / "docs" / "operating.md"
FOLDERS = ("docs", "examples", "charts")
PAGES = sorted([*ROOT.glob("*.md"), *(page for name in FOLDERS for page in (ROOT / name).rglob("*.md"))])
QUOTING = [README, ROOT / "docs" / "secrets.md", ROOT / "docs" / "adopting.md"]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

SAMPLE_SUFFIXES = ("_bucket", "_sum", "_count")
PATH = re.compile(r"`((?:operator|tests|examples|docs|charts|crds)/[\w./-]*)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED = re.compile(r"<!-- from (\S+) -->\n```\w*\n(.*?)```", re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def exported() -> dict[str, str]:
    """Every metric of ours with its type, as a scrape gets it."""
    text = Telemetry(FleetMetrics(), "test").render().decode()
    types = (line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE leasehold_"))
    return dict(types)


def rows(page: Path, *header: str) -> list[list[str]]:
    """The cells of every table on a page that has this header."""
    found: list[list[str]] = []
    lines = iter(page.read_text().splitlines())
    for line in lines:
        if _cells(line) == list(header):
            next(lines)
            found += _body(lines)
    assert found, f"{page.name} has no table {header}"
    return found


def _body(lines: Iterator[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield _cells(line)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _written(default: object) -> str:
    if default is None:
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_within(quoted: str, text: str) -> bool:
    """Whether these lines stand in a text one after the other, all indented by the same."""
    wanted, lines = quoted.splitlines(), text.splitlines()
    for start in range(len(lines) - len(wanted) + 1):
        indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        if [indent + line if line else line for line in wanted] == lines[start : start + len(wanted)]:
            return True
    return False


def test_every_metric_is_documented_with_its_type() -> None:
    documented = {
        name.strip("`"): kind for name, kind, *_ in rows(OPERATING, "metric", "type", "labels", "meaning")
    }
    assert documented == exported()


@each_page
def test_every_metric_that_is_named_exists(page: Path) -> None:
    for name in re.findall(r"\bleasehold_[a-z_]+", page.read_text()):
        family = next(
            (name.removesuffix(each) for each in SAMPLE_SUFFIXES if name.removesuffix(each) in exported()),
            name,
        )
        assert family in exported()


def test_every_setting_is_documented_with_its_default() -> None:
    table = rows(README, "variable", "default", "what it is")
    documented = {name.strip("`"): default.strip("`") for name, default, _ in table}
    assert documented == {
        PREFIX + name.upper(): _written(field.default) for name, field in Settings.model_fields.items()
    }


@each_page
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in re.findall(r"\bLEASEHOLD_[A-Z_]+", page.read_text()):
        assert name in known or name.startswith("LEASEHOLD_TEST_")


def test_every_reason_is_explained_once() -> None:
    explained = rows(OPERATING, "reason", "Ready", "what holds", "what to do")
    explained += rows(OPERATING, "reason", "where", "meaning")
    assert sorted(row[0].strip("`") for row in explained) == sorted(Reason)


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCED.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@each_page
def test_every_path_that_is_named_exists(page: Path) -> None:
    for path in PATH.findall(page.read_text()):
        assert (ROOT / path).exists(), path


@each_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^)make\s+([a-z][a-z-]*)", page.read_text(), re.MULTILINE)
    assert set(named) <= set(targets)


@pytest.mark.parametrize("page", QUOTING, ids=lambda page: page.name)
def test_a_quoted_example_is_what_the_example_says(page: Path) -> None:
    quoted = QUOTED.findall(page.read_text())
    assert quoted
    for path, snippet in quoted:
        assert is_within(snippet, (ROOT / path).read_text()), f"{page.name} quotes {path} wrongly"


def test_every_template_of_the_examples_is_in_the_documentation() -> None:
    quoted = {path for path, _ in QUOTED.findall((ROOT / "docs" / "secrets.md").read_text())}
    with_templates = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "examples" / "connections").glob("*.yaml")
        if "templates:" in path.read_text()
    }
    assert with_templates <= quoted
