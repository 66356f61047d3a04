"""The URL of a server, as configurations write it, in the one spelling that a profile has; without what it carries
of a credential: user and password, parameters, and words of the path that only a machine can have made."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from leasehold.core.import_found import CredentialKind
from leasehold.core.import_values import (
    REDACTED,
    is_secret_name,
    looks_secret,
    shown_name,
    taken_apart,
    with_shown_references,
)

_URL: Final = re.compile(
    r"^([A-Za-z][A-Za-z0-9+.-]{0,15})://([^/?#\s]*)([^?#\s]*)(?:\?([^#\s]*))?(?:#\S*)?\Z"
)
_AUTHORITY: Final = re.compile(
    r"^((?:[A-Za-z0-9._-]|\$\{\w+\}){1,253}|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}|\$\{\w+\}))?\Z"
)
_AT_WITHIN: Final = re.compile(r"[^/]@|/@[^/?#]*[.:]")
"""Behind the authority: a password that was written as it is may have ended that too early. `/@acme/` is a path."""

_NO_PASSWORDS: Final = frozenset({"x-oauth-basic"})
_NO_SECRETS: Final = frozenset({"", "git"})
"""What stands beside a token, or where there is none, in the URLs of repositories."""

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_HARMLESS_PARAMETER: Final = re.compile(r"^(?:[0-9]{1,6}|[a-z_]{1,16}(?:(?:,|%2C)[a-z_]{1,16})*)\Z")
_NAME_OF_PARAMETER: Final = re.compile(r"^[a-z][A-Za-z_-]{0,23}\Z")
"""Others are left out: they may be the rest of a token that has an `&` in it."""

_PATH_CHARACTERS: Final = re.compile(r"[^-A-Za-z0-9._~%!$&()*+,;=:@{}]")


@dataclass(frozen=True)
class Carried:
    """A credential within a URL."""

    kind: CredentialKind
    name: str
    text: str


@dataclass(frozen=True)
class ReadURL:
    """A URL that may be shown, and what was taken out of it."""

    text: str
    carried: tuple[Carried, ...]


def is_url(text: str) -> bool:
    """Whether it has a scheme and an authority."""
    return re.match(r"^[A-Za-z][A-Za-z0-9+.-]{0,15}://", text) is not None


def read_url(text: str) -> ReadURL:
    """The URL in its canonical spelling, without credentials. What cannot be told apart is not shown."""
    scheme = text.partition("://")[0].lower()
    written = with_shown_references(text.strip())
    match = _URL.match(written)
    _, at, authority = match[2].rpartition("@") if match else ("", "", "")
    host = _AUTHORITY.match(authority)
    if match is None or host is None or _AT_WITHIN.search(written.partition("://")[2][len(match[2]) :]):
        whole = Carried(CredentialKind.URL_USERINFO, "", text.partition("://")[2])
        return ReadURL(f"{scheme}://{REDACTED}", (whole,) if "@" in text else ())
    carried = []
    if at:
        # from the text as it was written, for a reference in it is looked up under its name
        user, _, password = text.partition("://")[2].split("/")[0].rpartition("@")[0].partition(":")
        is_user = not password or password in _NO_PASSWORDS or looks_secret(unquote(user))
        secret = unquote(user if is_user else password)
        if secret not in _NO_SECRETS:
            carried.append(Carried(CredentialKind.URL_USERINFO, "", secret))
    path, in_path = _path(match[3])
    query, in_query = _query(match[4] or "", text)
    return ReadURL(
        f"{scheme}://{_host(host[1])}{_port(scheme, host[2])}{path}{query}", (*carried, *in_path, *in_query)
    )


def _host(host: str) -> str:
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            return REDACTED
    if looks_secret(host):
        return REDACTED
    return "".join(part if part.startswith("${") else part.lower() for part in re.split(r"(\$\{\w+\})", host))


def _port(scheme: str, port: str | None) -> str:
    if port is None or _DEFAULT_PORTS.get(scheme) == port:
        return ""
    return f":{port}" if port.startswith("$") else f":{int(port)}"


def _path(path: str) -> tuple[str, list[Carried]]:
    kept: list[str] = []
    carried = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif looks_secret(unquote(segment)) and "${" not in segment:
            carried.append(Carried(CredentialKind.URL_PATH, "", unquote(segment)))
            kept.append(REDACTED)
        elif _PATH_CHARACTERS.search(segment):
            kept.append(REDACTED)
        elif segment not in ("", "."):
            kept.append(segment)
            references = [name for name in re.findall(r"\$\{(\w+)\}", segment) if is_secret_name(name)]
            carried += [Carried(CredentialKind.URL_PATH, name, f"${{{name}}}") for name in references]
    return "".join(f"/{segment}" for segment in kept), carried


def _query(query: str, original: str) -> tuple[str, list[Carried]]:
    kept, carried = [], []
    written = dict(_pairs(original.partition("?")[2].partition("#")[0]))
    for name, value in _pairs(query):
        secret = is_secret_name(unquote(name)) or looks_secret(unquote(value))
        if secret and value:
            text = unquote(written.get(name, value))
            carried.append(Carried(CredentialKind.URL_QUERY, shown_name(unquote(name)), text))
        elif value and _NAME_OF_PARAMETER.match(name):
            harmless = _HARMLESS_PARAMETER.match(value) or taken_apart(value).references
            kept.append(f"{name}={value if harmless else REDACTED}")
    return f"?{'&'.join(kept)}" if kept else "", carried


def _pairs(query: str) -> list[tuple[str, str]]:
    split = (part.partition("=") for part in query.split("&") if part)
    return [(name, value) for name, _, value in split]
