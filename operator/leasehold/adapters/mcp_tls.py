"""Whom a TLS connection believes, and what it shows of itself. A context takes milliseconds and memory to make
and holds no connection, so probes with the same CAs and the same client certificate share one."""

import hashlib
import os
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.probe import ClientCertificate

MAX_CONTEXTS: Final = 64


class Trust:
    """The TLS contexts of a prober."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()

    def context(self, ca_bundle: str | None, certificate: ClientCertificate | None) -> ssl.SSLContext:
        """The one context of these CAs (PEM; None for the system's) and this client certificate.

        :raises NeedsPerson: one of them cannot be used
        """
        key = _fingerprint(ca_bundle, certificate)
        known = self._contexts.pop(key, None)
        self._contexts[key] = known or _new_context(ca_bundle, certificate)
        while len(self._contexts) > MAX_CONTEXTS:
            self._contexts.popitem(last=False)
        return self._contexts[key]


def issuer_organisation(certificate: Mapping[str, Any] | None) -> str | None:
    """The O of the issuer, from what `SSLSocket.getpeercert()` gives; None where it names none."""
    names = (name for part in (certificate or {}).get("issuer", ()) for name in part)
    return next((str(value) for key, value in names if key == "organizationName"), None)


def _fingerprint(ca_bundle: str | None, certificate: ClientCertificate | None) -> bytes:
    digest = hashlib.sha256()
    shown = (certificate.certificate, certificate.key.reveal()) if certificate else (None, None)
    for part in (ca_bundle, *shown):
        encoded = b"-" if part is None else part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()


def _new_context(ca_bundle: str | None, certificate: ClientCertificate | None) -> ssl.SSLContext:
    try:
        if ca_bundle == "":
            raise ValueError("an empty bundle would mean the CAs of the system")
        context = ssl.create_default_context(cadata=ca_bundle)
    except (ssl.SSLError, ValueError) as error:
        raise NeedsPerson(Reason.TLS_FAILED, "The CA bundle holds no readable certificate.") from error
    if certificate is not None:
        _show(context, certificate)
    return context


def _show(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """OpenSSL takes a key from a file only: one that nobody else can open and that is gone afterwards."""
    text = f"{certificate.certificate.strip()}\n{certificate.key.reveal().strip()}\n"
    descriptor, path = _private_file()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))
            file.flush()
            context.load_cert_chain(path, password=_no_password)
    except (ssl.SSLError, ValueError):
        usable = False
    else:
        usable = True
    finally:
        with suppress(OSError):
            path.unlink()
    if not usable:
        raise NeedsPerson(
            Reason.TLS_FAILED,
            "The client certificate cannot be used: it has to be PEM, with a key that belongs to it and has no "
            "password.",
        )


def _private_file() -> tuple[int, Path]:
    """In memory where the system can do that, else a temporary file of mode 0600."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client-certificate")
        return descriptor, Path(f"/proc/self/fd/{descriptor}")
    made, name = tempfile.mkstemp()
    return made, Path(name)


def _no_password() -> str:
    raise ValueError("the key has a password")
