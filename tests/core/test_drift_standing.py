"""What drift does to a connection's standing, whatever happens."""

import base64
import gzip
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.base import ConditionStatus, rfc3339
from leasehold.api.connection import DriftItem, DriftLevel, MCPConnection
from leasehold.api.profile import CapturedSurface, DriftAction, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import MAX_SURFACE_LENGTH
from leasehold.core.captured import after_probe, reachable_of
from leasehold.core.checks import Effect
from leasehold.core.decide import decide, next_wake, standing
from leasehold.core.drift import DriftClass, FindingKind, worst
from leasehold.core.drift_standing import (
    DRIFT_WINDOW,
    NOTHING,
    UNRECORDED,
    Comparison,
    Difference,
    DriftStanding,
    difference,
    standing_to,
)
from leasehold.core.faults import NeedsPerson
from leasehold.core.field_compare import a_finding
from leasehold.core.probe import Probed
from leasehold.core.snapshot_content import UnfitSnapshot, saved_from, snapshot_of
from leasehold.core.surface import Identity, Surface, surface_digest
from leasehold.core.surface_compare import compare_surfaces
from mcp_surfaces import SEARCH, a_surface, edited, surfaces
from objects import NOON, a_profile
from observations import a_claim, a_current, an_observation

LIVE, OLD, OTHER = ("sha256:" + digit * 64 for digit in "123")
WEEK = timedelta(days=7)
LEVELS = st.sampled_from(list(DriftLevel))
MOMENTS = st.integers(0, 60).map(lambda days: NOON - timedelta(days=days))


def a_live(captured: datetime = NOON, **fields: Any) -> CapturedSurface:
    return CapturedSurface(
        digest=LIVE,
        captured_time=captured,
        snapshot="orders-read-1111111111111111",
        origin="https://orders.example.com",
        era="2025-11-25",
        identity_time=fields.pop("identity_time", captured),
        tools=2,
        **fields,
    )


def of_level(level: DriftLevel) -> Difference:
    return Difference(level, (DriftItem(level=level, kind="ToolAdded", item="x", count=1),), ("/tools/x",))


def a_profile_with(**on_drift: str) -> MCPServerProfile:
    wire = a_profile().to_wire()
    wire["spec"]["onDrift"] = on_drift
    return MCPServerProfile.model_validate(wire)


def approved(digest: str | None, moment: datetime = NOON, **status: Any) -> MCPConnection:
    record = {
        "review": "first",
        "reviewer": "alice@example.com",
        "assurance": "Owner",
        "time": rfc3339(moment),
        "surfaceDigest": digest,
    }
    created = NOON - timedelta(days=80)
    return a_claim([a_current()], created=created, status={"approval": record, **status})


def stands(
    level: DriftLevel, captured: datetime = NOON, connection: MCPConnection | None = None, **on_drift: str
) -> DriftStanding:
    compared = Comparison(OLD, of_level(level), NOTHING)
    return standing_to(connection or a_claim(), a_profile_with(**on_drift), a_live(captured), [compared])


@given(MOMENTS, LEVELS, LEVELS)
def test_what_was_approved_is_clean(captured: datetime, level: DriftLevel, identity: DriftLevel) -> None:
    """Also where another server answers than when it was captured first: a person has looked at this one."""
    clean = Comparison(LIVE, NOTHING, of_level(identity))
    drifted = Comparison(OLD, of_level(level), NOTHING)
    found = standing_to(approved(LIVE), a_profile(), a_live(captured), [clean, drifted])
    assert (found.level, found.deadline, found.record) == (None, None, None)
    assert found.approved_digest == LIVE


@given(LEVELS, MOMENTS, st.sampled_from(DriftAction), st.sampled_from(DriftAction))
def test_the_deadline_is_as_the_profile_says(
    level: DriftLevel, captured: datetime, dangerous: DriftAction, hostile: DriftAction
) -> None:
    found = stands(level, captured, dangerous=dangerous.value, hostile=hostile.value)
    wanted: datetime | None = captured + DRIFT_WINDOW
    if level is DriftLevel.BENIGN:
        wanted = None
    elif {DriftLevel.DANGEROUS: dangerous, DriftLevel.HOSTILE: hostile}.get(level) is DriftAction.SUSPEND:
        wanted = captured
    assert found.deadline == wanted


@given(MOMENTS, MOMENTS, LEVELS, LEVELS, st.sampled_from(DriftAction))
def test_of_two_ways_to_drift_the_earliest_deadline_wins(
    captured: datetime, answers: datetime, surface: DriftLevel, identity: DriftLevel, hostile: DriftAction
) -> None:
    profile, live = a_profile_with(hostile=hostile.value), a_live(captured, identity_time=answers)

    def end(one: Difference, other: Difference) -> datetime | None:
        return standing_to(a_claim(), profile, live, [Comparison(OLD, one, other)]).deadline

    both = standing_to(a_claim(), profile, live, [Comparison(OLD, of_level(surface), of_level(identity))])
    alone = (end(of_level(surface), NOTHING), end(NOTHING, of_level(identity)))
    assert both.deadline == min((each for each in alone if each is not None), default=None)
    assert both.level is max(surface, identity, key=list(DriftLevel).index)


@given(st.lists(st.tuples(MOMENTS, LEVELS), min_size=1, max_size=8))
def test_no_further_change_of_the_server_begins_the_time_anew(
    changes: list[tuple[datetime, DriftLevel]],
) -> None:
    connection, begun = a_claim(), None
    for captured, level in changes:
        found = stands(level, captured, connection)
        assert found.since is not None
        if begun is not None and found.deadline is not None:
            assert found.since <= begun
        begun = found.since if found.deadline is not None else None
        status = connection.status.model_copy(update={"drift": found.record})
        connection = connection.model_copy(update={"status": status})


def test_an_approval_in_between_begins_the_time_anew() -> None:
    drifting = stands(DriftLevel.REVIEW, NOON - timedelta(days=10)).record
    assert drifting is not None
    connection = approved(OTHER, NOON - WEEK, drift=drifting.to_wire())
    assert stands(DriftLevel.REVIEW, NOON, connection).since == NOON


def test_of_two_approved_surfaces_the_nearer_one_counts() -> None:
    far = Comparison(OLD, of_level(DriftLevel.HOSTILE), NOTHING)
    near = Comparison(OTHER, of_level(DriftLevel.BENIGN), NOTHING)
    for order in ([far, near], [near, far]):
        found = standing_to(a_claim(), a_profile(), a_live(), order)
        assert (found.approved_digest, found.level) == (OTHER, DriftLevel.BENIGN)


def test_a_surface_that_nobody_captured_hides_no_worse_drift_from_one_that_is_on_record() -> None:
    unknown = Comparison(OTHER, UNRECORDED, NOTHING, is_on_record=False)
    known = Comparison(OLD, of_level(DriftLevel.HOSTILE), NOTHING)
    found = standing_to(a_claim(), a_profile(), a_live(), [unknown, known])
    assert found.level is DriftLevel.HOSTILE


def test_nothing_approved_is_no_drift() -> None:
    assert standing_to(a_claim(), a_profile(), a_live(), []) == DriftStanding(LIVE)


@pytest.mark.parametrize(
    ("level", "days", "effect"),
    [
        (DriftLevel.BENIGN, 100, Effect.NONE),
        (DriftLevel.REVIEW, 13, Effect.NONE),
        (DriftLevel.REVIEW, 14, Effect.END),
        (DriftLevel.DANGEROUS, 13, Effect.NONE),
        (DriftLevel.DANGEROUS, 14, Effect.END),
        (DriftLevel.HOSTILE, 0, Effect.END),
    ],
)
def test_drift_ends_a_credential_at_its_deadline(level: DriftLevel, days: int, effect: Effect) -> None:
    drift = stands(level, NOON - timedelta(days=days))
    observed = an_observation(a_claim([a_current()]), drift=drift)
    finding = standing(observed)
    assert finding.effect is effect
    assert (finding.reason is Reason.DRIFTED) is (level is not DriftLevel.BENIGN)
    assert bool(decide(observed).endings) is (effect is Effect.END)


def test_the_deadline_is_a_moment_to_wake_up_at() -> None:
    drift = stands(DriftLevel.REVIEW, NOON - timedelta(days=14) + timedelta(seconds=30))
    assert next_wake(an_observation(a_claim([a_current()]), drift=drift)) == NOON + timedelta(seconds=30)


# what a probe leaves


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ConditionStatus.FALSE, ConditionStatus.UNKNOWN]),
            st.sampled_from([Reason.TIMEOUT, Reason.TOO_LARGE, Reason.UNAUTHORIZED, Reason.NO_CREDENTIAL]),
            st.text(max_size=20),
        ),
        max_size=10,
    )
)
def test_no_sequence_of_failed_probes_changes_what_is_known_of_a_server(
    failures: list[tuple[ConditionStatus, Reason, str]],
) -> None:
    wire = a_profile().to_wire() | {"status": {"surface": a_live().to_wire()}}
    profile = MCPServerProfile.model_validate(wire)
    for number, verdict in enumerate(failures):
        status = after_probe(profile, None, verdict, NOON + timedelta(minutes=number))
        assert status.surface == a_live()
        profile = profile.model_copy(update={"status": status})
        told = reachable_of(profile)
        assert told is not None
        assert (told.status, told.reason) == verdict[:2]


def test_a_snapshot_that_was_tampered_with_is_not_believed() -> None:
    probed = Probed(a_surface(), Identity("https://orders.example.com", None))
    snapshot = snapshot_of("orders-read", probed, NOON)
    bomb = base64.b64encode(gzip.compress(b" " * (20 << 20))).decode()
    other = snapshot_of("orders-read", replace(probed, surface=a_surface(())), NOON).spec.surface
    cut = base64.b64encode(base64.b64decode(snapshot.spec.surface)[:-8]).decode()
    for content in (bomb, other, cut, "AAAA"):
        forged = snapshot.spec.model_copy(update={"surface": content})
        with pytest.raises(UnfitSnapshot):
            saved_from(snapshot.model_copy(update={"spec": forged}))
    assert surface_digest(saved_from(snapshot).surface) == snapshot.spec.surface_digest


def test_a_surface_that_fits_into_no_object_is_refused() -> None:
    noise = Random(7).randbytes(600_000).hex()
    surface = a_surface((edited(SEARCH, description=noise),))
    probed = Probed(surface, Identity("https://orders.example.com", None))
    with pytest.raises(NeedsPerson) as refused:
        snapshot_of("orders-read", probed, NOON)
    assert refused.value.reason is Reason.TOO_LARGE
    assert f"{MAX_SURFACE_LENGTH >> 10} KiB" in refused.value.message


@given(surfaces)
def test_a_snapshot_gives_back_what_was_captured(surface: Surface) -> None:
    snapshot = snapshot_of("orders-read", Probed(surface, Identity("https://orders.example.com", None)), NOON)
    kept = saved_from(snapshot).surface
    assert surface_digest(kept) == snapshot.spec.surface_digest == surface_digest(surface)
    assert worst(compare_surfaces(surface, kept)) in (DriftClass.NONE, DriftClass.BENIGN)


def test_many_findings_become_few_lines() -> None:
    found = difference(a_finding(FindingKind.TOOL_ADDED, f"tool-{n}", f"/tools/tool-{n}") for n in range(500))
    assert found.level is DriftLevel.REVIEW
    assert [(each.kind, each.count) for each in found.items] == [("ToolAdded", 500)]
    assert len(found.paths) == 20
