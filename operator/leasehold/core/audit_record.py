"""Makes audit records of what there is in the cluster. Accessors and lease ids are hashed: enough to follow one
credential through the records, too little to revoke it."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from leasehold.api.base import rfc3339
from leasehold.api.connection import Assurance, DriftRecord, MCPConnection
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from leasehold.api.violation import PolicyViolation
from leasehold.core.audit import (
    MAX_MESSAGE_CHARS,
    TYPE_PREFIX,
    AuditAccessPolicy,
    AuditAccessPolicyData,
    AuditAction,
    AuditAgent,
    AuditConnection,
    AuditData,
    AuditDrift,
    AuditEnvelope,
    AuditFinding,
    AuditOutcome,
    AuditOwner,
    AuditPhase,
    AuditPolicy,
    AuditReview,
    AuditRevocation,
    AuditRevocationData,
)
from leasehold.core.redaction import redacted
from leasehold.core.text import shortened


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
    violation: PolicyViolation | None = None,
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
        policies=tuple(_policy(each) for each in connection.status.policy_violations) or None,
        violation=None if violation is None else _policy(violation),
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


def _governance(connection: MCPConnection) -> dict[str, Any]:
    spec = connection.spec
    return {
        "agent": AuditAgent(name=spec.agent.name, service_account_name=spec.agent.service_account_name),
        "owner": AuditOwner(user=spec.owner.user, deputy=spec.owner.deputy, team=spec.owner.team),
        "purpose": _words(spec.purpose.summary),
        "ticket": spec.purpose.ticket,
    }


def _policy(violation: PolicyViolation) -> AuditPolicy:
    deadline = violation.deadline_time
    return AuditPolicy(
        name=violation.policy,
        generation=violation.generation,
        rule=violation.rule,
        effect=violation.effect.value,
        since=rfc3339(violation.since_time),
        deadline=rfc3339(deadline) if deadline is not None else None,
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
