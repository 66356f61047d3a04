"""What the tables of evidence say of a quarter."""

import csv
import io
import json
from pathlib import Path

import pytest

from audit_runs import GONE, Process
from core.evidence_case import (
    DIGEST,
    ENDED,
    HOSTILE,
    ONE_DAY,
    a_former,
    a_quarter,
    a_review,
    an_exposure,
    living,
    rows,
)
from leasehold.api.base import rfc3339
from leasehold.core.evidence_folder import tables
from leasehold.core.evidence_sources import Sources, audit_name
from leasehold.core.evidence_table import csv_cell
from objects import NOON, a_connection, a_revocation


@pytest.fixture
def quarter(tmp_path: Path) -> Sources:
    return a_quarter(tmp_path / "audit.jsonl")


def test_the_population_has_who_is_there_and_who_is_gone(quarter: Sources) -> None:
    gone, here = rows(quarter, "population")
    assert (gone["name"], gone["uid"], gone["existence"], gone["toldBy"]) == (
        "gone-bot",
        GONE,
        "Gone",
        "Audit, Exposure",
    )
    assert (gone["createdTime"], gone["endedTime"], gone["endedReason"]) == (
        rfc3339(NOON),
        rfc3339(ENDED),
        "Deleted",
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
    audit = {audit_name(1): path.read_bytes()}
    sources = a_quarter(tmp_path / "b", audit=audit, connections=(living(), late), exposures=())
    assert [row["name"] for row in rows(sources, "population")] == ["support-bot-orders", "within"]


def test_the_population_has_who_is_remembered_by_an_agents_exposure_alone(tmp_path: Path) -> None:
    before, after = rfc3339(NOON - 3 * ONE_DAY), rfc3339(NOON + 2 * ONE_DAY)
    said = {"review": "q3", "reviewer": "bob@example.com", "assurance": "Owner", "time": rfc3339(NOON)}
    exposure = an_exposure(
        a_former("quiet-bot", "quiet", lastGeneration=0, reason="Rejected", rejection=said),
        a_former("old-bot", "old", createdTime=before, endedTime=before),
        a_former("late-bot", "late", createdTime=after, endedTime=after),
    )
    quiet, _ = rows(a_quarter(tmp_path / "a", audit={}, exposures=(exposure,)), "population")
    assert (quiet["name"], quiet["namespace"], quiet["agent"], quiet["existence"], quiet["toldBy"]) == (
        "quiet-bot",
        "support",
        "support-bot",
        "Gone",
        "Exposure",
    )
    assert (quiet["createdTime"], quiet["endedTime"], quiet["endedReason"]) == (
        rfc3339(NOON),
        rfc3339(ENDED),
        "Rejected",
    )
    assert (quiet["lastDecision"], quiet["lastReviewer"]) == ("Reject", "bob@example.com")


def test_who_lived_through_the_period_without_a_record_in_it_is_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    long = {"name": "long", "uid": "long"}
    Process(path, "one", NOON - 5 * ONE_DAY).mints(connection=long)
    Process(path, "two", NOON + 5 * ONE_DAY).ends(connection=long)
    audit = {audit_name(1): path.read_bytes()}
    sources = a_quarter(tmp_path / "b", audit=audit, connections=(), exposures=())
    assert [row["name"] for row in rows(sources, "population")] == ["long"]


def test_an_agent_is_told_with_all_that_it_can_reach(quarter: Sources) -> None:
    (row,) = rows(quarter, "agents")
    assert (row["namespace"], row["agent"], row["connections"], row["riskTier"], row["former"]) == (
        "support",
        "support-bot",
        1,
        "High",
        1,
    )
    assert (row["capabilities"], row["scopes"], row["credentialTypes"]) == (
        "ReadsPrivateData, WritesOutside",
        "orders:read, orders:write",
        "Lease",
    )
    assert (row["profiles"], row["servers"]) == ("orders-read", "https://orders-mcp.tools.svc/mcp")
    assert row["forbidden"] == (
        "trifecta (Warn), by support-bot-orders: it reads private data and writes outside"
    )


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
