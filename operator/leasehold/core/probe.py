"""What is asked of a prober, and what it brings back: a surface, who exposed it, and how to ask next time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from leasehold.api.profile import Transport
from leasehold.core.sealed import Sealed
from leasehold.core.surface import Identity, Surface


@dataclass(frozen=True)
class ClientCertificate:
    """What mutual TLS shows: a certificate, with its chain, and its key, both PEM."""

    certificate: str
    key: Sealed[str]


@dataclass(frozen=True)
class ProbeTarget:
    """One server as one principal sees it; without `headers` and `client_certificate`, as anybody does.

    `ca_bundle` is the PEM text of the only CAs to believe, None for those of the system. `era_hint` is the
    `era` of the last surface that was read there; it saves a request and decides nothing.
    """

    url: str
    transport: Transport = Transport.STREAMABLE_HTTP
    headers: Sealed[Mapping[str, str]] = field(default_factory=lambda: Sealed({}))
    ca_bundle: str | None = None
    client_certificate: ClientCertificate | None = None
    era_hint: str | None = None


@dataclass(frozen=True)
class Probed:
    """A surface that was read to its end. Nothing in it was left out, or there would be a fault instead."""

    surface: Surface
    identity: Identity
