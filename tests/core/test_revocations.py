"""Whom a revocation means, and what it leaves behind."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.connection import MCPConnection
from leasehold.api.hold import Hold, OnLift
from leasehold.api.profile import MCPServerProfile
from leasehold.api.revocation import RevocationTarget
from leasehold.core.revocations import denying, holds_now, is_owed_a_hold, let_go, matches, unreadable
from objects import NOON, UNREADABLE, a_connection, a_profile, a_revocation, an_entry, the_fact_of
from strategies import EACH

URL = "https://orders-mcp.tools.svc/mcp"
LATER = NOON + timedelta(minutes=5)

MEANT: dict[str, dict[str, Any]] = {
    "its profile": {"profile": "orders-read"},
    "its agent": {"agent": "support-bot"},
    "its owner": {"ownerUser": "alice@example.com"},
    "its team": {"team": "support-platform"},
    "itself": {"connection": "support/support-bot-orders"},
    "its namespace": {"namespace": "support"},
    "its labels": {"labelSelector": {"matchLabels": {"tier": "prod"}}},
    "its URL": {"serverURL": URL},
    "the beginning of its URL": {"serverURL": "https://orders-mcp.tools.svc/m*"},
    "its whole host": {"serverURL": "https://orders-mcp.tools.svc/*"},
    "its vendor": {"vendor": "Example Inc"},
    "all of it": {
        "profile": "orders-read",
        "namespace": "support",
        "serverURL": URL,
        "vendor": "Example Inc",
    },
}
NOT_MEANT: dict[str, dict[str, Any]] = {
    "another profile": {"profile": "orders"},
    "another agent": {"agent": "support"},
    "its deputy": {"ownerUser": "bob@example.com"},
    "another team": {"team": "support"},
    "another name": {"connection": "support/support-bot"},
    "another namespace": {"namespace": "support-2"},
    "another label": {"labelSelector": {"matchLabels": {"tier": "test"}}},
    "another URL": {"serverURL": "https://orders-mcp.tools.svc/mcp2"},
    "another host": {"serverURL": "https://orders-mcp.tools/*"},
    "another vendor": {"vendor": "Example"},
    "its vendor in other letters": {"vendor": "example inc"},
    "only its vendor": {"vendor": "Example Inc", "namespace": "support-2"},
    "only a part of it": {"profile": "orders-read", "namespace": "support-2"},
}


def the_profile(**spec: str) -> MCPServerProfile:
    wire = a_profile().to_wire()
    return MCPServerProfile.model_validate(
        {**wire, "spec": {**wire["spec"], "vendor": "Example Inc", **spec}}
    )


PROFILE = the_profile()


def the_connection(holds: tuple[Hold, ...] = (), **server: str) -> MCPConnection:
    """`server` is what its status remembers of the profile."""
    connection = a_connection(labels={"tier": "prod"}, status={"server": server} if server else {})
    return connection.model_copy(update={"status": connection.status.model_copy(update={"holds": holds})})


def a_hold(**fields: Any) -> Hold:
    return Hold(
        **{
            "uid": "uid-of-breakglass",
            "revocation": "breakglass",
            "since_time": NOON,
            "on_lift": OnLift.REQUIRE_REVIEW,
            **fields,
        }
    )


@pytest.mark.parametrize("target", MEANT.values(), ids=MEANT)
def test_whoever_satisfies_every_field_is_meant(target: dict[str, Any]) -> None:
    assert matches(RevocationTarget.model_validate(target), the_connection(), PROFILE)


@pytest.mark.parametrize("target", NOT_MEANT.values(), ids=NOT_MEANT)
def test_whoever_misses_one_field_is_not_meant(target: dict[str, Any]) -> None:
    assert not matches(RevocationTarget.model_validate(target), the_connection(), PROFILE)


def test_a_host_with_a_star_means_the_bare_host_too() -> None:
    target = RevocationTarget.model_validate({"serverURL": "https://mcp.example.com/*"})
    assert matches(target, the_connection(), the_profile(url="https://mcp.example.com"))
    assert not matches(target, the_connection(), the_profile(url="https://mcp.example.com.evil.test/mcp"))


def test_the_url_that_credentials_were_made_for_is_meant_after_the_profile_has_another() -> None:
    target = RevocationTarget.model_validate({"serverURL": URL})
    assert matches(target, the_connection(url=URL), the_profile(url="https://elsewhere.example.com/mcp"))
    assert matches(target, the_connection(url=URL), None)
    assert not matches(target, the_connection(), None)


def test_the_vendor_that_is_remembered_is_meant_after_the_profile_has_another_or_is_gone() -> None:
    target = RevocationTarget(vendor="Example Inc")
    remembering = the_connection(vendor="Example Inc")
    assert matches(target, remembering, the_profile(vendor="Another Inc"))
    assert matches(target, remembering, a_profile())
    assert matches(target, remembering, None)
    assert matches(target, the_connection(vendor="Another Inc"), PROFILE)
    assert not matches(target, the_connection(vendor="Another Inc"), None)
    assert not matches(target, the_connection(), a_profile())
    assert not matches(target, the_connection(), None)


def test_without_revocations_nothing_is_denied() -> None:
    assert not denying((), the_connection(), PROFILE, NOON)
    assert unreadable(()) is None


def test_what_this_version_cannot_read_is_found() -> None:
    assert unreadable((the_fact_of(a_revocation()), UNREADABLE)) is UNREADABLE


def test_a_lifted_revocation_denies_no_more() -> None:
    assert denying((the_fact_of(a_revocation()),), the_connection(), PROFILE, NOON)
    assert not denying((the_fact_of(a_revocation(lifted=True)),), the_connection(), PROFILE, NOON)


def test_a_drill_runs_out() -> None:
    drill = the_fact_of(a_revocation(expiresSeconds=60))
    assert denying((drill,), the_connection(), PROFILE, NOON + timedelta(seconds=59))
    assert not denying((drill,), the_connection(), PROFILE, NOON + timedelta(seconds=60))


def test_whoever_is_held_does_not_escape_by_leaving_the_target() -> None:
    elsewhere = the_fact_of(a_revocation(target={"team": "another"}))
    assert not denying((elsewhere,), the_connection(), PROFILE, NOON)
    assert denying((elsewhere,), the_connection((a_hold(),)), PROFILE, NOON)
    assert denying((elsewhere,), the_connection(), PROFILE, NOON, frozenset({"uid-of-breakglass"}))


def test_a_match_leaves_one_hold_and_keeps_it() -> None:
    facts = (the_fact_of(a_revocation()),)
    (first,) = holds_now(facts, the_connection(), PROFILE, NOON)
    assert (first.uid, first.since_time, first.lifted_time) == ("uid-of-breakglass", NOON, None)
    assert holds_now(facts, the_connection((first,)), PROFILE, LATER) == (first,)


LIFTED = a_revocation(lifted=True)
RESUMED = a_revocation(lifted=True, onLift="Resume")
FREED: dict[str, tuple[Any, Hold, datetime | None, bool]] = {
    "lifted, nobody approved": ((the_fact_of(LIFTED),), a_hold(), None, False),
    "lifted, approved before": ((the_fact_of(LIFTED),), a_hold(), NOON, False),
    "lifted long ago, approved before": ((), a_hold(lifted_time=LATER), LATER, False),
    "lifted, approved after": ((), a_hold(lifted_time=NOON), LATER, True),
    "lifted to resume": ((the_fact_of(RESUMED),), a_hold(on_lift=OnLift.RESUME), None, True),
    "deleted, nobody saw the lift": ((), a_hold(on_lift=OnLift.RESUME), LATER, False),
    "deleted after its lift to resume": ((), a_hold(on_lift=OnLift.RESUME, lifted_time=NOON), None, True),
    "not lifted, approved": ((the_fact_of(a_revocation()),), a_hold(), LATER, False),
}


@pytest.mark.parametrize(("facts", "hold", "approved", "freed"), FREED.values(), ids=FREED)
def test_only_a_lift_frees_and_then_an_approval_after_it(
    facts: Any, hold: Hold, approved: datetime | None, freed: bool
) -> None:
    left = holds_now(facts, the_connection((hold,)), PROFILE, LATER, approved_time=approved)
    assert (left == ()) is freed


def test_a_match_that_was_lifted_before_its_hold_was_written_is_held_all_the_same() -> None:
    facts, matched = (the_fact_of(LIFTED),), frozenset({"uid-of-breakglass"})
    (hold,) = holds_now(facts, the_connection(), PROFILE, LATER, matched)
    assert (hold.uid, hold.lifted_time) == ("uid-of-breakglass", LATER)
    assert holds_now(facts, the_connection(), PROFILE, LATER) == ()
    assert holds_now((the_fact_of(RESUMED),), the_connection(), PROFILE, LATER, matched) == ()
    seen = (the_fact_of(a_revocation(lifted=True, status={"liftedTime": NOON})),)
    assert holds_now(seen, the_connection(), PROFILE, LATER, matched, approved_time=LATER) == ()


def test_a_hold_is_owed_until_it_is_written_or_nobody_needs_it() -> None:
    revocation = a_revocation()
    assert is_owed_a_hold(revocation, the_connection(), NOON)
    assert not is_owed_a_hold(revocation, the_connection((a_hold(),)), NOON)
    assert is_owed_a_hold(LIFTED, the_connection(), NOON)
    assert not is_owed_a_hold(RESUMED, the_connection(), NOON)
    going = a_connection(metadata={"deletionTimestamp": NOON})
    assert not is_owed_a_hold(revocation, going, NOON)


def test_one_lifted_revocation_frees_nobody_whom_another_holds() -> None:
    facts = (the_fact_of(RESUMED), the_fact_of(a_revocation("second")))
    holds = (a_hold(on_lift=OnLift.RESUME), a_hold(uid="uid-of-second", revocation="second"))
    connection = the_connection(holds)
    assert [hold.revocation for hold in holds_now(facts, connection, PROFILE, LATER)] == ["second"]
    assert [each.metadata.name for each in denying(facts, connection, PROFILE, LATER)] == ["second"]


def test_what_was_let_go_unproven_is_remembered_with_its_end() -> None:
    (limited,) = let_go((a_hold(),), an_entry(expiry_time=LATER))
    assert (limited.residual_time, limited.without_end) == (LATER, False)
    (endless,) = let_go((limited,), an_entry(expiry_time=None))
    assert (endless.residual_time, endless.without_end) == (LATER, True)


@EACH
@given(
    lifted=st.booleans(),
    exists=st.booleans(),
    resume=st.booleans(),
    steps=st.lists(st.integers(0, 600), min_size=1, max_size=5),
)
def test_nobody_is_freed_without_a_lift_that_was_seen(
    lifted: bool, exists: bool, resume: bool, steps: list[int]
) -> None:
    """However often it is looked at, deleting or hiding a revocation frees nobody."""
    on_lift = OnLift.RESUME if resume else OnLift.REQUIRE_REVIEW
    revocation = a_revocation(lifted=lifted, onLift=on_lift.value)
    facts = (the_fact_of(revocation),) if exists else ()
    holds: tuple[Hold, ...] = (a_hold(on_lift=on_lift),)
    for step in steps:
        holds = holds_now(facts, the_connection(holds), PROFILE, NOON + timedelta(seconds=step))
    assert (holds == ()) is (exists and lifted and resume)
