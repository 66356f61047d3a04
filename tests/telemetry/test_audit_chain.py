"""Each process writes a chain, and its first record says how the chain before it ended, as far as can be known."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from audit_lines import must_fit
from leasehold.api.reasons import Reason
from leasehold.core.audit import AuditAction, AuditOutcome, AuditPhase
from leasehold.core.audit_chain import record_hash
from leasehold.core.audit_record import audit_record
from leasehold.settings import Settings
from leasehold.telemetry.audit import AuditLog
from leasehold.telemetry.audit_chain import ChainedAudit
from leasehold.wiring import audit_file, chained
from objects import NOON, a_connection


def a_record(sequence: int, instance: str = "first", message: str = "") -> dict[str, Any]:
    return audit_record(
        instance=instance,
        sequence=sequence,
        time=NOON,
        action=AuditAction.MINT,
        phase=AuditPhase.INTENT,
        outcome=AuditOutcome.STARTED,
        reason=Reason.FIRST_MINT,
        connection=a_connection(),
        message=message,
    )


def written(path: Path | None, instance: str, count: int) -> list[dict[str, Any]]:
    """What one process writes."""
    stream = io.StringIO()
    sink = ChainedAudit(AuditLog(list[str]().append, path, stream), path)
    for number in range(1, count + 1):
        sink.write(a_record(number, instance))
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    must_fit(records)
    return records


def test_each_record_has_the_hash_of_the_one_before_it() -> None:
    records = written(None, "first", 4)
    hashes = [record_hash(each) for each in records]
    assert len(set(hashes)) == 4
    assert [each["data"].get("previousHash") for each in records] == [None, *hashes[:3]]
    assert ["chain" in each["data"] for each in records] == [True, False, False, False]


def test_the_hash_is_of_what_a_record_says_and_not_of_how_its_line_is_written() -> None:
    (record,) = written(None, "first", 1)
    again = json.loads(json.dumps(record, indent=3, sort_keys=True))
    assert record_hash(again) == record_hash(record)
    again["data"]["purpose"] += "."
    assert record_hash(again) != record_hash(record)


def test_without_a_file_nothing_is_known_of_the_chain_before_and_that_is_said() -> None:
    assert written(None, "first", 1)[0]["data"]["chain"] == {"previousEnd": "NoFile"}


def test_a_restart_names_the_end_of_the_chain_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    first = written(path, "first", 3)
    assert first[0]["data"]["chain"] == {"previousEnd": "NoRecord"}
    (second,) = written(path, "second", 1)
    assert second["data"]["chain"] == {
        "previousEnd": "Known",
        "source": "/leasehold/first",
        "sequence": 3,
        "hash": record_hash(first[-1]),
    }


def test_the_operator_links_its_records_to_those_in_the_file_that_its_settings_name(tmp_path: Path) -> None:
    settings = Settings(audit_file=str(tmp_path / "audit.jsonl"))
    for instance in ("first", "second"):
        log = AuditLog(list[str]().append, audit_file(settings), io.StringIO())
        chained(log, settings).write(a_record(1, instance))
        log.close()
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    ends = [json.loads(line)["data"]["chain"].get("source") for line in lines]
    assert ends == [None, "/leasehold/first"]


def test_without_a_file_a_process_names_what_the_one_before_it_has_left() -> None:
    first, later = (io.StringIO(), io.StringIO())
    sink = ChainedAudit(AuditLog(list[str]().append, None, first))
    assert sink.end() == "", "it has nothing to leave"
    for number in (1, 2):
        sink.write(a_record(number))
    settings = Settings()
    chained(AuditLog(list[str]().append, None, later), settings, sink.end).write(a_record(1, "second"))
    second = json.loads(later.getvalue())
    assert second["data"]["chain"] == {
        "previousEnd": "Known",
        "source": "/leasehold/first",
        "sequence": 2,
        "hash": record_hash(json.loads(first.getvalue().splitlines()[-1])),
    }
    must_fit([second])


def test_what_is_in_the_file_is_newer_than_what_was_left(tmp_path: Path) -> None:
    path, stream = tmp_path / "audit.jsonl", io.StringIO()
    written(path, "first", 3)
    sink = ChainedAudit(AuditLog(list[str]().append, path, stream), path, lambda: LEFT)
    sink.write(a_record(1, "second"))
    assert json.loads(stream.getvalue())["data"]["chain"]["sequence"] == 3
    path.unlink()
    stream = io.StringIO()
    ChainedAudit(AuditLog(list[str]().append, path, stream), path, lambda: LEFT).write(a_record(1, "third"))
    assert json.loads(stream.getvalue())["data"]["chain"]["sequence"] == 2, "the file was moved away"


LEFT = json.dumps({"source": "/leasehold/first", "sequence": 2, "hash": "sha256:" + "0" * 64})


@pytest.mark.parametrize(
    "strange",
    ["", "[]", "7", "{", '{"sequence": -1}', LEFT.replace("sha256", "md5"), LEFT[:-1] + ', "x": 1}'],
)
def test_what_was_left_and_is_no_end_of_a_chain_tells_nothing(strange: str) -> None:
    stream = io.StringIO()
    ChainedAudit(AuditLog(list[str]().append, None, stream), None, lambda: strange).write(a_record(1))
    assert json.loads(stream.getvalue())["data"]["chain"] == {"previousEnd": "NoFile"}


def test_half_a_line_at_the_end_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    first = written(path, "first", 3)
    path.write_bytes(path.read_bytes()[:-5])
    (second,) = written(path, "second", 1)
    assert second["data"]["chain"]["hash"] == record_hash(first[1])


def test_a_pipe_has_no_end_that_could_be_read_and_is_written_to(tmp_path: Path) -> None:
    pipe, failed = tmp_path / "audit", list[str]()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ChainedAudit(AuditLog(failed.append, pipe, io.StringIO()), pipe).write(a_record(1))
        record = json.loads(os.read(reader, 65536))
    finally:
        os.close(reader)
    assert (record["data"]["chain"], failed) == ({"previousEnd": "Unreadable"}, [])


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    sink = io.StringIO()
    ChainedAudit(AuditLog(list[str]().append, None, sink), tmp_path).write(a_record(1))
    assert json.loads(sink.getvalue())["data"]["chain"] == {"previousEnd": "Unreadable"}


@pytest.mark.parametrize("strange", ["[]", '{"source": 1, "data": {"sequence": 1}}', "null", "{}", "1e999"])
def test_a_file_without_a_record_is_said_to_have_none(tmp_path: Path, strange: str) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text(strange + "\n")
    assert written(path, "first", 1)[0]["data"]["chain"] == {"previousEnd": "NoRecord"}


def test_what_is_no_record_goes_to_the_log_which_counts_it() -> None:
    failed: list[str] = []
    sink = ChainedAudit(AuditLog(failed.append, None, io.StringIO()))
    sink.write({"data": {"message": object()}})
    sink.write({"id": object()})
    assert failed == ["record", "record"]
