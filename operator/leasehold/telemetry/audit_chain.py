"""Links audit records to a chain on their way to the log, so that a lost one shows."""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from leasehold.core.audit_chain import (
    TAIL_BYTES,
    AuditChain,
    PreviousEnd,
    end_from,
    end_of,
    end_text,
    following,
    opening,
    record_hash,
)
from leasehold.ports import AuditSink


class ChainedAudit:
    """Implements `ports.AuditSink` over another one, whose file is at `path`. A record counts as written whatever
    becomes of it: what does not arrive is a gap in the chain. `left` is what the process before has left of its
    end, for where the file does not tell."""

    def __init__(self, log: AuditSink, path: Path | None = None, left: Callable[[], str] = str) -> None:
        self._log = log
        self._path = path
        self._left = left
        self._end = ""
        self._previous: str | None = None
        self._lock = Lock()

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record as the next one of this process's chain; never raises."""
        with self._lock:
            try:
                if self._previous is None:
                    record = opening(record, self._before())
                else:
                    record = following(record, self._previous)
                self._previous = record_hash(record)
                self._end = end_text(record, self._previous)
            except (TypeError, ValueError, KeyError):
                pass  # no record of ours; the log counts what it cannot write
            self._log.write(record)

    def end(self) -> str:
        """The last record that was written, to be left behind; empty before the first one. From any thread."""
        return self._end

    def _before(self) -> AuditChain:
        """Looked up when the first record is written: a replica that stood by may follow another one's."""
        in_file = self._in_file()
        return in_file if in_file.previous_end == PreviousEnd.KNOWN else end_from(self._left()) or in_file

    def _in_file(self) -> AuditChain:
        if self._path is None:
            return AuditChain(previous_end=PreviousEnd.NO_FILE)
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):
                return AuditChain(previous_end=PreviousEnd.UNREADABLE)
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - TAIL_BYTES, 0))
                return end_of(file.read())
        except FileNotFoundError:
            return AuditChain(previous_end=PreviousEnd.NO_RECORD)
        except OSError:
            return AuditChain(previous_end=PreviousEnd.UNREADABLE)
