"""Who gave which agent access to what, why, and what became of it: one CloudEvents 1.0 envelope for the
intent and one for the result of every step that matters. Accessors and lease ids are hashed: enough to
follow one credential through the records, too little to revoke it. The published schema is generated from
these models."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints
from pydantic.json_schema import GenerateJsonSchema

from leasehold.api.base import rfc3339
from leasehold.api.connection import Assurance, DriftRecord, MCPConnection
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from leasehold.core.audit_chain import AuditChain
from leasehold.core.audit_part import Hashed, Part, ReasonWord, UtcTime
from leasehold.core.redaction import redacted
from leasehold.core.text import shortened

TYPE_PREFIX: Final = "dev.leasehold.audit.v1"
SCHEMA_ID: Final = "urn:leasehold:audit:v1"
SCHEMA_VERSION: Final = "1.1"
"""The minor part rises with what a release adds: 1.1 has the chain, a review's subject, and what policies found."""
MAX_MESSAGE_CHARS: Final = 1024


class AuditAction(StrEnum):
    """The steps that are recorded."""

    MINT = "mint"
    PUBLISH = "publish"
    ROTATE = "rotate"
    REVOKE = "revoke"
    VERIFY = "verify"
    EXPIRE = "expire"
    SUSPEND = "suspend"
    DELETE = "delete"
    ABANDON = "abandon"
    ADOPT = "adopt"
    STORE = "store"
    BREAKGLASS = "breakglass"
    LIFT = "lift"
    APPROVE = "approve"
    REJECT = "reject"
    DRIFT = "drift"
    IDLE = "idle"
    POLICY = "policy"
    RESTORE = "restore"


class AuditPhase(StrEnum):
    """Before a step, and after it."""

    INTENT = "intent"
    RESULT = "result"


class AuditOutcome(StrEnum):
    """How a step ended; an intent has not."""

    STARTED = "Started"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"


class _WithoutFieldTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        """They repeat the name in worse spelling."""
        return False


class AuditAgent(Part):
    """Who uses the connection."""

    name: str
    service_account_name: str


class AuditConnection(Part):
    """Which connection, and which generation of its credential."""

    namespace: str
    name: str
    uid: str
    generation: Annotated[int, Field(ge=1)] | None = None


class AuditOwner(Part):
    """Who answers for the connection."""

    user: str
    deputy: str | None = None
    team: str


class AuditFinding(Part):
    """Differences of one kind, by what they are and how many; never the server's words."""

    level: str
    kind: str
    count: Annotated[int, Field(ge=1)]


class AuditDrift(Part):
    """How a server's surface differs from what was approved; `paths` are JSON pointers into the surface."""

    live_digest: Hashed
    approved_digest: Hashed
    level: str
    since: UtcTime
    deadline: UtcTime | None = None
    findings: tuple[AuditFinding, ...]
    paths: tuple[str, ...]


class AuditPolicy(Part):
    """A rule of an access policy that the connection does not satisfy, and by which state of the policy."""

    name: str
    generation: Annotated[int, Field(ge=0)]
    rule: str
    effect: str
    since: UtcTime
    deadline: UtcTime | None = None


class AuditReview(Part):
    """Which review a person's word is in, and the surface that they had looked at."""

    name: str
    surface_digest: Hashed | None = None


class _Step(Part):
    """What every record says."""

    sequence: Annotated[int, Field(ge=0)]
    previous_hash: Hashed | None = None
    """Of the record before it of the same source; absent in the first one."""
    chain: AuditChain | None = None
    """In the first record of a source alone."""
    actor: Annotated[str, StringConstraints(min_length=1)]
    action: AuditAction
    phase: AuditPhase
    outcome: AuditOutcome
    reason: ReasonWord
    message: Annotated[str, StringConstraints(max_length=MAX_MESSAGE_CHARS)] | None = None


class AuditData(_Step):
    """What happened."""

    agent: AuditAgent
    connection: AuditConnection
    owner: AuditOwner
    purpose: str
    ticket: str | None = None
    profile: str
    server_url: str | None = Field(default=None, alias="serverURL")
    credential_type: str | None = None
    accessor_hash: Hashed | None = None
    lease_id_hash: Hashed | None = Field(default=None, alias="leaseIDHash")
    revocations: tuple[str, ...] | None = None
    policies: tuple[AuditPolicy, ...] | None = None
    drift: AuditDrift | None = None
    assurance: str | None = None
    review: AuditReview | None = None


class AuditRevocation(Part):
    """Which breakglass switch, and how far it is. All counts are of connections."""

    name: str
    uid: str
    target: str
    incident: str | None = None
    requested_by: str
    on_lift: str
    matched: int
    revoked: int
    verified: int
    failed: int
    residual: str | None = None


class AuditRevocationData(_Step):
    """What happened to a breakglass switch."""

    revocation: AuditRevocation


class AuditAccessPolicy(Part):
    """Which access policy, and the last state of it that was known."""

    name: str
    uid: str
    generation: Annotated[int, Field(ge=0)]
    effect: str


class AuditAccessPolicyData(_Step):
    """What happened to an access policy."""

    policy: AuditAccessPolicy


class AuditEnvelope(Part):
    """A CloudEvents 1.0 event in structured JSON."""

    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(min_length=1)]
    source: Annotated[str, StringConstraints(pattern=r"^/leasehold/.+$")]
    type: Annotated[str, StringConstraints(pattern=r"^dev\.leasehold\.audit\.v1\.[a-z]+\.(intent|result)$")]
    subject: Annotated[str, StringConstraints(pattern=r"^[^/]+/[^/]+$")]
    time: UtcTime
    datacontenttype: Literal["application/json"]
    data: AuditData | AuditRevocationData | AuditAccessPolicyData


def revocation_record(
    *,
    instance: str,
    sequence: int,
    time: datetime,
    action: AuditAction,
    phase: AuditPhase,
    outcome: AuditOutcome,
    reason: Reason,
    revocation: MCPRevocation,
    actor: str,
    message: str = "",
) -> dict[str, Any]:
    """One record about a breakglass switch itself; `actor` is who threw or lifted it."""
    spec, status = revocation.spec, revocation.status
    data = AuditRevocationData(
        sequence=sequence,
        actor=_words(actor),
        action=action,
        phase=phase,
        outcome=outcome,
        reason=reason.value,
        message=_words(message) or None,
        revocation=AuditRevocation(
            name=revocation.metadata.name,
            uid=revocation.metadata.uid,
            target=_words(str(spec.target)),
            incident=spec.incident,
            requested_by=_words(spec.requested_by),
            on_lift=spec.on_lift.value,
            matched=status.matched,
            revoked=status.revoked,
            verified=status.verified,
            failed=status.failed,
            residual=status.residual,
        ),
    )
    return _enveloped(instance, f"{revocation.KIND.lower()}/{revocation.metadata.name}", time, data)


def policy_removal_record(
    *, instance: str, sequence: int, time: datetime, policy: MCPAccessPolicy
) -> dict[str, Any]:
    """One record about an access policy that was deleted, whoever did it."""
    data = AuditAccessPolicyData(
        sequence=sequence,
        actor="leasehold",
        action=AuditAction.POLICY,
        phase=AuditPhase.RESULT,
        outcome=AuditOutcome.SUCCEEDED,
        reason=Reason.POLICY_REMOVED.value,
        message="the policy was deleted; the audit log of the API server says by whom",
        policy=AuditAccessPolicy(
            name=policy.metadata.name,
            uid=policy.metadata.uid,
            generation=policy.metadata.generation,
            effect=policy.spec.effect.value,
        ),
    )
    return _enveloped(instance, f"{policy.KIND.lower()}/{policy.metadata.name}", time, data)


def audit_record(
    *,
    instance: str,
    sequence: int,
    time: datetime,
    action: AuditAction,
    phase: AuditPhase,
    outcome: AuditOutcome,
    reason: Reason,
    connection: MCPConnection,
    profile: MCPServerProfile | None = None,
    generation: int | None = None,
    accessor: str | None = None,
    lease_id: str | None = None,
    message: str = "",
    actor: str = "leasehold",
    drift: AuditDrift | None = None,
    assurance: Assurance | None = None,
    review: MCPConnectionReview | None = None,
) -> dict[str, Any]:
    """One record.

    `instance` names one run of the operator and `sequence` counts within it: together with the time they make
    the id unique. `actor` is whoever decided: the operator itself, or the person whose act it carries out.
    """
    data = AuditData(
        sequence=sequence,
        actor=actor,
        action=action,
        phase=phase,
        outcome=outcome,
        reason=reason.value,
        message=_words(message) or None,
        connection=AuditConnection(
            namespace=connection.metadata.namespace,
            name=connection.metadata.name,
            uid=connection.metadata.uid,
            generation=generation,
        ),
        accessor_hash=_hashed(accessor),
        lease_id_hash=_hashed(lease_id),
        revocations=tuple(hold.revocation for hold in connection.status.holds) or None,
        policies=_policies(connection) or None,
        drift=drift,
        assurance=assurance.value if assurance is not None else None,
        review=None
        if review is None
        else AuditReview(name=review.metadata.name, surface_digest=review.spec.surface_digest),
        **_governance(connection),
        **_server(connection, profile),
    )
    return _enveloped(instance, connection.key, time, data)


def _enveloped(
    instance: str,
    subject: str,
    time: datetime,
    data: AuditData | AuditRevocationData | AuditAccessPolicyData,
) -> dict[str, Any]:
    envelope = AuditEnvelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=f"{time:%Y%m%dT%H%M%SZ}-{data.sequence}",
        source=f"/leasehold/{instance}",
        type=f"{TYPE_PREFIX}.{data.action}.{data.phase}",
        subject=subject,
        time=rfc3339(time),
        data=data,
    )
    return envelope.model_dump(mode="json", by_alias=True, exclude_none=True)


def drift_facts(drift: DriftRecord, paths: Sequence[str]) -> AuditDrift:
    """What is recorded of drift."""
    return AuditDrift(
        live_digest=drift.live_digest,
        approved_digest=drift.approved_digest,
        level=drift.level.value,
        since=rfc3339(drift.since_time),
        deadline=rfc3339(drift.deadline_time) if drift.deadline_time is not None else None,
        findings=tuple(
            AuditFinding(level=each.level.value, kind=each.kind, count=each.count) for each in drift.findings
        ),
        paths=tuple(paths),
    )


def audit_schema() -> dict[str, Any]:
    """The JSON Schema of a record, as published."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "$comment": f"version {SCHEMA_VERSION}",
        **AuditEnvelope.model_json_schema(by_alias=True, schema_generator=_WithoutFieldTitles),
    }


def _governance(connection: MCPConnection) -> dict[str, Any]:
    spec = connection.spec
    return {
        "agent": AuditAgent(name=spec.agent.name, service_account_name=spec.agent.service_account_name),
        "owner": AuditOwner(user=spec.owner.user, deputy=spec.owner.deputy, team=spec.owner.team),
        "purpose": _words(spec.purpose.summary),
        "ticket": spec.purpose.ticket,
    }


def _policies(connection: MCPConnection) -> tuple[AuditPolicy, ...]:
    return tuple(
        AuditPolicy(
            name=each.policy,
            generation=each.generation,
            rule=each.rule,
            effect=each.effect.value,
            since=rfc3339(each.since_time),
            deadline=rfc3339(each.deadline_time) if each.deadline_time is not None else None,
        )
        for each in connection.status.policy_violations
    )


def _server(connection: MCPConnection, profile: MCPServerProfile | None) -> dict[str, Any]:
    if profile is None:
        return {"profile": connection.spec.profile}
    credential = profile.spec.credential
    return {
        "profile": connection.spec.profile,
        "server_url": None if profile.spec.url is None else _bare_url(profile.spec.url),
        "credential_type": credential.type.value if credential else None,
    }


def _bare_url(url: str) -> str:
    """Without user information and query, where keys get put."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _words(text: str) -> str:
    return shortened(redacted(text), MAX_MESSAGE_CHARS)


def _hashed(identifier: str | None) -> str | None:
    return None if not identifier else f"sha256:{sha256(identifier.encode()).hexdigest()}"
