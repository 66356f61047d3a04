"""What one connection adds to the numbers of the fleet: a count in each family, and the moments of which the first
one counts. Groups are profile and team, so that a fleet of any size has few of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from leasehold.api.base import ConditionStatus
from leasehold.api.connection import (
    DriftLevel,
    EntryState,
    LedgerEntry,
    MCPConnection,
    OwnerRecord,
    UseRecord,
)
from leasehold.api.reasons import Reason
from leasehold.core import ledger
from leasehold.core.questions import unanswered
from leasehold.telemetry.exposition import GaugeFamily, label_pairs

CONNECTIONS: Final = GaugeFamily(
    "leasehold_fleet_connections",
    "Connections by the reason of their Ready condition, and whether they may be used.",
)
LEDGER: Final = GaugeFamily(
    "leasehold_fleet_ledger_entries", "Generations that may be alive, of all connections, by their state."
)
CREDENTIALS: Final = GaugeFamily(
    "leasehold_fleet_credential_types",
    "Connections by how their credential ends; None where nothing is minted or the profile is missing.",
)
UNANSWERED: Final = GaugeFamily(
    "leasehold_fleet_unanswered",
    "Connections that cannot say who owns them, what they may do, when they expire, who reviewed them, or how "
    "they end.",
)
USE: Final = GaugeFamily(
    "leasehold_fleet_use",
    "Connections by what is known of their use: used, never, or unknown where no source of evidence tells.",
)
DRIFTED: Final = GaugeFamily(
    "leasehold_fleet_drifted", "Connections that have drifted, by the worst of what differs."
)
OWNER_GONE: Final = GaugeFamily(
    "leasehold_fleet_owner_gone",
    "Connections that nobody has taken over since their owner left, by what they are: leaving or orphaned.",
)
VIOLATIONS: Final = GaugeFamily(
    "leasehold_fleet_policy_violations",
    "Rules of access policies that connections do not satisfy, by what becomes of them: Warn or Deny.",
)
LARGEST_LEDGER: Final = GaugeFamily(
    "leasehold_fleet_largest_ledger",
    "Generations that may be alive, of the connection that has most of them.",
)
LEASES_ENDING: Final = GaugeFamily(
    "leasehold_fleet_leases_ending", "Connections whose lease ends within so many days."
)
REVIEWS_OWED: Final = GaugeFamily(
    "leasehold_fleet_reviews_owed",
    "Connections that wait for a review: due, soon overdue (the last third of the lease, three days at most), or "
    "overdue (the lease is over).",
)
FIRST_LEASE_END: Final = GaugeFamily(
    "leasehold_fleet_first_lease_end_timestamp_seconds",
    "The first end of a lease whose connection may be used, or has a revocable generation that may be alive.",
)
FIRST_REVOCATION_DUE: Final = GaugeFamily(
    "leasehold_fleet_first_revocation_due_timestamp_seconds",
    "When the first revocable generation that is not proven dead had to end, or has to.",
)
FIRST_RENEWAL_DUE: Final = GaugeFamily(
    "leasehold_fleet_first_renewal_due_timestamp_seconds",
    "When two thirds of the life of a current credential are over, of the first one.",
)

COUNTED: Final = (CONNECTIONS, LEDGER, CREDENTIALS, UNANSWERED, USE, DRIFTED, OWNER_GONE, VIOLATIONS)
FIRST: Final = (FIRST_LEASE_END, FIRST_REVOCATION_DUE, FIRST_RENEWAL_DUE)
FAMILIES: Final = (*COUNTED, LARGEST_LEDGER, *FIRST, LEASES_ENDING, REVIEWS_OWED)

SOON: Final = timedelta(days=3)
NOTHING_OWED: Final = frozenset({Reason.DELETED, Reason.REVOKED, Reason.REJECTED, Reason.SUSPENDED})
"""Where it was ended for a reason that a review of the lease would not change."""

Group = str
"""Profile and team, as labels are written."""


@dataclass(frozen=True)
class Facts:
    """What a connection adds to the numbers of its group. Moments are seconds since the epoch."""

    group: Group
    counts: Mapping[GaugeFamily, Counter[str]]
    """By family, and by all labels as they are written."""
    ledger_size: int
    firsts: Mapping[GaugeFamily, int]
    lease_end: int | None
    review_due: int | None
    review_soon: int | None
    review_overdue: int | None


def facts_of(connection: MCPConnection) -> Facts:
    """What there is to count."""
    status, reason = connection.status, ready_reason(connection)
    ready = is_ready(connection)
    alive = [entry for entry in status.ledger if _is_ours_to_end(entry)]
    group = label_pairs({"profile": connection.spec.profile, "team": connection.spec.owner.team})
    server = status.server
    kind = server.credential_type.value if server and server.credential_type else "None"

    def counted(*values: Mapping[str, str]) -> Counter[str]:
        return Counter(f"{group},{label_pairs(each)}" for each in values)

    counts = {
        CONNECTIONS: counted({"reason": reason, "ready": str(ready).lower()}),
        LEDGER: counted(*({"state": entry.state} for entry in status.ledger)),
        CREDENTIALS: counted({"type": kind}),
        UNANSWERED: counted(*({"question": question} for question in unanswered(connection))),
        USE: counted({"use": _use(status.use)}),
        OWNER_GONE: counted(*({"state": state} for state in _owner_gone(status.owner))),
        DRIFTED: counted(*({"level": drift.level.lower()} for drift in [status.drift] if drift)),
        VIOLATIONS: counted(*({"effect": each.effect} for each in status.policy_violations)),
    }
    firsts = {
        FIRST_LEASE_END: status.lease_end_time if ready or alive else None,
        FIRST_REVOCATION_DUE: revocation_due(connection),
        FIRST_RENEWAL_DUE: _renewal_due(status.ledger),
    }
    owed = None if reason in NOTHING_OWED else status.lease_end_time
    soon = min(SOON, timedelta(seconds=connection.spec.lease_duration_seconds) / 3)
    return Facts(
        group=group,
        counts={family: counted for family, counted in counts.items() if counted},
        ledger_size=len(status.ledger),
        firsts={family: int(moment.timestamp()) for family, moment in firsts.items() if moment},
        lease_end=_seconds(status.lease_end_time),
        review_due=_seconds(status.review_due_time or owed - soon) if owed else None,
        review_soon=_seconds(owed - soon) if owed else None,
        review_overdue=_seconds(owed),
    )


def ready_reason(connection: MCPConnection) -> Reason:
    """The reason of Ready; Pending before it was first looked at."""
    ready = (condition for condition in connection.status.conditions if condition.type == "Ready")
    return next((condition.reason for condition in ready), Reason.PENDING)


def is_ready(connection: MCPConnection) -> bool:
    """Whether it may be used."""
    return any(
        condition.type == "Ready" and condition.status is ConditionStatus.TRUE
        for condition in connection.status.conditions
    )


def revocation_due(connection: MCPConnection) -> datetime | None:
    """When the first revocable generation that is not proven dead had to end, or has to."""
    ends = [entry.end_time for entry in connection.status.ledger if _is_ours_to_end(entry)]
    return min((end for end in ends if end is not None), default=None)


def worst_drift(connection: MCPConnection) -> tuple[DriftLevel, int] | None:
    """The worst of what differs, and how much differs in all."""
    drift = connection.status.drift
    return None if drift is None else (drift.level, sum(item.count for item in drift.findings))


def _use(use: UseRecord | None) -> str:
    if use is None or use.observed_since is None:
        return "unknown"
    return "used" if use.last_used_time is not None else "never"


def _owner_gone(owner: OwnerRecord | None) -> tuple[str, ...]:
    if owner is None or owner.left_since is None:
        return ()
    return ("leaving",) if owner.orphaned_since is None else ("orphaned",)


def _is_ours_to_end(entry: LedgerEntry) -> bool:
    """What only runs out, or never ends, is nobody's failure; an intent is settled first."""
    ends = not ledger.only_runs_out(entry) and not ledger.cannot_end(entry)
    return ends and entry.state is not EntryState.INTENT


def _renewal_due(entries: ledger.Ledger) -> datetime | None:
    """Each is renewed a little earlier, by its jitter."""
    present = ledger.current(entries)
    if present is None or present.issued_time is None or present.expiry_time is None:
        return None
    return present.issued_time + (present.expiry_time - present.issued_time) * (2 / 3)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
