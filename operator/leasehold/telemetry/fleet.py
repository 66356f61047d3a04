"""What is true of every connection, as metrics. Each connection's lines are rendered once when it changes
and joined at the scrape, from a thread. Labels are namespace, name, profile and team: never a person, tool,
URL or lease, for metrics travel further than objects do. An unset time has no series: 0 would look expired
for ever."""

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Final

from leasehold.api.base import ConditionStatus
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.reasons import Reason
from leasehold.telemetry.exposition import GaugeFamily, label_pairs

READY: Final = GaugeFamily("leasehold_connection_ready", "1 where the connection may be used, else 0.")
STATE: Final = GaugeFamily(
    "leasehold_connection_state", "Always 1; the label `reason` is the reason of the Ready condition."
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
RESIDUAL_EXPOSURE: Final = GaugeFamily(
    "leasehold_connection_residual_exposure_timestamp_seconds",
    "Until when something that was handed out and should be dead may still work.",
)
LEDGER: Final = GaugeFamily(
    "leasehold_ledger_entries", "Generations of a connection that may be alive, by their state."
)
DRIFT: Final = GaugeFamily(
    "leasehold_connection_drift_items", "What differs from the approved surface, by how bad it is."
)
PER_CONNECTION: Final = (
    READY,
    STATE,
    LEASE_END,
    REVIEW_DUE,
    LAST_REVIEW,
    LAST_USE,
    CREDENTIAL_EXPIRY,
    RESIDUAL_EXPOSURE,
    LEDGER,
    DRIFT,
)

FLEET_CONNECTIONS: Final = GaugeFamily(
    "leasehold_fleet_connections", "Connections by the reason of their Ready condition."
)
FLEET_LEDGER: Final = GaugeFamily(
    "leasehold_fleet_ledger_entries", "Generations that may be alive, of all connections, by their state."
)


class FleetMetrics:
    """Updated from the event loop, rendered from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lines: tuple[dict[str, str], ...] = tuple({} for _ in PER_CONNECTION)
        self._shown: dict[str, MCPConnection] = {}
        self._counted: dict[str, tuple[Reason, Counter[EntryState]]] = {}
        self._fleet_reasons: Counter[Reason] = Counter()
        self._fleet_states: Counter[EntryState] = Counter(dict.fromkeys(EntryState, 0))

    def update(self, connection: MCPConnection) -> None:
        """This is how the connection looks now; what is shown already costs nothing."""
        key = connection.key
        if self._shown.get(key) is connection:
            return
        self._shown[key] = connection
        reason = _ready_reason(connection)
        states = Counter(entry.state for entry in connection.status.ledger)
        lines = _lines(connection, reason, states)
        with self._lock:
            self._remove(key)
            for family, held in zip(PER_CONNECTION, self._lines, strict=True):
                if family in lines:
                    held[key] = lines[family]
            self._counted[key] = (reason, states)
            self._fleet_reasons[reason] += 1
            self._fleet_states.update(states)

    def forget(self, key: str) -> None:
        """The connection `namespace/name` is gone; an unknown one is no error."""
        self._shown.pop(key, None)
        with self._lock:
            self._remove(key)

    def render(self) -> str:
        """The exposition text of all connections."""
        with self._lock:
            lines = [list(held.values()) for held in self._lines]
            reasons, states = dict(self._fleet_reasons), dict(self._fleet_states)
        families = [family.text(held) for family, held in zip(PER_CONNECTION, lines, strict=True)]
        families.append(_counts(FLEET_CONNECTIONS, "reason", reasons))
        families.append(_counts(FLEET_LEDGER, "state", states))
        return "".join(families)

    def _remove(self, key: str) -> None:
        if (counted := self._counted.pop(key, None)) is None:
            return
        for held in self._lines:
            held.pop(key, None)
        reason, states = counted
        self._fleet_reasons[reason] -= 1
        self._fleet_states.subtract(states)


def _ready_reason(connection: MCPConnection) -> Reason:
    ready = (condition for condition in connection.status.conditions if condition.type == "Ready")
    return next((condition.reason for condition in ready), Reason.PENDING)


def _is_ready(connection: MCPConnection) -> bool:
    return any(
        condition.type == "Ready" and condition.status is ConditionStatus.TRUE
        for condition in connection.status.conditions
    )


def _lines(connection: MCPConnection, reason: Reason, states: Counter[EntryState]) -> dict[GaugeFamily, str]:
    named = label_pairs({"namespace": connection.metadata.namespace, "name": connection.metadata.name})
    belonging = label_pairs({"profile": connection.spec.profile, "team": connection.spec.owner.team})
    labels = f"{named},{belonging}"
    lines = {
        READY: READY.sample(labels, int(_is_ready(connection))),
        STATE: STATE.sample(f"{labels},{label_pairs({'reason': reason})}", 1),
        LEDGER: "".join(
            LEDGER.sample(f"{named},{label_pairs({'state': state})}", count)
            for state, count in states.items()
        ),
    }
    status = connection.status
    if status.drift is not None:
        counted: Counter[str] = Counter()
        for item in status.drift.findings:
            counted[item.level.value.lower()] += item.count
        lines[DRIFT] = "".join(
            DRIFT.sample(f"{labels},{label_pairs({'level': level})}", count)
            for level, count in counted.items()
        )
    times = {
        LEASE_END: status.lease_end_time,
        REVIEW_DUE: status.review_due_time,
        LAST_REVIEW: max(
            (record.time for record in (status.approval, status.rejection) if record is not None),
            default=None,
        ),
        LAST_USE: status.use.last_used_time if status.use is not None else None,
        CREDENTIAL_EXPIRY: status.credential_expiry_time,
        RESIDUAL_EXPOSURE: status.residual_exposure_until,
    }
    for family, moment in times.items():
        if moment is not None:
            lines[family] = family.sample(labels, int(moment.timestamp()))
    return lines


def _counts(family: GaugeFamily, label: str, counts: Mapping[Reason, int] | Mapping[EntryState, int]) -> str:
    return family.text(family.sample(label_pairs({label: value}), count) for value, count in counts.items())
