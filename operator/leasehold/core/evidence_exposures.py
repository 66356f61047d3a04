"""Whether those who tell of an agent's connections agree: its exposure with the API on those that there are, and
with the audit records on those that ended."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from leasehold.api.exposure import FormerConnection, MCPAgentExposure
from leasehold.core.audit import AuditData, AuditEnvelope
from leasehold.core.evidence_lookups import Holds
from leasehold.core.evidence_sources import Sources
from leasehold.core.evidence_table import Row
from leasehold.core.evidence_times import told

API: Final = "exposures = API objects"
AUDIT: Final = "former = audit"
SLACK: Final = timedelta(minutes=1)
"""Between a connection's last audit record and its end as its agent's exposure has it."""

Told = tuple[AuditEnvelope, AuditData]


def exposure_comparison(sources: Sources) -> Iterator[Row]:
    """For the reconciliation: what exposures say of the connections that there are, and of those that ended."""
    yield from _of_present(sources)
    yield from _of_former(sources)


def _of_present(sources: Sources) -> Iterator[Row]:
    """Whose deletion is under way may be gone from its exposure already."""
    there = {
        each.metadata.uid: f"{each.metadata.namespace}/{each.spec.agent.name} connection {each.metadata.name}"
        for each in sources.connections
        if each.metadata.deletion_timestamp is None
    }
    leaving = {each.metadata.uid for each in sources.connections} - set(there)
    exposed = {
        connection.uid: f"{exposure.key} connection {connection.name}"
        for exposure in sources.exposures
        for connection in exposure.spec.connections
        if connection.uid not in leaving
    }
    unlisted = sum(each.spec.connection_count - len(each.spec.connections) for each in sources.exposures)
    missing = sorted(set(there) - set(exposed)) if not unlisted else []
    added = sorted(set(exposed) - set(there))
    both = sorted(set(sources.former) & set(there))
    words = "connections that the API server lists, and those of them that are in the exposure of their agent"
    holds = not missing and not added and not both
    yield _row_of(API, "connections in exposures", len(there), len(there) - len(missing), holds, words)
    for uid in missing:
        yield _row_of(API, there[uid], "exists", None, False, "the exposure of its agent does not have it")
    for uid in added:
        yield _row_of(API, exposed[uid], None, "exposed", False, "the API server does not list it")
    for uid in both:
        words = "the exposure of its agent has it among those that ended, and it exists"
        yield _row_of(API, there[uid], "exists", "former", False, words)


def _of_former(sources: Sources) -> Iterator[Row]:
    """Of what ended in the period, since the first audit record, each side has to know."""
    first = next((envelope.time for envelope, _ in sources.steps), None)
    if first is None:
        words = "no audit records were given: give --audit"
        yield {"check": AUDIT, "holds": Holds.NOT_COMPARED.value, "words": words}
        return
    since = max(first, sources.scope.period.begin)
    existing = {each.metadata.uid for each in sources.connections}
    records: dict[str, list[Told]] = {}
    for step in sources.steps:
        if step[1].connection.uid not in existing:
            records.setdefault(step[1].connection.uid, []).append(step)
    ended = {uid for uid, steps in records.items() if steps[-1][0].time >= since}
    ended |= {uid for uid, (_, former) in sources.former.items() if str(told(former.ended_time)) >= since}
    found = [_difference(records.get(uid), sources.former.get(uid)) for uid in sorted(ended - existing)]
    differences = [each for each in found if each is not None]
    words = f"connections that ended since {since}, and those on which audit records and exposures agree"
    agreed = len(found) - len(differences)
    yield _row_of(AUDIT, "connections that ended", len(found), agreed, not differences, words)
    yield from differences


def _difference(
    steps: list[Told] | None, kept: tuple[MCPAgentExposure, FormerConnection] | None
) -> Row | None:
    if kept is None:
        name = f"{steps[0][1].connection.namespace}/{steps[0][1].connection.name}" if steps else ""
        words = "no exposure keeps it; one keeps 64 of its agent, for 400 days, and goes with its namespace"
        return _row_of(AUDIT, name, None, "on record", False, words)
    exposure, former = kept
    name = f"{exposure.metadata.namespace}/{former.name}"
    if not steps:
        if former.last_generation == 0:
            return None  # whoever never got a credential may have left no record
        words = "no audit record tells of it, and it may have had a credential"
        return _row_of(AUDIT, name, "former", None, False, words)
    last = steps[-1][0].time
    if last > str(told(former.ended_time + SLACK)):
        words = "it has audit records after its end"
        return _row_of(AUDIT, name, told(former.ended_time), last, False, words)
    succeeded = [data.connection.generation or 0 for _, data in steps if data.outcome == "Succeeded"]
    minted = max(succeeded, default=0)
    if former.last_generation is not None and minted > former.last_generation:
        words = "more credentials are on record than the exposure says that it had"
        return _row_of(AUDIT, name, former.last_generation, minted, False, words)
    return None


def _row_of(
    check: str, subject: str, one: str | int | None, other: str | int | None, holds: bool, words: str
) -> Row:
    return {
        "check": check,
        "subject": subject,
        "one": one,
        "other": other,
        "holds": (Holds.YES if holds else Holds.NO).value,
        "words": words,
    }
