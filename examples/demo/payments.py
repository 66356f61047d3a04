"""A client certificate: its revocation is worth what the server makes of it, and both kinds of server are here."""

import socket
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from board import Board
from controlplane import httpcall
from mtls_server import MutualTLSServer, serial_of
from story import Act, ConnectionStory
from world import Credential, NotSeen, Refused, World, clock

SECONDS = 10.0


class Payments(ConnectionStory):
    """Minted, used, rotated, and deleted."""

    namespace = "payments"
    name = "refund-agent-payments"
    secret_name = "refund-agent-payments-tls"

    def __init__(
        self, world: World, board: Board, careful: MutualTLSServer, careless: MutualTLSServer
    ) -> None:
        super().__init__(world, board)
        self._careful = careful
        self._careless = careless

    @property
    def acts(self) -> Sequence[Act]:
        return (self.minted, self.used, self.rotated, self.old_one_ended, self.revoked)

    def use(self, credential: Credential) -> str:
        """Shake hands with the server that asks for revocations."""
        return self._greeting(credential, self._careful)

    def minted(self) -> str:
        credential = self.first_credential()
        certificate = _certificate(credential)
        authority = x509.load_pem_x509_certificate(credential.data["ca.crt"].encode())
        try:
            certificate.verify_directly_issued_by(authority)
        except (InvalidSignature, ValueError) as error:
            raise NotSeen("the certificate is not of the authority that came with it") from error
        return (
            f"certificate {_short(credential)}, signed by {authority.subject.rfc4514_string()}, "
            f"notAfter {clock(certificate.not_valid_after_utc)}"
        )

    def used(self) -> str:
        return f"mutual TLS: {self.use(self.current())}"

    def rotated(self) -> str:
        old, new = self.next_credential()
        self.use(old)
        return f"generation {new.generation}: {self.use(new)}; {_short(old)} is good, too"

    def old_one_ended(self) -> str:
        old = self.replaced or self.current()
        self.until_dead(old.generation)
        return f"{self._listed(old)}: {self.refusal(old)}"

    def revoked(self) -> str:
        target = ("mcpconnection", self.name, f"--namespace={self.namespace}")
        self.world.plane.kubectl("delete", *target, "--wait=false")
        self.world.until(self._is_gone, 30, f"{self.subject} is gone")
        newest = self.current()
        listed, refused = self._listed(newest), self.refusal(newest)
        self._greeting(newest, self._careless)
        until = clock(_certificate(newest).not_valid_after_utc)
        return f"deleted; {listed}: {refused}. A server that asks for no list trusts it until {until}"

    def _is_gone(self) -> bool:
        self.held = self._read() or self.held
        return self.world.connection(self.namespace, self.name) is None

    def _listed(self, credential: Credential) -> str:
        """That Vault's list has it."""
        revoked = x509.load_pem_x509_crl(revocation_list(self.world.plane.vault.address).encode())
        if revoked.get_revoked_certificate_by_serial_number(_certificate(credential).serial_number) is None:
            raise NotSeen(f"{_short(credential)} is not on Vault's revocation list")
        return f"{_short(credential)} is on Vault's revocation list"

    def _greeting(self, credential: Credential, server: MutualTLSServer) -> str:
        context = ssl.create_default_context(cadata=credential.data["ca.crt"])
        with tempfile.TemporaryDirectory(dir=self.world.plane.workdir) as directory:
            context.load_cert_chain(
                _file(directory, credential, "tls.crt"), _file(directory, credential, "tls.key")
            )
        try:
            with (
                socket.create_connection(("127.0.0.1", server.port), SECONDS) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
            ):
                greeting = secured.recv(1024).decode()
        except ssl.SSLError as error:
            raise Refused(f"the TLS server answers {error.reason}") from error
        if not greeting:
            raise NotSeen("the TLS server hung up without a word")
        return f"{greeting} with {_short(credential)}"


def revocation_list(vault: str) -> str:
    """Vault's list as PEM; everybody may read it."""
    answer = httpcall.call("GET", f"{vault}/v1/pki/crl/pem")
    if answer.status != 200:
        raise NotSeen(f"Vault gives no revocation list: {answer.status}")
    return answer.text


def _file(directory: str, credential: Credential, key: str) -> Path:
    path = Path(directory) / key
    path.write_text(credential.data[key])
    return path


def _certificate(credential: Credential) -> x509.Certificate:
    return x509.load_pem_x509_certificate(credential.data["tls.crt"].encode())


def _short(credential: Credential) -> str:
    return f"{serial_of(_certificate(credential))[:11]}…"
