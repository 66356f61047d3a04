"""A quarter in small: a connection that lives, one that is gone, a rejection, drift, a breakglass switch, and a
purpose of hostile text."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from audit_runs import GONE, Process
from leasehold.api.base import rfc3339
from leasehold.api.connection import Assurance, DriftRecord
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.core.audit import AuditAction, AuditPhase
from leasehold.core.audit_record import drift_facts
from leasehold.core.evidence_folder import tables
from leasehold.core.evidence_lookups import Found, Listing, LookUp, StoreAsked, Thing, VaultAnswers
from leasehold.core.evidence_sources import Period, Scope, Sources, audit_name
from objects import NOON, a_connection, a_ready_condition, a_revocation, an_entry

DIGEST = "sha256:" + "5" * 64
OLD_DIGEST = "sha256:" + "4" * 64
HOSTILE = '=HYPERLINK("http://evil")<script>alert(1)</script>\u202e'
ONE_DAY = timedelta(days=1)


def a_review(name: str = "q4", counted: str = "True", **spec: Any) -> MCPConnectionReview:
    """A review of two minutes past noon."""
    condition = {
        "type": "Counted",
        "status": counted,
        "reason": "Counted",
        "lastTransitionTime": rfc3339(NOON),
    }
    return MCPConnectionReview.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "support",
                "uid": f"uid-of-{name}",
                "creationTimestamp": rfc3339(NOON + timedelta(minutes=2)),
            },
            "spec": {
                "connection": "support-bot-orders",
                "reviewer": "alice@example.com",
                "decision": "Approve",
                "surfaceDigest": DIGEST,
                "comment": "looked at what it does",
                **spec,
            },
            "status": {"conditions": [condition]},
        }
    )


def living(**changed: Any) -> Any:
    """The connection that is there, with one generation in its ledger."""
    entry = an_entry(1, issued_time=NOON + timedelta(seconds=20)).to_wire()
    status = {
        "conditions": [a_ready_condition(Reason.ACTIVE)],
        "ledger": [entry],
        "lastGeneration": 1,
        "server": {"url": "https://orders-mcp.tools.svc/mcp", "credentialType": "Lease", "scopes": ["a"]},
        "leaseEndTime": rfc3339(NOON + timedelta(days=90)),
        "reviewDueTime": rfc3339(NOON + timedelta(days=76)),
        **changed.pop("status", {}),
    }
    metadata = {
        "creationTimestamp": rfc3339(NOON),
        "resourceVersion": "41",
        "annotations": {"secret": "hvs.abc"},
    }
    spec = {"purpose": {"summary": HOSTILE}, **changed.pop("spec", {})}
    return a_connection(
        templates={"k": "literal-secret"}, spec=spec, status=status, metadata=metadata, **changed
    )


def a_scope() -> Scope:
    """The day before noon, and the day after it."""
    return Scope(
        period=Period(rfc3339(NOON - ONE_DAY), rfc3339(NOON + ONE_DAY)),
        read_time=rfc3339(NOON + ONE_DAY),
        read_by="auditor@example.com",
        cluster_uid="cluster-uid",
        tool_version="0.1.0",
        versions={"MCPConnection": "100"},
    )


def an_audit(path: Path) -> bytes:
    """What two processes recorded."""
    first = Process(path, "first")
    first.mints()
    gone: dict[str, Any] = {"name": "gone-bot", "uid": GONE}
    first.mints(connection=gone)
    drift = DriftRecord.model_validate(
        {
            "liveDigest": DIGEST,
            "approvedDigest": OLD_DIGEST,
            "level": "Dangerous",
            "sinceTime": rfc3339(NOON),
            "findings": [{"level": "Dangerous", "kind": "ToolAdded", "count": 2}],
        }
    )
    first.tells(AuditAction.DRIFT, Reason.DRIFTED, generation=None, drift=drift_facts(drift, ["/tools/1"]))
    first.tells(
        AuditAction.APPROVE,
        Reason.COUNTED,
        generation=None,
        actor="alice@example.com",
        assurance=Assurance.OWNER,
        review=a_review(),
        message="looked at what it does",
        after_seconds=80,
    )
    second = Process(path, "second", first.now)
    second.ends(connection=gone, seconds=400)
    second.tells(
        AuditAction.REJECT,
        Reason.COUNTED,
        generation=None,
        actor="carol@example.com",
        assurance=Assurance.DELEGATE,
        review=a_review("purged", decision="Reject", reviewer="carol@example.com"),
        connection=gone,
    )
    switch = a_revocation("purged-switch")
    second.switches(switch, AuditAction.BREAKGLASS, AuditPhase.INTENT, "alice@example.com")
    second.switches(switch, AuditAction.BREAKGLASS, AuditPhase.RESULT, "alice@example.com")
    second.switches(switch, AuditAction.LIFT, AuditPhase.RESULT, "bob@example.com")
    return path.read_bytes()


METRICS = (
    'leasehold_fleet_connections{profile="orders-read",team="support-platform",reason="Active",ready="true"} 1\n'
    'leasehold_fleet_ledger_entries{profile="orders-read",team="support-platform",state="Current"} 1\n'
)


ENDED = NOON + timedelta(seconds=550)
"""When the last record is of the connection that is gone."""


def a_former(name: str = "gone-bot", uid: str = GONE, **fields: Any) -> dict[str, Any]:
    """What is kept of a connection that is gone."""
    return {
        "name": name,
        "uid": uid,
        "profile": "orders-read",
        "createdTime": rfc3339(NOON),
        "endedTime": rfc3339(ENDED),
        "reason": "Deleted",
        "lastGeneration": 1,
        **fields,
    }


def an_exposure(*former: dict[str, Any], **spec: Any) -> MCPAgentExposure:
    """Of the agent whose one connection is there."""
    connection = a_connection()
    listed = {
        "name": connection.metadata.name,
        "uid": connection.metadata.uid,
        "profile": "orders-read",
        "createdTime": rfc3339(NOON),
    }
    reached = {"name": "orders-read", "url": "https://orders-mcp.tools.svc/mcp"}
    return MCPAgentExposure.model_validate(
        {
            "metadata": {"name": "support-bot", "namespace": "support", "resourceVersion": "42"},
            "spec": {
                "agent": "support-bot",
                "connectionCount": 1,
                "connections": [listed],
                "profiles": [reached | {"transport": "StreamableHTTP", "riskTier": "High"}],
                "scopes": ["orders:read", "orders:write"],
                "capabilities": ["ReadsPrivateData", "WritesOutside"],
                "riskTier": "High",
                "credentialTypes": ["Lease"],
                "forbidden": [
                    {
                        "policy": "trifecta",
                        "effect": "Warn",
                        "connection": connection.metadata.name,
                        "message": "it reads private data and writes outside",
                    }
                ],
                "former": list(former),
                **spec,
            },
        }
    )


def a_look_up(thing: Thing, found: Found = Found.ALIVE, **fields: Any) -> LookUp:
    """Of the first generation of the connection that is there, a day after noon."""
    alive = {"ttl_seconds": 600} if found is Found.ALIVE else {}
    about = {"connection_uid": a_connection().metadata.uid, "generation": 1, "time": rfc3339(NOON + ONE_DAY)}
    return LookUp(thing=thing, found=found, **(about | alive | fields))


def vault_answers(*look_ups: LookUp, **fields: Any) -> VaultAnswers:
    """What the Vault of the store `default` said; without any, all is alive that has to be."""
    stores = (StoreAsked(name="default", uid="store-uid", cluster_id="vault-cluster"),)
    listings = (Listing(store="default", path="database/creds/orders-read", leases=1),)
    found = look_ups or (a_look_up(Thing.LOGIN), a_look_up(Thing.LEASE))
    return VaultAnswers(**({"stores": stores, "look_ups": found, "listings": listings} | fields))


def a_quarter(path: Path, **changed: Any) -> Sources:
    """All sources of it."""
    verified = {
        "verifiedTime": rfc3339(NOON + timedelta(seconds=42)),
        "matched": 1,
        "verified": 1,
        "residual": "none",
    }
    fields: dict[str, Any] = {
        "scope": a_scope(),
        "connections": (living(),),
        "reviews": (a_review(),),
        "revocations": (a_revocation(status=verified),),
        "exposures": (an_exposure(a_former()),),
        "audit": {audit_name(1): an_audit(path)},
        "metrics": METRICS,
        "vault": vault_answers(),
    }
    return Sources(**(fields | changed))


def rows(sources: Sources, name: str) -> list[Mapping[str, Any]]:
    """The rows of one table."""
    (table,) = [each for each in tables(sources) if each.name == name]
    return list(table.rows)
