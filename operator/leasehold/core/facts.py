"""What was seen outside: immutable facts that ports return and decisions read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Self

from pydantic import ValidationError

from leasehold.api.connection import MCPConnection
from leasehold.api.revocation import MCPRevocation
from leasehold.core.sealed import Sealed


class SecretState(Enum):
    """What an empty patch tells of a Secret's name."""

    FREE = "free"
    MANAGED = "managed"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class SecretMeta:
    """Metadata of a Secret that carries our label; never its data."""

    uid: str
    resource_version: str
    owner_uids: tuple[str, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class SecretProbe:
    """The state of a Secret's name; `meta` only where it is managed."""

    state: SecretState
    meta: SecretMeta | None = None


class SecretTouch(Enum):
    """What an otherwise empty patch with the version that we last wrote tells of our Secret."""

    UNTOUCHED = "untouched"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True)
class SecretReading:
    """One of our own Secrets, read in full once because somebody wrote to it."""

    meta: SecretMeta
    data: Sealed[Mapping[str, str]]


@dataclass(frozen=True)
class SecretContent:
    """A Secret as we want it: metadata, and data as text (encoded by the adapter)."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owner: MCPConnection
    data: Sealed[Mapping[str, str]]


@dataclass(frozen=True)
class ServiceAccountFact:
    """A service account that exists."""

    uid: str


@dataclass(frozen=True)
class Heartbeat:
    """A Lease of a connection's name; `renewed` as whoever renews it has written it, None where nobody did."""

    renewed: datetime | None


@dataclass(frozen=True)
class LabelledHeartbeat:
    """A Lease that is labelled as a heartbeat, with all that whoever renews it says: nothing of it is proven."""

    namespace: str
    name: str
    uid: str
    renewed: datetime | None
    duration_seconds: int | None = None
    server_url: str | None = None
    agent: str | None = None
    holder: str | None = None


@dataclass(frozen=True)
class ServiceAccountToken:
    """A token from TokenRequest; `expiry` counts from before the request."""

    token: Sealed[str]
    expiry: datetime
    service_account_uid: str


@dataclass(frozen=True)
class RevocationFact:
    """A revocation as far as this version can read it: a fence denies what it cannot rule out."""

    name: str
    uid: str
    revocation: MCPRevocation | None
    """None where it cannot be read."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """From the object as the API server holds it, well-formed or not."""
        metadata = body["metadata"]
        try:
            revocation = MCPRevocation.model_validate(body)
        except ValidationError:
            revocation = None
        return cls(metadata["name"], metadata.get("uid", ""), revocation)


class EventType(Enum):
    """The two types of a Kubernetes Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True)
class Login:
    """A Vault token of a connection's own service account."""

    token: Sealed[str]
    accessor: str
    ttl_seconds: int


@dataclass(frozen=True)
class MintedToken:
    """The `auth` part of an answer."""

    token: Sealed[str]
    accessor: str
    ttl_seconds: int
    service: bool
    orphan: bool


@dataclass(frozen=True)
class MintAnswer:
    """What Vault answered: its data, and what ends it."""

    data: Sealed[Mapping[str, Any]]
    lease_id: str | None = None
    lease_seconds: int = 0
    auth: MintedToken | None = None


class AccessorRevocation(Enum):
    """What Vault said to revoke-accessor: neither proves that a lease is dead."""

    ACCEPTED = "accepted"
    UNKNOWN_ACCESSOR = "unknown accessor"


@dataclass(frozen=True)
class TokenFacts:
    """A living token, looked up by its accessor."""

    path: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    ttl_seconds: int = 0


@dataclass(frozen=True)
class LeaseFacts:
    """A lease that Vault knows; `ttl_seconds` ≤ 0 means that its revocation is pending or has failed."""

    lease_id: str
    ttl_seconds: int
