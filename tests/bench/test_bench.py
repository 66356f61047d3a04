"""A small run of the benchmark: its counts are promises, its times are nobody's."""

from __future__ import annotations

import json

import pytest

from bench.run import Report, run_bench
from controlplane import ControlPlane

SIZE = 12


@pytest.fixture(scope="module")
def report() -> Report:
    """One whole run, on a plane where nobody else's connections are written to."""
    with ControlPlane() as plane:
        return run_bench(plane, "otp", SIZE, lambda line: print(line))


def test_a_first_mint_writes_two_statuses_one_finalizer_and_one_secret(report: Report) -> None:
    assert report.api_writes_per_connection == {"status": 2, "finalizer": 1, "secret": 1}


def test_a_rotation_writes_two_statuses_and_one_secret(report: Report) -> None:
    assert report.api_writes_per_rotation == {"status": 2, "finalizer": 0, "secret": 1}


def test_a_label_edit_mints_and_writes_nothing(report: Report) -> None:
    assert report.mints_by_label_edit == 0
    assert report.writes_by_label_edit == 0


def test_a_restart_mints_and_writes_nothing(report: Report) -> None:
    assert report.mints_by_restart == 0
    assert report.writes_by_restart == 0


def test_every_connection_has_one_lease_and_a_deleted_one_has_none(report: Report) -> None:
    assert report.live_leases_at_ready == SIZE
    assert report.live_leases_after_deletion == 0


def test_a_mint_asks_vault_for_nothing_but_a_login_and_the_credential(report: Report) -> None:
    """Besides, the operator asks now and then who answers, and looks after what is there."""
    assert 2 <= report.vault_requests_per_connection <= 3


def test_the_report_is_one_json_object_that_says_how_the_operator_stands_to_the_floor(report: Report) -> None:
    printed = json.loads(json.dumps(report.as_json()))
    assert printed["connections"] == SIZE
    assert printed["ratio"] == pytest.approx(
        printed["connections_per_second"] / printed["floor_per_second"], rel=0.05
    )
    assert printed["cpu_ratio"] > 0
    assert printed["operator_rss_mib"] > 0
    assert set(printed["operator_cpu_seconds"]) == {
        "create",
        "label_edit",
        "restart",
        "rotate",
        "overlap_ends",
        "delete",
    }
