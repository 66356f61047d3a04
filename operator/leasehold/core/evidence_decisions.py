"""Who decided what about which connection, on what they had looked at, and what had changed before."""

from collections.abc import Iterator
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.review import MCPConnectionReview
from leasehold.core.audit import AuditData, AuditEnvelope
from leasehold.core.evidence_sources import Sources, told
from leasehold.core.evidence_table import Row, Table
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


def _rows(sources: Sources) -> Iterator[Row]:
    period = sources.scope.period
    judged: dict[tuple[str, str, str], Told] = {}
    for envelope, data in sources.results("approve", "reject"):
        if data.review is not None:
            key = (data.connection.namespace, data.review.name, data.actor)
            judged.setdefault(key, (envelope, data))
    written = set()
    for review in sources.reviews:
        key = (review.metadata.namespace, review.metadata.name, review.spec.reviewer)
        written.add(key)
        if period.has(told(review.metadata.creation_timestamp)):
            yield _written(sources, review, judged.get(key))
    for envelope, data in sources.results("approve", "reject"):
        known = (
            data.review is not None and (data.connection.namespace, data.review.name, data.actor) in written
        )
        if not known and period.has(envelope.time):
            yield _recorded(sources, envelope, data)


def _written(sources: Sources, review: MCPConnectionReview, record: Told | None) -> Row:
    spec, time = review.spec, told(review.metadata.creation_timestamp)
    connection = _connection(sources, review)
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
        "changed": _changed(sources, uid, spec.surface_digest, time),
        "comment": spec.comment,
        "ticket": spec.ticket,
        "review": review.metadata.name,
        "toldBy": "API, Audit" if record else "API",
    }


def _connection(sources: Sources, review: MCPConnectionReview) -> MCPConnection | None:
    """The one of that name, unless it is younger than the review."""
    name, said = (review.metadata.namespace, review.spec.connection), review.metadata.creation_timestamp
    for each in sources.connections:
        created = each.metadata.creation_timestamp
        if (each.metadata.namespace, each.metadata.name) == name:
            return None if created and said and said < created else each
    return None


def _recorded(sources: Sources, envelope: AuditEnvelope, data: AuditData) -> Row:
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
        "changed": _changed(sources, data.connection.uid, digest, envelope.time),
        "comment": data.message,
        "review": data.review.name if data.review else None,
        "toldBy": "Audit",
    }


def _changed(sources: Sources, uid: str | None, digest: str | None, time: str | None) -> str | None:
    """The newest drift of the connection before it to just that surface."""
    if uid is None or digest is None or time is None:
        return None
    found = None
    for envelope, data in sources.results("drift"):
        drift = data.drift
        same = drift is not None and drift.live_digest == digest and data.connection.uid == uid
        if drift is not None and same and envelope.time <= time:
            found = f"{drift.level}: " + ", ".join(f"{each.kind} {each.count}" for each in drift.findings)
    return found
