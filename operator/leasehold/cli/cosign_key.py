"""Private keys as `cosign generate-key-pair` writes them: PKCS #8, sealed with NaCl's secretbox under a key that
scrypt makes of a password, in JSON, in PEM."""

import base64
import binascii
import hashlib
import json
from typing import Any, Final

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

LABELS: Final = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
KDF: Final = "scrypt"
CIPHER: Final = "nacl/secretbox"
LARGEST_SCRYPT_BYTES: Final = 1 << 29
"""Cosign's own parameters take 64 MiB; a file must not be able to ask for all of the memory."""


class NotOpened(ValueError):
    """The file is no such key, or the password is another one; the message says which."""


def is_cosign_key(data: bytes) -> bool:
    """Whether it is a key file that cosign has sealed."""
    return any(f"-----BEGIN {label}-----".encode() in data for label in LABELS)


def opened(data: bytes, password: bytes) -> bytes:
    """The private key, as PKCS #8 in DER.

    :raises NotOpened: it cannot be had
    """
    try:
        sealed = json.loads(_unarmored(data))
        kdf, cipher = sealed["kdf"], sealed["cipher"]
        if (kdf["name"], cipher["name"]) != (KDF, CIPHER):
            raise NotOpened(f"it is sealed with {kdf['name']} and {cipher['name']}, not {KDF} and {CIPHER}")
        key = _scrypt(password, base64.b64decode(kdf["salt"], validate=True), kdf["params"])
        nonce = base64.b64decode(cipher["nonce"], validate=True)
        box = base64.b64decode(sealed["ciphertext"], validate=True)
    except NotOpened:
        raise
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise NotOpened("it is no key file of cosign") from error
    return secretbox_open(box, nonce, key)


def _unarmored(data: bytes) -> bytes:
    text = data.decode("ascii")
    label = next(each for each in LABELS if f"-----BEGIN {each}-----" in text)
    body = text.partition(f"-----BEGIN {label}-----")[2].partition(f"-----END {label}-----")[0]
    return base64.b64decode("".join(body.split()), validate=True)


def _scrypt(password: bytes, salt: bytes, params: dict[str, Any]) -> bytes:
    n, r, p = params["N"], params["r"], params["p"]
    if (
        not all(type(each) is int and each > 0 for each in (n, r, p))
        or 128 * n * r * p > LARGEST_SCRYPT_BYTES
    ):
        raise NotOpened(f"its scrypt parameters are none that cosign uses: N={n}, r={r}, p={p}")
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=2 * LARGEST_SCRYPT_BYTES, dklen=32)


def secretbox_open(box: bytes, nonce: bytes, key: bytes) -> bytes:
    """What NaCl's secretbox has sealed.

    :raises NotOpened: another key has sealed it, or it was changed
    """
    if len(nonce) != SecretBox.NONCE_SIZE or len(box) < SecretBox.MACBYTES:
        raise NotOpened("it is no key file of cosign: nonce or box have another length")
    try:
        return SecretBox(key).decrypt(box, nonce)
    except CryptoError as error:
        raise NotOpened("the password is another one, or the file was changed") from error
