"""What the tables of evidence say of a quarter."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_runs import GONE, Process
from core.evidence_case import DIGEST, HOSTILE, METRICS, ONE_DAY, a_quarter, a_review, living
from leasehold.api.base import rfc3339
from leasehold.api.reasons import Reason
from leasehold.api.violation import PolicyViolation
from leasehold.core.audit import AuditAction, AuditOutcome, AuditPhase
from leasehold.core.evidence_folder import tables
from leasehold.core.evidence_sources import Sources, audit_name
from leasehold.core.evidence_table import csv_cell
from objects import NOON, a_connection, a_policy, a_revocation, an_entry


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
LEFT = {
    "owner": "alice@example.com",
    "answering": "alice@example.com",
    "leftSince": PAST,
    "deadlineTime": SOON,
}
VIOLATION = {
    "policy": "strict",
    "uid": "uid-of-strict",
    "generation": 4,
    "rule": "TTL",
    "effect": "Deny",
    "message": "at most 60 s",
    "sinceTime": rfc3339(NOON),
    "deadlineTime": SOON,
}
TAKEN_OVER = {"owner": "alice@example.com", "answering": "bob@example.com"}
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
    ("its owner has left", {"owner": LEFT}, {}, ["OwnerLeft"]),
    ("it is orphaned", {"owner": LEFT | {"orphanedSince": SOON}}, {}, ["Orphaned"]),
    ("it violates a policy", {"policyViolations": [VIOLATION]}, {}, ["PolicyViolated"]),
    ("its deputy has taken it over", {"owner": TAKEN_OVER}, {}, []),
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


def exceptions_of(sources: Sources, kind: str) -> list[Mapping[str, Any]]:
    return [row for row in rows(sources, "exceptions") if row["kind"] == kind]


def test_a_violation_says_which_rule_of_which_state_of_the_policy_and_when_it_ends_something(
    tmp_path: Path,
) -> None:
    connection = living(status=WELL | {"policyViolations": [VIOLATION]})
    (row,) = exceptions_of(a_quarter(tmp_path / "a", connections=(connection,)), "PolicyViolated")
    assert (row["policy"], row["policyGeneration"], row["rule"], row["effect"]) == (
        "strict",
        4,
        "TTL",
        "Deny",
    )
    assert (row["sinceTime"], row["deadlineTime"]) == (rfc3339(NOON), SOON)
    assert row["words"] == "at most 60 s"


def a_violation(**changed: Any) -> PolicyViolation:
    return PolicyViolation.model_validate(VIOLATION | changed)


def policed(path: Path, begin: datetime = NOON, gone: bool = False) -> Process:
    """A process that tells of a violation, and that it is over, or else of a connection that is `gone` now."""
    process = Process(path, f"policed-{gone}", begin)
    connection = {"name": "x", "uid": "x"} if gone else {}
    since: dict[str, Any] = {"violation": a_violation(sinceTime=rfc3339(begin)), "generation": None}
    process.tells(
        AuditAction.POLICY,
        Reason.POLICY_VIOLATED,
        message="at most 60 s",
        connection=connection,
        **since,
    )
    if not gone:
        process.tells(AuditAction.POLICY, Reason.POLICY_SATISFIED, after_seconds=60, **since)
    return process


def test_a_violation_that_is_over_is_told_by_the_records(tmp_path: Path) -> None:
    policed(tmp_path / "audit")
    policed(tmp_path / "audit", NOON + timedelta(minutes=10), gone=True)
    sources = a_quarter(tmp_path / "a", audit={audit_name(1): (tmp_path / "audit").read_bytes()})
    over, gone = exceptions_of(sources, "PolicyWasViolated")
    assert (over["policy"], over["policyGeneration"], over["rule"], over["effect"]) == (
        "strict",
        4,
        "TTL",
        "Deny",
    )
    assert (over["sinceTime"], over["untilTime"]) == (rfc3339(NOON), rfc3339(NOON + timedelta(seconds=70)))
    assert gone["connection"] == "x"
    assert str(gone["words"]).endswith("its connection is gone")


def test_a_violation_that_was_over_before_the_period_is_no_exception(tmp_path: Path) -> None:
    policed(tmp_path / "audit", NOON - 3 * ONE_DAY)
    sources = a_quarter(tmp_path / "a", audit={audit_name(1): (tmp_path / "audit").read_bytes()})
    assert exceptions_of(sources, "PolicyWasViolated") == []


def test_a_violation_that_stands_is_told_once_and_one_without_an_end_says_so(tmp_path: Path) -> None:
    process = Process(tmp_path / "audit", "policed")
    for rule in ("TTL", "Profile"):
        violation = a_violation(rule=rule)
        process.tells(AuditAction.POLICY, Reason.POLICY_VIOLATED, violation=violation, generation=None)
    audit = {audit_name(1): (tmp_path / "audit").read_bytes()}
    connection = living(status=WELL | {"policyViolations": [VIOLATION]})
    sources = a_quarter(tmp_path / "a", connections=(connection,), audit=audit)
    assert [row["rule"] for row in exceptions_of(sources, "PolicyViolated")] == ["TTL"]
    (row,) = exceptions_of(sources, "PolicyWasViolated")
    assert (row["rule"], row.get("untilTime")) == ("Profile", None)
    assert "no record says that it is satisfied" in str(row["words"])


def test_a_policy_that_was_deleted_in_the_period_is_an_exception(tmp_path: Path) -> None:
    process = Process(tmp_path / "audit", "policed")
    process.removes(a_policy(maxTTLSeconds=60))
    sources = a_quarter(tmp_path / "a", audit={audit_name(1): (tmp_path / "audit").read_bytes()})
    (row,) = exceptions_of(sources, "PolicyRemoved")
    assert (row["policy"], row["policyGeneration"], row["effect"]) == ("strict", 4, "Deny")
    assert row["sinceTime"] == rfc3339(process.now)


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
        "connections Active",
        "ledger entries Current",
        "store default",
        "store default: database/creds/orders-read",
        "generations in ledgers",
        "generations on record",
        "findings",
    } <= set(told)


def test_a_count_that_differs_shows(tmp_path: Path) -> None:
    sources = a_quarter(tmp_path / "a", metrics=METRICS.replace("} 1", "} 2"))
    told = holding(sources)
    assert [told[each] for each in ("connections", "connections Active", "ledger entries Current")] == [
        "No"
    ] * 3


def test_a_state_that_the_metrics_do_not_have_shows(tmp_path: Path) -> None:
    told = holding(a_quarter(tmp_path / "a", metrics=METRICS.replace("Active", "Expired")))
    assert (told["connections"], told["connections Active"], told["connections Expired"]) == (
        "Yes",
        "No",
        "No",
    )


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
    told = rows(a_quarter(tmp_path / "a", audit={}, metrics=None, vault=None), "reconciliation")
    assert [row["holds"] for row in told] == ["NotCompared"] * 5


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
