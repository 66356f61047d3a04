"""What was seen so far. On a terminal the connections are a live table beneath the findings; elsewhere findings
are plain lines, each said once."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from leasehold.api.connection import MCPConnection
from world import clock, condition, day

SEEN, MISSED = "✔", "✘"
COLUMNS = ("Connection", "Server", "Ready", "Reason", "Gen", "Expires", "Lease ends", "Last seen")
FOLDED = ("Connection", "Server")
COLOURS = {"True": "green", "False": "red"}


@dataclass
class Check:
    """One thing that is to be seen; `evidence` once it was."""

    subject: str
    act: str
    evidence: str | None = None


class Board:
    """Findings from several threads; drawn by the one that calls `show`."""

    def __init__(self, console: Console, live: bool) -> None:
        self._console = console
        self._lock = threading.RLock()
        self._checks: list[Check] = []
        self._last: dict[str, str] = {}
        self._live = Live(console=console, auto_refresh=False, transient=False) if live else None

    def __enter__(self) -> "Board":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """A line about what goes on."""
        with self._lock:
            self._console.print(Text(line), soft_wrap=self._live is None)

    def expect(self, subject: str, act: str) -> None:
        """This is going to be seen."""
        with self._lock:
            self._checks.append(Check(subject, act))

    def seen(self, subject: str, act: str, evidence: str) -> None:
        """This was seen."""
        with self._lock:
            self._check(subject, act).evidence = evidence
            self._last[subject] = f"{act}: {evidence}"
            self.say(f"{SEEN} {subject} {act}: {evidence}")

    def missed(self, subject: str, act: str, why: str) -> None:
        """This was not seen."""
        with self._lock:
            self._last[subject] = f"{act}: {why}"
            self.say(f"{MISSED} {subject} {act}: {why}")

    def note(self, subject: str, what: str) -> None:
        """What was last seen of it, beside what was expected."""
        with self._lock:
            self._last[subject] = what

    def unseen(self) -> list[str]:
        """What was expected and not seen."""
        with self._lock:
            return [f"{check.subject} {check.act}" for check in self._checks if check.evidence is None]

    def show(self, connections: Sequence[MCPConnection]) -> None:
        """Draw the connections as they are now."""
        if self._live is not None:
            with self._lock:
                self._live.update(self._table(connections), refresh=True)

    def _check(self, subject: str, act: str) -> Check:
        return next(check for check in self._checks if (check.subject, check.act) == (subject, act))

    def _table(self, connections: Sequence[MCPConnection]) -> Table:
        seen = sum(check.evidence is not None for check in self._checks)
        table = Table(title=f"{seen} of {len(self._checks)} seen", expand=True, box=box.SIMPLE_HEAD)
        for column in COLUMNS:
            wide = column == "Last seen"
            table.add_column(
                column,
                ratio=1 if wide else None,
                min_width=16 if wide else None,
                no_wrap=column not in FOLDED,
                overflow="fold" if column in FOLDED else "ellipsis",
            )
        for connection in connections:
            table.add_row(*self._row(connection))
        return table

    def _row(self, connection: MCPConnection) -> list[Text]:
        status = connection.status
        ready = condition(connection, "Ready")
        value, reason = (ready.status.value, ready.reason.value) if ready else ("", "")
        server = status.server
        cells = [
            connection.key,
            (server.url or server.transport or "") if server else "",
            value,
            reason,
            str(status.last_generation),
            clock(status.credential_expiry_time),
            day(status.lease_end_time),
            self._last.get(connection.key, ""),
        ]
        return [Text(cell, style=COLOURS.get(cell, "")) for cell in cells]
