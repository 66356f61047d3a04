"""A folder of evidence can be computed again from what is in it, and whatever was done to it shows."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.evidence_case import a_quarter, living
from leasehold.core.evidence_folder import MANIFEST, SUMS, Checked, check, evidence_files, read_scope, sums
from leasehold.core.evidence_report import REPORT
from leasehold.core.evidence_sources import OBJECTS, VAULT, audit_name, hashed, read_sources

Files = dict[str, bytes]
VERSION = "0.1.0"
AUDIT = audit_name(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = evidence_files(a_quarter(tmp_path_factory.mktemp("quarter") / "audit.jsonl"))
    return files | {SUMS: sums(files)}


def kinds(checked: Checked) -> list[str]:
    return [each.kind for each in checked.findings]


def test_a_folder_that_nobody_touched_is_fine(folder: Files) -> None:
    checked = check(folder, VERSION)
    assert checked.findings == ()
    assert dict(checked.counts) == json.loads(folder[MANIFEST])["counts"]
    assert checked.counts["population"] == 2


def test_the_same_sources_make_the_same_bytes(folder: Files) -> None:
    sources = read_sources(read_scope(folder[MANIFEST]), folder)
    again = evidence_files(sources)
    assert {name for name in again if again[name] != folder[name]} == set()
    assert set(again) | {SUMS} == set(folder)


def test_the_manifest_says_what_was_looked_at(folder: Files) -> None:
    told = json.loads(folder[MANIFEST])
    assert told["cluster"] == {"uid": "cluster-uid"}
    assert told["period"] == {"from": "2026-11-19T12:00:00Z", "to": "2026-11-21T12:00:00Z"}
    assert told["resourceVersions"] == {"MCPConnection": "100"}
    assert [each["source"] for each in told["audit"]["chains"]] == ["/leasehold/first", "/leasehold/second"]


def test_nothing_in_it_could_be_used_or_revoked_with(folder: Files) -> None:
    everything = b"".join(folder.values()).decode()
    for secret in ("accessor-1", "database/creds/orders-read/1", "literal-secret", "hvs.abc"):
        assert secret not in everything
    assert hashed("accessor-1") in everything


def changed(name: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def act(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)

    return act


def test_what_was_not_compared_is_said_and_never_as_equal(tmp_path: Path) -> None:
    files = evidence_files(a_quarter(tmp_path / "a", audit={}, metrics=None, vault=None))
    told = json.loads(files[MANIFEST])["notCompared"]
    assert [each.partition(":")[0] for each in told] == [
        "API objects = metrics",
        "ledger = Vault",
        "Vault = ledger",
        "former = audit",
        "ledger = audit",
        "audit chain",
    ]
    assert told[1].endswith("no Vault token was given: give --vault, or set VAULT_ADDR and VAULT_TOKEN")
    shown = files[REPORT].decode().split("<h2>What was not compared</h2>")[1].split("<h2>")[0]
    assert shown.count("<li>") == 6


def removed(name: str) -> Callable[[Files], None]:
    return lambda files: files.__delitem__(name)


def added(files: Files) -> None:
    files["notes.txt"] = b"all is well"


def line_dropped(files: Files) -> None:
    rows = files[AUDIT].splitlines(keepends=True)
    files[AUDIT] = b"".join([*rows[:2], *rows[3:]])


def lines_swapped(files: Files) -> None:
    rows = files[AUDIT].splitlines(keepends=True)
    files[AUDIT] = b"".join([*rows[:2], rows[3], rows[2], *rows[4:]])


def chain_dropped(files: Files) -> None:
    rows = files[AUDIT].splitlines(keepends=True)
    files[AUDIT] = b"".join(row for row in rows if b'"source":"/leasehold/first","type"' not in row)


def file_cut(files: Files) -> None:
    files[AUDIT] = files[AUDIT][:-30]


def last_line_cut(files: Files) -> None:
    files[AUDIT] = b"".join(files[AUDIT].splitlines(keepends=True)[:-1])


TAMPERING = [
    ("a cell was changed", changed("population.csv", b"alice", b"alicf"), {"Inconsistent"}),
    (
        "a row was taken out of a table",
        changed("exceptions.json", b'"kind": "EndedLate"', b'"kind": "Fine"'),
        {"Inconsistent"},
    ),
    ("a count was changed", changed(MANIFEST, b'"population": 2', b'"population": 3'), {"Inconsistent"}),
    ("the report was changed", changed(REPORT, b"EndedLate", b"Fine"), {"Inconsistent"}),
    ("an owner was changed in the sources", changed(OBJECTS, b"alice@", b"carol@"), {"Inconsistent"}),
    ("an audit line was dropped", line_dropped, {"Gap", "Inconsistent"}),
    (
        "a byte of an audit line was changed",
        changed(AUDIT, b"triage", b"triagf"),
        {"Changed", "Inconsistent"},
    ),
    ("audit lines were swapped", lines_swapped, {"OutOfOrder", "Inconsistent"}),
    ("a chain was dropped", chain_dropped, {"ChainMissing", "Inconsistent"}),
    ("the audit file was cut within a line", file_cut, {"UnreadableLine", "Inconsistent"}),
    ("the last audit line was cut off", last_line_cut, {"Inconsistent"}),
    ("a dead credential was made alive", changed(VAULT, b'"Alive"', b'"Dead"'), {"Inconsistent"}),
    ("the answers of Vaults are none", changed(VAULT, b'"stores": [', b'"stores": [1,'), {"NoEvidence"}),
    ("a table was removed", removed("decisions.csv"), {"FileMissing"}),
    ("the objects were removed", removed(OBJECTS), {"NoEvidence"}),
    ("the manifest was removed", removed(MANIFEST), {"NoEvidence"}),
    ("the manifest is no JSON", changed(MANIFEST, b"{", b"["), {"NoEvidence"}),
    (
        "the objects are no objects",
        changed(OBJECTS, b'"mcpconnections": [', b'"mcpconnections": [1,'),
        {"NoEvidence"},
    ),
]


@pytest.mark.parametrize(("act", "expected"), [c[1:] for c in TAMPERING], ids=[c[0] for c in TAMPERING])
def test_tampering_shows_even_where_the_sums_were_made_anew(
    folder: Files, act: Callable[[Files], None], expected: set[str]
) -> None:
    files = dict(folder)
    act(files)
    assert kinds(check(files, VERSION))[0] in ("SumDiffers", "FileMissing")
    del files[SUMS]
    assert set(kinds(check(files | {SUMS: sums(files)}, VERSION))) == expected


def test_a_file_that_was_added_shows(folder: Files) -> None:
    files = dict(folder)
    added(files)
    assert kinds(check(files, VERSION)) == ["FileAdded"]


def test_missing_sums_and_lines_that_are_none_show(folder: Files) -> None:
    assert kinds(check({name: data for name, data in folder.items() if name != SUMS}, VERSION)) == ["NoSums"]
    assert kinds(check(folder | {SUMS: folder[SUMS] + b"hello\n"}, VERSION)) == ["SumsUnreadable"]


def test_another_version_of_the_tool_is_named_where_something_differs(folder: Files) -> None:
    files = dict(folder)
    changed("population.csv", b"alice", b"alicf")(files)
    (finding,) = check(files | {SUMS: sums({k: v for k, v in files.items() if k != SUMS})}, "9.9").findings
    assert finding.words.endswith("(it was written by version 0.1.0, and this is 9.9)")


class Page(HTMLParser):
    """The tags and attributes of a page, and whether all that was opened was closed."""

    VOID = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_one_page_that_runs_and_loads_nothing(folder: Files) -> None:
    text = folder[REPORT].decode()
    page = Page(text)
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "thead", "tbody", "tr", "th",
        "td", "br", "section", "ul", "li",
    }  # fmt: skip
    assert not [
        name for _, attrs in page.tags for name in attrs if name.startswith("on") or name in ("src", "href")
    ]
    assert "url(" not in text
    assert "@import" not in text
    policies = [
        attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_hostile_text_is_text_in_the_report(folder: Files) -> None:
    text = folder[REPORT].decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u{202E}" in text
    assert "<script" not in text
    assert "\u202e" not in text


def test_the_report_is_made_for_paper(folder: Files) -> None:
    style = folder[REPORT].decode().split("<style>")[1].split("</style>")[0]
    printed = style.split("@media print {")[1]
    assert re.search(r"thead \{ display: table-header-group; \}", printed)
    assert re.search(r"tr \{ break-inside: avoid; \}", printed)
    assert "@page { size: A4 landscape" in style


def test_the_report_shows_every_row_of_every_table(folder: Files) -> None:
    text = folder[REPORT].decode()
    for name, count in json.loads(folder[MANIFEST])["counts"].items():
        section = text.split(f'<section id="{name}">')[1].split("</section>")[0]
        assert count > 0, name
        assert section.count("<tr>") == count + 1


def test_an_empty_period_makes_a_report_that_says_so(tmp_path: Path) -> None:
    files = evidence_files(
        a_quarter(
            tmp_path / "a",
            connections=(),
            reviews=(),
            revocations=(),
            exposures=(),
            audit={},
            metrics=None,
            vault=None,
        )
    )
    assert files[REPORT].decode().count('<p class="none">None.</p>') == 7
    assert check(files | {SUMS: sums(files)}, VERSION).findings == ()


def test_what_was_read_from_a_folder_is_hashed_once(tmp_path: Path) -> None:
    files = evidence_files(a_quarter(tmp_path / "a", connections=(living(),)))
    ledger = json.loads(files[OBJECTS])["mcpconnections"][0]["status"]["ledger"][0]
    assert ledger["accessor"] == hashed("accessor-1") == hashed(hashed("accessor-1"))
