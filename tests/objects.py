"""Connections, profiles, stores and ledger entries by intent, for tests of what is seen from outside."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.names import FINALIZER
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import CredentialType, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.revocation import MCPRevocation
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import RevocationFact

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def a_connection(
    name: str = "support-bot-orders",
    *,
    namespace: str = "support",
    uid: str = "7d5e1c1e-0000-4000-8000-000000000001",
    templates: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> MCPConnection:
    """A connection as the API server would hand it out; `spec`, `status` and `metadata` replace whole fields."""
    return MCPConnection.model_validate(
        {
            "apiVersion": "leasehold.dev/v1alpha1",
            "kind": "MCPConnection",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "generation": 3,
                "labels": dict(labels or {}),
                **(metadata or {}),
            },
            "spec": {
                "agent": {"name": "support-bot", "serviceAccountName": "support-bot"},
                "profile": "orders-read",
                "owner": {
                    "user": "alice@example.com",
                    "deputy": "bob@example.com",
                    "team": "support-platform",
                },
                "purpose": {"summary": "triage incoming tickets", "ticket": "SUP-812"},
                "output": {"secretName": name, "templates": dict(templates or {})},
                **(spec or {}),
            },
            "status": dict(status or {}),
        }
    )


def a_store(
    name: str = "default", *, metadata: Mapping[str, Any] | None = None, **spec: Any
) -> MCPCredentialStore:
    """A store whose requests end after one second, and that we hold."""
    return MCPCredentialStore.model_validate(
        {
            "metadata": {"name": name, "uid": "store-uid", "finalizers": [FINALIZER], **(metadata or {})},
            "spec": {
                "address": "https://vault.example.com",
                "auth": {"mount": "jwt"},
                "maxRequestSeconds": 1,
                **spec,
            },
        }
    )


def a_revocation(
    name: str = "breakglass",
    *,
    metadata: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    lifted: bool = False,
    **spec: Any,
) -> MCPRevocation:
    """Whatever uses the profile `orders-read`, stopped by alice; keywords replace fields of its spec."""
    lift = {"lift": {"by": "bob@example.com", "reason": "the token was rotated"}} if lifted else {}
    return MCPRevocation.model_validate(
        {
            "metadata": {
                "name": name,
                "uid": f"uid-of-{name}",
                "generation": 1,
                "creationTimestamp": NOON,
                **(metadata or {}),
            },
            "spec": {
                "target": {"profile": "orders-read"},
                "reason": "a token was seen in a public log",
                "requestedBy": "alice@example.com",
                **lift,
                **spec,
            },
            "status": dict(status or {}),
        }
    )


def a_policy(
    name: str = "strict", *, metadata: Mapping[str, Any] | None = None, **spec: Any
) -> MCPAccessPolicy:
    """A policy that denies at once what does not satisfy it; keywords are its spec."""
    return MCPAccessPolicy.model_validate(
        {
            "metadata": {"name": name, "uid": f"uid-of-{name}", "generation": 4, **(metadata or {})},
            "spec": spec,
        }
    )


def the_fact_of(revocation: MCPRevocation) -> RevocationFact:
    """As the API server lists it."""
    return RevocationFact(revocation.metadata.name, revocation.metadata.uid, revocation)


UNREADABLE = RevocationFact("from-tomorrow", "uid-of-from-tomorrow", None)
"""A revocation that this version cannot read."""


def a_profile(**credential: Any) -> MCPServerProfile:
    """The profile `orders-read`; keywords replace fields of its credential recipe."""
    return MCPServerProfile.model_validate(
        {
            "metadata": {"name": "orders-read"},
            "spec": {
                "url": "https://orders-mcp.tools.svc/mcp",
                "owner": {"team": "orders"},
                "scopes": ["orders:read"],
                "credential": {
                    "storeName": "default",
                    "vaultRole": "mcp-orders",
                    "path": "database/creds/orders-read",
                    "type": "Lease",
                    "ttlSeconds": 3600,
                    **credential,
                },
            },
        }
    )


def an_entry(generation: int = 1, state: EntryState = EntryState.CURRENT, **fields: Any) -> LedgerEntry:
    """A generation that Vault gave a lease for."""
    return LedgerEntry(
        **{
            "generation": generation,
            "state": state,
            "type": CredentialType.LEASE,
            "store_uid": "store-uid",
            "cluster_id": "vault-cluster",
            "accessor": f"accessor-{generation}",
            "lease_id": f"database/creds/orders-read/{generation}",
            "mint_hash": "sha256:" + "0" * 64,
            "secret_name": "support-bot-orders",
            "reason": Reason.FIRST_MINT,
            **fields,
        }
    )


def a_ready_condition(reason: Reason, status: str = "True") -> dict[str, Any]:
    """The Ready condition of a status."""
    return {
        "type": "Ready",
        "status": status,
        "reason": reason.value,
        "lastTransitionTime": "2026-11-20T12:00:00Z",
    }
