"""When credentials that carry their own end do end: read from the certificates and JWTs themselves,
unverified: they come straight from the Vault that signed them, and only say when to replace them."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

CERTIFICATE_FIELD: Final = "certificate"
SIGNED_KEY_FIELD: Final = "signed_key"


def ends_in(fields: Mapping[str, str]) -> tuple[datetime, ...]:
    """The ends of all that carries one: the pki engine's certificate, the ssh engine's signed key, any JWT.

    Issuing certificates are no credentials and do not count."""
    found = [certificate_end(fields), _signed_key_end(fields.get(SIGNED_KEY_FIELD))]
    found += [_jwt_end(text) for text in fields.values()]
    return tuple(end for end in found if end is not None)


def certificate_end(fields: Mapping[str, str]) -> datetime | None:
    """The notAfter of the `certificate` field; None where there is none that can be read."""
    try:
        return x509.load_pem_x509_certificate(fields[CERTIFICATE_FIELD].encode()).not_valid_after_utc
    except (KeyError, ValueError):
        return None


def _signed_key_end(text: str | None) -> datetime | None:
    try:
        identity = load_ssh_public_identity((text or "").encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return _moment(identity.valid_before) if isinstance(identity, SSHCertificate) else None


def _jwt_end(text: str) -> datetime | None:
    parts = text.strip().split(".")
    if len(parts) != 3:
        return None
    header, payload = _json_part(parts[0]), _json_part(parts[1])
    if not isinstance(header, dict) or "alg" not in header or not isinstance(payload, dict):
        return None
    return _moment(payload.get("exp"))


def _json_part(part: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None


def _moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
