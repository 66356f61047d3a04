"""One screen that answers who, until when, what is alive, what differs, who said what, and what to do."""

from datetime import timedelta
from typing import Any

import pytest

from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.cli.connection_list import COLUMNS
from leasehold.cli.output import Format, as_rows
from leasehold.cli.status_page import distance, status_page
from leasehold.core.faults import NeedsPerson
from objects import NOON, a_connection, a_ready_condition, an_entry

DIGEST = "sha256:" + "a" * 64
HOSTILE = "delete\x1b[2J_\u202ereverof"


def a_condition(kind: str, reason: Reason, status: str = "True", message: str = "") -> dict[str, Any]:
    told = a_ready_condition(reason, status)
    return {**told, "type": kind, "message": message, "observedGeneration": 3}


def a_review(name: str, hours_ago: int, decision: str = "Approve", **fields: Any) -> MCPConnectionReview:
    counted = fields.pop("counted", a_condition("Counted", Reason.COUNTED))
    return MCPConnectionReview.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "support",
                "creationTimestamp": NOON - timedelta(hours=hours_ago),
            },
            "spec": {
                "connection": "support-bot-orders",
                "reviewer": "alice@example.com",
                "decision": decision,
                "comment": "still needed",
                **fields,
            },
            "status": {"conditions": [counted] if counted else []},
        }
    )


def a_full_connection() -> MCPConnection:
    """Two generations, drift, a hold, and a retry."""
    retiring = an_entry(2, EntryState.RETIRING, end_time=NOON + timedelta(minutes=4), reason=Reason.ROTATION)
    current = an_entry(3, issued_time=NOON, expiry_time=NOON + timedelta(hours=1))
    hold = {"uid": "u", "revocation": "inc-1", "sinceTime": NOON, "onLift": "RequireReview"}
    return a_connection(
        metadata={"creationTimestamp": NOON - timedelta(days=3)},
        status={
            "conditions": [
                a_condition("Ready", Reason.DRIFTED, "True", "dangerous drift: see status.drift"),
                a_condition("DriftFree", Reason.DRIFTED, "False", "1 tool differs"),
                a_condition("Reachable", Reason.TOO_LARGE, "False", "it sends too much"),
                a_condition("Used", Reason.NO_EVIDENCE_SOURCE, "Unknown", "nothing watches for use"),
            ],
            "ledger": [retiring.to_wire(), current.to_wire()],
            "holds": [hold],
            "backoff": {"failures": 2, "retryTime": NOON + timedelta(minutes=1), "reason": "Sealed"},
            "leaseEndTime": NOON + timedelta(days=87),
            "reviewDueTime": NOON + timedelta(days=73),
            "residualExposureUntil": NOON + timedelta(minutes=30),
            "approval": {
                "review": "r1",
                "reviewer": "alice@example.com",
                "assurance": "Owner",
                "time": NOON - timedelta(hours=1),
            },
            "server": {
                "url": "https://orders-mcp.tools.svc/mcp",
                "transport": "StreamableHTTP",
                "scopes": ["orders:read"],
                "credentialType": "Lease",
                "revocability": "revocable: dies with its Vault lease",
            },
            "drift": {
                "liveDigest": DIGEST,
                "approvedDigest": DIGEST,
                "level": "Dangerous",
                "sinceTime": NOON - timedelta(hours=5),
                "deadlineTime": NOON + timedelta(days=14),
                "findings": [{"level": "Dangerous", "kind": "ToolAdded", "item": HOSTILE, "count": 2}],
            },
        },
    )


def page(connection: MCPConnection, *reviews: MCPConnectionReview) -> str:
    return status_page(connection, reviews, NOON)


@pytest.mark.parametrize(
    "line",
    [
        "support/support-bot-orders: Ready, Drifted",
        "What to do: look at what differs: leasehold diff support-bot-orders -n support",
        "agent support-bot, as service account support-bot",
        "owner alice@example.com",
        "deputy bob@example.com",
        "team support-platform",
        "purpose triage incoming tickets (SUP-812)",
        "server https://orders-mcp.tools.svc/mcp, StreamableHTTP",
        "created 2026-11-17T12:00:00Z (3d ago)",
        "lease ends 2027-02-15T12:00:00Z (in 87d)",
        "review due 2027-02-01T12:00:00Z (in 73d)",
        "use NoEvidenceSource: nothing watches for use",
        "held by revocation inc-1 since 2026-11-20T12:00:00Z (0s ago)",
        "tried again 2026-11-20T12:01:00Z (in 60s), after 2 failures, last Sealed",
        "generation 2 Retiring (Rotation), Lease, is revoked 2026-11-20T12:04:00Z (in 4m), its end is not known",
        "generation 3 Current, Lease, issued 2026-11-20T12:00:00Z (0s ago), runs out 2026-11-20T13:00:00Z (in 60m)",
        "may work until 2026-11-20T12:30:00Z (in 30m), although it was ended",
        "deadline 2026-12-04T12:00:00Z (in 14d): then the credential ends",
        "Dangerous ToolAdded delete\\u{001B}[2J_\\u{202E}reverof (2 times)",
        "probe TooLarge: it sends too much",
    ],
)
def test_the_page_says(line: str) -> None:
    said = [" ".join(each.split()) for each in page(a_full_connection()).splitlines()]
    assert any(each.startswith(line) for each in said), "\n".join(said)


def test_nothing_that_others_wrote_rewrites_the_screen() -> None:
    connection = a_connection(
        spec={"purpose": {"summary": HOSTILE, "ticket": "[red]SUP[/]"}},
        status={"conditions": [a_condition("Ready", Reason.REFUSED, "False", HOSTILE)]},
    )
    printed = page(connection, a_review("r", 1, comment=HOSTILE))
    assert printed.replace("\n", "").isprintable()
    assert printed.count("\\u{001B}") == 3
    assert "[red]SUP[/]" in printed


def test_reviews_are_the_connections_own_newest_first_and_say_whether_they_count() -> None:
    void = a_condition("Counted", Reason.ANOTHER_SURFACE, "False")
    reviews = [
        a_review("old", 30),
        a_review("new", 1, "Reject", comment="not any more"),
        a_review("void", 2, counted=void),
        a_review("unseen", 0, counted=None),
        a_review("other", 3, connection="another"),
        *(a_review(f"older-{number}", 100 + number) for number in range(7)),
    ]
    header, *lines = page(a_full_connection(), *reviews).split("Reviews\n")[1].splitlines()
    assert header.split() == ["TIME", "DECISION", "REVIEWER", "COUNTS", "COMMENT"]
    assert [each.split()[1] for each in lines[:3]] == ["Approve", "Reject", "Approve"]
    assert "not judged yet" in lines[0]
    assert "not any more" in lines[1]
    assert "no: AnotherSurface" in lines[2]
    assert lines[-1].strip() == "and 3 older"
    assert "none" in page(a_connection()).split("Reviews\n")[1]


def test_reviews_that_cannot_be_read_are_not_none() -> None:
    refused = NeedsPerson(Reason.REFUSED, "you may not list them")
    printed = status_page(a_full_connection(), refused, NOON)
    assert printed.endswith("Reviews\n  not known: you may not list them\n")


def test_a_connection_that_nobody_has_looked_at_has_a_page() -> None:
    printed = page(a_connection())
    assert "not known to the operator" in printed
    assert "leasehold doctor" in printed


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s ago"),
        (119, "in 119s"),
        (120, "in 2m"),
        (-7199, "119m ago"),
        (7200, "in 2h"),
        (-172800, "2d ago"),
    ],
)
def test_a_distance_is_said_as_kubectl_says_ages(seconds: int, said: str) -> None:
    assert distance(timedelta(seconds=seconds)) == said


def test_a_row_has_what_a_person_wants() -> None:
    header, row = as_rows([a_full_connection()], COLUMNS, Format.TABLE).splitlines()
    assert header.split() == [
        "NAMESPACE",
        "NAME",
        "AGENT",
        "PROFILE",
        "OWNER",
        "TEAM",
        "READY",
        "REASON",
        "LEASE-END",
        "CREDENTIAL-EXPIRY",
        "DRIFT",
        "LAST-REVIEW",
    ]
    assert row.split()[:6] == [
        "support",
        "support-bot-orders",
        "support-bot",
        "orders-read",
        "alice@example.com",
        "support-platform",
    ]
    assert row.split()[6:] == [
        "True",
        "Drifted",
        rfc3339(NOON + timedelta(days=87)),
        "-",
        "Dangerous",
        rfc3339(NOON - timedelta(hours=1)),
    ]
