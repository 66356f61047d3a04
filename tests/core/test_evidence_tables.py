"""What the tables of evidence say of a quarter."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_runs import GONE, Process
from core.evidence_case import DIGEST, HOSTILE, METRICS, ONE_DAY, a_quarter, a_review, living
from leasehold.api.base import rfc3339
from leasehold.api.reasons import Reason
from leasehold.core.audit import AuditAction, AuditOutcome, AuditPhase
from leasehold.core.evidence_folder import tables
from leasehold.core.evidence_sources import Sources, audit_name
from leasehold.core.evidence_table import csv_cell
from objects import NOON, a_connection, a_revocation, an_entry


def rows(sources: Sources, name: str) -> list[Mapping[str, Any]]:
    (table,) = [each for each in tables(sources) if each.name == name]
    return list(table.rows)


def kinds(sources: Sources) -> list[str]:
    return [str(row["kind"]) for row in rows(sources, "exceptions")]


@pytest.fixture
def quarter(tmp_path: Path) -> Sources:
    return a_quarter(tmp_path / "audit.jsonl")


def test_the_population_has_who_is_there_and_who_is_gone(quarter: Sources) -> None:
    gone, here = rows(quarter, "population")
    assert (gone["name"], gone["uid"], gone["existence"], gone["toldBy"]) == (
        "gone-bot",
        GONE,
        "Gone",
        "Audit",
    )
    assert (gone["owner"], gone["credentialType"], gone["lastDecision"]) == (
        "alice@example.com",
        "Lease",
        "Reject",
    )
    assert (here["existence"], here["toldBy"]) == ("Exists", "API, Audit")
    assert (here["readyReason"], here["resourceVersion"]) == ("Active", "41")
    assert here["createdTime"] == rfc3339(NOON)


def test_who_came_after_the_period_or_had_gone_before_it_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for uid, begin in (("before", NOON - 3 * ONE_DAY), ("after", NOON + 2 * ONE_DAY), ("within", NOON)):
        Process(path, f"of-{uid}", begin).mints(connection={"name": uid, "uid": uid})
    late = a_connection("late", uid="late", metadata={"creationTimestamp": rfc3339(NOON + 2 * ONE_DAY)})
    sources = a_quarter(
        tmp_path / "b", audit={audit_name(1): path.read_bytes()}, connections=(living(), late)
    )
    assert [row["name"] for row in rows(sources, "population")] == ["support-bot-orders", "within"]


def test_who_lived_through_the_period_without_a_record_in_it_is_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    long = {"name": "long", "uid": "long"}
    Process(path, "one", NOON - 5 * ONE_DAY).mints(connection=long)
    Process(path, "two", NOON + 5 * ONE_DAY).ends(connection=long)
    sources = a_quarter(tmp_path / "b", audit={audit_name(1): path.read_bytes()}, connections=())
    assert [row["name"] for row in rows(sources, "population")] == ["long"]


def test_a_decision_says_who_looked_at_what_and_what_had_changed(quarter: Sources) -> None:
    written, recorded = rows(quarter, "decisions")
    assert (written["decision"], written["reviewer"], written["assurance"]) == (
        "Approve",
        "alice@example.com",
        "Owner",
    )
    assert (written["counted"], written["surfaceDigest"]) == ("Yes", DIGEST)
    assert written["changed"] == "Dangerous: ToolAdded 2"
    assert written["toldBy"] == "API, Audit"
    assert (recorded["decision"], recorded["reviewer"], recorded["assurance"]) == (
        "Reject",
        "carol@example.com",
        "Delegate",
    )
    assert (recorded["review"], recorded["toldBy"]) == ("purged", "Audit")


def test_a_void_review_is_a_decision_that_does_not_count(tmp_path: Path) -> None:
    sources = a_quarter(tmp_path / "a", audit={}, reviews=(a_review(counted="False", reviewer="mallory"),))
    (row,) = rows(sources, "decisions")
    assert (row["counted"], row["assurance"], row["toldBy"]) == ("No", "Delegate", "API")


def test_an_ending_says_how_long_it_took(quarter: Sources) -> None:
    (row,) = rows(quarter, "endings")
    assert (row["connection"], row["generation"], row["state"], row["secondsToVerified"]) == (
        "gone-bot",
        1,
        "Verified",
        400,
    )


def test_a_revocation_says_how_long_it_took_and_what_may_still_work(quarter: Sources) -> None:
    here, purged = sorted(rows(quarter, "revocations"), key=lambda row: str(row["name"]))
    assert (here["name"], here["secondsToVerified"], here["residual"], here["toldBy"]) == (
        "breakglass",
        42,
        "none",
        "API",
    )
    assert (purged["name"], purged["toldBy"], purged["liftedBy"]) == (
        "purged-switch",
        "Audit",
        "bob@example.com",
    )
    assert purged["secondsToVerified"] == 10


def test_a_revocation_that_was_lifted_before_the_period_is_no_part_of_it(tmp_path: Path) -> None:
    old = NOON - 3 * ONE_DAY
    lifted = a_revocation(
        metadata={"creationTimestamp": rfc3339(old)}, status={"liftedTime": rfc3339(old)}, lifted=True
    )
    sources = a_quarter(tmp_path / "a", audit={}, revocations=(lifted,))
    assert rows(sources, "revocations") == []


def test_the_exceptions_of_the_quarter(quarter: Sources) -> None:
    assert kinds(quarter) == ["EndedLate", "NeverReviewed", "UseNotWatched"]


REVIEWED = {
    "approval": {
        "review": "q4",
        "reviewer": "alice@example.com",
        "assurance": "Owner",
        "time": rfc3339(NOON),
    }
}
WATCHED = {"use": {"source": "Heartbeat", "observedSince": rfc3339(NOON)}}
WELL = REVIEWED | WATCHED
PAST, SOON = rfc3339(NOON + timedelta(hours=1)), rfc3339(NOON + 2 * ONE_DAY)
DRIFT = {"liveDigest": DIGEST, "approvedDigest": DIGEST, "level": "Review", "sinceTime": PAST}
LATE = an_entry(2, end_time=NOON, reason=Reason.SUSPENDED).to_wire() | {"state": "Revoking"}
EXCEPTIONS: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("nothing is wrong", {}, {}, []),
    ("the lease is over", {"leaseEndTime": PAST, "reviewDueTime": PAST}, {}, ["ReviewOverdue"]),
    ("the lease ends soon", {"leaseEndTime": SOON, "reviewDueTime": PAST}, {}, ["ReviewDue"]),
    ("nobody reviewed it", {"approval": None}, {}, ["NeverReviewed"]),
    ("it is static", {"server": {"credentialType": "Static"}}, {}, ["StaticCredential"]),
    ("nobody watches it", {"use": None}, {}, ["UseNotWatched"]),
    ("nobody uses it", {"use": {"source": "Heartbeat", "idleSince": PAST}}, {}, ["Idle"]),
    ("it has drifted", {"drift": DRIFT}, {}, ["Drifted"]),
    ("it is a record only", {}, {"output": None}, ["RecordOnly"]),
    ("a machine owns it", {}, {"owner": {"user": "system:admin", "team": "t"}}, ["OwnerIsNoPerson"]),
    ("it fails", {"backoff": {"failures": 3, "retryTime": SOON, "reason": "Unreachable"}}, {}, ["Failing"]),
    ("it did not end in time", {"ledger": [LATE]}, {}, ["NotEnded"]),
]


@pytest.mark.parametrize(
    ("status", "spec", "expected"), [case[1:] for case in EXCEPTIONS], ids=[c[0] for c in EXCEPTIONS]
)
def test_an_exception_of_a_connection(
    tmp_path: Path, status: dict[str, Any], spec: dict[str, Any], expected: list[str]
) -> None:
    connection = living(status={key: value for key, value in (WELL | status).items() if value}, spec=spec)
    assert kinds(a_quarter(tmp_path / "a", audit={}, connections=(connection,))) == expected


def test_what_was_given_up_and_what_has_no_end_on_record_are_exceptions(tmp_path: Path) -> None:
    process = Process(tmp_path / "a", "one")
    process.tells(AuditAction.ABANDON, Reason.ABANDONED, connection={"name": "given-up", "uid": "a"})
    process.mints(connection={"name": "forgotten", "uid": "b"})
    process.tells(
        AuditAction.REVOKE,
        Reason.DELETED,
        phase=AuditPhase.INTENT,
        outcome=AuditOutcome.STARTED,
        connection={"name": "forgotten", "uid": "b"},
    )
    data = {audit_name(1): (tmp_path / "a").read_bytes()}
    sources = a_quarter(tmp_path / "b", audit=data, connections=(living(status=WELL),))
    assert kinds(sources) == ["Abandoned", "EndNotOnRecord"]


def test_an_object_that_cannot_be_read_is_an_exception_and_is_counted(tmp_path: Path) -> None:
    sources = a_quarter(tmp_path / "a", unreadable=("mcpconnections support/strange",))
    assert "Unreadable" in kinds(sources)
    assert {"connections": "No"}.items() <= holding(sources).items()


def holding(sources: Sources) -> dict[str, str]:
    """What holds, by subject."""
    return {str(row.get("subject")): str(row["holds"]) for row in rows(sources, "reconciliation")}


def test_what_agrees_is_said_to_agree(quarter: Sources) -> None:
    told = holding(quarter)
    assert told.pop("note") == "NotCompared"
    assert set(told.values()) == {"Yes"}
    assert {
        "connections",
        "ledger entries Current",
        "generations in ledgers",
        "generations on record",
        "findings",
    } <= set(told)


def test_a_count_that_differs_shows(tmp_path: Path) -> None:
    sources = a_quarter(tmp_path / "a", metrics=METRICS.replace("} 1", "} 2"))
    assert (holding(sources)["connections"], holding(sources)["ledger entries Current"]) == ("No", "No")


def test_a_generation_that_no_record_knows_shows(tmp_path: Path) -> None:
    unknown = an_entry(7, issued_time=NOON + timedelta(minutes=3)).to_wire()
    sources = a_quarter(tmp_path / "a", connections=(living(status={"ledger": [unknown]}),))
    told = holding(sources)
    assert told["support/support-bot-orders generation 7"] == "No"
    assert told["support/support-bot-orders generation 1"] == "No", "it has left the ledger without an end"
    assert told["generations in ledgers"] == told["generations on record"] == "No"


def test_a_generation_under_another_login_than_recorded_shows(tmp_path: Path) -> None:
    other = an_entry(1, issued_time=NOON + timedelta(seconds=20), accessor="another").to_wire()
    sources = a_quarter(tmp_path / "a", connections=(living(status={"ledger": [other]}),))
    assert holding(sources)["support/support-bot-orders generation 1"] == "No"


def test_what_was_not_given_is_not_compared(tmp_path: Path) -> None:
    told = rows(a_quarter(tmp_path / "a", audit={}, metrics=None), "reconciliation")
    assert [row["holds"] for row in told] == ["NotCompared"] * 3


def test_a_broken_chain_shows_in_the_reconciliation(tmp_path: Path) -> None:
    whole = a_quarter(tmp_path / "a").audit[audit_name(1)]
    cut = b"".join(line for number, line in enumerate(whole.splitlines(keepends=True)) if number != 2)
    told = holding(a_quarter(tmp_path / "b", audit={audit_name(1): cut}))
    assert (told["findings"], told["Gap"]) == ("No", "No")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "  =1", "\uff1d1", "\t=1"])
def test_a_cell_is_no_formula(text: str) -> None:
    assert csv_cell(text).startswith("'") or csv_cell(text).startswith("\\t")


def test_csv_and_json_have_the_same_rows(quarter: Sources) -> None:
    for table in tables(quarter):
        files = table.files()
        told = json.loads(files[f"{table.name}.json"])
        read = list(csv.DictReader(io.StringIO(files[f"{table.name}.csv"].decode())))
        assert [{key: csv_cell(value) for key, value in row.items()} for row in told] == read


def test_hostile_text_is_no_formula_and_hides_nothing(quarter: Sources) -> None:
    text = b"".join(data for table in tables(quarter) for data in table.files().values()).decode()
    assert "\u202e" not in text
    assert "'=HYPERLINK" in text
    assert rows(quarter, "population")[1]["purpose"] == HOSTILE
