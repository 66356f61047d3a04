"""What an access review has to ask about."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_runs import Process
from core.evidence_case import DIGEST, ONE_DAY, a_quarter, living, rows
from leasehold.api.base import rfc3339
from leasehold.api.reasons import Reason
from leasehold.api.violation import PolicyViolation
from leasehold.core.audit import AuditAction, AuditOutcome, AuditPhase
from leasehold.core.evidence_sources import Sources, audit_name
from objects import NOON, a_policy, an_entry


def kinds(sources: Sources) -> list[str]:
    return [str(row["kind"]) for row in rows(sources, "exceptions")]


@pytest.fixture
def quarter(tmp_path: Path) -> Sources:
    return a_quarter(tmp_path / "audit.jsonl")


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
