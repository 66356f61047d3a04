"""`MCPServerProfile`: one MCP server as one class of agents may use it, registered by the platform."""

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
    Time,
)
from leasehold.api.rules import ATOMIC, SET, Cause, Immutable, keys_match, rule
from leasehold.api.store import CABundle, StoreName, VaultName, VaultPath
from leasehold.api.urls import ServerURL

Team = Annotated[str, StringConstraints(min_length=1, max_length=128)]

Vendor = Annotated[str, StringConstraints(min_length=1, max_length=128)]

SurfaceDigest = Annotated[str, StringConstraints(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
"""`sha256:…` of a surface's canonical JSON: what is approved."""

ANOTHER_PROFILE = "what was reviewed is this server; register another profile for another one"


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


class RiskTier(StrEnum):
    """How much harm can come of the server, in the platform's judgement; from the least to the most."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


class Capability(StrEnum):
    """What an agent can do through a server, in the classes that are harmless alone and not together."""

    READS_PRIVATE_DATA = "ReadsPrivateData"
    TAKES_UNTRUSTED_CONTENT = "TakesUntrustedContent"
    WRITES_OUTSIDE = "WritesOutside"
    DESTRUCTIVE = "Destructive"


class SurfaceSource(StrEnum):
    """How a surface came to be known."""

    PROBED = "Probed"
    SUPPLIED = "Supplied"


MAX_SUPPLIED_LENGTH = 512 * 1024

SuppliedSurface = Annotated[
    str, StringConstraints(min_length=2, max_length=MAX_SUPPLIED_LENGTH, pattern=r"^[\t\n\r -~]+$")
]
"""A saved surface. ASCII, as it is saved: what is hidden in a server's texts shows as escapes wherever somebody
reads the profile."""


class ProfileOwner(ApiModel):
    """Who answers for the server."""

    team: Team
    """The team that runs the server, or answers for whoever does."""
    runbook_url: Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://[!-~]+$")] | None = (
        Field(default=None, alias="runbookURL")
    )
    """What to do when something is wrong with the server."""


SecretField = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class ProbeCertificate(ApiModel):
    """Where in the connection's Secret the prober finds its client certificate."""

    certificate_key: SecretField
    """The key of the PEM certificate, with its chain."""
    key_key: SecretField
    """The key of the certificate's private key, PEM without a password."""


class Probe(ApiModel):
    """With whose credential, and how often, the server's surface is captured."""

    connection: (
        Annotated[
            str,
            StringConstraints(
                min_length=3,
                max_length=317,
                pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
            ),
        ]
        | None
    ) = None
    """The connection of this profile, as namespace/name, whose credential the prober uses; without it, the
    server is probed anonymously."""
    interval_seconds: Annotated[Integer, Field(ge=60, le=604800)] = 21600
    """The time between two captures."""
    headers: Annotated[
        dict[str, Annotated[str, StringConstraints(min_length=1, max_length=4096)]],
        Field(max_length=16),
        keys_match(
            "^[A-Za-z0-9][-A-Za-z0-9_]*$", 128, "write the names of headers, as in Authorization or X-API-Key"
        ),
    ] = Field(default_factory=dict)
    """HTTP headers by name; each value is a template over the fields of the connection's Secret, as in
    `Bearer {{ token }}`."""
    client_certificate: ProbeCertificate | None = None
    """The client certificate that the prober shows, from the connection's Secret."""
    ca_bundle: CABundle | None = None
    """Base64 of the PEM certificates that the server's certificate is checked against; without it, the
    certificates that the operator's system trusts."""

    @rule(
        "has(self.connection) || ((!has(self.headers) || size(self.headers) == 0) "
        "&& !has(self.clientCertificate))",
        "set connection to the one whose Secret headers and clientCertificate are taken from, or leave them out",
        field="connection",
        cause=Cause.REQUIRED,
    )
    def credentials_come_from_a_connection(self) -> bool:
        return self.connection is not None or (not self.headers and self.client_certificate is None)


class OnDrift(ApiModel):
    """What drift does, by its class; review-class drift always starts a deadline."""

    dangerous: DriftAction = DriftAction.ALERT
    """Alert keeps the credential until a deadline; Suspend revokes it at once."""
    hostile: DriftAction = DriftAction.SUSPEND
    """Alert keeps the credential until a deadline; Suspend revokes it at once."""


class CredentialRecipe(ApiModel):
    """How one credential is minted, and how it ends."""

    store_name: StoreName
    """The MCPCredentialStore that mints it."""
    vault_role: VaultName
    """The role of the store's auth method with which a connection's service account logs in."""
    method: CredentialMethod = CredentialMethod.READ
    """The operation on `path`: Read is a GET, Write a POST with `parameters`."""
    path: VaultPath | None = None
    """What is read or written, as in database/creds/orders-read. Only type Token can do without: then the
    credential is the login token itself."""
    parameters: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=4096)]],
        Field(max_length=32),
        keys_match(
            "^[A-Za-z_][A-Za-z0-9_-]*$", 128, "write the parameters' names as Vault does, as in common_name"
        ),
    ] = Field(default_factory=dict)
    """What is sent with method Write. Never a secret: everybody who may read the profile reads it."""
    type: CredentialType
    """How the credential ends: Lease (revoked with its lease), Token (a Vault token, revoked by its
    accessor), Expiring (a JWT or an unleased certificate: only runs out), Static (neither)."""
    ttl_seconds: Annotated[Integer, Field(ge=10, le=31536000)]
    """The longest that a credential may be used. It is not sent: what the store grants may be shorter."""
    overlap_seconds: Annotated[Integer, Field(ge=0, le=86400)] = 300
    """How long a replaced credential lives on, until its successor has reached every pod."""

    @rule(
        "has(self.path) || self.type == 'Token'",
        "set path to what is read or written in the store: only type Token can do without",
        field="path",
        cause=Cause.REQUIRED,
    )
    def only_a_login_token_has_no_path(self) -> bool:
        return self.path is not None or self.type is CredentialType.TOKEN

    @rule(
        "self.method == 'Write' || !has(self.parameters) || size(self.parameters) == 0",
        "set method to Write, or leave out the parameters: nothing is sent with Read",
        field="parameters",
        cause=Cause.FORBIDDEN,
    )
    def parameters_are_written(self) -> bool:
        return self.method is CredentialMethod.WRITE or not self.parameters

    @rule(
        "self.method == 'Read' || has(self.path)",
        "set path to what is written, or method to Read: a login token has nothing to write to",
        field="method",
    )
    def what_is_written_has_a_path(self) -> bool:
        return self.method is CredentialMethod.READ or self.path is not None

    @rule(
        "self.overlapSeconds < self.ttlSeconds",
        "set overlapSeconds (300 if not given) to less than ttlSeconds",
        field="overlapSeconds",
    )
    def overlap_is_shorter_than_life(self) -> bool:
        return self.overlap_seconds < self.ttl_seconds


class MCPServerProfileSpec(ApiModel):
    """The registered server."""

    url: Annotated[ServerURL | None, Immutable(ANOTHER_PROFILE)] = None
    """The server's canonical URL, as in https://mcp.example.com/mcp; not with transport Stdio."""
    transport: Annotated[Transport, Immutable(ANOTHER_PROFILE)] = Transport.STREAMABLE_HTTP
    """How an agent reaches the server: StreamableHTTP, SSE, or Stdio (a command, which is never probed)."""
    command: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=1024)], ...],
        Field(max_length=64),
        ATOMIC,
    ] = ()
    """What an agent starts, with its arguments; with transport Stdio only."""
    owner: ProfileOwner
    """Who answers for the server."""
    vendor: Vendor | None = None
    """Whose product or service the server is, as in Example Inc; what is one vendor's is written alike."""
    scopes: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=256)], ...], Field(max_length=64), SET
    ] = ()
    """What the credential allows, in the server's own words, for people."""
    risk_tier: RiskTier | None = None
    """How much harm can come of it: Low, Medium, High or Critical. Access policies look at it; without it, it
    counts as Critical."""
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=4), SET] | None = None
    """What an agent can do with it: ReadsPrivateData, TakesUntrustedContent, WritesOutside, Destructive; an empty
    list for none of these. What the server's own tools declare is added. Without it, nobody has judged it, and it
    counts as all four."""
    data_classes: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...], Field(max_length=16), SET
    ] = ()
    """The classes of data that can be read or written through it, in the organisation's words, as in Customer."""
    allowed_namespaces: LabelSelector | None = None
    """Which namespaces may have connections to this profile, by their labels; without it, all may."""
    approved_surface: SurfaceDigest | None = None
    """The digest of the surface that Git asserts as approved, as in sha256:9f86….
    A connection may have another one approved by a review."""
    probe: Probe | None = None
    """How the server's surface is captured; without it, anonymously."""
    supplied_surface: SuppliedSurface | None = None
    """The surface of a Stdio server, as `leasehold surface probe --stdio` prints it: nobody probes a command, so
    somebody captures and supplies what it exposes."""
    on_drift: OnDrift = OnDrift()
    """What happens when the surface is none of the approved ones."""
    credential: CredentialRecipe | None = None
    """How credentials are minted; without it, connections are records only and nothing is minted."""

    @rule(
        "has(self.url) || self.transport == 'Stdio'",
        "set url to the server's URL, or transport to Stdio",
        field="url",
        cause=Cause.REQUIRED,
    )
    def a_remote_server_has_a_url(self) -> bool:
        return self.url is not None or self.transport is Transport.STDIO

    @rule(
        "!has(self.url) || self.transport != 'Stdio'",
        "leave out url, or set transport to StreamableHTTP or SSE: a Stdio server is started by its command",
        field="url",
        cause=Cause.FORBIDDEN,
    )
    def a_command_has_no_url(self) -> bool:
        return self.url is None or self.transport is not Transport.STDIO

    @rule(
        "self.transport != 'Stdio' || (has(self.command) && size(self.command) > 0)",
        "set command to the program and its arguments, or transport to StreamableHTTP or SSE",
        field="command",
        cause=Cause.REQUIRED,
    )
    def a_stdio_server_has_a_command(self) -> bool:
        return self.transport is not Transport.STDIO or bool(self.command)

    @rule(
        "self.transport == 'Stdio' || !has(self.command) || size(self.command) == 0",
        "leave out command, or set transport to Stdio: a remote server is reached by its url",
        field="command",
        cause=Cause.FORBIDDEN,
    )
    def a_remote_server_has_no_command(self) -> bool:
        return self.transport is Transport.STDIO or not self.command

    @rule(
        "self.transport == 'Stdio' || !has(self.suppliedSurface)",
        "leave out suppliedSurface, or set transport to Stdio: a remote server is probed",
        field="suppliedSurface",
        cause=Cause.FORBIDDEN,
    )
    def a_remote_server_is_probed(self) -> bool:
        return self.transport is Transport.STDIO or self.supplied_surface is None


class ToolHints(ApiModel):
    """What tools declare of themselves, counted; a tool may count several times. A hint is the server's word."""

    takes_untrusted_content: Annotated[Integer, Field(ge=0, le=100000)]
    """Tools that declare openWorldHint: what they return comes from anywhere."""
    writes_outside: Annotated[Integer, Field(ge=0, le=100000)]
    """Those of them that do not declare readOnlyHint."""
    destructive: Annotated[Integer, Field(ge=0, le=100000)]
    """Tools that declare destructiveHint, and not readOnlyHint."""
    undeclared: Annotated[Integer, Field(ge=0, le=100000)]
    """Tools that declare none of these hints."""


class CapturedSurface(ApiModel):
    """What the server exposed when it was read to its end last."""

    digest: SurfaceDigest
    """What is approved, or not."""
    source: SurfaceSource = SurfaceSource.PROBED
    """Whether the operator probed the server (Probed), or somebody supplied what a command exposes (Supplied)."""
    captured_time: Time
    """Since when the server has exposed this surface: its first capture after another one."""
    snapshot: DNSSubdomain
    """The MCPToolSnapshot that shows it."""
    origin: Annotated[str, StringConstraints(max_length=512)]
    """Scheme, host and port that answered."""
    tls_issuer: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The organisation that issued the server's certificate; absent without TLS, or where none is named."""
    server_name: Annotated[str, StringConstraints(max_length=256)] = ""
    """What the server calls itself."""
    server_version: Annotated[str, StringConstraints(max_length=256)] = ""
    """The version that it says it is."""
    era: Annotated[str, StringConstraints(max_length=64)]
    """The version of the protocol that was spoken."""
    identity_time: Time
    """Since when it is this server that answers: the same origin, issuer, name, version and era."""
    tools: Annotated[Integer, Field(ge=0, le=100000)]
    """How many tools it exposes."""
    hints: ToolHints | None = None
    """What the tools declare; absent where an older version captured it."""


class MCPServerProfileStatus(ApiModel):
    """What is known of the registered server."""

    observed_generation: ObservedGeneration = 0
    """The metadata.generation that this status is about."""
    conditions: Conditions = ()
    """What holds for the profile."""
    surface: CapturedSurface | None = None
    """What the server exposed when it was captured last. A failed probe changes nothing of it, and neither does a
    supplied surface that is unfit or taken away."""


class MCPServerProfile(Resource):
    """One MCP server as one class of agents may use it."""

    KIND: ClassVar[str] = "MCPServerProfile"
    PLURAL: ClassVar[str] = "mcpserverprofiles"
    SHORT_NAME: ClassVar[str] = "mcpp"
    NAMESPACED: ClassVar[bool] = False

    kind: Literal["MCPServerProfile"] = "MCPServerProfile"
    spec: MCPServerProfileSpec
    status: MCPServerProfileStatus = MCPServerProfileStatus()
