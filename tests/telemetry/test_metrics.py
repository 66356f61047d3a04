"""What a scrape gets is what a Prometheus reads."""

import itertools
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.metrics import Telemetry
from objects import NOON, a_connection, a_ready_condition, an_entry

LABELS = {
    "namespace": "support",
    "name": "support-bot-orders",
    "profile": "orders-read",
    "team": "support-platform",
}


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(text: str, name: str) -> list[tuple[Mapping[str, str], float]]:
    every: Iterable[Metric] = text_string_to_metric_families(text)
    return [(s.labels, s.value) for family in every for s in family.samples if s.name == name]


def active() -> MCPConnection:
    return a_connection(
        status={
            "conditions": [a_ready_condition(Reason.ACTIVE)],
            "leaseEndTime": rfc3339(NOON + timedelta(days=90)),
            "credentialExpiryTime": rfc3339(NOON + timedelta(hours=1)),
            "ledger": [
                an_entry(1, EntryState.RETIRING).to_wire(),
                an_entry(2, EntryState.RETIRING).to_wire(),
                an_entry(3).to_wire(),
            ],
        }
    )


def test_an_active_connection_is_seen_with_its_times_and_its_ledger() -> None:
    fleet = FleetMetrics()
    fleet.update(active())
    text = fleet.render()
    assert samples(text, "leasehold_connection_ready") == [({**LABELS, "reason": "Active"}, 1)]
    ninety_days = (NOON + timedelta(days=90)).timestamp()
    assert samples(text, "leasehold_connection_lease_end_timestamp_seconds") == [(LABELS, ninety_days)]
    one_hour = (NOON + timedelta(hours=1)).timestamp()
    assert samples(text, "leasehold_connection_credential_expiry_timestamp_seconds") == [(LABELS, one_hour)]
    assert samples(text, "leasehold_connection_ledger_entries") == [(LABELS, 3)]


def test_the_last_use_is_seen_where_a_source_has_told_of_one() -> None:
    name = "leasehold_connection_last_use_timestamp_seconds"
    for use, seen in (
        ({"source": "Heartbeat", "lastUsedTime": rfc3339(NOON)}, [(LABELS, NOON.timestamp())]),
        ({"source": "Prometheus", "observedSince": rfc3339(NOON)}, []),
    ):
        fleet = FleetMetrics()
        fleet.update(a_connection(status={"use": use}))
        assert samples(fleet.render(), name) == seen


def test_an_unset_time_has_no_series() -> None:
    fleet = FleetMetrics()
    fleet.update(active())
    assert samples(fleet.render(), "leasehold_connection_review_due_timestamp_seconds") == []


def test_a_connection_without_status_is_pending_and_not_ready() -> None:
    fleet = FleetMetrics()
    fleet.update(a_connection())
    assert samples(fleet.render(), "leasehold_connection_ready") == [({**LABELS, "reason": "Pending"}, 0)]


def test_a_change_replaces_the_series_of_before() -> None:
    fleet = FleetMetrics()
    fleet.update(active())
    fleet.update(a_connection(status={"conditions": [a_ready_condition(Reason.EXPIRED, "False")]}))
    text = fleet.render()
    assert samples(text, "leasehold_connection_ready") == [({**LABELS, "reason": "Expired"}, 0)]
    assert samples(text, "leasehold_connection_ledger_entries") == []
    reasons = {labels["reason"]: count for labels, count in samples(text, "leasehold_fleet_connections")}
    assert reasons == {"Expired": 1}


def test_a_forgotten_connection_leaves_no_series_and_forgetting_twice_changes_nothing() -> None:
    fleet = FleetMetrics()
    fleet.update(active())
    fleet.forget("support/support-bot-orders")
    fleet.forget("support/support-bot-orders")
    text = fleet.render()
    assert text == FleetMetrics().render()


def test_a_connection_told_twice_is_shown_once_and_again_after_it_was_forgotten() -> None:
    fleet, connection = FleetMetrics(), active()
    fleet.update(connection)
    once = fleet.render()
    fleet.update(connection)
    assert fleet.render() == once
    fleet.forget(connection.key)
    fleet.update(connection)
    assert fleet.render() == once


def test_no_person_tool_address_or_lease_is_in_the_metrics() -> None:
    fleet = FleetMetrics()
    fleet.update(active())
    for private in ("alice", "bob", "SUP-812", "triage", "https://", "accessor", "database/creds"):
        assert private not in fleet.render()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Reason), st.integers(0, 3), st.booleans())))
def test_aggregates_are_the_sums_of_what_is_there(
    changes: list[tuple[str, Reason, int, bool]],
) -> None:
    fleet = FleetMetrics()
    there: dict[str, tuple[Reason, int]] = {}
    for name, reason, entries, gone in changes:
        if gone:
            fleet.forget(f"support/{name}")
            there.pop(name, None)
            continue
        ledger = [an_entry(number + 1).to_wire() for number in range(entries)]
        fleet.update(a_connection(name, status={"conditions": [a_ready_condition(reason)], "ledger": ledger}))
        there[name] = (reason, entries)
    text = fleet.render()
    counted = {labels["reason"]: n for labels, n in samples(text, "leasehold_fleet_connections") if n}
    assert counted == Counter(reason.value for reason, _ in there.values())
    states = {labels["state"]: n for labels, n in samples(text, "leasehold_fleet_ledger_entries")}
    assert states.get("Current", 0) == sum(entries for _, entries in there.values())


@given(
    st.one_of(
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
        st.text(alphabet='\\"\nn{}=,a', min_size=1, max_size=20),
    )
)
def test_any_team_name_comes_back_from_the_parser_as_it_was(team: str) -> None:
    fleet = FleetMetrics()
    fleet.update(a_connection(spec={"owner": {"user": "a", "team": team}}))
    # The parser takes lines as Python does, which knows more line ends than the format: those it cannot read.
    if len(f"{team}.".splitlines()) == len(f"{team}.".split("\n")):
        ((labels, _),) = samples(fleet.render(), "leasehold_connection_ready")
        assert labels["team"] == team


def everything() -> Telemetry:
    telemetry = Telemetry(FleetMetrics(), "0.1.0")
    telemetry.fleet.update(active())
    telemetry.minted("succeeded", Reason.FIRST_MINT, CredentialType.LEASE)
    telemetry.revoked("failed", Reason.EXPIRED)
    telemetry.revocation_lag(-0.5)
    telemetry.queue("revoke", 3, 12.5)
    telemetry.reconciled(0.01, "succeeded")
    telemetry.vault_request("default", "login", "succeeded", 0.02)
    telemetry.cluster_request("PUT", "mcpconnections/status", "succeeded", 0.003)
    telemetry.leader(leading=True)
    telemetry.inventory("MCPConnection", 10_000, 1.5)
    telemetry.store("default", True, Reason.ACTIVE, 2)
    telemetry.event_dropped("queue_full")
    telemetry.audit_write_failed("file")
    return telemetry


def test_the_whole_text_parses_and_names_each_family_once() -> None:
    text = everything().render().decode()
    types = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    helps = re.findall(r"^# HELP (\S+) .+$", text, re.MULTILINE)
    assert sorted(name for name, _ in types) == sorted(set(helps))
    assert len(helps) == len(set(helps))
    assert len(families(text)) == len(types)


def test_counters_end_in_total_and_durations_in_seconds() -> None:
    text = everything().render().decode()
    ours = [
        pair for pair in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE) if "leasehold" in pair[0]
    ]
    assert {"counter", "gauge", "histogram"} == {kind for _, kind in ours}
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in ours)
    assert all(name.endswith("_seconds") for name, kind in ours if kind == "histogram")
    assert "_created" not in text


def test_samples_of_a_family_stand_together() -> None:
    names = [
        re.sub(r"_(bucket|sum|count)$", "", re.split(r"[{ ]", line)[0])
        for line in everything().render().decode().splitlines()
        if not line.startswith("#")
    ]
    runs = [name for name, _ in itertools.groupby(names)]
    assert len(runs) == len(set(runs))


def test_the_operators_work_is_counted_by_outcome_and_reason() -> None:
    text = everything().render().decode()
    assert samples(text, "leasehold_mints_total") == [
        ({"outcome": "succeeded", "reason": "FirstMint", "type": "Lease"}, 1)
    ]
    assert samples(text, "leasehold_revocations_total") == [({"outcome": "failed", "reason": "Expired"}, 1)]
    assert samples(text, "leasehold_revocation_lag_seconds_sum") == [({}, 0)]
    assert samples(text, "leasehold_events_dropped_total") == [({"why": "queue_full"}, 1)]
    assert samples(text, "leasehold_audit_write_failures_total") == [
        ({"target": "record"}, 0),
        ({"target": "stream"}, 0),
        ({"target": "file"}, 1),
    ]
    assert samples(text, "leasehold_leader") == [({}, 1)]
    assert samples(text, "leasehold_build_info")[0][0]["version"] == "0.1.0"


def test_an_age_that_nobody_updates_goes_on_growing() -> None:
    now = [100.0]
    telemetry = Telemetry(FleetMetrics(), "0.1.0", monotonic=lambda: now[0])
    telemetry.queue("revoke", 2, 5.0)
    telemetry.inventory("MCPConnection", 7, 1.0)
    now[0] = 160.0
    text = telemetry.render().decode()
    assert samples(text, "leasehold_queue_oldest_age_seconds") == [({"lane": "revoke"}, 65.0)]
    assert samples(text, "leasehold_inventory_age_seconds") == [({"kind": "MCPConnection"}, 61.0)]


def test_an_empty_lane_has_no_age() -> None:
    now = [100.0]
    telemetry = Telemetry(FleetMetrics(), "0.1.0", monotonic=lambda: now[0])
    telemetry.queue("revoke", 2, 5.0)
    telemetry.queue("revoke", 0, 0.0)
    now[0] = 160.0
    assert samples(telemetry.render().decode(), "leasehold_queue_oldest_age_seconds") == [
        ({"lane": "revoke"}, 0.0)
    ]


def test_the_engine_tells_of_connections_through_the_facade() -> None:
    telemetry = Telemetry(FleetMetrics(), "0.1.0")
    telemetry.connection(active())
    labels = {**LABELS, "reason": "Active"}
    assert samples(telemetry.render().decode(), "leasehold_connection_ready") == [(labels, 1)]
    telemetry.connection_gone("support/support-bot-orders")
    assert samples(telemetry.render().decode(), "leasehold_connection_ready") == []


def test_a_store_has_the_reason_that_it_has_now() -> None:
    telemetry = Telemetry(FleetMetrics(), "0.1.0")
    telemetry.store("default", True, Reason.ACTIVE, 2)
    telemetry.store("default", False, Reason.SEALED, None)
    text = telemetry.render().decode()
    assert samples(text, "leasehold_store_ready") == [({"store": "default", "reason": "Sealed"}, 0)]
    assert samples(text, "leasehold_store_irrevocable_leases") == [({"store": "default"}, 2)]


def test_a_store_that_is_gone_leaves_no_series() -> None:
    telemetry = Telemetry(FleetMetrics(), "0.1.0")
    telemetry.store("default", False, Reason.UNREACHABLE, None)
    telemetry.store_gone("default")
    telemetry.store_gone("never-there")
    assert samples(telemetry.render().decode(), "leasehold_store_ready") == []


@pytest.mark.parametrize("rounds", [3000])
def test_a_scrape_during_changes_sees_whole_connections(rounds: int) -> None:
    fleet = FleetMetrics()
    torn: list[str] = []
    done = threading.Event()

    def scrape() -> None:
        while not done.is_set():
            text = fleet.render()
            ready = len(samples(text, "leasehold_connection_ready"))
            summed = sum(count for _, count in samples(text, "leasehold_fleet_connections"))
            if ready != summed:
                torn.append(f"{ready} != {summed}")

    scraper = threading.Thread(target=scrape)
    connections = [a_connection(f"c{number}") for number in range(20)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        scraper.start()
        for number in range(rounds):
            fleet.update(connections[number % 20])
            fleet.forget(f"support/c{(number * 7) % 20}")
    finally:
        sys.setswitchinterval(interval)
        done.set()
        scraper.join(timeout=30)
    assert not scraper.is_alive()
    assert torn == []


def test_a_namespace_without_shadows_any_more_has_no_series() -> None:
    telemetry = Telemetry(FleetMetrics(), "test")
    telemetry.looked_for_shadows("ok", {"support": (2, NOON), "search": (1, NOON)})
    telemetry.looked_for_shadows("ok", {"support": (1, NOON + timedelta(hours=1))})
    text = telemetry.render().decode()
    assert samples(text, "leasehold_shadow_connections") == [({"namespace": "support"}, 1)]
    assert samples(text, "leasehold_shadow_last_seen_timestamp_seconds") == [
        ({"namespace": "support"}, (NOON + timedelta(hours=1)).timestamp())
    ]
    telemetry.looked_for_shadows("Refused", {})
    text = telemetry.render().decode()
    assert samples(text, "leasehold_shadow_connections") == []
    assert {labels["outcome"]: value for labels, value in samples(text, "leasehold_shadow_looks_total")} == {
        "ok": 2,
        "Refused": 1,
    }
