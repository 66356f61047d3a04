"""Who decided what about which connection, on what they had looked at, and what had changed before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.review import MCPConnectionReview
from leasehold.core.audit import AuditData, AuditEnvelope
from leasehold.core.evidence_sources import Sources
from leasehold.core.evidence_table import Row, Table
from leasehold.core.evidence_times import told
from leasehold.core.reviews import COUNTED, assurance_of

COLUMNS: Final = (
    "time",
    "namespace",
    "connection",
    "connectionUID",
    "decision",
    "reviewer",
    "assurance",
    "counted",
    "reason",
    "surfaceDigest",
    "changed",
    "comment",
    "ticket",
    "review",
    "toldBy",
)
ABOUT: Final = (
    "One row for each review that was written in the period, and for each approval by a profile's approvedSurface. "
    "`changed` is the drift on record that had the digest which the reviewer named; empty where none is."
)

Told = tuple[AuditEnvelope, AuditData]


def decisions(sources: Sources) -> Table:
    """The table."""
    rows = sorted(_rows(sources), key=lambda row: tuple(str(row.get(each)) for each in COLUMNS))
    return Table("decisions", "Decisions", ABOUT, COLUMNS, rows)


@dataclass(frozen=True)
class _Known:
    """What decisions are looked up in: connections by namespace and name, drift by connection and digest."""

    connections: Mapping[tuple[str, str], MCPConnection]
    drifts: Mapping[tuple[str, str], Sequence[Told]]

    @classmethod
    def of(cls, sources: Sources) -> "_Known":
        drifts: dict[tuple[str, str], list[Told]] = {}
        for envelope, data in sources.results("drift"):
            if data.drift is not None:
                key = (data.connection.uid, data.drift.live_digest)
                drifts.setdefault(key, []).append((envelope, data))
        named = {(each.metadata.namespace, each.metadata.name): each for each in sources.connections}
        return cls(named, drifts)


def _rows(sources: Sources) -> Iterator[Row]:
    period, known = sources.scope.period, _Known.of(sources)
    said = sources.results("approve", "reject")
    judged: dict[tuple[str, str, str], Told] = {}
    for envelope, data in said:
        if (key := _key(data)) is not None:
            judged.setdefault(key, (envelope, data))
    written = set()
    for review in sources.reviews:
        key = (review.metadata.namespace, review.metadata.name, review.spec.reviewer)
        written.add(key)
        if period.has(told(review.metadata.creation_timestamp)):
            yield _written(known, review, judged.get(key))
    for envelope, data in said:
        if _key(data) not in written and period.has(envelope.time):
            yield _recorded(known, envelope, data)


def _key(data: AuditData) -> tuple[str, str, str] | None:
    """Which review a record is about; the reviewer is part of it, for a name may come back."""
    return None if data.review is None else (data.connection.namespace, data.review.name, data.actor)


def _written(known: _Known, review: MCPConnectionReview, record: Told | None) -> Row:
    spec, time = review.spec, told(review.metadata.creation_timestamp)
    connection = _connection(known, review)
    judged = next((each for each in review.status.conditions if each.type == COUNTED), None)
    uid = record[1].connection.uid if record else connection.metadata.uid if connection else None
    assurance = (
        record[1].assurance if record else assurance_of(review, connection).value if connection else None
    )
    return {
        "time": time,
        "namespace": review.metadata.namespace,
        "connection": spec.connection,
        "connectionUID": uid,
        "decision": spec.decision.value,
        "reviewer": spec.reviewer,
        "assurance": assurance,
        "counted": "NotJudged" if judged is None else "Yes" if judged.status.value == "True" else "No",
        "reason": judged.reason.value if judged else None,
        "surfaceDigest": spec.surface_digest,
        "changed": _changed(known, uid, spec.surface_digest, time),
        "comment": spec.comment,
        "ticket": spec.ticket,
        "review": review.metadata.name,
        "toldBy": "API, Audit" if record else "API",
    }


def _connection(known: _Known, review: MCPConnectionReview) -> MCPConnection | None:
    """The one of that name, unless it is younger than the review."""
    found = known.connections.get((review.metadata.namespace, review.spec.connection))
    created = found.metadata.creation_timestamp if found else None
    said = review.metadata.creation_timestamp
    return None if created and said and said < created else found


def _recorded(known: _Known, envelope: AuditEnvelope, data: AuditData) -> Row:
    digest = data.review.surface_digest if data.review else None
    return {
        "time": envelope.time,
        "namespace": data.connection.namespace,
        "connection": data.connection.name,
        "connectionUID": data.connection.uid,
        "decision": str(data.action).capitalize(),
        "reviewer": data.actor,
        "assurance": data.assurance,
        "counted": "Yes" if data.outcome == "Succeeded" else "No",
        "reason": data.reason,
        "surfaceDigest": digest,
        "changed": _changed(known, data.connection.uid, digest, envelope.time),
        "comment": data.message,
        "review": data.review.name if data.review else None,
        "toldBy": "Audit",
    }


def _changed(known: _Known, uid: str | None, digest: str | None, time: str | None) -> str | None:
    """The newest drift of the connection before it to just that surface."""
    if uid is None or digest is None or time is None:
        return None
    before = [data.drift for envelope, data in known.drifts.get((uid, digest), ()) if envelope.time <= time]
    drift = before[-1] if before else None
    if drift is None:
        return None
    return f"{drift.level}: " + ", ".join(f"{each.kind} {each.count}" for each in drift.findings)
