"""`MCPCredentialStore`: one Vault or OpenBao, registered by the platform."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from leasehold.api.base import ApiModel, Condition, DNSSubdomain, LabelSelector, Resource

VaultName = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
]
VaultPath = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.@-]+)*$")
]


class AuthMethod(StrEnum):
    """How service accounts log in to the store."""

    JWT = "JWT"
    KUBERNETES = "Kubernetes"


class StoreAuth(ApiModel):
    """The auth method of the store; immutable, for ledgers depend on it."""

    method: AuthMethod = AuthMethod.JWT
    mount: VaultPath

    @property
    def login_path(self) -> str:
        """The `path` that Vault records on every token from this auth method."""
        return f"auth/{self.mount}/login"


class MCPCredentialStoreSpec(ApiModel):
    """Where credentials come from."""

    address: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    ca_bundle: Annotated[str, StringConstraints(min_length=1, max_length=65536)] | None = None
    auth: StoreAuth
    revoker_role: VaultName = "leasehold"
    max_request_seconds: Annotated[int, Field(ge=1, le=600)] = 90
    allowed_namespaces: LabelSelector | None = None


class MCPCredentialStoreStatus(ApiModel):
    """What is known of the store."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    cluster_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, alias="clusterID"
    )


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
