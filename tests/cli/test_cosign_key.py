"""Private keys that cosign has sealed. The one in `cosign.key` was made by cosign itself."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leasehold.cli.cosign_key import NotOpened, opened, secretbox_open
from leasehold.cli.evidence_signature import is_signed, private_key, public_key, signature

KEY = Path(__file__).with_name("cosign.key")
PASSWORD = "open sesame"  # of a key that signs nothing but this test

NACL_KEY = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
NACL_NONCE = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
NACL_BOX = bytes.fromhex(
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce8"
    "7b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9"
    "da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
)
NACL_TEXT = bytes.fromhex(
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561"
    "f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e"
    "52f0a089bc76897040e082f937763848645e0705"
)


def test_the_box_of_nacls_own_test_is_opened() -> None:
    assert secretbox_open(NACL_BOX, NACL_NONCE, NACL_KEY) == NACL_TEXT


@pytest.mark.parametrize("place", [0, 15, 16, 80, -1])
def test_a_box_in_which_one_bit_was_changed_is_not_opened(place: int) -> None:
    box = bytearray(NACL_BOX)
    box[place] ^= 1
    with pytest.raises(NotOpened, match="the password is another one, or the file was changed"):
        secretbox_open(bytes(box), NACL_NONCE, NACL_KEY)


def test_a_key_that_cosign_made_signs_for_the_public_key_that_it_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", PASSWORD)
    key, public = private_key(KEY), public_key(KEY.with_suffix(".pub"))
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert key.public_key().public_bytes(*form) == public.public_bytes(*form)
    assert is_signed(public, b"sums", signature(key, b"sums"))
    assert not is_signed(public, b"other sums", signature(key, b"sums"))


def resealed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The key file with another content."""
    label = "ENCRYPTED SIGSTORE PRIVATE KEY"
    body = "".join(KEY.read_text().splitlines()[1:-1])
    content = json.loads(base64.b64decode(body))
    change(content)
    text = base64.b64encode(json.dumps(content).encode()).decode()
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode()


BROKEN: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("another cipher", lambda key: key["cipher"].update(name="aes"), "sealed with scrypt and aes"),
    ("no nonce", lambda key: key["cipher"].pop("nonce"), "it is no key file of cosign"),
    ("a short nonce", lambda key: key["cipher"].update(nonce="AAAA"), "have another length"),
    ("no base64", lambda key: key.update(ciphertext="%"), "it is no key file of cosign"),
    (
        "all of the memory",
        lambda key: key["kdf"]["params"].update(N=1 << 30),
        "none that cosign uses: N=1073741824",
    ),
    ("no number", lambda key: key["kdf"]["params"].update(r=True), "none that cosign uses"),
    ("an odd number", lambda key: key["kdf"]["params"].update(N=3), "it is no key file of cosign"),
]


@pytest.mark.parametrize(("change", "told"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_key_file_that_is_none_says_why(change: Callable[[dict[str, Any]], object], told: str) -> None:
    with pytest.raises(NotOpened, match=told):
        opened(resealed(change), PASSWORD.encode())


@pytest.mark.parametrize(
    ("password", "told"),
    [("another", "the password is another one"), (None, "is sealed with a password: set COSIGN_PASSWORD")],
)
def test_a_key_without_its_password_is_refused(
    password: str | None,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if password is None:
        monkeypatch.delenv("COSIGN_PASSWORD", raising=False)
    else:
        monkeypatch.setenv("COSIGN_PASSWORD", password)
    with pytest.raises(typer.Exit):
        private_key(KEY)
    assert told in capsys.readouterr().err
