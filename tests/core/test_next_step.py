"""Whoever reads why a connection is not ready also reads what changes it."""

import re

import pytest

from docs.test_docs import OPERATING, rows
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.cli.app import app
from leasehold.core.next_step import next_step
from objects import NOON, a_connection, a_ready_condition

READY_REASONS = [
    Reason(row[0].strip("`")) for row in rows(OPERATING, "reason", "Ready", "what holds", "what to do")
]
HELD_TWICE = [
    {"uid": "u1", "revocation": "inc-1", "sinceTime": NOON, "onLift": "RequireReview", "liftedTime": NOON},
    {"uid": "u2", "revocation": "inc-2", "sinceTime": NOON, "onLift": "RequireReview"},
]


def stopped(reason: Reason, *conditions: dict[str, str], **status: object) -> MCPConnection:
    ready = {**a_ready_condition(reason, "False"), "observedGeneration": 3}
    return a_connection(status={"conditions": [ready, *conditions], **status})


@pytest.mark.parametrize("reason", READY_REASONS)
def test_every_reason_but_active_has_a_step(reason: Reason) -> None:
    step = next_step(stopped(reason))
    assert (step is None) is (reason is Reason.ACTIVE)


@pytest.mark.parametrize(
    "reason", [Reason.HELD, Reason.REJECTED, Reason.EXPIRED, Reason.REVIEW_DUE, Reason.DRIFTED]
)
def test_where_a_person_has_to_say_so_the_command_is_ready_to_be_pasted(reason: Reason) -> None:
    assert "leasehold approve support-bot-orders -n support" in (next_step(stopped(reason)) or "")


def test_every_command_that_is_named_is_one() -> None:
    holds, backoff = HELD_TWICE, {"failures": 2, "retryTime": NOON, "reason": "Sealed"}
    steps = [next_step(stopped(reason, holds=holds, backoff=backoff)) or "" for reason in READY_REASONS]
    named = set(re.findall(r"leasehold ([a-z]+)\b", " ".join(steps)))
    known = {each.name or each.callback.__name__ for each in app.registered_commands if each.callback}
    assert {"approve", "diff", "doctor", "lift"} <= named
    assert named <= known


def test_a_revocation_is_lifted_by_its_name_and_only_where_that_was_not_done_yet() -> None:
    step = next_step(stopped(Reason.REVOKED, holds=HELD_TWICE)) or ""
    assert re.findall(r"leasehold lift (\S+) --reason", step) == ["inc-2"]
    assert "kubectl get mcprevocations" in (next_step(stopped(Reason.REVOKED)) or "")


def test_what_is_tried_again_says_when_and_what_needs_a_person_says_so() -> None:
    backoff = {"failures": 2, "retryTime": "2026-11-20T12:05:00Z", "reason": "Sealed"}
    waiting = next_step(stopped(Reason.STORE_UNAVAILABLE, backoff=backoff)) or ""
    assert "2026-11-20T12:05:00Z" in waiting
    stalled = {**a_ready_condition(Reason.REFUSED), "type": "Stalled"}
    assert "somebody has to mend" in (
        next_step(stopped(Reason.STORE_UNAVAILABLE, stalled, backoff=backoff)) or ""
    )
    assert "somebody has to mend" not in waiting


def test_what_the_operator_has_not_seen_is_not_explained() -> None:
    assert "has not looked" in (next_step(a_connection()) or "")
    edited = a_connection(
        status={"conditions": [a_ready_condition(Reason.ACTIVE)]}, metadata={"generation": 4}
    )
    assert "newest edit" in (next_step(edited) or "")
