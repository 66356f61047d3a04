"""A TLS server that lets in whoever has a certificate of one authority.

What the revocation of a certificate is worth is decided here: a server that asks for the revocation list refuses
a revoked one, a server that does not goes on trusting it until it runs out.
"""

import contextlib
import socketserver
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.x509.oid import NameOID

SECONDS = 5.0


class MutualTLSServer(socketserver.TCPServer):
    """Greets each client by the name in its certificate. `revocations` gives the newest list as PEM; without
    it none is asked for. Context manager."""

    allow_reuse_address = True

    def __init__(
        self, identity: Path, trust: str, workdir: Path, revocations: Callable[[], str] | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Greeting)
        self._identity = identity
        self._trust = trust
        self._list = workdir / f"revocations-{self.server_address[1]}.pem"
        self._revocations = revocations
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="mtls-server")

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        return int(self.server_address[1])

    def context(self) -> ssl.SSLContext:
        """For one handshake, with the newest list."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self._identity)
        context.load_verify_locations(cadata=self._trust)
        if self._revocations is not None:
            self._list.write_text(self._revocations())
            context.load_verify_locations(cafile=self._list)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        return context

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join(SECONDS)
        self.server_close()


class _Greeting(socketserver.BaseRequestHandler):
    server: MutualTLSServer

    def handle(self) -> None:
        self.request.settimeout(SECONDS)
        context = self.server.context()
        with contextlib.suppress(OSError):  # a refusal has been told to the client by TLS itself
            with context.wrap_socket(self.request.dup(), server_side=True) as client:
                der = client.getpeercert(binary_form=True)
                client.sendall(_greeting(x509.load_der_x509_certificate(der or b"")).encode())
                client.unwrap()
            return
        self._let_the_alert_arrive()

    def _let_the_alert_arrive(self) -> None:
        """To close with unread bytes would reset the connection, and the client might miss the reason."""
        with contextlib.suppress(OSError):
            while self.request.recv(4096):
                pass


def _greeting(certificate: x509.Certificate) -> str:
    name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return f"hello {name!s}"


def serial_of(certificate: x509.Certificate) -> str:
    """The serial number as Vault writes it: `3f:0a:…`."""
    digits = f"{certificate.serial_number:x}"
    return bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2)).hex(":")
