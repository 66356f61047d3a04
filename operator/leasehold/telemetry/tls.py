"""Metrics and probes over TLS, with a certificate that is replaced while we run.

The directory is a mounted Secret of type kubernetes.io/tls. Whoever renews the certificate writes the Secret, and
the kubelet the files; so each handshake looks whether they are still the same."""

import ssl
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"

Files = tuple[tuple[int, int, int], ...]


class UnusableCertificate(ValueError):
    """There is no certificate to begin with; the message says where it was looked for, and what is wrong."""


class ServedCertificate:
    """`context` is what a server is given; it hands every connection over to the newest certificate.

    :raises UnusableCertificate: the directory has none
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            self._seen = self._files()
            self._newest = self.context = self._load()
        except (OSError, ssl.SSLError) as error:
            raise UnusableCertificate(
                f"{directory}: {CERTIFICATE} and {KEY} are not a certificate and its key in PEM ({error})"
            ) from error
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        try:
            files = self._files()
            if files != self._seen:
                self._seen = files
                self._newest = self._load()
                log.info("the certificate for metrics and probes was read anew")
        except (OSError, ssl.SSLError) as error:  # the old one may still be good, and says more than none
            log.warning("the new certificate for metrics and probes cannot be used", why=str(error))
        connection.context = self._newest

    def _files(self) -> Files:
        found = [(self._directory / name).stat() for name in (CERTIFICATE, KEY)]
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._directory / CERTIFICATE, self._directory / KEY)
        return context
