"""Rows for people and for programs: `-o table|wide|json|yaml|csv`, the same columns in each of them.

What is in a row was written by others: a tool's name, a purpose, a server's answer. As a table it can neither
rewrite a terminal nor hide in it, and as CSV it is no formula of a spreadsheet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, TypeVar

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leasehold.core.hidden_text import visible

T = TypeVar("T")

LONGEST_CELL: Final = 400
WIDEST_TABLE: Final = 100_000
"""Lines are never broken here: a terminal does that, and a program that reads them wants them whole."""
_FORMULA: Final = ("=", "+", "-", "@")
NOTHING: Final = "-"


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


Output = Annotated[
    Format, typer.Option("--output", "-o", help="How to print it; wide, json, yaml and csv have all columns.")
]


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column; `key` is what programs call it. A value is text, a number, a truth, or None: none."""

    key: str
    title: str
    value: Callable[[T], Any]
    wide: bool = False
    """Left out of a plain table."""


def as_rows(items: Iterable[T], columns: Sequence[Column[T]], output: Format) -> str:
    """All of them, ready to print; ends with a line break unless it is empty."""
    match output:
        case Format.TABLE | Format.WIDE:
            chosen = [column for column in columns if output is Format.WIDE or not column.wide]
            cells = [[column.value(item) for column in chosen] for item in items]
            return as_table([column.title for column in chosen], cells)
        case Format.CSV:
            return _as_csv(items, columns)
        case Format.JSON | Format.YAML:
            return as_data([{column.key: column.value(item) for column in columns} for item in items], output)


def as_data(data: Sequence[Any] | Mapping[str, Any], output: Format) -> str:
    """JSON or YAML, in ASCII: what would hide is escaped by both."""
    if output is Format.YAML:
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=False, width=110)
    return json.dumps(data, indent=2) + "\n"


def as_table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns side by side, without lines around them and without colours: the same in a terminal and in a pipe."""
    if not titles and not rows:
        return ""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=bool(titles))
    for title in titles or [""] * max(map(len, rows), default=0):
        table.add_column(Text(title), no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_shown(cell)) for cell in row))
    sink = io.StringIO()
    Console(file=sink, width=WIDEST_TABLE, color_system=None, highlight=False, legacy_windows=False).print(
        table
    )
    return "".join(line.rstrip() + "\n" for line in sink.getvalue().splitlines())


def _shown(cell: Any) -> str:
    if cell is None or cell == "":
        return NOTHING
    return visible(str(cell), LONGEST_CELL)


def _as_csv(items: Iterable[T], columns: Sequence[Column[T]]) -> str:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([column.key for column in columns])
    for item in items:
        writer.writerow([_cell(column.value(item)) for column in columns])
    return sink.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else visible(str(value), LONGEST_CELL)
    return f"'{text}" if text.startswith(_FORMULA) else text
