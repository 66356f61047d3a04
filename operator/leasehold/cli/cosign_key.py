"""Private keys as `cosign generate-key-pair` writes them: PKCS #8, sealed with NaCl's secretbox under a key that
scrypt makes of a password, in JSON, in PEM.

No dependency of ours has XSalsa20, of which secretbox is made, so it is written out here; its other half, Poly1305,
is the library's. It opens one short file of a person's own: nobody can time it, and nothing is sealed with it."""

import base64
import binascii
import hashlib
import hmac
import json
import struct
from typing import Any, Final

from cryptography.hazmat.primitives.poly1305 import Poly1305

LABELS: Final = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
KDF: Final = "scrypt"
CIPHER: Final = "nacl/secretbox"
LARGEST_SCRYPT_BYTES: Final = 1 << 29
"""Cosign's own parameters take 64 MiB; a file must not be able to ask for all of the memory."""
TAG_BYTES: Final = 16
_SIGMA: Final = b"expand 32-byte k"
_MASK: Final = 0xFFFFFFFF


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
    """What `crypto_secretbox` has sealed (https://nacl.cr.yp.to/secretbox.html).

    :raises NotOpened: another key has sealed it, or it was changed
    """
    if len(nonce) != 24 or len(key) != 32 or len(box) < TAG_BYTES:
        raise NotOpened("it is no key file of cosign: nonce, key or box have another length")
    stream = _xsalsa20(key, nonce, 32 + len(box) - TAG_BYTES)
    tag, sealed = box[:TAG_BYTES], box[TAG_BYTES:]
    if not hmac.compare_digest(tag, Poly1305.generate_tag(stream[:32], sealed)):
        raise NotOpened("the password is another one, or the file was changed")
    return bytes(one ^ other for one, other in zip(sealed, stream[32:], strict=True))


def _xsalsa20(key: bytes, nonce: bytes, length: int) -> bytes:
    """The first bytes of the stream (https://cr.yp.to/snuffle/xsalsa-20110204.pdf)."""
    rounds = _rounds(_state(key, nonce[:16]))
    subkey = struct.pack("<8I", *(rounds[place] for place in (0, 5, 10, 15, 6, 7, 8, 9)))
    blocks = bytearray()
    for counter in range((length + 63) // 64):
        state = _state(subkey, nonce[16:] + struct.pack("<Q", counter))
        added = ((one + other) & _MASK for one, other in zip(_rounds(state), state, strict=True))
        blocks += struct.pack("<16I", *added)
    return bytes(blocks[:length])


def _state(key: bytes, middle: bytes) -> list[int]:
    c, k, m = struct.unpack("<4I", _SIGMA), struct.unpack("<8I", key), struct.unpack("<4I", middle)
    return [c[0], *k[:4], c[1], *m, c[2], *k[4:], c[3]]


_QUARTERS: Final = (
    *((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)),
    *((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)),
)
"""Columns, then rows."""


def _rounds(state: list[int]) -> list[int]:
    """Twenty rounds of Salsa20 (https://cr.yp.to/snuffle/spec.pdf)."""
    x = list(state)
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            x[b] ^= _rotated(x[a] + x[d], 7)
            x[c] ^= _rotated(x[b] + x[a], 9)
            x[d] ^= _rotated(x[c] + x[b], 13)
            x[a] ^= _rotated(x[d] + x[c], 18)
    return x


def _rotated(value: int, bits: int) -> int:
    value &= _MASK
    return (value << bits | value >> (32 - bits)) & _MASK
