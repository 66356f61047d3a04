"""Whatever somebody does to kept audit records shows, and whatever is honest does not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit_runs import Process, records, three_processes
from leasehold.core.audit_lines import examine, read_kept
from objects import NOON

BEFORE = "2026-11-01T00:00:00Z"
AFTER = "2026-11-20T12:00:45Z"
"""The second process has written by then."""


def found(files: dict[str, bytes], since: str = BEFORE) -> list[str]:
    """The kinds of findings."""
    return [each.kind for each in examine(read_kept(files), since).findings]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three processes with four records each."""
    return three_processes(tmp_path_factory.mktemp("runs") / "audit.jsonl")


def test_records_as_they_were_written_are_whole(whole: bytes) -> None:
    kept = read_kept({"a": whole})
    assert examine(kept, BEFORE).findings == ()
    assert [(chain.source, len(chain.lines)) for chain in kept.chains] == [
        ("/leasehold/first", 4),
        ("/leasehold/second", 4),
        ("/leasehold/third", 4),
    ]
    assert all(line.envelope is not None for line in kept.lines)


def test_what_cannot_be_known_is_noted(whole: bytes) -> None:
    (note,) = examine(read_kept({"a": whole}), BEFORE).notes
    assert note.startswith("/leasehold/first knew of no chain before it (NoRecord)")


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def without(*numbers: int) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(each for number, each in enumerate(lines(data)) if number not in numbers)


def swapped(data: bytes) -> bytes:
    rows = lines(data)
    rows[5], rows[6] = rows[6], rows[5]
    return b"".join(rows)


def edited(number: int, old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        rows = lines(data)
        assert old in rows[number]
        rows[number] = rows[number].replace(old, new, 1)
        return b"".join(rows)

    return edit


def unlinked(data: bytes) -> bytes:
    rows = records(data)
    del rows[6]["data"]["previousHash"]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def unopened(data: bytes) -> bytes:
    rows = records(data)
    del rows[4]["data"]["chain"]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def stripped(data: bytes) -> bytes:
    """The second process, as if it had never linked anything."""
    rows = records(data)
    for row in rows[4:8]:
        row["data"].pop("previousHash", None)
        row["data"].pop("chain", None)
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def contradicted(data: bytes) -> bytes:
    return data + edited(5, b"triage", b"delete")(data)


TAMPERING = [
    ("a line was dropped from the middle", without(5), ["Gap"]),
    ("two lines were dropped", without(5, 6), ["Gap"]),
    ("the first line of a chain was dropped", without(4), ["Gap"]),
    ("the last line of a chain was dropped", without(7), ["EndMissing"]),
    ("a word was changed", edited(5, b"triage", b"delete"), ["Changed"]),
    ("a byte was changed in the last line of a chain", edited(7, b"triage", b"triagf"), ["Changed"]),
    ("a byte makes it no JSON", edited(5, b"{", b"["), ["UnreadableLine", "Gap"]),
    ("a byte makes it nobody's record", edited(5, b"dev.leasehold", b"dev.leasehole"), ["Gap"]),
    ("two lines were swapped", swapped, ["OutOfOrder"]),
    ("a chain was dropped", without(4, 5, 6, 7), ["ChainMissing"]),
    ("the first chain was dropped", without(0, 1, 2, 3), ["ChainMissing"]),
    ("the file was cut within a line", lambda data: data[:-20], ["UnreadableLine"]),
    ("the file was cut within the line that another chain names", without(7), ["EndMissing"]),
    ("a link was taken off", unlinked, ["Unlinked", "Changed"]),
    ("an opening was taken off", unopened, ["Changed", "Unlinked"]),
    ("all links of a chain were taken off", stripped, ["Unlinked", "Changed"]),
    ("a forged copy was put beside it", contradicted, ["Contradiction"]),
]


@pytest.mark.parametrize(
    ("act", "expected"), [case[1:] for case in TAMPERING], ids=[case[0] for case in TAMPERING]
)
def test_tampering_shows(whole: bytes, act: Callable[[bytes], bytes], expected: list[str]) -> None:
    assert sorted(found({"a": act(whole)})) == sorted(expected)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
    deadline=None,
)
@given(number=st.integers(0, 10), data=st.data())
def test_any_changed_letter_in_any_line_but_the_last_shows(
    whole: bytes, number: int, data: st.DataObject
) -> None:
    rows = lines(whole)
    at = data.draw(st.integers(0, len(rows[number]) - 2))
    changed = rows[number][:at] + bytes([rows[number][at] ^ 1]) + rows[number][at + 1 :]
    assert found({"a": b"".join([*rows[:number], changed, *rows[number + 1 :]])})


def test_a_place_is_named_by_file_and_line(whole: bytes) -> None:
    (finding,) = examine(read_kept({"q4.jsonl": without(5)(whole)}), BEFORE).findings
    assert finding.words == "of /leasehold/second record 2 is missing, between q4.jsonl:5 and q4.jsonl:6"


def test_the_last_records_of_the_newest_chain_are_missed_by_nobody(whole: bytes) -> None:
    assert found({"a": without(10, 11)(whole)}) == []


def test_rotated_files_may_come_in_any_order_and_overlap(whole: bytes) -> None:
    rows = lines(whole)
    one, two, both = b"".join(rows[:6]), b"".join(rows[6:]), b"".join(rows[3:9])
    assert found({"a": two, "b": one}) == []
    assert found({"a": two, "b": both, "c": one}) == []


def test_a_siem_may_write_records_in_its_own_way(whole: bytes) -> None:
    pretty = b"".join(
        json.dumps(row, sort_keys=True, separators=(" , ", " : ")).encode() + b"\r\n"
        for row in records(whole)
    )
    assert found({"a": pretty}) == []


def test_what_is_older_than_the_period_may_be_missing(whole: bytes) -> None:
    rest = without(0, 1, 2, 3, 4)(whole)
    assert found({"a": rest}, BEFORE) == ["Gap"]
    kept = examine(read_kept({"a": rest}), "2026-11-20T12:01:00Z")
    assert kept.findings == ()
    assert kept.notes == ("of /leasehold/second record 1 is missing, before a:1; that is older",)


def test_logs_between_the_records_are_left_out_and_counted(whole: bytes) -> None:
    rows = lines(whole)
    kept = read_kept({"a": b"".join([*rows[:3], b'{"event": "started"}\n', b"\n", *rows[3:]])})
    assert (kept.foreign, examine(kept, BEFORE).findings) == (1, ())


def test_records_of_an_older_version_have_their_numbers_alone(whole: bytes) -> None:
    rows = records(whole)[:4]
    for row in rows:
        row["data"].pop("previousHash", None)
        row["data"].pop("chain", None)
    old = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    assert found({"a": old}) == []
    assert found({"a": without(1)(old)}) == found({"a": without(0)(old)}) == ["Gap"]
    assert "no links" in examine(read_kept({"a": old}), BEFORE).notes[0]


def test_a_record_of_a_newer_version_is_kept_and_noted(tmp_path: Path) -> None:
    data = three_processes(tmp_path / "a")
    rows = records(data)
    rows[-1]["data"]["action"] = "teleport"
    rows[-1]["data"]["newField"] = {"a": 1}
    newer = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    kept = read_kept({"a": newer})
    assert examine(kept, BEFORE).findings == ()
    assert (
        "1 records are of a kind that this version does not know; no table has them"
        in examine(kept, BEFORE).notes
    )


@pytest.mark.parametrize(
    "strange", [{"data": []}, {"source": 1}, {"time": None}, {"data": {"sequence": "1"}}]
)
def test_a_record_that_lacks_what_every_record_has_is_unreadable(
    whole: bytes, strange: dict[str, object]
) -> None:
    row = {**records(whole)[0], **strange}
    assert found({"a": whole + json.dumps(row).encode()}) == ["UnreadableLine"]


def test_two_replicas_may_share_a_file(tmp_path: Path) -> None:
    one, two = Process(tmp_path / "a", "one"), Process(tmp_path / "a", "two", NOON)
    one.mints()
    two.mints()
    one.ends()
    two.ends()
    assert found({"a": (tmp_path / "a").read_bytes()}) == []
