"""Which texts of a configuration are credentials, and which of them may be shown. The two questions are separate:
what is found to be a credential is reported, but whatever is not known to be harmless is never shown."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from leasehold.core.text import words

REDACTED: Final = "REDACTED"

Fingerprint = Callable[[str], str]

_SCHEME: Final = re.compile(r"^(?:bearer|basic|token|apikey|bot|key)\s+", re.IGNORECASE)


def keyed(key: bytes) -> Fingerprint:
    """Fingerprints that are equal for equal secrets under one key. A plain hash of a short password can be guessed;
    with a key that is new in each run, and forgotten after it, there is nothing to guess against."""

    def fingerprint(secret: str) -> str:
        bare = _SCHEME.sub("", secret.strip())
        return hmac.new(key, bare.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]

    return fingerprint


# Names

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS: Final = words(
    """token secret secrets password passwd passphrase pwd pat apikey accesskey secretkey authorization bearer
    credential credentials cookie jwt signature dsn key"""
)
_SECRET_AT_THE_END: Final = words("auth pass sig")
_SECRET_ENDINGS: Final = ("password", "passwd", "secret", "token", "apikey")
"""`PGPASSWORD` is one word."""

_ABOUT_SECRETS: Final = words(
    """file path dir url uri endpoint id type mode method scheme provider enabled limit max ttl seconds
    timeout size count name names header issuer audience"""
)
"""`TOKEN_URL` and `AUTH_MODE` are no secrets."""

_NAME: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")


def is_secret_name(name: str) -> bool:
    """Whether a variable, header, option or field of this name holds a credential."""
    parts = [word.lower() for word in _WORDS.findall(name)]
    if not parts or parts[-1] in _ABOUT_SECRETS or "public" in parts:
        return False
    if parts[-1] in _SECRET_AT_THE_END or parts[-2:] == ["connection", "string"]:
        return True
    return any(part in _SECRET_WORDS or part.endswith(_SECRET_ENDINGS) for part in parts)


def shown_name(name: str) -> str:
    """A name that may be shown: it is one, and looks like no secret."""
    return name if _NAME.match(name) and not looks_secret(name) else REDACTED


def shown_key(name: object) -> str:
    """A key of somebody's document, in a pointer: as it is, unless it looks like a secret."""
    return REDACTED if looks_secret(str(name)) else str(name)


# Values

_ISSUED: Final = re.compile(
    r"(?:gh[pousr]_|github_pat_|glpat-|sk[-_]|[pr]k_|xox[abeprs]-|xapp-|A[KS]IA|AIza|ya29\.|eyJ|hv[sbr]\.|npm_|pypi-|"
    r"lin_api_|ntn_|secret_|figd_|tvly-|fc-|sbp_|dop_v1_|shp[a-z]{2}_|whsec_|ATATT|SG\.|hf_|gsk_|pplx-|xai-)"
    r"(?=[^\s]*[0-9])[A-Za-z0-9_./+=-]{8,}"
)
"""How well-known issuers begin their tokens."""

_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_RUN: Final = re.compile(r"[A-Za-z0-9+=]{16,}")
_IMAGE_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}\Z")


def looks_secret(text: str) -> bool:
    """Whether a text looks like a token by itself, whatever it is called."""
    plain = _IMAGE_DIGEST.sub("", text)
    return bool(_ISSUED.search(plain) or _UUID.search(plain) or any(map(_is_random, _RUN.findall(plain))))


def _is_random(run: str) -> bool:
    digits = sum(character.isdigit() for character in run)
    turns = sum(a.isupper() and b.islower() for a, b in pairwise(run))
    return 2 <= digits < len(run) or turns >= len(run) // 5


_REFERENCE: Final = re.compile(
    r"\$\{\{\s*(?P<continue>[^{}]*?)\s*\}\}|\$\{(?P<braces>[^{}]*)\}|\{(?P<bare>(?:env|file):[^{}]*)\}"
    r"|\$\((?P<pod>[A-Za-z_][A-Za-z0-9_.-]*)\)|%(?P<windows>[A-Z_][A-Z0-9_]*)%|^\$(?P<dollar>[A-Z_][A-Z0-9_]+)\Z"
)
_FIELDS: Final = ("continue", "braces", "bare", "pod", "windows", "dollar")
_PLACEHOLDER: Final = re.compile(
    r"(?i)^(?:<[^<>]*>|\[[^\[\]]*\]|your[-_ ][a-z_ -]*|[a-z_ -]*[-_ ]here|change[-_]?me|replace[-_]?me|"
    r"x{3,}|\*{3,}|\.{3}|…|todo)\Z"
)
_FILE: Final = re.compile(r"^(?:~|\.{1,2}|[A-Za-z]:)?[/\\]")


@dataclass(frozen=True)
class Value:
    """A value taken apart: what it takes from elsewhere (names of variables, inputs, files), and whether it says
    anything itself."""

    text: str
    references: tuple[str, ...]
    literal: bool

    @property
    def is_placeholder(self) -> bool:
        """Whether it only marks the place where a person is to write a credential."""
        return _PLACEHOLDER.match(_SCHEME.sub("", self.text.strip())) is not None

    @property
    def is_path(self) -> bool:
        """Whether it names a file."""
        return is_plain_path(self.text)


def taken_apart(text: str) -> Value:
    """The references and the rest of a value. `${NAME:-default}` says something itself, if the default does."""
    names: list[str] = []
    rest = [_REFERENCE.sub(" ", text)]
    for match in _REFERENCE.finditer(text):
        inner = next(found for field in _FIELDS if (found := match.group(field)) is not None)
        name, _, default = inner.partition(":-")
        names.append(name.strip().removeprefix("env:").removeprefix("secrets."))
        rest.append(default)
    if text.startswith("op://"):
        return Value(text, ("op",), literal=False)
    said = _SCHEME.sub("", " ".join(rest).strip() + " ").strip()
    return Value(text, tuple(names), literal=any(character.isalnum() for character in said))


def expanded(text: str, known: Mapping[str, str]) -> str:
    """The text with the references whose values are known, or which have a default. Not those to a secret."""

    def value(match: re.Match[str]) -> str:
        inner = next(found for field in _FIELDS if (found := match.group(field)) is not None)
        name, _, default = inner.partition(":-")
        if is_secret_name(name):
            return match.group()
        return known.get(name.removeprefix("env:")) or default or match.group()

    return _REFERENCE.sub(value, text)


def with_shown_references(text: str) -> str:
    """The text with each reference as `${NAME}`: no default, and no name that may not be shown."""

    def plain(match: re.Match[str]) -> str:
        name = taken_apart(match.group()).references[0].removeprefix("input:").removeprefix("file:")
        return f"${{{shown_name(name)}}}"

    return _REFERENCE.sub(plain, text)


_SEGMENT: Final = re.compile(r"^[\w .@+~:${}-]{0,128}\Z")


def is_plain_path(text: str) -> bool:
    """Whether it is a path of which nothing looks like a secret."""
    segments = re.split(r"[/\\]", text)
    return (
        _FILE.match(text) is not None
        and all(map(_SEGMENT.match, segments))
        and not any(map(looks_secret, [text, *segments]))
    )
