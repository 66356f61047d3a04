"""`MCPConnection`: one agent's use of one MCP server, and its ledger."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from leasehold.api.base import ApiModel, Condition, DNSSubdomain, Resource, Time
from leasehold.api.profile import CredentialType, Team, Transport
from leasehold.api.reasons import Reason

MAX_LEDGER_ENTRIES = 8
"""The schema's bound; no mint begins with more than one place left."""

User = Annotated[str, StringConstraints(min_length=1, max_length=256)]
SecretKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class Agent(ApiModel):
    """Who uses the connection; immutable."""

    name: DNSSubdomain
    service_account_name: DNSSubdomain


class ConnectionOwner(ApiModel):
    """Who answers for the connection."""

    user: User
    deputy: User | None = None
    team: Team


class Purpose(ApiModel):
    """Why the connection exists."""

    summary: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    ticket: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None


class Output(ApiModel):
    """The Secret that receives the credential."""

    secret_name: DNSSubdomain
    templates: Annotated[
        dict[SecretKey, Annotated[str, StringConstraints(min_length=1, max_length=16384)]],
        Field(max_length=16),
    ] = Field(default_factory=dict)


class MCPConnectionSpec(ApiModel):
    """Who uses which profile, why, and for how long."""

    agent: Agent
    profile: DNSSubdomain
    owner: ConnectionOwner
    purpose: Purpose
    lease_duration_seconds: Annotated[int, Field(ge=10, le=31536000)] = 7776000
    idle_seconds: Annotated[int, Field(ge=3600, le=31536000)] = 5184000
    suspend: bool = False
    output: Output | None = None


class EntryState(StrEnum):
    """Where a generation is on its way from before it is minted until it is proven dead."""

    INTENT = "Intent"
    CURRENT = "Current"
    RETIRING = "Retiring"
    REVOKING = "Revoking"
    IRREVOCABLE = "Irrevocable"


class LedgerEntry(ApiModel):
    """One generation that may be alive."""

    generation: Annotated[int, Field(ge=1)]
    state: EntryState
    type: CredentialType
    store_uid: Annotated[str, StringConstraints(max_length=64)] = Field(alias="storeUID")
    cluster_id: Annotated[str, StringConstraints(max_length=64)] = Field(alias="clusterID")
    accessor: Annotated[str, StringConstraints(max_length=256)]
    token_accessor: Annotated[str, StringConstraints(max_length=256)] | None = None
    lease_id: Annotated[str, StringConstraints(max_length=1024)] | None = Field(default=None, alias="leaseID")
    mint_hash: Annotated[str, StringConstraints(max_length=80)]
    secret_name: DNSSubdomain
    reason: Reason
    issued_time: Time | None = None
    expiry_time: Time | None = None
    end_time: Time | None = None
    mint_deadline_time: Time | None = None


class SecretRecord(ApiModel):
    """The Secret as we last wrote it; the digest is salted with its UID."""

    name: DNSSubdomain
    uid: Annotated[str, StringConstraints(max_length=64)]
    resource_version: Annotated[str, StringConstraints(max_length=64)]
    digest: Annotated[str, StringConstraints(max_length=80)]


class Backoff(ApiModel):
    """Work that failed and is due again."""

    failures: Annotated[int, Field(ge=1)]
    retry_time: Time
    reason: Reason


class ServerFacts(ApiModel):
    """What a person needs to know of the profile."""

    url: str | None = None
    transport: Transport | None = None
    scopes: tuple[str, ...] = ()
    credential_type: CredentialType | None = None
    revocability: str | None = None


class MCPConnectionStatus(ApiModel):
    """Authority (generation, ledger, secret), observations (backoff), and a projection of both."""

    last_generation: Annotated[int, Field(ge=0)] = 0
    ledger: Annotated[tuple[LedgerEntry, ...], Field(max_length=MAX_LEDGER_ENTRIES)] = ()
    secret: SecretRecord | None = None

    backoff: Backoff | None = None

    observed_generation: Annotated[int, Field(ge=0)] = 0
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    server: ServerFacts | None = None
    lease_end_time: Time | None = None
    review_due_time: Time | None = None
    credential_expiry_time: Time | None = None
    residual_exposure_until: Time | None = None


class MCPConnection(Resource):
    """One agent's use of one MCP server. One connection = one principal = one credential."""

    KIND: ClassVar[str] = "MCPConnection"
    PLURAL: ClassVar[str] = "mcpconnections"
    SHORT_NAME: ClassVar[str] = "mcpc"
    NAMESPACED: ClassVar[bool] = True

    kind: Literal["MCPConnection"] = "MCPConnection"
    spec: MCPConnectionSpec
    status: MCPConnectionStatus = MCPConnectionStatus()
