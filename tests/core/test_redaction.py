"""What looks like a secret does not survive, and what people need to read does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.core.redaction import MAX_CHARS, redacted

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----"

SECRETS = [
    ("hvs.CAESIJf0-abcdefghijklmnop_qrstuvwxyz", "hvs.CAES"),
    ("hvb.AAAAAQJf0abcdefghijklmnopqrstuvwxyz", "hvb.AAAA"),
    ("s.k4RuMjC4qzpTzEsrOWuM3PqZ", "k4RuMjC4"),
    ("s.k4RuMjC4qzpTzEsrOWuM3PqZ.n5fGh", "n5fGh"),
    (JWT, "c2lnbmF0dXJl"),
    (PEM, "MIIEow"),
    (repr(PEM), "MIIEow"),
    (PEM[:40], "MIIEow"),
    ("postgres://orders:hunter2@db.example:5432/orders", "hunter2"),
    ("postgres://orders:p@hunter3@db.example:5432/orders", "hunter3"),
    ("X-Vault-Token: 00000000-1111-2222-3333-444444444444", "444444444444"),
    ("Authorization: Bearer 0123456789abcdef0123", "0123456789abcdef"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS, ids=[secret for _, secret in SECRETS])
@pytest.mark.parametrize("around", ["{}", "GET failed: {}, giving up", '{{"a": "{}"}}', "x={}\n", "\\n{}"])
def test_a_secret_is_taken_out_wherever_it_stands(text: str, secret: str, around: str) -> None:
    cleaned = redacted(around.format(text))
    assert secret not in cleaned
    assert "[redacted]" in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "support/support-bot-orders: spec.output.templates[mcp.json] uses a loop at line 3",
        "https://orders-mcp.tools.svc:8443/mcp?tenant=a",
        "database/creds/orders-read/8fGh27sKl29sLkfj29sKdj20",
        "sha256:" + "0" * 64,
        "leasehold.dev/store/default",
        "alice@example.com",
        "basic support is unavailable",
        "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----",
    ],
)
def test_what_people_need_to_read_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_very_long_text_is_cut_and_says_so() -> None:
    cleaned = redacted("x" * (MAX_CHARS * 2))
    assert len(cleaned) < MAX_CHARS + 20
    assert cleaned.endswith("[cut]")


@given(st.text(alphabet="eyJ.-hvsb/:@ AZ09_\n", max_size=200), st.sampled_from([text for text, _ in SECRETS]))
def test_a_secret_is_taken_out_between_any_two_words(words: str, secret: str) -> None:
    assert secret not in redacted(f"{words} {secret} {words}")
