"""Secret material lives in `Sealed`, but errors of libraries and words of people are plain text, and either
may quote a secret. What looks like one is taken out of every log line and audit message: the last net, not
the first."""

import re
from typing import Final

MAX_CHARS: Final = 16384
"""Longer texts are cut before they are searched, so that the search has a bound."""

REDACTED: Final = "[redacted]"

_START: Final = r"(?:(?<![A-Za-z0-9_./-])|(?<=\\[nrt]))"
"""Not within a word; an escaped line break, as `repr` writes it, does not make one."""

_PATTERNS: Final = (
    # private keys, also where the line breaks were escaped, also where the end was cut off
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)", re.DOTALL
        ),
        REDACTED,
    ),
    # JSON web tokens: a header that begins with {" in base64url, then payload and signature
    (re.compile(r"eyJ[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)?"), REDACTED),
    # tokens of Vault and OpenBao: service, batch, recovery; with and without the long prefix
    (re.compile(r"hv[sbr]\.[A-Za-z0-9_-]{8,}+"), REDACTED),
    (re.compile(rf"{_START}[sbr]\.[A-Za-z0-9]{{20,}}+(?:\.[A-Za-z0-9]++)?"), REDACTED),
    # the password of a URL or DSN
    (re.compile(r"(://[^/\s:@]{0,256}+:)[^/\s]{1,1024}@"), rf"\g<1>{REDACTED}@"),
    # headers that carry credentials
    (
        re.compile(r"(?i)(x-vault-token\W{1,6}|bearer\s{1,4}|basic\s{1,4})[A-Za-z0-9._~+/=-]{16,}+"),
        rf"\g<1>{REDACTED}",
    ),
)


def redacted(text: str) -> str:
    """The text with everything in it that looks like a token, a private key or a password taken out."""
    kept = text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + "… [cut]"
    for pattern, replacement in _PATTERNS:
        kept = pattern.sub(replacement, kept)
    return kept
