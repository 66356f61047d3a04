"""A table of evidence, for programs and for spreadsheets. What people and servers have written is in it: as CSV it
is no formula, and nothing in it hides."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leasehold.core.evidence_sources import as_json
from leasehold.core.hidden_text import visible

Cell = str | int | None
Row = Mapping[str, Cell]

LONGEST_CELL: Final = 4096
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True)
class Table:
    """Rows with the same columns; `about` says what one row is, and where it comes from."""

    name: str
    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Row]

    def files(self) -> dict[str, bytes]:
        """The table as JSON and as CSV."""
        return {
            f"{self.name}.json": as_json(
                [{column: row.get(column) for column in self.columns} for row in self.rows]
            ),
            f"{self.name}.csv": self._as_csv().encode(),
        }

    def _as_csv(self) -> str:
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([csv_cell(row.get(column)) for column in self.columns] for row in self.rows)
        return sink.getvalue()


def csv_cell(value: Cell) -> str:
    """As a spreadsheet may have it: it would run what begins like a formula."""
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    text = visible(value, LONGEST_CELL)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
