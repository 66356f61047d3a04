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
from rich.cells import cell_len

from leasehold.core.hidden_text import visible

T = TypeVar("T")

LONGEST_CELL: Final = 400
GAP: Final = "   "
_FORMULA: Final = ("=", "+", "-", "@")
NOTHING: Final = "-"
DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""A fleet takes the one in Python ten times as long."""


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
        return str(yaml.dump(data, Dumper=DUMPER, sort_keys=False, allow_unicode=False, width=110))
    return json.dumps(data, indent=2) + "\n"


def as_table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns side by side, without lines around them and without colours: the same in a terminal and in a pipe."""
    lines = [*([list(titles)] if titles else []), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    return "".join(GAP.join(map(_padded, line, widths)).rstrip() + "\n" for line in lines)


def _padded(cell: str, width: int) -> str:
    """Some letters take two cells of a terminal."""
    return cell + " " * (width - cell_len(cell))


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
