"""The API server can see that a bundle is base64, not that certificates are in it."""

from base64 import b64decode
from binascii import Error

from cryptography.x509 import load_pem_x509_certificates


def pem_from_bundle(ca_bundle: str) -> str:
    """The PEM text of a `caBundle`.

    :raises ValueError: a sentence that says what is wrong with it
    """
    try:
        text = b64decode(ca_bundle, validate=True).decode("ascii")
    except (Error, UnicodeDecodeError) as error:
        raise ValueError(
            "caBundle is not base64 of PEM text; write `base64 -w0 ca.pem` of the certificates."
        ) from error
    try:
        load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise ValueError(
            "caBundle holds no readable certificate; write one or more -----BEGIN CERTIFICATE----- blocks."
        ) from error
    return text
