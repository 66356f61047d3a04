"""Every connection that lived in the period: those that are there, and those that audit records and the exposures
of agents remember."""

from collections.abc import Iterator
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import FormerConnection, MCPAgentExposure
from leasehold.core.audit import AuditData, AuditEnvelope
from leasehold.core.conditions import condition_of
from leasehold.core.evidence_sources import Sources
from leasehold.core.evidence_table import Cell, Row, Table
from leasehold.core.evidence_times import told

COLUMNS: Final = (
    "namespace",
    "name",
    "uid",
    "agent",
    "serviceAccountName",
    "owner",
    "deputy",
    "team",
    "purpose",
    "ticket",
    "profile",
    "serverURL",
    "credentialType",
    "existence",
    "createdTime",
    "firstRecordTime",
    "lastRecordTime",
    "endedTime",
    "endedReason",
    "ready",
    "readyReason",
    "leaseEndTime",
    "reviewDueTime",
    "lastDecision",
    "lastReviewTime",
    "lastReviewer",
    "residualExposureUntil",
    "resourceVersion",
    "toldBy",
)
ABOUT: Final = (
    "One row for each connection that lived in the period. Whoever Exists is told by the API server as of the time "
    "of reading; whoever is Gone, by the last audit record of it, by what the exposure of its agent keeps of it, "
    "or by both."
)

Told = tuple[AuditEnvelope, AuditData]
Former = tuple[MCPAgentExposure, FormerConnection]


def population(sources: Sources) -> Table:
    """The table."""
    rows = sorted(_rows(sources), key=lambda row: (str(row["namespace"]), str(row["name"]), str(row["uid"])))
    return Table("population", "Population", ABOUT, COLUMNS, rows)


def _rows(sources: Sources) -> Iterator[Row]:
    by_uid: dict[str, list[Told]] = {}
    for envelope, data in sources.steps:
        by_uid.setdefault(data.connection.uid, []).append((envelope, data))
    period, known = sources.scope.period, set()
    for connection in sources.connections:
        known.add(connection.metadata.uid)
        created = told(connection.metadata.creation_timestamp)
        if created is None or created < period.end:
            yield _existing(connection, by_uid.get(connection.metadata.uid, []))
    for uid in [*by_uid, *(each for each in sources.former if each not in by_uid)]:
        if uid in known:
            continue
        row = _gone(by_uid.get(uid, []), sources.former.get(uid))
        begin, end = str(row["createdTime"] or row["firstRecordTime"]), str(row["endedTime"])
        if begin < period.end and end >= period.begin:
            yield row


def _existing(connection: MCPConnection, steps: list[Told]) -> Row:
    spec, status, metadata = connection.spec, connection.status, connection.metadata
    ready, server = condition_of(status.conditions, "Ready"), status.server
    said = max(
        (each for each in (status.approval, status.rejection) if each is not None),
        key=lambda each: each.time,
        default=None,
    )
    decision = "Reject" if said is status.rejection else "Approve"
    return {
        "namespace": metadata.namespace,
        "name": metadata.name,
        "uid": metadata.uid,
        "agent": spec.agent.name,
        "serviceAccountName": spec.agent.service_account_name,
        "owner": spec.owner.user,
        "deputy": spec.owner.deputy,
        "team": spec.owner.team,
        "purpose": spec.purpose.summary,
        "ticket": spec.purpose.ticket,
        "profile": spec.profile,
        "serverURL": server.url if server else None,
        "credentialType": server.credential_type.value if server and server.credential_type else None,
        "existence": "Exists",
        "createdTime": told(metadata.creation_timestamp),
        "firstRecordTime": steps[0][0].time if steps else None,
        "lastRecordTime": steps[-1][0].time if steps else None,
        "ready": ready.status.value if ready else None,
        "readyReason": ready.reason.value if ready else None,
        "leaseEndTime": told(status.lease_end_time),
        "reviewDueTime": told(status.review_due_time),
        "lastDecision": decision if said else None,
        "lastReviewTime": told(said.time) if said else None,
        "lastReviewer": said.reviewer if said else None,
        "residualExposureUntil": told(status.residual_exposure_until),
        "resourceVersion": metadata.resource_version,
        "toldBy": "API, Audit" if steps else "API",
    }


def _gone(steps: list[Told], kept: Former | None) -> Row:
    """What is kept of its end knows it better than its records, which know all else."""
    told_by = [name for name, source in (("Audit", steps), ("Exposure", kept)) if source]
    row: dict[str, Cell] = {"existence": "Gone", "createdTime": None, "toldBy": ", ".join(told_by)}
    if steps:
        row |= _of_records(steps)
    if kept is not None:
        row |= _of_former(*kept)
    return row


def _of_former(exposure: MCPAgentExposure, former: FormerConnection) -> Row:
    row: dict[str, Cell] = {
        "namespace": exposure.metadata.namespace,
        "name": former.name,
        "uid": former.uid,
        "agent": exposure.spec.agent,
        "profile": former.profile,
        "createdTime": told(former.created_time),
        "endedTime": told(former.ended_time),
        "endedReason": former.reason.value,
    }
    if former.rejection is not None:
        row |= {
            "lastDecision": "Reject",
            "lastReviewTime": told(former.rejection.time),
            "lastReviewer": former.rejection.reviewer,
        }
    return row


def _of_records(steps: list[Told]) -> Row:
    envelope, data = steps[-1]
    said = [
        each for each in steps if each[1].action in ("approve", "reject") and each[1].outcome == "Succeeded"
    ]
    typed = [each.credential_type for _, each in steps if each.credential_type]
    return {
        "namespace": data.connection.namespace,
        "name": data.connection.name,
        "uid": data.connection.uid,
        "agent": data.agent.name,
        "serviceAccountName": data.agent.service_account_name,
        "owner": data.owner.user,
        "deputy": data.owner.deputy,
        "team": data.owner.team,
        "purpose": data.purpose,
        "ticket": data.ticket,
        "profile": data.profile,
        "serverURL": data.server_url,
        "credentialType": typed[-1] if typed else None,
        "firstRecordTime": steps[0][0].time,
        "lastRecordTime": envelope.time,
        "endedTime": envelope.time,
        "endedReason": data.reason,
        "lastDecision": str(said[-1][1].action).capitalize() if said else None,
        "lastReviewTime": said[-1][0].time if said else None,
        "lastReviewer": said[-1][1].actor if said else None,
    }
