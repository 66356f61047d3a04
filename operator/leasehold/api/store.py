"""`MCPCredentialStore`: one Vault or OpenBao, registered by the platform."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from leasehold.api.base import (
    ApiModel,
    Conditions,
    DNSSubdomain,
    Integer,
    LabelSelector,
    ObservedGeneration,
    Resource,
)
from leasehold.api.rules import Immutable, lacks
from leasehold.api.urls import StoreAddress

VaultName = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
]
VaultPath = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.@-]+)*$"),
    lacks(r"(^|/)[.][.]?(/|$)", "write the path as it is, without . or .. between slashes"),
]

CABundle = Annotated[
    str,
    StringConstraints(
        min_length=4,
        max_length=65536,
        pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$",
    ),
    Field(json_schema_extra={"format": "byte"}),
]
"""Base64 of PEM. Whether certificates are in it, only `api.pem.pem_from_bundle` can say."""

ANOTHER_STORE = "ledgers depend on it; create another store and point profiles to that"


class AuthMethod(StrEnum):
    """How service accounts log in to the store."""

    JWT = "JWT"
    KUBERNETES = "Kubernetes"


class StoreAuth(ApiModel):
    """The auth method of the store; immutable, for ledgers depend on it."""

    method: Annotated[AuthMethod, Immutable(ANOTHER_STORE)] = AuthMethod.JWT
    """The kind of auth method: JWT (keys or issuer discovery) or Kubernetes (TokenReview)."""
    mount: Annotated[VaultPath, Immutable(ANOTHER_STORE)]
    """Where the auth method is mounted, without `auth/` in front."""

    @property
    def login_path(self) -> str:
        """The `path` that Vault records on every token from this auth method."""
        return f"auth/{self.mount}/login"


class MCPCredentialStoreSpec(ApiModel):
    """Where credentials come from."""

    address: Annotated[StoreAddress, Immutable(ANOTHER_STORE)]
    """The canonical URL of the Vault or OpenBao, as in https://vault.example.com:8200."""
    ca_bundle: CABundle | None = None
    """Base64 of the PEM certificates that the store's certificate is checked against; without it, the
    certificates that the operator's system trusts."""
    auth: StoreAuth
    """How service accounts log in."""
    revoker_role: VaultName = "leasehold"
    """The role of the auth method with which the operator itself logs in, to look up and to revoke."""
    max_request_seconds: Annotated[Integer, Field(ge=1, le=600)] = 90
    """After how long the store itself ends a request. Only after that time is the outcome of a mint certain
    that was never answered, so keep it at the server's setting."""
    allowed_namespaces: LabelSelector | None = None
    """Which namespaces may have connections to this store, by their labels; without it, all may."""


class MCPCredentialStoreStatus(ApiModel):
    """What is known of the store."""

    observed_generation: ObservedGeneration = 0
    """The metadata.generation that this status is about."""
    conditions: Conditions = ()
    """What holds for the store, first of all Ready."""
    cluster_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, alias="clusterID"
    )
    """Which Vault answered last at this address, by its own cluster id."""


class MCPCredentialStore(Resource):
    """One Vault or OpenBao."""

    KIND: ClassVar[str] = "MCPCredentialStore"
    PLURAL: ClassVar[str] = "mcpcredentialstores"
    SHORT_NAME: ClassVar[str] = "mcpstore"
    NAMESPACED: ClassVar[bool] = False

    kind: Literal["MCPCredentialStore"] = "MCPCredentialStore"
    spec: MCPCredentialStoreSpec
    status: MCPCredentialStoreStatus = MCPCredentialStoreStatus()


StoreName = DNSSubdomain
