"""`MCPAgentExposure`: what one agent can reach through all of its connections together, and which it had before.
The operator alone writes it; to whoever reads it, it is one identity with everything that hangs on it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from leasehold.api.base import ApiModel, DNSSubdomain, Integer, Resource, Time
from leasehold.api.connection import ReviewRecord
from leasehold.api.hold import MAX_HOLDS, UID, Hold
from leasehold.api.policy import PolicyEffect
from leasehold.api.profile import Capability, CredentialType, RiskTier, Transport
from leasehold.api.reasons import Reason
from leasehold.api.rules import SET, Immutable, ListType

MAX_CONNECTIONS = 128
MAX_PROFILES = 128
MAX_SCOPES = 256
MAX_DATA_CLASSES = 128
MAX_FORBIDDEN = 32
MAX_FORMER = 64

Count = Annotated[Integer, Field(ge=0, le=2_147_483_647)]


class AgentConnection(ApiModel):
    """One of the agent's connections."""

    name: DNSSubdomain
    """The MCPConnection."""
    uid: UID
    """Which of that name."""
    profile: DNSSubdomain
    """Whose server it reaches."""
    created_time: Time
    """When it was created."""
    denied_by: Reason | None = None
    """The reason of its Ready condition while that denies it; absent while it does not."""
    approved_time: Time | None = None
    """When somebody approved it last."""
    rejection: ReviewRecord | None = None
    """Who said no to it, until somebody approves it anew."""
    holds: Annotated[tuple[Hold, ...], Field(max_length=MAX_HOLDS), ListType("map", ("uid",))] = ()
    """What revocations have left on it."""


class FormerConnection(ApiModel):
    """A connection of the agent that is gone."""

    name: DNSSubdomain
    """What the MCPConnection was called."""
    uid: UID
    """Which of that name."""
    profile: DNSSubdomain
    """Whose server it reached."""
    created_time: Time
    """When it was created."""
    ended_time: Time
    """When nothing of it was alive any more, or its end was seen."""
    reason: Reason
    """Why it ended: what had denied it, or Deleted."""
    last_generation: Count | None = None
    """The newest of its credentials; 0: it had none. Absent where its end was not seen."""
    approved_time: Time | None = None
    """When somebody approved it last."""
    rejection: ReviewRecord | None = None
    """Who had said no to it."""
    holds: Annotated[tuple[Hold, ...], Field(max_length=MAX_HOLDS), ListType("map", ("uid",))] = ()
    """What revocations had left on it."""


class ReachedProfile(ApiModel):
    """A server that the agent can reach."""

    name: DNSSubdomain
    """The MCPServerProfile."""
    url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """Where the server is; absent where the agent starts it itself."""
    transport: Transport
    """How it is reached."""
    risk_tier: RiskTier
    """How much harm can come of it; Critical where nobody has judged it."""
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=4), SET] = ()
    """What the agent can do with it."""
    credential_type: CredentialType | None = None
    """How its credential ends; absent where none is minted."""


class ReachedTools(ApiModel):
    """The tools of all servers that were captured, by what they declare; a tool may count several times."""

    total: Count = 0
    """All of them."""
    takes_untrusted_content: Count = 0
    """Those that declare openWorldHint."""
    writes_outside: Count = 0
    """Those of them that do not declare readOnlyHint."""
    destructive: Count = 0
    """Those that declare destructiveHint, and not readOnlyHint."""
    undeclared: Count = 0
    """Those that declare none of these hints, or whose hints an older version did not count."""


class ForbiddenCombination(ApiModel):
    """A combination of capabilities that a policy forbids and the agent has."""

    policy: DNSSubdomain
    """The MCPAccessPolicy."""
    effect: PolicyEffect
    """Warn, or Deny."""
    connection: DNSSubdomain
    """The connection that completes it."""
    message: Annotated[str, StringConstraints(max_length=512)]
    """What is combined, and what would be right."""


class MCPAgentExposureSpec(ApiModel):
    """What the agent can reach now, and what it could reach before. What is denied at the moment is among the
    connections, and not in the unions."""

    agent: Annotated[DNSSubdomain, Immutable("leave it, for each agent has an exposure of its own")]
    """The agent, as its connections name it in spec.agent.name."""
    connection_count: Count = 0
    """How many connections it has; of very many, the youngest are not listed."""
    connections: Annotated[
        tuple[AgentConnection, ...], Field(max_length=MAX_CONNECTIONS), ListType("map", ("uid",))
    ] = ()
    """Its connections, the oldest first."""
    profiles: Annotated[
        tuple[ReachedProfile, ...], Field(max_length=MAX_PROFILES), ListType("map", ("name",))
    ] = ()
    """The servers that it can reach."""
    scopes: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=256)], ...], Field(max_length=MAX_SCOPES), SET
    ] = ()
    """All that its credentials allow, in the servers' own words."""
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=4), SET] = ()
    """All that it can do."""
    tools: ReachedTools = ReachedTools()
    """The tools that it can call, by what they declare."""
    data_classes: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=64)], ...], Field(max_length=MAX_DATA_CLASSES), SET
    ] = ()
    """The classes of data that it can reach."""
    risk_tier: RiskTier | None = None
    """The highest of its servers; absent where it reaches none."""
    credential_types: Annotated[tuple[CredentialType, ...], Field(max_length=4), SET] = ()
    """How its credentials end; Static is without an end."""
    residual_exposure_seconds: Count = 0
    """For how long, after everything was revoked, a credential may still work that can only run out."""
    residual_exposure_until: Time | None = None
    """Until when something may still work that was handed out for connections that are denied by now."""
    forbidden: Annotated[
        tuple[ForbiddenCombination, ...],
        Field(max_length=MAX_FORBIDDEN),
        ListType("map", ("policy", "connection")),
    ] = ()
    """The combinations that access policies forbid and that it has."""
    former: Annotated[
        tuple[FormerConnection, ...], Field(max_length=MAX_FORMER), ListType("map", ("uid",))
    ] = ()
    """The connections that it had, the newest end first, for 400 days; those that a rejection or a revocation has
    left something on stay, and are the last to give way where there are too many."""


class MCPAgentExposure(Resource):
    """One agent as one identity: everything that it can reach, and has reached. It has the agent's name."""

    KIND: ClassVar[str] = "MCPAgentExposure"
    PLURAL: ClassVar[str] = "mcpagentexposures"
    SHORT_NAME: ClassVar[str] = "mcpexp"
    NAMESPACED: ClassVar[bool] = True

    kind: Literal["MCPAgentExposure"] = "MCPAgentExposure"
    spec: MCPAgentExposureSpec
