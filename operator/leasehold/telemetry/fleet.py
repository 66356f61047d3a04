"""What is true of every connection, as metrics. Each connection's lines are rendered once when it changes
and joined at the scrape, from a thread: ten series at most. Above `DETAILED_CONNECTIONS` connections only the
numbers of the fleet are left, for a monitoring system does not take fleets of any size. Labels are namespace, name,
profile and team: never a person, tool, URL or lease, for metrics travel further than objects do. An unset time has
no series: 0 would look expired for ever."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.telemetry.aggregates import Aggregates, text_of
from leasehold.telemetry.exposition import GaugeFamily, label_pairs
from leasehold.telemetry.fleet_facts import (
    Facts,
    facts_of,
    is_ready,
    ready_reason,
    revocation_due,
    worst_drift,
)

DETAILED_CONNECTIONS: Final = 10_000
"""Up to here an operator has 100,000 series and a few, which is what one scrape should be asked for."""

READY: Final = GaugeFamily(
    "leasehold_connection_ready",
    "1 where the connection may be used, else 0; the label `reason` is the reason of the Ready condition.",
)
LEASE_END: Final = GaugeFamily(
    "leasehold_connection_lease_end_timestamp_seconds", "When the lease of the connection ends."
)
REVIEW_DUE: Final = GaugeFamily(
    "leasehold_connection_review_due_timestamp_seconds", "From when a review of the connection is due."
)
LAST_REVIEW: Final = GaugeFamily(
    "leasehold_connection_last_review_timestamp_seconds", "When the connection was approved or rejected last."
)
LAST_USE: Final = GaugeFamily(
    "leasehold_connection_last_use_timestamp_seconds",
    "When the connection was used last, as far as a source of evidence tells; a day behind at most.",
)
CREDENTIAL_EXPIRY: Final = GaugeFamily(
    "leasehold_connection_credential_expiry_timestamp_seconds", "When the current credential expires."
)
REVOCATION_DUE: Final = GaugeFamily(
    "leasehold_connection_revocation_due_timestamp_seconds",
    "When the first revocable generation that is not proven dead had to end, or has to.",
)
RESIDUAL_EXPOSURE: Final = GaugeFamily(
    "leasehold_connection_residual_exposure_timestamp_seconds",
    "Until when something that was handed out and should be dead may still work.",
)
LEDGER: Final = GaugeFamily(
    "leasehold_connection_ledger_entries", "Generations of a connection that may be alive."
)
DRIFT: Final = GaugeFamily(
    "leasehold_connection_drift_items",
    "What differs from the approved surface, counted; the label `level` is that of the worst.",
)
PER_CONNECTION: Final = (
    READY,
    LEASE_END,
    REVIEW_DUE,
    LAST_REVIEW,
    LAST_USE,
    CREDENTIAL_EXPIRY,
    REVOCATION_DUE,
    RESIDUAL_EXPOSURE,
    LEDGER,
    DRIFT,
)

DETAILED: Final = GaugeFamily(
    "leasehold_fleet_detailed", "1 while each connection has series of its own, 0 above so many connections."
)


class FleetMetrics:
    """Updated from the event loop, rendered from any thread."""

    def __init__(
        self, detailed_connections: int = DETAILED_CONNECTIONS, now: Callable[[], float] = time.time
    ) -> None:
        self._detailed_connections = detailed_connections
        self._now = now
        self._lock = Lock()
        self._lines: tuple[dict[str, str], ...] = tuple({} for _ in PER_CONNECTION)
        self._shown: dict[str, MCPConnection] = {}
        self._facts: dict[str, Facts] = {}
        self._aggregates = Aggregates()

    def update(self, connection: MCPConnection) -> None:
        """This is how the connection looks now; what is shown already costs nothing."""
        key = connection.key
        if self._shown.get(key) is connection:
            return
        self._shown[key] = connection
        lines, facts = _lines(connection), facts_of(connection)
        with self._lock:
            self._remove(key)
            for family, held in zip(PER_CONNECTION, self._lines, strict=True):
                if family in lines:
                    held[key] = lines[family]
            self._facts[key] = facts
            self._aggregates.add(facts)

    def forget(self, key: str) -> None:
        """The connection `namespace/name` is gone; an unknown one is no error."""
        self._shown.pop(key, None)
        with self._lock:
            self._remove(key)

    def render(self) -> str:
        """The exposition text of all connections."""
        with self._lock:
            detailed = len(self._facts) <= self._detailed_connections
            lines = [list(held.values()) if detailed else [] for held in self._lines]
            numbers = self._aggregates.samples(self._now())
        families = [family.text(held) for family, held in zip(PER_CONNECTION, lines, strict=True)]
        return "".join([*families, DETAILED.text([DETAILED.sample("", int(detailed))]), text_of(numbers)])

    def _remove(self, key: str) -> None:
        if (facts := self._facts.pop(key, None)) is None:
            return
        for held in self._lines:
            held.pop(key, None)
        self._aggregates.remove(facts)


def _lines(connection: MCPConnection) -> dict[GaugeFamily, str]:
    labels = label_pairs(
        {
            "namespace": connection.metadata.namespace,
            "name": connection.metadata.name,
            "profile": connection.spec.profile,
            "team": connection.spec.owner.team,
        }
    )
    status = connection.status
    reason = label_pairs({"reason": ready_reason(connection)})
    lines = {READY: READY.sample(f"{labels},{reason}", int(is_ready(connection)))}
    if status.ledger:
        lines[LEDGER] = LEDGER.sample(labels, len(status.ledger))
    if (drift := worst_drift(connection)) is not None:
        level, items = drift
        lines[DRIFT] = DRIFT.sample(f"{labels},{label_pairs({'level': level.lower()})}", items)
    times = {
        LEASE_END: status.lease_end_time,
        REVIEW_DUE: status.review_due_time,
        LAST_REVIEW: max(
            (record.time for record in (status.approval, status.rejection) if record is not None),
            default=None,
        ),
        LAST_USE: status.use.last_used_time if status.use is not None else None,
        CREDENTIAL_EXPIRY: status.credential_expiry_time,
        REVOCATION_DUE: revocation_due(connection),
        RESIDUAL_EXPOSURE: status.residual_exposure_until,
    }
    for family, moment in times.items():
        if moment is not None:
            lines[family] = family.sample(labels, int(moment.timestamp()))
    return lines
