"""A stopped agent is what somebody decided: no sync fails because of it, waits for it, or hides it."""

from typing import Any

import pytest

from gitops.health import Health, argocd_health, flux_verdict
from leasehold.api.reasons import Reason

DECIDED = (
    Reason.REVOKED,
    Reason.HELD,
    Reason.REJECTED,
    Reason.SUSPENDED,
    Reason.EXPIRED,
    Reason.POLICY_VIOLATED,
    Reason.POLICY_UNREADABLE,
    Reason.RECREATED,
    Reason.DRIFTED,
    Reason.IDLE,
    Reason.ORPHANED,
)
USABLE = (
    Reason.ACTIVE,
    Reason.REVIEW_DUE,
    Reason.DRIFTED,
    Reason.POLICY_VIOLATED,
    Reason.STORE_UNAVAILABLE,
)
MENDED_BY_A_PERSON = (
    Reason.INVALID_SPEC,
    Reason.SECRET_CONFLICT,
    Reason.LEDGER_LOST,
    Reason.LEDGER_FULL,
    Reason.STORE_UNAVAILABLE,
)
ON_THEIR_WAY = (
    Reason.PENDING,
    Reason.DELETED,
    Reason.STORE_UNAVAILABLE,
    Reason.SERVICE_ACCOUNT_GONE,
    Reason.NAMESPACE_NOT_ALLOWED,
)


def a_status(
    reason: Reason, ready: str = "False", stalled: str = "False", reconciling: str = "False"
) -> dict[str, Any]:
    """An object as the API server stores it, with these conditions."""
    values = {
        "Reconciling": (reconciling, "AsDesired"),
        "Stalled": (stalled, "AsDesired"),
        "Ready": (ready, reason),
    }
    conditions = [
        {"type": kind, "status": status, "reason": str(why), "message": f"why it is {why}"}
        for kind, (status, why) in values.items()
    ]
    return {
        "apiVersion": "leasehold.dev/v1alpha1",
        "kind": "MCPConnection",
        "metadata": {"name": "a", "generation": 3},
        "status": {"observedGeneration": 3, "conditions": conditions},
    }


def test_a_policy_is_healthy_without_a_status() -> None:
    policy = {
        "apiVersion": "leasehold.dev/v1alpha1",
        "kind": "MCPAccessPolicy",
        "metadata": {"generation": 2},
    }
    assert argocd_health(policy).status == "Healthy"


def test_every_reason_of_ready_has_a_verdict() -> None:
    of_ready = set(list(Reason)[: list(Reason).index(Reason.DELETED) + 1])
    assert of_ready == {*DECIDED, *USABLE, *MENDED_BY_A_PERSON, *ON_THEIR_WAY}


@pytest.mark.parametrize("reason", USABLE)
def test_what_may_be_used_is_healthy(reason: Reason) -> None:
    usable = a_status(reason, ready="True")
    assert argocd_health(usable) == Health("Healthy", f"{reason}: why it is {reason}")
    assert flux_verdict(usable) == "Current"


@pytest.mark.parametrize("reconciling", ["False", "True"])
@pytest.mark.parametrize("reason", DECIDED)
def test_what_somebody_decided_is_healthy_and_says_so(reason: Reason, reconciling: str) -> None:
    decided = a_status(reason, reconciling=reconciling)
    assert argocd_health(decided) == Health("Healthy", f"{reason}: why it is {reason}")
    assert flux_verdict(decided) == "Current"


@pytest.mark.parametrize("reason", MENDED_BY_A_PERSON)
def test_what_a_person_must_mend_is_degraded(reason: Reason) -> None:
    stuck = a_status(reason, stalled="True", reconciling="True")
    assert argocd_health(stuck).status == "Degraded"
    assert flux_verdict(stuck) == "Failed"


def test_a_decision_that_cannot_be_carried_out_is_degraded() -> None:
    stuck = a_status(Reason.SUSPENDED, stalled="True")
    assert argocd_health(stuck).status == "Degraded"
    assert flux_verdict(stuck) == "Failed"


@pytest.mark.parametrize("reason", ON_THEIR_WAY)
def test_everything_else_is_on_its_way(reason: Reason) -> None:
    coming = a_status(reason, reconciling="True")
    assert argocd_health(coming) == Health("Progressing", f"{reason}: why it is {reason}")
    assert flux_verdict(coming) == "InProgress"


def test_nothing_is_said_of_a_version_that_nobody_has_looked_at() -> None:
    edited = a_status(Reason.ACTIVE, ready="True")
    edited["metadata"]["generation"] = 4
    assert argocd_health(edited).status == "Progressing"
    assert flux_verdict(edited) == "InProgress"


@pytest.mark.parametrize("status", [None, {"observedGeneration": 0}, {"observedGeneration": 3}])
def test_a_new_object_is_on_its_way(status: dict[str, Any] | None) -> None:
    fresh: dict[str, Any] = a_status(Reason.ACTIVE) | {"status": status}
    if status is None:
        del fresh["status"]
    assert argocd_health(fresh).status == "Progressing"
    assert flux_verdict(fresh) == "InProgress"


@pytest.mark.parametrize("kind", ["MCPCredentialStore", "MCPServerProfile"])
@pytest.mark.parametrize(
    ("ready", "argocd", "flux"), [("True", "Healthy", "Current"), ("False", "Progressing", "InProgress")]
)
def test_a_store_or_profile_is_healthy_when_it_is_ready(
    kind: str, ready: str, argocd: str, flux: str
) -> None:
    body = a_status(Reason.ACTIVE, ready=ready) | {"kind": kind}
    body["status"]["conditions"] = [each for each in body["status"]["conditions"] if each["type"] == "Ready"]
    assert argocd_health(body).status == argocd
    assert flux_verdict(body) == flux


def test_an_application_of_applications_waits_for_the_wave_before() -> None:
    kind = "argoproj.io/Application"
    assert argocd_health({"status": {"health": {"status": "Degraded", "message": "no"}}}, kind) == Health(
        "Degraded", "no"
    )
    assert argocd_health({"status": {"health": {"status": "Healthy"}}}, kind) == Health("Healthy", "")
    assert argocd_health({}, kind).status == "Progressing"
