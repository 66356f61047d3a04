"""Connections for which nothing is minted: every deadline ends them as it ends all others, and they are in every
number that a dashboard or an alert stands on. What cannot be theirs is said, with why."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from leasehold.api.base import ConditionStatus, rfc3339
from leasehold.api.connection import DriftLevel, MCPConnection, UseSource
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.core.decide import next_wake
from leasehold.core.drift_standing import DriftStanding
from leasehold.core.observation import Observation
from leasehold.core.owners import OwnerLook
from leasehold.core.project import project
from leasehold.core.use import UseLook, Word
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.fleet_facts import OWNER_GONE, VIOLATIONS
from objects import NOON, a_policy, a_profile
from observations import a_claim, an_observation

SHIPPED: Final = Path(__file__).parents[2] / "charts/leasehold/files"
DAY: Final = timedelta(days=1)
DIGEST: Final = "sha256:" + "0" * 64
ALICE_AND_BOB: Final = frozenset({"alice@example.com", "bob@example.com"})

NOTHING_MINTED = "nothing is minted, so the ledger stays empty"
NOT_THEIRS: Final[Mapping[str, str]] = {
    "leasehold_connection_credential_expiry_timestamp_seconds": "there is no credential that could expire",
    "leasehold_connection_ledger_entries": NOTHING_MINTED,
    "leasehold_connection_residual_exposure_timestamp_seconds": "nothing was handed out that could go on working",
    "leasehold_connection_revocation_due_timestamp_seconds": NOTHING_MINTED,
    "leasehold_fleet_first_renewal_due_timestamp_seconds": "there is no credential that could be renewed",
    "leasehold_fleet_first_revocation_due_timestamp_seconds": NOTHING_MINTED,
    "leasehold_fleet_ledger_entries": NOTHING_MINTED,
}
"""What dashboards and alerts have of credentials alone, and why no record-only connection is in it."""


def a_record_only_profile() -> MCPServerProfile:
    profile = a_profile()
    return profile.model_copy(update={"spec": profile.spec.model_copy(update={"credential": None})})


def observed(*, now: datetime = NOON, status: Mapping[str, Any] | None = None, **facts: Any) -> Observation:
    """A connection of a profile without a credential, which names no Secret."""
    claim = a_claim(spec={"output": None}, status=dict(status or {}))
    return an_observation(claim, now=now, profile=a_record_only_profile(), store=None, **facts)


def written(o: Observation) -> MCPConnection:
    """The connection once the pass has written its status."""
    return o.connection.model_copy(update={"status": project(o, None)})


def samples(connection: MCPConnection, now: datetime = NOON) -> dict[str, list[tuple[dict[str, str], float]]]:
    fleet = FleetMetrics(now=now.timestamp)
    fleet.update(connection)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(fleet.render()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


def everything_at_once() -> Observation:
    """Reviewed, used, drifted, its owner gone, and against a policy, all of it in time."""
    review = {"review": "r", "reviewer": "bob@example.com", "assurance": "Owner", "time": rfc3339(NOON)}
    use = {"source": "Heartbeat", "lastUsedTime": rfc3339(NOON), "observedSince": rfc3339(NOON)}
    return observed(
        status={"approval": review, "use": use},
        drift=drifted(DriftLevel.REVIEW, NOON + DAY),
        owner_look=OwnerLook(NOON, DAY, active=frozenset()),
        policies=(a_policy(allowedProfiles=["shop-*"], graceSeconds=86400),),
    )


def drifted(level: DriftLevel, deadline: datetime) -> DriftStanding:
    return DriftStanding(DIGEST, DIGEST, level, NOON, deadline)


def shipped_metrics() -> frozenset[str]:
    """Of connections, in dashboards and rules as they are shipped."""
    files = [*SHIPPED.glob("dashboards/*.json"), *SHIPPED.glob("rules/*.yaml")]
    text = "".join(path.read_text() for path in files)
    return frozenset(re.findall(r"leasehold_(?:connection|fleet)_[a-z_]+", text))


def test_a_record_only_connection_is_in_every_number_that_dashboards_and_alerts_have_of_connections() -> None:
    shipped = shipped_metrics()
    assert len(shipped) > 15, "the names are found"
    assert NOT_THEIRS.keys() <= shipped, "what no dashboard has needs no reason"
    found = samples(written(everything_at_once()))
    assert shipped - found.keys() == NOT_THEIRS.keys()
    for name in (OWNER_GONE.name, VIOLATIONS.name):  # in no dashboard, and to be asked for
        assert [value for _, value in found[name]] == [1]


def test_a_record_only_connection_is_counted_as_what_it_is() -> None:
    found = samples(written(observed()))
    ((labels, value),) = found["leasehold_fleet_connections"]
    assert (labels["reason"], labels["ready"], value) == ("Active", "true", 1)
    assert [labels["type"] for labels, _ in found["leasehold_fleet_credential_types"]] == ["None"]
    assert [labels["use"] for labels, _ in found["leasehold_fleet_use"]] == ["unknown"]
    assert [value for _, value in found["leasehold_connection_ready"]] == [1]


LATER: Final = NOON + 200 * DAY

ENDS: Final[Mapping[str, tuple[Observation, Reason]]] = {
    "its lease ends": (observed(now=LATER), Reason.EXPIRED),
    "its owner has left": (
        observed(
            status={
                "owner": {
                    "owner": "alice@example.com",
                    "answering": "alice@example.com",
                    "leftSince": rfc3339(NOON - 2 * DAY),
                    "deadlineTime": rfc3339(NOON - DAY),
                }
            },
            owner_look=OwnerLook(NOON, DAY, active=frozenset()),
        ),
        Reason.ORPHANED,
    ),
    "its server has drifted": (observed(drift=drifted(DriftLevel.REVIEW, NOON)), Reason.DRIFTED),
    "a policy denies it": (
        observed(policies=(a_policy(allowedProfiles=["shop-*"]),)),
        Reason.POLICY_VIOLATED,
    ),
    "nobody uses it": (
        observed(
            now=NOON + 61 * DAY,
            status={"use": {"source": "Heartbeat", "observedSince": rfc3339(NOON)}},
            look=UseLook(NOON + 61 * DAY, (Word(UseSource.HEARTBEAT, None),), is_steady=True),
        ),
        Reason.IDLE,
    ),
}


@pytest.mark.parametrize("why", ENDS)
def test_each_deadline_ends_a_record_only_connection_and_the_numbers_say_so(why: str) -> None:
    observation, reason = ENDS[why]
    connection = written(observation)
    (ready,) = (each for each in connection.status.conditions if each.type == "Ready")
    assert (ready.status, ready.reason) == (ConditionStatus.FALSE, reason)
    ((labels, value),) = samples(connection, observation.now)["leasehold_fleet_connections"]
    assert (labels["reason"], labels["ready"], value) == (reason, "false", 1)


def test_a_review_of_a_record_only_connection_is_due_and_overdue_as_of_any_other() -> None:
    early = written(observed()).status
    due, end = early.review_due_time, early.lease_end_time
    assert due is not None
    assert end is not None
    for now, reason, urgency in (
        (due, Reason.REVIEW_DUE, "due"),
        (end - DAY, Reason.REVIEW_DUE, "soon"),
        (end, Reason.EXPIRED, "overdue"),
    ):
        connection = written(observed(now=now))
        (ready,) = (each for each in connection.status.conditions if each.type == "Ready")
        assert ready.reason is reason
        owed = samples(connection, now)["leasehold_fleet_reviews_owed"]
        assert {labels["urgency"]: value for labels, value in owed}[urgency] == 1


def test_a_record_only_connection_is_looked_at_when_its_next_deadline_comes() -> None:
    o = everything_at_once()
    calm = observed(owner_look=OwnerLook(NOON, DAY, active=ALICE_AND_BOB))
    assert next_wake(calm) == written(calm).status.review_due_time
    for alone in (
        replace(calm, drift=o.drift),
        replace(calm, policies=o.policies),
        replace(calm, owner_look=o.owner_look),
    ):
        assert next_wake(alone) == NOON + DAY
