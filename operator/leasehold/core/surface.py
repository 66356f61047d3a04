"""What a server exposes to one principal: the surface that a person approves, and what is known about who
exposes it. Both hold the objects as they came over the wire, with the fields that nobody knows yet: what is
dropped before it is compared can change unseen."""

from dataclasses import dataclass

from leasehold.core.wire_json import JsonObject


@dataclass(frozen=True)
class Surface:
    """All that a server exposes, as it sent it. `era` is the protocol version that was spoken."""

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

    `origin` is scheme, host and port, as in `https://mcp.example.com`. `tls_issuer` is the organisation (O) of
    the issuer of the server's certificate; None without TLS, or where the issuer names no organisation.
    """

    origin: str
    tls_issuer: str | None
