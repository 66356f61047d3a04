"""What people and programs read of a connection: which condition tells what, and that an unchanged status stays
unchanged."""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstatus import Verdict, kstatus
from leasehold.api.base import Condition, ConditionStatus, rfc3339
from leasehold.api.connection import EntryState, MCPConnectionStatus
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.core.advice import advised
from leasehold.core.checks import DENIALS, OBSTACLES, denies, first_finding
from leasehold.core.deadlines import idle_warning
from leasehold.core.decide import standing
from leasehold.core.faults import Conflict, Fault, NeedsPerson, OutcomeUnknown, TryLater
from leasehold.core.ledger import current
from leasehold.core.observation import Observation
from leasehold.core.project import LONGEST_RETRY_SECONDS, project
from objects import NOON, a_profile, a_revocation, a_store, an_entry, the_fact_of
from observations import a_claim, a_current, an_edit_of, an_intent, an_observation
from strategies import EACH, observations

UNREACHABLE = TryLater(Reason.UNREACHABLE, "store default cannot be reached")
REFUSED = NeedsPerson(Reason.REFUSED, "permission denied")
FAULTS = (
    None,
    UNREACHABLE,
    REFUSED,
    NeedsPerson(Reason.INVALID_SPEC, "a template names what is not there"),
    NeedsPerson(Reason.SECRET_CONFLICT, "the name is taken"),
    Conflict("changed"),
    OutcomeUnknown("cut off"),
)
ALIVE = an_observation(a_claim([a_current()]))


def told(status: MCPConnectionStatus, kind: str = "Ready") -> Condition:
    return next(condition for condition in status.conditions if condition.type == kind)


def verdict(o: Observation, status: MCPConnectionStatus) -> Verdict:
    return kstatus(o.connection.model_copy(update={"status": status}).to_wire())


def again(o: Observation, status: MCPConnectionStatus) -> Observation:
    return replace(o, connection=o.connection.model_copy(update={"status": stored(status)}))


def stored(status: MCPConnectionStatus) -> MCPConnectionStatus:
    return MCPConnectionStatus.model_validate(status.to_wire())


@EACH
@given(observations(), st.sampled_from(FAULTS))
def test_an_unchanged_status_stays_unchanged(o: Observation, fault: Fault | None) -> None:
    first = project(o, fault)
    assert project(again(o, first), None).to_wire() == first.to_wire()


@EACH
@given(observations(), st.sampled_from(FAULTS), st.integers(1, 3000))
def test_a_status_does_not_depend_on_the_moment_it_is_computed(
    o: Observation, fault: Fault | None, milliseconds: int
) -> None:
    """As long as nothing comes due in between, a later pass says the same."""
    first = stored(project(o, fault))
    later = replace(again(o, first), now=o.now + timedelta(milliseconds=milliseconds))
    due = [entry.expiry_time for entry in o.connection.status.ledger]
    due += [first.backoff.retry_time if first.backoff else None]
    due += [idle_warning(o.connection, first.use)]
    if standing(later) == standing(o) and not any(d and o.now < d <= later.now for d in due):
        assert project(later, None).to_wire() == first.to_wire()


@EACH
@given(observations(), st.sampled_from(FAULTS))
def test_no_sentence_holds_the_present_moment(o: Observation, fault: Fault | None) -> None:
    moment = rfc3339(o.now)
    derived = {rfc3339(entry.expiry_time) for entry in o.connection.status.ledger if entry.expiry_time}
    status = project(o, fault)
    derived |= set(status.use.to_wire().values()) if status.use is not None else set()
    if moment not in derived:
        assert not [each for each in status.conditions if moment in each.message]


@EACH
@given(observations(), st.sampled_from(FAULTS))
def test_the_authority_is_never_touched(o: Observation, fault: Fault | None) -> None:
    before, after = o.connection.status, project(o, fault)
    assert (after.ledger, after.last_generation, after.secret) == (
        before.ledger,
        before.last_generation,
        before.secret,
    )


@EACH
@given(observations(), st.sampled_from(FAULTS))
def test_ready_is_true_only_where_the_credential_may_be_used(o: Observation, fault: Fault | None) -> None:
    ready = told(project(o, fault))
    if ready.status is ConditionStatus.TRUE:
        assert ready.reason in (Reason.ACTIVE, Reason.REVIEW_DUE, Reason.STORE_UNAVAILABLE)
        assert first_finding(DENIALS, o) is None
        present = current(o.connection.status.ledger)
        if o.recipe is not None:
            assert present is not None
            assert present.expiry_time is None or o.now < present.expiry_time


@EACH
@given(observations(), st.sampled_from(FAULTS))
def test_a_denial_is_told_from_everything_else_by_its_ready_condition(
    o: Observation, fault: Fault | None
) -> None:
    ready = told(project(o, fault))
    if first_finding(DENIALS, o) is not None:
        assert denies(ready)
    elif ready.reason is not Reason.SERVICE_ACCOUNT_GONE:  # a mint may find that out, too
        assert not denies(ready)


@EACH
@given(observations(), st.sampled_from(FAULTS))
def test_a_denial_or_obstacle_is_readys_own_reason_whatever_else_failed(
    o: Observation, fault: Fault | None
) -> None:
    finding = first_finding(DENIALS + OBSTACLES, o)
    if finding is not None:
        ready = told(project(o, fault))
        assert (ready.reason, ready.message) == (finding.reason, finding.message)


@EACH
@given(observations(), st.sampled_from(FAULTS))
def test_stalled_is_true_only_for_what_a_person_must_fix(o: Observation, fault: Fault | None) -> None:
    stalled = told(project(o, fault), "Stalled").status is ConditionStatus.TRUE
    finding = standing(o)
    assert stalled is (finding.needs_person or isinstance(fault, NeedsPerson))


@pytest.mark.parametrize(
    ("o", "fault", "reason", "status"),
    [
        (ALIVE, None, Reason.ACTIVE, "True"),
        (ALIVE, UNREACHABLE, Reason.STORE_UNAVAILABLE, "True"),
        (an_observation(), UNREACHABLE, Reason.STORE_UNAVAILABLE, "False"),
        (ALIVE, REFUSED, Reason.STORE_UNAVAILABLE, "True"),
        (ALIVE, FAULTS[3], Reason.INVALID_SPEC, "False"),
        (ALIVE, FAULTS[4], Reason.SECRET_CONFLICT, "False"),
        (ALIVE, Conflict("changed"), Reason.ACTIVE, "True"),
        (an_observation(), None, Reason.PENDING, "False"),
        (an_observation(a_claim([an_intent()])), OutcomeUnknown("cut"), Reason.STORE_UNAVAILABLE, "False"),
        (
            an_observation(a_claim([a_current()], spec={"leaseDurationSeconds": 2 * 86400})),
            None,
            Reason.REVIEW_DUE,
            "True",
        ),
        (
            an_observation(a_claim([a_current()], spec={"suspend": True})),
            UNREACHABLE,
            Reason.SUSPENDED,
            "False",
        ),
        (
            an_observation(a_claim([a_current()]), revocations=(the_fact_of(a_revocation()),)),
            None,
            Reason.REVOKED,
            "False",
        ),
        (
            an_observation(
                a_claim([a_current()]), store=a_store(metadata={"deletionTimestamp": rfc3339(NOON)})
            ),
            None,
            Reason.STORE_UNAVAILABLE,
            "True",
        ),
    ],
)
def test_ready_says_the_first_thing_that_holds(
    o: Observation, fault: Fault | None, reason: Reason, status: str
) -> None:
    ready = told(project(o, fault))
    assert (ready.reason, ready.status) == (reason, status)


def test_a_connection_whose_credential_has_expired_is_not_ready() -> None:
    o = an_observation(a_claim([a_current(expiry_time=NOON)]))
    assert told(project(o, None)).status is ConditionStatus.FALSE
    assert told(project(o, None), "CredentialIssued").status is ConditionStatus.FALSE
    assert told(project(o, UNREACHABLE)).status is ConditionStatus.FALSE


def test_a_profile_without_a_recipe_gives_a_record_that_is_ready() -> None:
    profile = a_profile()
    records_only = profile.model_copy(update={"spec": profile.spec.model_copy(update={"credential": None})})
    status = project(an_observation(profile=records_only), None)
    assert told(status).status is ConditionStatus.TRUE
    assert told(status, "CredentialIssued").reason is Reason.RECORD_ONLY


@pytest.mark.parametrize(
    ("o", "fault", "expected"),
    [
        (ALIVE, None, Verdict.CURRENT),
        (ALIVE, UNREACHABLE, Verdict.IN_PROGRESS),
        (ALIVE, REFUSED, Verdict.FAILED),
        (an_observation(), None, Verdict.IN_PROGRESS),
        (an_observation(profile=None), None, Verdict.FAILED),
        (an_observation(a_claim(held=True)), None, Verdict.FAILED),
        (an_observation(a_claim([a_current()], deleted=True)), None, Verdict.TERMINATING),
    ],
)
def test_gitops_tools_are_told_to_wait_to_go_on_or_to_give_up(
    o: Observation, fault: Fault | None, expected: Verdict
) -> None:
    assert verdict(o, project(o, fault)) is expected


def waits(faults: list[Fault], o: Observation | None = None) -> list[float]:
    o, seconds = o or an_observation(), []
    for fault in faults:
        status = project(o, fault)
        assert status.backoff is not None
        seconds.append((status.backoff.retry_time - o.now).total_seconds())
        o = replace(again(o, status), now=status.backoff.retry_time)
    return seconds


def test_the_wait_grows_with_every_failure_and_never_beyond_five_minutes() -> None:
    seconds = waits([UNREACHABLE] * 30)
    assert 1 <= seconds[0] <= 2
    assert all(sooner < later for sooner, later in pairwise(seconds[:8]))
    assert all(200 < each <= LONGEST_RETRY_SECONDS for each in seconds[8:])


def test_what_a_revocation_ends_is_tried_again_twice_a_minute() -> None:
    revoked = an_observation(a_claim([a_current()]), revocations=(the_fact_of(a_revocation()),))
    assert standing(revoked).reason is Reason.REVOKED
    seconds = waits([UNREACHABLE] * 30, revoked)
    assert all(20 < each <= 30 for each in seconds[8:])


def test_success_forgets_failures() -> None:
    failed = project(an_observation(), UNREACHABLE)
    assert failed.backoff is not None
    later = replace(again(an_observation(), failed), now=failed.backoff.retry_time)
    assert project(later, None).backoff is None


def test_what_the_server_asked_for_is_waited_for() -> None:
    (seconds,) = waits([TryLater(Reason.THROTTLED, "too many requests", retry_after_seconds=40)])
    assert seconds == 40
    (longest,) = waits([TryLater(Reason.THROTTLED, "too many requests", retry_after_seconds=86400)])
    assert longest == LONGEST_RETRY_SECONDS


def test_connections_that_failed_together_do_not_try_again_together() -> None:
    times = {
        project(an_observation(a_claim(uid=f"uid-{number}")), UNREACHABLE).backoff for number in range(20)
    }
    assert len({each.retry_time for each in times if each}) > 15


def test_what_failed_is_told_until_it_is_tried_again() -> None:
    status = project(ALIVE, REFUSED)
    later = replace(again(ALIVE, status), now=NOON + timedelta(milliseconds=500))
    for kind in ("Ready", "Stalled", "Reconciling"):
        message = told(project(later, None), kind).message
        assert message == advised(REFUSED)
        assert message.startswith("permission denied; ")


def test_what_a_person_has_mended_is_told_no_more_while_something_else_is_waited_for() -> None:
    away = project(ALIVE, UNREACHABLE)
    older = a_claim([a_current()], created=NOON - timedelta(days=9))
    disputed = project(replace(again(ALIVE, away), rivals=(older,)), None)
    assert told(disputed, "Stalled").status is ConditionStatus.TRUE
    settled = replace(again(ALIVE, disputed), now=NOON + timedelta(milliseconds=500))
    status = project(settled, None)
    assert status.backoff is not None
    assert told(status, "Stalled").status is ConditionStatus.FALSE


@pytest.mark.parametrize("kind", ["connection", "profile", "store"])
def test_an_edit_ends_what_is_told_of_a_failure(kind: str) -> None:
    failed = again(ALIVE, project(ALIVE, REFUSED))
    edited = replace(failed, **{kind: an_edit_of(getattr(failed, kind))})
    status = project(edited, None)
    assert status.backoff is None
    assert told(status, "Stalled").status is ConditionStatus.FALSE


def test_a_condition_keeps_the_time_since_when_it_holds() -> None:
    first = project(ALIVE, None)
    later = replace(again(ALIVE, first), now=NOON + timedelta(minutes=1))
    assert told(project(later, UNREACHABLE)).last_transition_time == NOON
    suspended = replace(
        later, connection=a_claim([a_current()], spec={"suspend": True}, status=first.to_wire())
    )
    assert told(project(suspended, None)).last_transition_time == later.now


def test_residual_exposure_is_said_until_the_last_of_it_is_over() -> None:
    revoking = an_entry(1, EntryState.REVOKING, expiry_time=NOON + timedelta(hours=1))
    assert project(an_observation(a_claim([revoking])), None).residual_exposure_until == NOON + timedelta(
        hours=1
    )
    certificate = {"revokedCertificateUntil": rfc3339(NOON + timedelta(hours=2))}
    left = an_observation(a_claim([revoking], status=certificate))
    assert project(left, None).residual_exposure_until == NOON + timedelta(hours=2)
    assert project(ALIVE, None).residual_exposure_until is None


def test_what_is_not_proven_dead_is_listed_with_its_end() -> None:
    revoking = an_entry(
        3, EntryState.REVOKING, expiry_time=NOON + timedelta(hours=1), reason=Reason.SUSPENDED
    )
    issued = told(
        project(an_observation(a_claim([revoking], spec={"suspend": True})), None), "CredentialIssued"
    )
    assert re.search(
        r"generation 3 Revoking \(Suspended\), may work until 2026-11-20T13:00:00Z", issued.message
    )


def test_a_static_credential_is_flagged() -> None:
    static = a_current(type=CredentialType.STATIC, accessor="", lease_id=None, expiry_time=None)
    issued = told(project(an_observation(a_claim([static])), None), "CredentialIssued")
    assert "without an end; not revocable" in issued.message


def test_a_lost_ledger_is_unknown_not_empty() -> None:
    issued = told(project(an_observation(a_claim(held=True)), None), "CredentialIssued")
    assert (issued.status, issued.reason) == (ConditionStatus.UNKNOWN, Reason.LEDGER_LOST)


def test_a_long_message_is_cut_to_what_the_schema_takes() -> None:
    status = project(ALIVE, TryLater(Reason.UNREACHABLE, "x" * 5000))
    assert stored(status).to_wire() == status.to_wire()
