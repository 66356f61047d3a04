"""`MCPConnection`: one agent's use of one MCP server, and its ledger."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints

from leasehold.api.base import (
    ApiModel,
    Boolean,
    Conditions,
    DNSSubdomain,
    Integer,
    ObservedGeneration,
    Resource,
    StatedReason,
    Time,
)
from leasehold.api.hold import MAX_HOLDS, Hold
from leasehold.api.profile import CredentialType, SurfaceDigest, Team, Transport, Vendor
from leasehold.api.rules import ATOMIC, SET, Immutable, ListType, keys_match, rule, transition
from leasehold.api.violation import MAX_VIOLATIONS, PolicyViolation

MAX_LEDGER_ENTRIES = 8
"""The schema's bound; no mint begins with more than one place left."""

ANOTHER_CONNECTION = "create another connection, and delete this one when it is no longer used"

User = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Agent(ApiModel):
    """Who uses the connection; immutable."""

    name: DNSSubdomain
    """What the agent is called."""
    service_account_name: DNSSubdomain
    """The service account, in the same namespace, in whose name the credential is minted."""


class ConnectionOwner(ApiModel):
    """Who answers for the connection."""

    user: User
    """The person who reviews the connection, by the name by which the cluster knows them."""
    deputy: User | None = None
    """Who does so in their absence."""
    team: Team
    """The team they belong to."""

    @rule(
        "!has(self.deputy) || self.deputy != self.user",
        "set deputy to another person than user, or leave it out",
        field="deputy",
    )
    def the_deputy_is_somebody_else(self) -> bool:
        return self.deputy != self.user


class Purpose(ApiModel):
    """Why the connection exists."""

    summary: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    """What the agent does with it, in a sentence."""
    ticket: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """Where it was asked for."""


class Output(ApiModel):
    """The Secret that receives the credential."""

    secret_name: Annotated[
        DNSSubdomain, Immutable("pods mount the Secret; create another connection for another Secret")
    ]
    """The Secret's name, in the same namespace. It must be free."""
    templates: Annotated[
        dict[str, Annotated[str, StringConstraints(min_length=1, max_length=16384)]],
        Field(max_length=16),
        keys_match(
            "^([-_a-zA-Z0-9]|[.][-_a-zA-Z0-9])[-._a-zA-Z0-9]*$",
            253,
            "write keys as a Secret allows them: letters, digits, '-', '_' and '.', as in mcp.json",
        ),
    ] = Field(default_factory=dict)
    """Further keys of the Secret and their texts, in which {{ name }} stands for a field of the credential,
    or for a fact of the connection such as server_url. Each field of the credential is a key, too."""


class MCPConnectionSpec(ApiModel):
    """Who uses which profile, why, and for how long."""

    agent: Annotated[Agent, Immutable(ANOTHER_CONNECTION)]
    """Who uses the connection."""
    profile: Annotated[DNSSubdomain, Immutable(ANOTHER_CONNECTION)]
    """The MCPServerProfile that is used."""
    owner: ConnectionOwner
    """Who answers for the connection."""
    purpose: Purpose
    """Why the connection exists."""
    lease_duration_seconds: Annotated[Integer, Field(ge=10, le=31536000)] = 7776000
    """How long the connection may live, from its creation or its newest approval; may be lowered, never
    raised."""
    idle_seconds: Annotated[Integer, Field(ge=10, le=31536000)] = 5184000
    """After how long without use it ends; only where use can be seen. Longer than the heartbeat's interval."""
    suspend: Boolean = False
    """Stops the agent: the credential is revoked, and nothing is minted."""
    output: Output | None = None
    """The Secret that receives the credential; without it, nothing is minted. It stays once it is there."""

    @transition(
        "self.leaseDurationSeconds <= oldSelf.leaseDurationSeconds",
        "keep leaseDurationSeconds or lower it: to live longer, a connection needs an approving review",
        field="leaseDurationSeconds",
    )
    def the_lease_is_never_lengthened(self, old: Self) -> bool:
        return self.lease_duration_seconds <= old.lease_duration_seconds

    @transition(
        "has(self.output) || !has(oldSelf.output)",
        "keep output: to stop the credential, set suspend to true or delete the connection",
        field="output",
    )
    def the_output_stays(self, old: Self) -> bool:
        return self.output is not None or old.output is None


class EntryState(StrEnum):
    """Where a generation is on its way from before it is minted until it is proven dead."""

    INTENT = "Intent"
    CURRENT = "Current"
    RETIRING = "Retiring"
    REVOKING = "Revoking"
    IRREVOCABLE = "Irrevocable"


class LedgerEntry(ApiModel):
    """One generation that may be alive."""

    generation: Annotated[Integer, Field(ge=1)]
    """Which mint of the connection this is."""
    state: EntryState
    """Where it is on its way: Intent, Current, Retiring, Revoking, Irrevocable."""
    type: CredentialType
    """How it ends."""
    store_uid: Annotated[str, StringConstraints(max_length=64)] = Field(alias="storeUID")
    """The store that minted it."""
    cluster_id: Annotated[str, StringConstraints(max_length=64)] = Field(alias="clusterID")
    """The Vault that minted it, by its own cluster id; no other can revoke it."""
    accessor: Annotated[str, StringConstraints(max_length=256)]
    """The accessor of the login token under which it was minted."""
    token_accessor: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The accessor of the minted token itself, for type Token with a path."""
    lease_id: Annotated[str, StringConstraints(max_length=1024)] | None = Field(default=None, alias="leaseID")
    """Its lease, for type Lease."""
    mint_hash: Annotated[str, StringConstraints(max_length=80)]
    """What it was minted from: recipe, service account and output."""
    secret_name: DNSSubdomain
    """The Secret that it was minted for."""
    reason: StatedReason
    """Why it is in this state, as one CamelCase word."""
    issued_time: Time | None = None
    """When it was minted."""
    expiry_time: Time | None = None
    """When it runs out by itself."""
    residual_time: Time | None = None
    """Until when it may work although it was revoked: the notAfter of a certificate."""
    end_time: Time | None = None
    """When a retiring one is revoked."""
    mint_deadline_time: Time | None = None
    """By when a mint whose answer was never seen is over."""


class SecretRecord(ApiModel):
    """The Secret as we last wrote it; the digest is salted with its UID."""

    name: DNSSubdomain
    """The Secret's name."""
    uid: Annotated[str, StringConstraints(max_length=64)]
    """Which Secret of that name."""
    resource_version: Annotated[str, StringConstraints(max_length=64)]
    """Its version after the last write."""
    digest: Annotated[str, StringConstraints(max_length=80)]
    """A digest of its data, salted with its uid."""


class Backoff(ApiModel):
    """Work that failed and is due again."""

    failures: Annotated[Integer, Field(ge=1)]
    """How often in a row it failed."""
    retry_time: Time
    """When it is tried again."""
    reason: StatedReason
    """Why it failed, as one CamelCase word."""
    specs: Annotated[str, StringConstraints(max_length=64)] = ""
    """Digest of the specs that it failed with; an edit of any of them ends the wait."""


class Assurance(StrEnum):
    """How much an approval is worth: the owner or the deputy answers for the connection, others act for them; Git
    asserts for everybody, and names no person."""

    OWNER = "Owner"
    DELEGATE = "Delegate"
    ASSERTED_BY_GIT = "AssertedByGit"


class ReviewRecord(ApiModel):
    """A review that counts."""

    review: DNSSubdomain
    """The MCPConnectionReview."""
    reviewer: User
    """Who said so."""
    assurance: Assurance
    """Whether they are owner or deputy (Owner), or somebody else (Delegate)."""
    time: Time
    """When they said so, by the API server's clock."""
    surface_digest: SurfaceDigest | None = None
    """The surface that they had looked at."""


class SurfaceApproval(ApiModel):
    """By what the live surface counts as approved."""

    digest: SurfaceDigest
    """What was approved: the live surface, or one from which it differs in nothing that needs a person."""
    assurance: Assurance
    """Whose word it is: the owner's or deputy's (Owner), another reviewer's (Delegate), or the profile's
    approvedSurface (AssertedByGit)."""


MAX_DRIFT_FINDINGS = 20


class DriftLevel(StrEnum):
    """How bad drift is, by its worst finding."""

    BENIGN = "Benign"
    REVIEW = "Review"
    DANGEROUS = "Dangerous"
    HOSTILE = "Hostile"


class DriftItem(ApiModel):
    """Differences of one kind."""

    level: DriftLevel
    """How bad they are: Benign, Review, Dangerous or Hostile."""
    kind: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="^[A-Z][A-Za-z]+$")]
    """What differs, as one CamelCase word."""
    item: Annotated[str, StringConstraints(max_length=512)] = ""
    """The tool, prompt or template, made safe to show; empty where there are several."""
    count: Annotated[Integer, Field(ge=1)] = 1
    """How many they are."""


class DriftRecord(ApiModel):
    """How the server's surface differs from what was approved."""

    live_digest: SurfaceDigest
    """What the server exposes."""
    approved_digest: SurfaceDigest
    """What was approved, and is compared with it."""
    level: DriftLevel
    """How bad it is, by the worst finding: Benign, Review, Dangerous or Hostile."""
    since_time: Time
    """Since when the connection has been without an approved surface."""
    deadline_time: Time | None = None
    """When it ends the credential, unless the surface is approved or goes back; absent where it never does."""
    findings: Annotated[tuple[DriftItem, ...], Field(max_length=MAX_DRIFT_FINDINGS), ATOMIC] = ()
    """What differs, worst first."""


class UseSource(StrEnum):
    """Where evidence of use comes from."""

    HEARTBEAT = "Heartbeat"
    PROMETHEUS = "Prometheus"


class UseRecord(ApiModel):
    """Whether the connection is used, as a source of evidence tells it."""

    source: UseSource
    """Where the newest evidence comes from: Heartbeat (a Lease of the connection's name) or Prometheus."""
    last_used_time: Time | None = None
    """When it was used last; behind the truth by a tenth of idleSeconds, and by a day, at most. Absent: no use was
    ever seen."""
    observed_since: Time | None = None
    """Since when a source tells of it; absent while none does."""
    deadline_time: Time | None = None
    """When it becomes Idle, unless it is used or approved before; absent while no source tells of it."""
    idle_since: Time | None = None
    """Since when it has been Idle; only an approval ends that."""


class OwnerRecord(ApiModel):
    """Who answers for a connection whose owner has left, as the owner directory tells it."""

    owner: User
    """The owner whom this is about: with another spec.owner.user it begins anew."""
    answering: User
    """Who answers: the owner, or the deputy who approved the connection after the owner had left."""
    left_since: Time | None = None
    """When the owner directory was first found without whoever answers; absent while they are there."""
    deadline_time: Time | None = None
    """When it becomes Orphaned, unless the deputy approves it or another owner is named before."""
    orphaned_since: Time | None = None
    """Since when it has been Orphaned; that whoever answered is back does not end it without their approval."""


class ServerFacts(ApiModel):
    """What a person needs to know of the profile."""

    url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """Where it is reached."""
    vendor: Vendor | None = None
    """Whose it is. A revocation matches it still when the profile is gone."""
    transport: Transport | None = None
    """How it is reached."""
    scopes: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=256)], ...], Field(max_length=64), SET
    ] = ()
    """What the credential allows, in the server's own words."""
    credential_type: CredentialType | None = None
    """How the credential ends."""
    revocability: Annotated[str, StringConstraints(max_length=256)] | None = None
    """What a revocation of the credential can promise."""


class MCPConnectionStatus(ApiModel):
    """Authority (generation, ledger, secret, holds), observations (reviews, use, owner, backoff), and a projection
    of both."""

    last_generation: Annotated[Integer, Field(ge=0)] = 0
    """The newest mint; every new one gets the next number."""
    ledger: Annotated[
        tuple[LedgerEntry, ...], Field(max_length=MAX_LEDGER_ENTRIES), ListType("map", ("generation",))
    ] = ()
    """Every generation that may be alive, from before it is minted until it is proven dead."""
    secret: SecretRecord | None = None
    """The Secret as it was last written."""
    holds: Annotated[tuple[Hold, ...], Field(max_length=MAX_HOLDS), ListType("map", ("uid",))] = ()
    """The revocations that matched: none of them is escaped by leaving its target."""

    approval: ReviewRecord | None = None
    """The newest approval; the lease runs from it."""
    rejection: ReviewRecord | None = None
    """The newest rejection, until an approval that is newer."""
    use: UseRecord | None = None
    """Whether it is used; absent where no source of evidence has ever told of it."""
    owner: OwnerRecord | None = None
    """Who answers for it, where the owner was found to have left; absent where nobody has found that."""
    policy_violations: Annotated[
        tuple[PolicyViolation, ...], Field(max_length=MAX_VIOLATIONS), ListType("map", ("uid", "rule"))
    ] = ()
    """The rules of access policies that it does not satisfy, the earliest end first."""
    backoff: Backoff | None = None
    """Work that failed and is due again."""
    drift: DriftRecord | None = None
    """How the server's surface differs from what was approved; absent where it does not."""
    surface_approval: SurfaceApproval | None = None
    """By what the live surface counts as approved; absent where it does not."""
    revoked_certificate_until: Time | None = None
    """Until when a revoked certificate still convinces whoever does not ask for revocations."""

    observed_generation: ObservedGeneration = 0
    """The metadata.generation that this status is about."""
    conditions: Conditions = ()
    """What holds for the connection, first of all Ready."""
    server: ServerFacts | None = None
    """What the profile says about the server."""
    lease_end_time: Time | None = None
    """When the connection ends unless a review renews it."""
    review_due_time: Time | None = None
    """From when a review is due."""
    credential_expiry_time: Time | None = None
    """When the credential in the Secret runs out."""
    residual_exposure_until: Time | None = None
    """Until when something that was handed out may still work."""


class MCPConnection(Resource):
    """One agent's use of one MCP server. One connection = one principal = one credential."""

    KIND: ClassVar[str] = "MCPConnection"
    PLURAL: ClassVar[str] = "mcpconnections"
    SHORT_NAME: ClassVar[str] = "mcpc"
    NAMESPACED: ClassVar[bool] = True

    kind: Literal["MCPConnection"] = "MCPConnection"
    spec: MCPConnectionSpec
    status: MCPConnectionStatus = MCPConnectionStatus()
