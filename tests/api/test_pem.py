"""What a caBundle must hold, beyond what the API server can see."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from leasehold.api.pem import pem_from_bundle


def a_certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    )
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_bundle_of_two_certificates_comes_back_as_it_was() -> None:
    text = a_certificate() + a_certificate()
    assert pem_from_bundle(b64encode(text.encode()).decode()) == text


@pytest.mark.parametrize(
    ("bundle", "said"),
    [
        ("-----BEGIN CERTIFICATE-----", "not base64"),
        (b64encode(b"\xff\xfe").decode(), "not base64 of PEM text"),
        (b64encode(b"hello").decode(), "no readable certificate"),
        (
            b64encode(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").decode(),
            "no readable certificate",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(bundle: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pem_from_bundle(bundle)
