"""Signatures over the sums of a folder, as `cosign sign-blob` and `cosign verify-blob` make and check them with a
key file: ECDSA P-256 over SHA-256, in base64."""

import binascii
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from leasehold.cli.ending import refused

WANTED: Final = "an unencrypted PEM file of an ECDSA P-256 private key, as openssl makes it"
_P256: Final = ec.SECP256R1.name


def private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key to sign with.

    :raises typer.Exit: there is none that can be used
    """
    data = _read(path, "--sign")
    if b"ENCRYPTED" in data:
        raise refused(f"--sign: {path} is encrypted; give {WANTED}, or sign SHA256SUMS with cosign sign-blob")
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise refused(f"--sign: {path} is no private key; give {WANTED}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != _P256:
        raise refused(f"--sign: {path} is a key of another kind; give {WANTED}")
    return key


def public_key(path: Path) -> ec.EllipticCurvePublicKey:
    """The key to check with.

    :raises typer.Exit: there is none that can be used
    """
    wanted = "give a PEM file of an ECDSA P-256 public key, as cosign.pub is"
    try:
        key = load_pem_public_key(_read(path, "--key"))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise refused(f"--key: {path} is no public key; {wanted}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != _P256:
        raise refused(f"--key: {path} is a key of another kind; {wanted}")
    return key


def signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """As the file beside the sums has it."""
    return b64encode(key.sign(data, ec.ECDSA(SHA256()))) + b"\n"


def is_signed(key: ec.EllipticCurvePublicKey, data: bytes, signed: bytes) -> bool:
    """Whether it is the key's signature over the data."""
    try:
        key.verify(b64decode(signed.strip(), validate=True), data, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refused(f"{option}: {path} cannot be read: {error.strerror}") from error
