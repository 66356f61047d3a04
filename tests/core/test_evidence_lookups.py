"""What Vault said of a generation, next to what its ledger says."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.evidence_case import ONE_DAY, a_look_up, a_quarter, living, vault_answers
from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState
from leasehold.api.profile import CredentialType
from leasehold.core.evidence_lookups import Found, Listing, LookUp, StoreAsked, Thing, VaultAnswers
from leasehold.core.evidence_reconciliation import reconciliation
from leasehold.core.evidence_sources import hashed
from leasehold.core.evidence_table import Row
from leasehold.core.evidence_vault import look_ups
from objects import NOON, an_entry

ASKED = NOON + ONE_DAY
PAST, LATER = ASKED - timedelta(minutes=1), ASKED + timedelta(minutes=1)
LOGIN, LEASE = a_look_up(Thing.LOGIN), a_look_up(Thing.LEASE)
NO_LOGIN, NO_LEASE = a_look_up(Thing.LOGIN, Found.DEAD), a_look_up(Thing.LEASE, Found.DEAD)
UNTOLD = a_look_up(Thing.LOGIN, Found.UNKNOWN, words="permission denied")

CASES: list[tuple[str, dict[str, Any], list[LookUp], str, str]] = [
    ("all is alive that has to be", {}, [LOGIN, LEASE], "Yes", "as the ledger has it"),
    ("it is alive, and ends later", {"expiry_time": LATER}, [LOGIN, LEASE], "Yes", "as the ledger has it"),
    (
        "its lease is dead",
        {},
        [LOGIN, NO_LEASE],
        "No",
        "it is Current in its ledger, and dead at Vault: Lease",
    ),
    (
        "its login is dead",
        {"state": EntryState.RETIRING, "end_time": LATER},
        [NO_LOGIN, LEASE],
        "No",
        "it is Retiring in its ledger, and dead at Vault: Login",
    ),
    ("it has run out", {"expiry_time": PAST}, [NO_LOGIN, NO_LEASE], "Yes", "as the ledger has it"),
    (
        "it outlives its end",
        {"state": EntryState.RETIRING, "end_time": PAST},
        [NO_LOGIN, LEASE],
        "No",
        f"it had to be over by {rfc3339(PAST)}, and is alive at Vault: Lease for 600 s",
    ),
    (
        "it outlives its expiry",
        {"expiry_time": PAST, "end_time": LATER},
        [LOGIN, NO_LEASE],
        "No",
        f"it had to be over by {rfc3339(PAST)}, and is alive at Vault: Login for 600 s",
    ),
    ("it is dead before the ledger knows", {"state": EntryState.REVOKING}, [NO_LOGIN, NO_LEASE], "Yes", ""),
    ("nobody may say", {}, [UNTOLD, LEASE], "NotCompared", "permission denied"),
    (
        "nobody may say of the login, and the lease is dead",
        {},
        [UNTOLD, NO_LEASE],
        "No",
        "dead at Vault: Lease",
    ),
    (
        "the ledger went on",
        {},
        [LOGIN, NO_LEASE.model_copy(update={"changed": True})],
        "NotCompared",
        "its ledger has changed since it was read",
    ),
    (
        "nothing can be looked up",
        {"type": CredentialType.STATIC, "accessor": "", "lease_id": None},
        [],
        "NotCompared",
        "nothing at Vault stands for it",
    ),
    ("its store is gone", {"store_uid": "other"}, [], "NotCompared", "its store is not registered any more"),
    ("another Vault answers", {"cluster_id": "other"}, [], "NotCompared", "another Vault answers"),
    ("nobody asked", {}, [], "NotCompared", "it was not asked about"),
]


def compared(tmp_path: Path, entry: dict[str, Any], answers: VaultAnswers) -> list[Row]:
    connection = living(status={"ledger": [an_entry(1, **entry).to_wire()]})
    sources = a_quarter(tmp_path / "a", connections=(connection,), vault=answers)
    rows = look_ups(sources).rows
    assert {row["holds"] for row in rows} <= {"Yes", "No", "NotCompared"}
    return [*rows, *(row for row in reconciliation(sources).rows if "Vault" in str(row["check"]))]


@pytest.mark.parametrize(
    ("entry", "found", "holds", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_vault_says_next_to_the_ledger(
    tmp_path: Path, entry: dict[str, Any], found: list[LookUp], holds: str, words: str
) -> None:
    answers = vault_answers(look_ups=tuple(found), listings=())
    rows = compared(tmp_path, entry, answers)
    assert rows[0]["holds"] == holds
    assert words in str(rows[0]["words"])
    (summary,) = [row for row in rows if row.get("subject") == "store default"]
    difference = [row for row in rows if row.get("subject") == "support/support-bot-orders generation 1"]
    assert summary["holds"] == ("No" if holds == "No" else "Yes")
    assert [row["holds"] for row in difference] == (["No"] if holds == "No" else [])
    left = [row["words"] for row in rows if row.get("subject") == "1 generations"]
    assert left == ([rows[0]["words"]] if holds == "NotCompared" else [])


def test_a_store_that_was_not_asked_says_why_once(tmp_path: Path) -> None:
    silent = StoreAsked(name="default", uid="store-uid", words="connection refused")
    rows = compared(tmp_path, {}, VaultAnswers(stores=(silent,)))
    assert [(row["holds"], row["words"]) for row in rows] == [("NotCompared", "connection refused")] * 2


def test_a_lease_in_no_ledger_is_a_difference_and_a_list_that_may_not_be_read_is_none(tmp_path: Path) -> None:
    strange = Listing(
        store="default", path="database/creds/a", leases=3, strangers=(hashed("database/creds/a/1"),)
    )
    closed = Listing(store="default", path="database/creds/b", words="permission denied")
    answers = vault_answers(listings=(strange, closed))
    told = {str(row.get("subject")): row for row in compared(tmp_path, {}, answers)}
    found, untold = told["store default: database/creds/a"], told["store default: database/creds/b"]
    assert (found["one"], found["other"], found["holds"]) == (3, 2, "No")
    assert (untold["holds"], untold["words"]) == ("NotCompared", "permission denied")
