"""Who agrees with whom, and what is said of those who do not."""

from datetime import timedelta
from pathlib import Path

import pytest

from core.evidence_case import METRICS, a_quarter, living, rows
from leasehold.core.evidence_sources import Sources, audit_name
from objects import NOON, an_entry


@pytest.fixture
def quarter(tmp_path: Path) -> Sources:
    return a_quarter(tmp_path / "audit.jsonl")


def test_an_object_that_cannot_be_read_is_an_exception_and_is_counted(tmp_path: Path) -> None:
    sources = a_quarter(tmp_path / "a", unreadable=("mcpconnections support/strange",))
    assert "Unreadable" in [row["kind"] for row in rows(sources, "exceptions")]
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
    assert {row["holds"] for row in told if not str(row["check"]).startswith("exposures")} == {"NotCompared"}
    assert len(told) == 7


def test_a_broken_chain_shows_in_the_reconciliation(tmp_path: Path) -> None:
    whole = a_quarter(tmp_path / "a").audit[audit_name(1)]
    cut = b"".join(line for number, line in enumerate(whole.splitlines(keepends=True)) if number != 2)
    told = holding(a_quarter(tmp_path / "b", audit={audit_name(1): cut}))
    assert (told["findings"], told["Gap"]) == ("No", "No")
