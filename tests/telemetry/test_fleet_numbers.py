"""The numbers of the fleet: what dashboards and alerts stand on, for fleets of any size."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.telemetry.fleet import FleetMetrics
from objects import NOON, a_connection, a_ready_condition, an_entry

DAY = timedelta(days=1)
DIGEST = "sha256:" + "0" * 64


def conn(
    name: str = "one",
    reason: Reason = Reason.ACTIVE,
    *,
    ready: bool = True,
    end: timedelta = 90 * DAY,
    ledger: tuple[LedgerEntry, ...] = (),
    spec: Mapping[str, Any] | None = None,
    **status: Any,
) -> MCPConnection:
    """A connection whose lease ends so long after noon."""
    return a_connection(
        name,
        spec=spec,
        status={
            "conditions": [a_ready_condition(reason, str(ready))],
            "leaseEndTime": rfc3339(NOON + end),
            "reviewDueTime": rfc3339(NOON + end - 14 * DAY),
            "ledger": [entry.to_wire() for entry in ledger],
            **status,
        },
    )


def numbers(
    *connections: MCPConnection, now: datetime = NOON, detailed: int = 100
) -> dict[str, dict[str, float]]:
    """Every fleet metric, by the label that tells its series apart."""
    fleet = FleetMetrics(detailed, now.timestamp)
    for each in connections:
        fleet.update(each)
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(fleet.render()):
        for sample in family.samples:
            told = [text for name, text in sample.labels.items() if name not in ("profile", "team")]
            found.setdefault(sample.name, {})[" ".join(told)] = sample.value
    return found


def as_it_may_be_at_worst() -> MCPConnection:
    """Everything that has a series is there."""
    entries = tuple(
        an_entry(number, state, end_time=NOON, issued_time=NOON, expiry_time=NOON + DAY).to_wire()
        for number, state in enumerate(EntryState, start=1)
    )
    levels = ("Benign", "Review", "Dangerous", "Hostile")
    review = {"review": "r", "reviewer": "bob@example.com", "assurance": "Owner", "time": rfc3339(NOON)}
    return a_connection(
        status={
            "conditions": [a_ready_condition(Reason.DRIFTED)],
            "leaseEndTime": rfc3339(NOON),
            "reviewDueTime": rfc3339(NOON),
            "credentialExpiryTime": rfc3339(NOON),
            "use": {"source": "Heartbeat", "lastUsedTime": rfc3339(NOON), "observedSince": rfc3339(NOON)},
            "residualExposureUntil": rfc3339(NOON),
            "approval": review,
            "rejection": review,
            "ledger": list(entries),
            "drift": {
                "liveDigest": DIGEST,
                "approvedDigest": DIGEST,
                "level": "Hostile",
                "sinceTime": rfc3339(NOON),
                "findings": [{"level": level, "kind": "ToolAdded"} for level in levels],
            },
        }
    )


def test_no_connection_has_more_than_ten_series() -> None:
    fleet = FleetMetrics()
    fleet.update(as_it_may_be_at_worst())
    own = [line for line in fleet.render().splitlines() if line.startswith("leasehold_connection_")]
    assert len(own) == 10
    assert len(own) == len({line.split("{")[0] for line in own}), "one series of each metric"


def test_above_so_many_connections_only_the_numbers_of_the_fleet_are_left() -> None:
    few = numbers(conn("one"), conn("two"), detailed=2)
    many = numbers(conn("one"), conn("two"), conn("three"), detailed=2)
    assert few["leasehold_fleet_detailed"] == {"": 1}
    assert many["leasehold_fleet_detailed"] == {"": 0}
    assert not [name for name in many if name.startswith("leasehold_connection_")]
    assert {name for name in many if name.startswith("leasehold_fleet_")} == {
        name for name in few if name.startswith("leasehold_fleet_")
    }
    assert many["leasehold_fleet_connections"] == {"Active true": 3}


def test_reviews_are_owed_when_they_are_due_soon_overdue_or_overdue() -> None:
    found = numbers(
        conn("later", end=20 * DAY),
        conn("due", end=10 * DAY),
        conn("soon", end=2 * DAY),
        conn("over", Reason.EXPIRED, ready=False, end=-DAY),
        conn("stopped", Reason.SUSPENDED, ready=False, end=-DAY),
    )
    assert found["leasehold_fleet_reviews_owed"] == {"due": 1, "soon": 1, "overdue": 1}


def test_a_short_lease_is_soon_overdue_in_its_last_third() -> None:
    short = conn(end=timedelta(seconds=200), spec={"leaseDurationSeconds": 900})
    assert numbers(short)["leasehold_fleet_reviews_owed"]["soon"] == 1
    fresh = conn(end=timedelta(seconds=400), spec={"leaseDurationSeconds": 900})
    assert numbers(fresh)["leasehold_fleet_reviews_owed"]["soon"] == 0


def test_leases_that_end_are_counted_by_how_soon() -> None:
    found = numbers(
        conn("today", end=DAY / 2),
        conn("week", end=6 * DAY),
        conn("month", end=29 * DAY),
        conn("past", end=-DAY),
    )
    assert found["leasehold_fleet_leases_ending"] == {"1": 1, "7": 2, "30": 3}


def test_the_first_lease_end_counts_only_what_may_be_used_or_may_be_alive() -> None:
    over = conn("over", Reason.EXPIRED, ready=False, end=-2 * DAY)
    assert "leasehold_fleet_first_lease_end_timestamp_seconds" not in numbers(over)
    alive = conn("alive", Reason.EXPIRED, ready=False, end=-DAY, ledger=(an_entry(1, EntryState.REVOKING),))
    first = numbers(over, alive, conn("active"))["leasehold_fleet_first_lease_end_timestamp_seconds"]
    assert first == {"": (NOON - DAY).timestamp()}


@pytest.mark.parametrize(
    ("state", "kind", "counts"),
    [
        (EntryState.REVOKING, CredentialType.LEASE, True),
        (EntryState.RETIRING, CredentialType.TOKEN, True),
        (EntryState.IRREVOCABLE, CredentialType.LEASE, True),
        (EntryState.REVOKING, CredentialType.EXPIRING, False),
        (EntryState.REVOKING, CredentialType.STATIC, False),
        (EntryState.INTENT, CredentialType.LEASE, False),
    ],
)
def test_a_revocation_is_due_only_where_somebody_can_revoke(
    state: EntryState, kind: CredentialType, counts: bool
) -> None:
    entry = an_entry(1, state, type=kind, end_time=NOON)
    found = numbers(conn(ledger=(entry, an_entry(2))))
    first = found.get("leasehold_fleet_first_revocation_due_timestamp_seconds", {})
    assert first == ({"": NOON.timestamp()} if counts else {})
    assert ("leasehold_connection_revocation_due_timestamp_seconds" in found) is counts


def test_a_renewal_is_due_after_two_thirds_of_a_life() -> None:
    entry = an_entry(1, issued_time=NOON, expiry_time=NOON + timedelta(seconds=900))
    first = numbers(conn(ledger=(entry,)))["leasehold_fleet_first_renewal_due_timestamp_seconds"]
    assert first == {"": NOON.timestamp() + 600}


def test_the_largest_ledger_shrinks_when_its_connection_does() -> None:
    fleet = FleetMetrics()
    fleet.update(conn("one", ledger=tuple(an_entry(number) for number in range(1, 6))))
    fleet.update(conn("two", ledger=(an_entry(1),)))
    assert "leasehold_fleet_largest_ledger" in fleet.render()
    fleet.update(conn("one"))
    (line,) = [
        line for line in fleet.render().splitlines() if line.startswith("leasehold_fleet_largest_ledger{")
    ]
    assert line.endswith(" 1")


def test_the_five_questions_are_counted_where_they_have_no_answer() -> None:
    good = conn(
        "good",
        server={"scopes": ["orders:read"], "credentialType": "Lease"},
        approval={"review": "r", "reviewer": "bob", "assurance": "Owner", "time": rfc3339(NOON)},
    )
    assert "leasehold_fleet_unanswered" not in numbers(good)
    bad = conn(
        "bad",
        spec={"owner": {"user": "system:serviceaccount:support:support-bot", "team": "support-platform"}},
        server={"credentialType": "Static"},
    )
    assert numbers(good, bad)["leasehold_fleet_unanswered"] == dict.fromkeys(
        ("owner", "scope", "expiry", "reviewer", "end"), 1
    )
    record_only = conn(server={"scopes": ["orders:read"]})
    assert numbers(record_only)["leasehold_fleet_unanswered"] == {"reviewer": 1, "end": 1}


def test_types_of_credentials_are_counted() -> None:
    found = numbers(conn("one", server={"credentialType": "Static"}), conn("two"))
    assert found["leasehold_fleet_credential_types"] == {"Static": 1, "None": 1}


def test_use_is_known_only_while_a_source_tells_of_it() -> None:
    since = {"source": "Heartbeat", "observedSince": rfc3339(NOON)}
    found = numbers(
        conn("used", use={**since, "lastUsedTime": rfc3339(NOON)}),
        conn("never", use=since),
        conn("not-watched"),
        conn("not-any-more", use={"source": "Prometheus", "lastUsedTime": rfc3339(NOON)}),
    )
    assert found["leasehold_fleet_use"] == {"used": 1, "never": 1, "unknown": 2}


moments = st.integers(-40, 40).map(lambda days: days * DAY)


@given(st.lists(st.tuples(st.sampled_from("abc"), moments, st.sampled_from(Reason), st.booleans())))
def test_whatever_happened_before_the_numbers_are_those_of_what_is_there(
    changes: list[tuple[str, timedelta, Reason, bool]],
) -> None:
    fleet, there = FleetMetrics(now=NOON.timestamp), dict[str, MCPConnection]()
    for name, end, reason, gone in changes:
        if gone:
            fleet.forget(f"support/{name}")
            there.pop(name, None)
            continue
        entry = an_entry(1, EntryState.RETIRING, end_time=NOON + end)
        there[name] = conn(name, reason, end=end, ledger=(entry,))
        fleet.update(there[name])
    afresh = FleetMetrics(now=NOON.timestamp)
    for each in there.values():
        afresh.update(each)
    assert sorted(fleet.render().splitlines()) == sorted(afresh.render().splitlines())
