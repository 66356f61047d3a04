"""`MCPToolSnapshot`: one surface as it was captured, so that a person sees what was approved and what has changed
since. Named by its content and immutable; the operator alone writes it."""

from hashlib import sha256
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints

from leasehold.api.base import ApiModel, DNSSubdomain, Integer, Resource, Time
from leasehold.api.profile import SurfaceDigest, SurfaceSource, ToolHints
from leasehold.api.rules import transition

MAX_SURFACE_LENGTH = 700 * 1024
"""In characters of base64: an object has to fit into etcd's 1.5 MB, even if it is stored beside its predecessor."""

_MAX_NAME_LENGTH = 253
_DIGEST_DIGITS = 16

CompressedSurface = Annotated[
    str,
    StringConstraints(
        min_length=4,
        max_length=MAX_SURFACE_LENGTH,
        pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$",
    ),
]
"""Base64 of gzip of the surface's canonical JSON; whoever decompresses it sets a bound. It has no format `byte`,
because the API server reads such bytes in another alphabet before it compares them, and stumbles over a slash."""


def snapshot_name(profile: str, surface_digest: str) -> str:
    """`<profile>-<16 digits of the digest>`; the name of a profile that is too long for that is cut, and made
    unmistakable by 16 digits of its own hash."""
    digits = surface_digest.removeprefix("sha256:")[:_DIGEST_DIGITS]
    name = f"{profile}-{digits}"
    if len(name) <= _MAX_NAME_LENGTH:
        return name
    own = sha256(profile.encode()).hexdigest()[:_DIGEST_DIGITS]
    beginning = profile[: _MAX_NAME_LENGTH - len(own) - len(digits) - 2].rstrip("-.")
    return f"{beginning}-{own}-{digits}"


class SnapshotIdentity(ApiModel):
    """Who exposed the surface, as seen from outside. It is compared apart from the digest."""

    origin: Annotated[str, StringConstraints(max_length=512, pattern=r"^(https?://[!-.0-~]+|stdio:)$")]
    """Scheme, host and port, as in https://mcp.example.com; `stdio:` of a command."""
    tls_issuer: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The organisation that issued the server's certificate; absent without TLS, or where none is named."""
    server_name: Annotated[str, StringConstraints(max_length=256)] = ""
    """What the server calls itself."""
    server_version: Annotated[str, StringConstraints(max_length=256)] = ""
    """The version that it says it is."""
    era: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """The version of the protocol that was spoken."""


class MCPToolSnapshotSpec(ApiModel):
    """What a server exposed to one class of agents at one time. Immutable."""

    profile: DNSSubdomain
    """The MCPServerProfile whose server it is."""
    surface_digest: SurfaceDigest
    """The digest of the surface, which reviews and profiles approve."""
    source: SurfaceSource = SurfaceSource.PROBED
    """Whether the operator probed the server (Probed), or somebody supplied what a command exposes (Supplied)."""
    captured_time: Time
    """When it was captured first, or supplied."""
    identity: SnapshotIdentity
    """Who exposed it."""
    tools: Annotated[Integer, Field(ge=0, le=100000)]
    """How many tools are in it."""
    hints: ToolHints | None = None
    """What the tools declared when it was captured first; a default of the protocol may be written out later."""
    prompts: Annotated[Integer, Field(ge=0, le=100000)]
    """How many prompts are in it."""
    resource_templates: Annotated[Integer, Field(ge=0, le=100000)]
    """How many resource templates are in it."""
    surface: CompressedSurface
    """The surface itself: base64 of gzip of its canonical JSON."""

    @transition(
        "self == oldSelf", "leave a snapshot as it is, for it is named by its content; create another one"
    )
    def the_content_stays(self, old: Self) -> bool:
        return self == old


class MCPToolSnapshot(Resource):
    """All that a server exposed to one class of agents when it was looked at. Nothing observes it: no status."""

    KIND: ClassVar[str] = "MCPToolSnapshot"
    PLURAL: ClassVar[str] = "mcptoolsnapshots"
    SHORT_NAME: ClassVar[str] = "mcpsnap"
    NAMESPACED: ClassVar[bool] = False

    kind: Literal["MCPToolSnapshot"] = "MCPToolSnapshot"
    spec: MCPToolSnapshotSpec
