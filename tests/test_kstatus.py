"""Our own reading of kstatus, by its published rules."""

from typing import Any

import pytest

from kstatus import Verdict, kstatus


def stored(*conditions: tuple[str, str], observed: int | None = 3, **metadata: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": kind, "status": value} for kind, value in conditions]}
    if observed is not None:
        status["observedGeneration"] = observed
    return {"metadata": {"generation": 3, **metadata}, "status": status}


@pytest.mark.parametrize(
    ("subject", "verdict"),
    [
        (stored(("Ready", "True"), deletionTimestamp="2026-11-20T09:30:00Z"), Verdict.TERMINATING),
        (stored(("Ready", "True"), observed=2), Verdict.IN_PROGRESS),
        (stored(("Stalled", "True"), observed=2), Verdict.IN_PROGRESS),
        (stored(("Ready", "True"), ("Reconciling", "True")), Verdict.IN_PROGRESS),
        (stored(("Ready", "False"), ("Stalled", "True")), Verdict.FAILED),
        (stored(("Ready", "False"), ("Stalled", "False")), Verdict.IN_PROGRESS),
        (stored(("Ready", "Unknown")), Verdict.IN_PROGRESS),
        (stored(("Ready", "True"), ("Reconciling", "False"), ("Stalled", "False")), Verdict.CURRENT),
        (stored(observed=None), Verdict.CURRENT),
        ({"metadata": {"generation": 1}}, Verdict.CURRENT),
    ],
)
def test_the_first_rule_that_applies_decides(subject: dict[str, Any], verdict: Verdict) -> None:
    assert kstatus(subject) is verdict
