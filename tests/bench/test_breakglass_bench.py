"""A small run of the breakglass benchmark: its counts are promises, its times are nobody's."""

from __future__ import annotations

import pytest

from bench.breakglass import BreakglassReport, run_breakglass
from controlplane import Plane

SIZE = 8


@pytest.fixture(scope="module")
def report(plane: Plane) -> BreakglassReport:
    """One whole run."""
    return run_breakglass(plane, "otp", SIZE, lambda line: print(line))


def test_one_switch_ends_all_that_it_matches_and_nothing_beside(report: BreakglassReport) -> None:
    ended = {"matched": SIZE, "revoked": SIZE, "verified": SIZE, "secretsDeleted": SIZE, "failed": 0}
    assert report.idle.counts == ended
    assert report.under_rotation.counts == ended


def test_others_are_rotated_meanwhile_each_once(report: BreakglassReport) -> None:
    assert report.under_rotation.rotated == SIZE
    assert list(report.others.values()) == [[2, 3]] * SIZE
