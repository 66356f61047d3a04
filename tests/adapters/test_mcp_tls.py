"""Whom a probe believes, what it shows, and what it remembers of whom it spoke to."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.mcp_stage import Played, handshake, play, stateless
from leasehold.adapters.mcp import McpCatalog
from leasehold.adapters.mcp_addresses import AddressPolicy
from leasehold.adapters.mcp_tls import Trust, issuer_organisation
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson
from leasehold.core.probe import ClientCertificate, ProbeTarget
from leasehold.core.sealed import Sealed

PEM = serialization.Encoding.PEM


@dataclass
class Authority:
    """A CA that signs for 127.0.0.1, or for a client."""

    organisation: str | None

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed("ca", self.key.public_key(), is_ca=True)

    @cached_property
    def name(self) -> x509.Name:
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, "ca")]
        if self.organisation:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organisation))
        return x509.Name(parts)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(PEM).decode()

    def pair(self, name: str, *, days: int = 1, address: str = "127.0.0.1") -> tuple[str, str]:
        """A certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(name, key.public_key(), days=days, address=address)
        text = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return made.public_bytes(PEM).decode(), text.decode()

    def server(self, folder: Path, **how: object) -> ssl.SSLContext:
        certificate, key = self.pair("server", **how)  # type: ignore[arg-type]
        file = folder / "server.pem"
        file.write_text(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        *,
        is_ca: bool = False,
        days: int = 1,
        address: str = "127.0.0.1",
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        subject = self.name if is_ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self.key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)
            .sign(self.key, hashes.SHA256())
        )


OURS = Authority("Acme Trust Services")
OTHER = Authority("Somebody Else")
NAMELESS = Authority(None)


def probed(context: ssl.SSLContext, target: ProbeTarget) -> Played:
    return play(stateless(), tls=context, target=target)


def client(authority: Authority) -> ClientCertificate:
    certificate, key = authority.pair("agent")
    return ClientCertificate(certificate, Sealed(key))


def test_the_organisation_of_the_issuer_is_part_of_the_identity(tmp_path: Path) -> None:
    played = probed(OURS.server(tmp_path), ProbeTarget("", ca_bundle=OURS.pem))
    assert played.probed.identity.tls_issuer == "Acme Trust Services"
    assert played.probed.identity.origin == played.stage.url.removesuffix("/mcp")


def test_an_issuer_without_an_organisation_is_nobody(tmp_path: Path) -> None:
    played = probed(NAMELESS.server(tmp_path), ProbeTarget("", ca_bundle=NAMELESS.pem))
    assert played.probed.identity.tls_issuer is None
    assert issuer_organisation(None) is None


@pytest.mark.parametrize(
    ("target", "how"),
    [
        (ProbeTarget(""), {}),
        (ProbeTarget("", ca_bundle=OTHER.pem), {}),
        (ProbeTarget("", ca_bundle=OURS.pem), {"days": -1}),
        (ProbeTarget("", ca_bundle=OURS.pem), {"address": "127.0.0.2"}),
    ],
)
def test_a_server_that_cannot_be_believed_gets_no_request(
    tmp_path: Path, target: ProbeTarget, how: dict[str, object]
) -> None:
    played = probed(OURS.server(tmp_path, **how), target)
    assert played.fault.reason is Reason.TLS_FAILED
    assert "certificate" in played.fault.message
    assert played.stage.asked == []


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    context = OURS.server(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=OTHER.pem)
    target = ProbeTarget("", ca_bundle=OURS.pem, client_certificate=client(OTHER))
    assert play(handshake(), tls=context, target=target).probed.surface.tools


@pytest.mark.parametrize("shown", [None, client(NAMELESS)])
def test_a_missing_or_wrong_client_certificate_is_said(
    tmp_path: Path, shown: ClientCertificate | None
) -> None:
    context = OURS.server(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # later, whether its alert arrives is a matter of luck
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=OTHER.pem)
    played = probed(context, ProbeTarget("", ca_bundle=OURS.pem, client_certificate=shown))
    assert played.fault.reason is Reason.TLS_FAILED
    assert played.stage.asked == []


def test_a_server_that_speaks_no_tls_is_said() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def run() -> Fault:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(Fault) as caught:
                await McpCatalog(AddressPolicy(allow_loopback=True)).probe(
                    ProbeTarget(f"https://127.0.0.1:{port}/mcp", ca_bundle=OURS.pem)
                )
            return caught.value

    assert asyncio.run(run()).reason is Reason.TLS_FAILED


def test_probes_with_the_same_material_share_one_context() -> None:
    trust = Trust()
    certificate, key = OURS.pair("agent")
    first = trust.context(OURS.pem, ClientCertificate(certificate, Sealed(key)))
    assert trust.context(OURS.pem, ClientCertificate(certificate, Sealed(key))) is first
    assert trust.context(OURS.pem, None) is not first
    assert trust.context(OURS.pem, client(OURS)) is not first
    assert trust.context(OTHER.pem, None) is not trust.context(OURS.pem, None)
    assert trust.context(None, None) is trust.context(None, None)


@pytest.mark.parametrize(
    ("bundle", "certificate"),
    [
        ("no pem", None),
        ("", None),
        (OURS.pem, ClientCertificate("no pem", Sealed("nor this"))),
        (OURS.pem, ClientCertificate(OURS.pair("a")[0], Sealed(OURS.pair("b")[1]))),
    ],
)
def test_material_that_cannot_be_used_is_said_without_it(
    bundle: str, certificate: ClientCertificate | None
) -> None:
    with pytest.raises(NeedsPerson) as caught:
        Trust().context(bundle, certificate)
    assert caught.value.reason is Reason.TLS_FAILED
    assert "PRIVATE KEY" not in caught.value.message
    assert caught.value.__cause__ is None or "PRIVATE" not in str(caught.value.__cause__)
