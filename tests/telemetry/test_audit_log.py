"""Audit records arrive as lines, and what does not arrive is counted."""

import io
import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leasehold.ports import AuditSink
from leasehold.telemetry.audit import AuditLog


class BrokenPipe(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def lines(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_record_is_one_line_in_the_stream_and_in_the_file(tmp_path: Path) -> None:
    stream, failed = io.StringIO(), list[str]()
    sink: AuditSink = AuditLog(failed.append, tmp_path / "audit.jsonl", stream)
    sink.write({"id": "1", "message": "two\nlines, ö, \ud800"})
    sink.write({"id": "2"})
    assert lines(stream.getvalue()) == [{"id": "1", "message": "two\nlines, ö, \ud800"}, {"id": "2"}]
    assert (tmp_path / "audit.jsonl").read_text() == stream.getvalue()
    assert failed == []


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    sink = AuditLog(list[str]().append, path, io.StringIO())
    sink.write({"id": "1"})
    path.rename(tmp_path / "audit.jsonl.1")
    sink.write({"id": "2"})
    assert lines((tmp_path / "audit.jsonl.1").read_text()) == [{"id": "1"}]
    assert lines(path.read_text()) == [{"id": "2"}]


def test_a_file_that_was_replaced_is_the_one_that_grows(tmp_path: Path) -> None:
    path, other = tmp_path / "audit.jsonl", tmp_path / "other"
    sink = AuditLog(list[str]().append, path, io.StringIO())
    sink.write({"id": "1"})
    other.write_text("")
    os.replace(other, path)
    sink.write({"id": "2"})
    assert lines(path.read_text()) == [{"id": "2"}]


def test_a_file_that_was_there_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(list[str]().append, path, io.StringIO()).write({"id": "1"})
    again = AuditLog(list[str]().append, path, io.StringIO())
    again.write({"id": "2"})
    again.reopen()
    again.write({"id": "3"})
    assert lines(path.read_text()) == [{"id": "1"}, {"id": "2"}, {"id": "3"}]


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    AuditLog(list[str]().append, tmp_path / "audit.jsonl", io.StringIO()).write({"id": "1"})
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o077 == 0


def test_a_failing_stream_is_counted_and_the_file_still_written(tmp_path: Path) -> None:
    failed: list[str] = []
    AuditLog(failed.append, tmp_path / "audit.jsonl", BrokenPipe()).write({"id": "1"})
    assert failed == ["stream"]
    assert lines((tmp_path / "audit.jsonl").read_text()) == [{"id": "1"}]


def test_a_closed_stream_is_counted() -> None:
    stream, failed = io.StringIO(), list[str]()
    stream.close()
    AuditLog(failed.append, None, stream).write({"id": "1"})
    assert failed == ["stream"]


def test_a_failing_file_is_counted_and_the_stream_still_written(tmp_path: Path) -> None:
    stream, failed = io.StringIO(), list[str]()
    sink = AuditLog(failed.append, tmp_path / "missing" / "audit.jsonl", stream)
    sink.write({"id": "1"})
    assert failed == ["file"]
    assert lines(stream.getvalue()) == [{"id": "1"}]
    (tmp_path / "missing").mkdir()
    sink.write({"id": "2"})
    assert failed == ["file"]
    assert lines((tmp_path / "missing" / "audit.jsonl").read_text()) == [{"id": "2"}]


def test_what_is_no_json_is_counted() -> None:
    stream, failed = io.StringIO(), list[str]()
    AuditLog(failed.append, None, stream).write({"id": object()})
    assert failed == ["record"]
    assert stream.getvalue() == ""


def test_half_a_line_on_a_full_disk_does_not_spoil_the_next_record(tmp_path: Path) -> None:
    path, failed = tmp_path / "audit.jsonl", list[str]()
    sink = AuditLog(failed.append, path, io.StringIO())
    sink.write({"id": "1"})
    with no_file_larger_than(path.stat().st_size + 5):
        sink.write({"id": "2"})
        sink.write({"id": "3"})
    sink.write({"id": "4"})
    assert failed == ["file", "file"]
    whole = [line for line in path.read_text().splitlines() if line.endswith("}")]
    assert whole == ['{"id":"1"}', '{"id":"4"}']


def test_half_a_line_of_a_process_that_was_killed_does_not_spoil_the_first_record_of_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"id":"1"}\n{"id":')
    AuditLog(list[str]().append, path, io.StringIO()).write({"id": "3"})
    assert path.read_text().splitlines() == ['{"id":"1"}', '{"id":', '{"id":"3"}']


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What a full disk looks like to a writer: part of a line, then an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("rounds", [50])
def test_rotation_loses_no_record(tmp_path: Path, rounds: int) -> None:
    path = tmp_path / "audit.jsonl"
    sink = AuditLog(list[str]().append, path, io.StringIO())
    for number in range(rounds):
        if number % 7 == 3:
            path.rename(tmp_path / f"audit.{number}.jsonl")
        sink.write({"id": number})
    written = [record for file in tmp_path.iterdir() for record in lines(file.read_text())]
    assert sorted(record["id"] for record in written if isinstance(record, dict)) == list(range(rounds))
