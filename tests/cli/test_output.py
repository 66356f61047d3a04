"""Rows mean the same in each format, and what others have written stays text in all of them."""

import csv
import io
import json

import pytest
import yaml

from leasehold.cli.output import Column, Format, as_rows

Row = tuple[str, str | None, int]

COLUMNS: list[Column[Row]] = [
    Column("name", "NAME", lambda row: row[0]),
    Column("purpose", "PURPOSE", lambda row: row[1]),
    Column("tools", "TOOLS", lambda row: row[2], wide=True),
]
HOSTILE = "[bold]=cmd|'/c calc'!A1[/]\x1b[2J\u202egpj\u200b\nsecond line"
ROWS: list[Row] = [("short", HOSTILE, 3), ("漢字-longer", None, 0)]


@pytest.mark.parametrize(
    ("output", "titles"), [(Format.TABLE, "NAME PURPOSE"), (Format.WIDE, "NAME PURPOSE TOOLS")]
)
def test_a_table_is_plain_text_in_which_everything_shows(output: Format, titles: str) -> None:
    printed = as_rows(ROWS, COLUMNS, output)
    header, *lines = printed.splitlines()
    assert header.split() == titles.split()
    assert len(lines) == len(ROWS)
    assert "".join(lines).isprintable()
    assert "[bold]=cmd|'/c calc'!A1[/]\\u{001B}[2J\\u{202E}gpj\\u{200B}\\nsecond line" in lines[0]
    assert lines[1].split()[:2] == ["漢字-longer", "-"]
    assert not any(line.endswith(" ") for line in printed.splitlines())


@pytest.mark.parametrize(("output", "load"), [(Format.JSON, json.loads), (Format.YAML, yaml.safe_load)])
def test_data_has_all_columns_as_they_are_in_ascii(output: Format, load: object) -> None:
    printed = as_rows(ROWS, COLUMNS, output)
    assert printed.isascii()
    assert printed.replace("\n", "").isprintable()
    assert callable(load)
    assert load(printed) == [
        {"name": "short", "purpose": HOSTILE, "tools": 3},
        {"name": "漢字-longer", "purpose": None, "tools": 0},
    ]


def test_csv_has_all_columns_and_no_formula() -> None:
    rows: list[Row] = [*ROWS, ("=1+1", "+1", -1)]
    printed = as_rows(rows, COLUMNS, Format.CSV)
    header, first, second, third = csv.reader(io.StringIO(printed))
    assert header == ["name", "purpose", "tools"]
    assert first[1].startswith("[bold]=cmd")
    assert "\\u{001B}" in first[1]
    assert second == ["漢字-longer", "", "0"]
    assert third == ["'=1+1", "'+1", "'-1"]


def test_nothing_is_a_table_with_a_header_and_an_empty_list() -> None:
    assert as_rows([], COLUMNS, Format.TABLE).split() == ["NAME", "PURPOSE"]
    assert json.loads(as_rows([], COLUMNS, Format.JSON)) == []
    assert yaml.safe_load(as_rows([], COLUMNS, Format.YAML)) == []
