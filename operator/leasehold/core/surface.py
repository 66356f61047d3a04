"""What a server exposes to one principal: the surface that a person approves, and what is known about who
exposes it. Both hold the objects as they came over the wire, with the fields that nobody knows yet: what is
dropped before it is compared can change unseen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from leasehold.core.canonical_json import canonical_json, digest_of
from leasehold.core.surface_facets import normal_tool
from leasehold.core.wire_json import JsonObject

STDIO_ORIGIN: Final = "stdio:"
"""The origin of a server that is a command."""


@dataclass(frozen=True)
class Surface:
    """All that a server exposes, as it sent it. `era` is the protocol version that was spoken; like
    `server_info` it says who answers and how, and is not in the digest."""

    era: str
    server_info: JsonObject
    capabilities: JsonObject
    instructions: str | None
    tools: tuple[JsonObject, ...]
    prompts: tuple[JsonObject, ...]
    resource_templates: tuple[JsonObject, ...]


@dataclass(frozen=True)
class Identity:
    """Who exposed a surface, as seen from outside; together with `server_info` and `era` of the surface it is
    compared apart from the digest.

    `origin` is scheme, host and port, as in `https://mcp.example.com`, or `stdio:`. `tls_issuer` is the
    organisation (O) of the issuer of the server's certificate; None without TLS, or where the issuer names no
    organisation.
    """

    origin: str
    tls_issuer: str | None


def canonical(surface: Surface) -> bytes:
    """The RFC 8785 form of what the server exposes: capabilities, instructions, and the three lists, each in an
    order of its own, for the server's says nothing."""
    return (
        b'{"capabilities":%b,"instructions":%b,"prompts":[%b],"resourceTemplates":[%b],"tools":[%b]}'
        % (  # the members are in the order that RFC 8785 asks for
            canonical_json(surface.capabilities),
            canonical_json(surface.instructions),
            _in_order(surface.prompts),
            _in_order(surface.resource_templates),
            _in_order(normal_tool(tool) for tool in surface.tools),
        )
    )


def surface_digest(surface: Surface) -> str:
    """`sha256:…` over the canonical form: what a person approves, and what names a stored surface."""
    return digest_of(canonical(surface))


def _in_order(objects: Iterable[JsonObject]) -> bytes:
    return b",".join(sorted(canonical_json(each) for each in objects))
