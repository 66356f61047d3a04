"""`MCPServerProfile`: one MCP server as one class of agents may use it, registered by the platform."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from leasehold.api.base import ApiModel, Condition, LabelSelector, Resource
from leasehold.api.store import StoreName, VaultName, VaultPath

Team = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Transport(StrEnum):
    """How an agent reaches the server."""

    STREAMABLE_HTTP = "StreamableHTTP"
    SSE = "SSE"
    STDIO = "Stdio"


class CredentialMethod(StrEnum):
    """The operation on the Vault path: Read is GET, Write is POST."""

    READ = "Read"
    WRITE = "Write"


class CredentialType(StrEnum):
    """How a credential ends, and so what a revocation can promise."""

    LEASE = "Lease"
    TOKEN = "Token"  # noqa: S105
    EXPIRING = "Expiring"
    STATIC = "Static"


class DriftAction(StrEnum):
    """What drift of a class does to a connection."""

    ALERT = "Alert"
    SUSPEND = "Suspend"


class ProfileOwner(ApiModel):
    """Who answers for the server."""

    team: Team
    runbook_url: Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://")] | None = Field(
        default=None, alias="runbookURL"
    )


class Probe(ApiModel):
    """With whose credential, and how often, the server's surface is captured."""

    connection: Annotated[
        str, StringConstraints(min_length=3, max_length=317, pattern=r"^[a-z0-9.-]+/[a-z0-9.-]+$")
    ]
    interval_seconds: Annotated[int, Field(ge=60, le=604800)] = 21600


class OnDrift(ApiModel):
    """What drift does, by its class; review-class drift always starts a deadline."""

    dangerous: DriftAction = DriftAction.ALERT
    hostile: DriftAction = DriftAction.SUSPEND


class CredentialRecipe(ApiModel):
    """How one credential is minted, and how it ends."""

    store_name: StoreName
    vault_role: VaultName
    method: CredentialMethod = CredentialMethod.READ
    path: VaultPath | None = None
    parameters: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=4096)]], Field(max_length=32)
    ] = Field(default_factory=dict)
    type: CredentialType
    ttl_seconds: Annotated[int, Field(ge=10, le=31536000)]
    overlap_seconds: Annotated[int, Field(ge=0, le=86400)] = 300


class MCPServerProfileSpec(ApiModel):
    """The registered server."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = None
    transport: Transport = Transport.STREAMABLE_HTTP
    command: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=1024)], ...], Field(max_length=64)
    ] = ()
    owner: ProfileOwner
    scopes: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=256)], ...], Field(max_length=64)
    ] = ()
    allowed_namespaces: LabelSelector | None = None
    approved_surface: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    probe: Probe | None = None
    on_drift: OnDrift = OnDrift()
    credential: CredentialRecipe | None = None


class MCPServerProfileStatus(ApiModel):
    """What is known of the registered server."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()


class MCPServerProfile(Resource):
    """One MCP server as one class of agents may use it."""

    KIND: ClassVar[str] = "MCPServerProfile"
    PLURAL: ClassVar[str] = "mcpserverprofiles"
    SHORT_NAME: ClassVar[str] = "mcpp"
    NAMESPACED: ClassVar[bool] = False

    kind: Literal["MCPServerProfile"] = "MCPServerProfile"
    spec: MCPServerProfileSpec
    status: MCPServerProfileStatus = MCPServerProfileStatus()
