"""What is true of every connection, as metrics. Each connection's lines are rendered once when it changes
and joined at the scrape, from a thread. Labels are namespace, name, profile and team: never a person, tool,
URL or lease, for metrics travel further than objects do. An unset time has no series: 0 would look expired
for ever."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from threading import Lock
from typing import Final

from leasehold.api.base import ConditionStatus
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.reasons import Reason
from leasehold.telemetry.exposition import GaugeFamily

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
PER_CONNECTION: Final = (
    READY,
    STATE,
    LEASE_END,
    REVIEW_DUE,
    CREDENTIAL_EXPIRY,
    RESIDUAL_EXPOSURE,
    LEDGER,
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
        self._lines: dict[str, tuple[str, ...]] = {}
        self._reasons: dict[str, Reason] = {}
        self._states: dict[str, Counter[EntryState]] = {}
        self._fleet_reasons: Counter[Reason] = Counter()
        self._fleet_states: Counter[EntryState] = Counter(dict.fromkeys(EntryState, 0))

    def update(self, connection: MCPConnection) -> None:
        """This is how the connection looks now."""
        reason = _ready_reason(connection)
        states = Counter(entry.state for entry in connection.status.ledger)
        lines = tuple("".join(_samples(family, connection, reason, states)) for family in PER_CONNECTION)
        with self._lock:
            self._remove(connection.key)
            self._lines[connection.key] = lines
            self._reasons[connection.key] = reason
            self._states[connection.key] = states
            self._fleet_reasons[reason] += 1
            self._fleet_states.update(states)

    def forget(self, key: str) -> None:
        """The connection `namespace/name` is gone; an unknown one is no error."""
        with self._lock:
            self._remove(key)

    def render(self) -> str:
        """The exposition text of all connections."""
        with self._lock:
            rows = list(self._lines.values())
            reasons, states = dict(self._fleet_reasons), dict(self._fleet_states)
        families = [family.text(row[at] for row in rows) for at, family in enumerate(PER_CONNECTION)]
        families.append(
            FLEET_CONNECTIONS.text(
                FLEET_CONNECTIONS.sample({"reason": reason}, count) for reason, count in reasons.items()
            )
        )
        families.append(
            FLEET_LEDGER.text(FLEET_LEDGER.sample({"state": state}, count) for state, count in states.items())
        )
        return "".join(families)

    def _remove(self, key: str) -> None:
        if self._lines.pop(key, None) is not None:
            self._fleet_reasons[self._reasons.pop(key)] -= 1
            self._fleet_states.subtract(self._states.pop(key))


def _ready_reason(connection: MCPConnection) -> Reason:
    ready = (condition for condition in connection.status.conditions if condition.type == "Ready")
    return next((condition.reason for condition in ready), Reason.PENDING)


def _is_ready(connection: MCPConnection) -> bool:
    return any(
        condition.type == "Ready" and condition.status is ConditionStatus.TRUE
        for condition in connection.status.conditions
    )


def _samples(
    family: GaugeFamily, connection: MCPConnection, reason: Reason, states: Counter[EntryState]
) -> Iterator[str]:
    name = {"namespace": connection.metadata.namespace, "name": connection.metadata.name}
    labels = {**name, "profile": connection.spec.profile, "team": connection.spec.owner.team}
    status = connection.status
    times: dict[GaugeFamily, datetime | None] = {
        LEASE_END: status.lease_end_time,
        REVIEW_DUE: status.review_due_time,
        CREDENTIAL_EXPIRY: status.credential_expiry_time,
        RESIDUAL_EXPOSURE: status.residual_exposure_until,
    }
    if family is READY:
        yield family.sample(labels, int(_is_ready(connection)))
    elif family is STATE:
        yield family.sample({**labels, "reason": reason}, 1)
    elif family is LEDGER:
        for state, count in states.items():
            yield family.sample({**name, "state": state}, count)
    elif (moment := times[family]) is not None:
        yield family.sample(labels, int(moment.timestamp()))
