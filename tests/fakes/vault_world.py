"""What a fake Vault is made of: tokens, leases, roles, and paths by what they answer with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

DEFAULT_TTL_SECONDS = 7200


@dataclass(frozen=True)
class Claims:
    """What a service-account token says."""

    namespace: str
    service_account: str
    uid: str
    audience: str


@dataclass
class FakeToken:
    text: str
    accessor: str
    path: str
    metadata: Mapping[str, str]
    parent: str | None
    end: datetime


@dataclass
class FakeLease:
    lease_id: str
    accessor: str
    end: datetime
    revoking: bool = False
    """Its revocation began and the backend did not let it go."""


@dataclass(frozen=True)
class LeasedAt:
    """A path that answers with data under a lease."""

    ttl_seconds: int = 3600
    data: Mapping[str, Any] | None = None
    """Left out: a user name and a password, new with each mint."""


@dataclass(frozen=True)
class TokenAt:
    """A path that answers with a child token."""

    ttl_seconds: int = 3600
    service: bool = True
    orphan: bool = False


@dataclass(frozen=True)
class DataAt:
    """A path that answers with data that nothing ends."""

    data: Mapping[str, Any]


Engine = LeasedAt | TokenAt | DataAt


@dataclass
class FakeRole:
    """A role of the auth method; `paths` is what its policy allows."""

    paths: tuple[str, ...] = ("*",)
    ttl_seconds: int = DEFAULT_TTL_SECONDS
    batch: bool = False
