"""Where audit records go: one JSON line each to standard output, and to a file where one is named. A record
that cannot be written stops no revocation: it is counted, for somebody to be called. Lines are written
before the call returns, so that what is recorded as intended was recorded before it was done."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, TextIO


class AuditLog:
    """Implements `ports.AuditSink`. `failed` is told the target of every write that did not arrive."""

    def __init__(
        self, failed: Callable[[str], None], path: Path | None = None, stream: TextIO | None = None
    ) -> None:
        self._failed = failed
        self._stream = sys.stdout if stream is None else stream
        self._file = None if path is None else _AppendedFile(path)
        self._lock = Lock()

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record to every target; never raises."""
        try:
            line = json.dumps(record, separators=(",", ":")) + "\n"
        except (TypeError, ValueError):
            self._failed("record")
            return
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except (OSError, ValueError):
                self._failed("stream")
            if self._file is not None and not self._file.append(line.encode()):
                self._failed("file")

    def reopen(self) -> None:
        """Let go of the file, so that the next record opens what is at its path then (for SIGHUP)."""
        with self._lock:
            if self._file is not None:
                self._file.close()

    def close(self) -> None:
        """Nothing is written any more."""
        self.reopen()


class _AppendedFile:
    """A file that somebody else may move away or remove at any time, and a disk that may be full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._torn = False

    def append(self, line: bytes) -> bool:
        """Whether the whole line is in the file that is at the path now."""
        try:
            if self._descriptor is None or self._was_moved(self._descriptor):
                self.close()
                self._descriptor = os.open(
                    self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
                )
                self._torn = _ends_torn(self._path)
            # After half a line (a full disk) a new one begins, or two records would be lost instead of one.
            line = b"\n" + line if self._torn else line
            written = os.write(self._descriptor, line)
        except OSError:
            return False
        self._torn = written != len(line) and (written > 0 or self._torn)
        return written == len(line)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            descriptor, self._descriptor, self._torn = self._descriptor, None, False
            os.close(descriptor)

    def _was_moved(self, descriptor: int) -> bool:
        opened = os.fstat(descriptor)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (opened.st_dev, opened.st_ino)


def _ends_torn(path: Path) -> bool:
    """Whether whoever wrote to the file before was stopped within a line; what cannot be read counts as whole."""
    try:
        if not path.is_file():  # a pipe has no end to look at
            return False
        with path.open("rb") as file:
            return file.seek(0, os.SEEK_END) > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
    except OSError:
        return False
