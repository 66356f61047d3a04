"""Whether those who tell of the same thing agree: the objects in the API, the operator's metrics, the ledgers, the
Vaults, and the audit records."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.conditions import condition_of
from leasehold.core.evidence_exposures import exposure_comparison
from leasehold.core.evidence_sources import Sources, hashed
from leasehold.core.evidence_table import Cell, Row, Table
from leasehold.core.evidence_times import told
from leasehold.core.evidence_vault import vault_comparison

RECONCILIATION: Final = "reconciliation"
COLUMNS: Final = ("check", "subject", "one", "other", "holds", "words")
ABOUT: Final = (
    "One row for each comparison, and one for each difference. `holds` is Yes, No, or NotCompared where one side "
    "is not here, which is not the same as equal. Objects, metrics and Vaults are read one after the other: what "
    "changed in between may differ."
)
MINTED: Final = ("mint", "rotate", "adopt")
_SERIES: Final = re.compile(r"^(leasehold_fleet_(?:connections|ledger_entries))\{(.*)\} (\S+)$")
_REASON: Final = re.compile(r'(?:^|,)reason="([A-Za-z]+)"')
_STATE: Final = re.compile(r'(?:^|,)state="([A-Za-z]+)"')


def reconciliation(sources: Sources) -> Table:
    """The table."""
    rows = [
        *_metrics(sources),
        *vault_comparison(sources),
        *exposure_comparison(sources),
        *_ledgers(sources),
        *_records(sources),
        *_chains(sources),
    ]
    return Table(RECONCILIATION, "Reconciliation", ABOUT, COLUMNS, rows)


def _compared(check: str, subject: str, one: Cell, other: Cell, words: str) -> Row:
    holds = "Yes" if one == other else "No"
    return {"check": check, "subject": subject, "one": one, "other": other, "holds": holds, "words": words}


def _metrics(sources: Sources) -> Iterator[Row]:
    check = "API objects = metrics"
    if sources.metrics is None:
        yield {"check": check, "holds": "NotCompared", "words": "no metrics were read: give --metrics"}
        return
    reasons, states = _numbers(sources.metrics)
    words = "connections that the API server lists, and that the operator counts"
    listed = len(sources.connections) + _unreadable(sources)
    yield _compared(check, "connections", listed, reasons.total(), words)
    ready = Counter(_ready_reason(each) for each in sources.connections)
    for reason in sorted(ready | reasons):
        words = "connections whose condition Ready has this reason, and that the operator counts with it"
        yield _compared(check, f"connections {reason}", ready[reason], reasons[reason], words)
    entries = Counter(entry.state.value for each in sources.connections for entry in each.status.ledger)
    for state in EntryState:
        words = "generations in the ledgers, and that the operator counts"
        yield _compared(check, f"ledger entries {state}", entries[state], states[state], words)


def _unreadable(sources: Sources) -> int:
    return sum(each.startswith("mcpconnections ") for each in sources.unreadable)


def _ready_reason(connection: MCPConnection) -> str:
    ready = condition_of(connection.status.conditions, "Ready")
    return Reason.PENDING.value if ready is None else ready.reason.value


def _numbers(exposition: str) -> tuple[Counter[str], Counter[str]]:
    """Connections by reason, and ledger entries by state."""
    reasons, states = Counter[str](), Counter[str]()
    for line in exposition.splitlines():
        series = _SERIES.match(line)
        if series is None:
            continue
        try:
            value = int(float(series[3]))
        except (ValueError, OverflowError):
            continue
        if series[1] == "leasehold_fleet_connections":
            reason = _REASON.search(series[2])
            reasons[reason[1] if reason else "Unknown"] += value
        elif (state := _STATE.search(series[2])) is not None:
            states[state[1]] += value
    return reasons, states


def _ledgers(sources: Sources) -> Iterator[Row]:
    """What may be alive was minted on record, under the same login."""
    check = "ledger = audit"
    first = next((envelope.time for envelope, _ in sources.steps), None)
    if first is None:
        yield {"check": check, "holds": "NotCompared", "words": "no audit records were given: give --audit"}
        return
    minted = {
        (data.connection.uid, data.connection.generation): data.accessor_hash
        for _, data in sources.results(*MINTED)
        if data.outcome == "Succeeded"
    }
    looked, found, differences = 0, 0, list[Row]()
    for connection in sources.connections:
        for entry in connection.status.ledger:
            issued = told(entry.issued_time)
            if entry.state is EntryState.INTENT or issued is None or issued < first:
                continue
            looked += 1
            subject = f"{connection.key} generation {entry.generation}"
            key = (connection.metadata.uid, entry.generation)
            of_ledger = hashed(entry.accessor) if entry.accessor else None
            if key not in minted:
                differences.append(
                    _compared(check, subject, "in the ledger", None, "no record says that it was minted")
                )
            elif of_ledger != minted[key]:
                words = "ledger and record name different logins"
                differences.append(_compared(check, subject, of_ledger, minted[key], words))
            else:
                found += 1
    words = f"generations in ledgers that were issued since {first}, and those minted on record"
    yield _compared(check, "generations in ledgers", looked, found, words)
    yield from differences


def _records(sources: Sources) -> Iterator[Row]:
    """What was minted on record has ended on record, or is in a ledger."""
    check = "audit = ledger"
    if not sources.steps:
        return
    alive = {
        (each.metadata.uid, entry.generation) for each in sources.connections for entry in each.status.ledger
    }
    state: dict[tuple[str, int], tuple[str, bool]] = {}
    for _, data in sources.results(*MINTED, "revoke", "expire", "suspend", "delete", "abandon"):
        generation = data.connection.generation
        if generation is None or data.outcome != "Succeeded":
            continue
        key = (data.connection.uid, generation)
        if data.action in MINTED:
            state[key] = (
                f"{data.connection.namespace}/{data.connection.name} generation {generation}",
                False,
            )
        elif key in state:
            state[key] = (state[key][0], True)
    lost = [(key, name) for key, (name, ended) in sorted(state.items()) if not ended and key not in alive]
    words = "generations minted on record, and those that ended on record or are in a ledger"
    yield _compared(check, "generations on record", len(state), len(state) - len(lost), words)
    for _, name in lost:
        words = "minted on record, with no end on record, and in no ledger"
        yield _compared(check, name, "minted", None, words)


def _chains(sources: Sources) -> Iterator[Row]:
    check = "audit chain"
    if not sources.audit:
        words = "no audit records were given, so connections that have ended may be missing: give --audit"
        yield {"check": check, "holds": "NotCompared", "words": words}
        return
    words = "findings in the sequence and the chain of the audit records"
    yield _compared(check, "findings", len(sources.examined.findings), 0, words)
    for finding in sources.examined.findings:
        yield {"check": check, "subject": finding.kind, "holds": "No", "words": finding.words}
    for note in sources.examined.notes:
        yield {"check": check, "subject": "note", "holds": "NotCompared", "words": note}
