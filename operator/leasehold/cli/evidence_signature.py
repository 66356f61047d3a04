"""Signatures over the sums of a folder, as `cosign sign-blob` and `cosign verify-blob` make and check them with a
key file: ECDSA P-256 over SHA-256, in base64."""

import binascii
import os
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

import typer
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
    load_pem_public_key,
)

from leasehold.cli.cosign_key import NotOpened, is_cosign_key, opened
from leasehold.cli.ending import refused

WANTED: Final = (
    "a PEM file of an ECDSA P-256 private key, as cosign.key is, or as openssl makes it, not encrypted"
)
PASSWORD: Final = "COSIGN_PASSWORD"  # noqa: S105  # the variable's name
_P256: Final = ec.SECP256R1.name


def private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key to sign with.

    :raises typer.Exit: there is none that can be used
    """
    data = _read(path, "--sign")
    if is_cosign_key(data):
        key = _cosign_key(path, data)
    elif b"ENCRYPTED" in data:
        raise refused(f"--sign: {path} is encrypted otherwise than cosign does it; give {WANTED}")
    else:
        key = _plain_key(path, data)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != _P256:
        raise refused(f"--sign: {path} is a key of another kind; give {WANTED}")
    return key


def _plain_key(path: Path, data: bytes) -> object:
    try:
        return load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise refused(f"--sign: {path} is no private key; give {WANTED}") from error


def _cosign_key(path: Path, data: bytes) -> object:
    try:
        return load_der_private_key(opened(data, _password(path)), None)
    except NotOpened as error:
        raise refused(f"--sign: {path} cannot be opened: {error}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise refused(f"--sign: {path} has no private key in it; give {WANTED}") from error


def _password(path: Path) -> bytes:
    """From the variable that cosign takes it from, else from whoever sits there."""
    given = os.environ.get(PASSWORD)
    if given is None and not sys.stdin.isatty():
        raise refused(f"--sign: {path} is sealed with a password: set {PASSWORD}, or sit at a terminal")
    if given is None:
        given = typer.prompt(f"Password of {path}", hide_input=True, err=True, default="", show_default=False)
    return given.encode()


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
