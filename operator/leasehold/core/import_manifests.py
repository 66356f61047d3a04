"""What was found, as manifests for Git: a profile for each server, a connection for each use of one. They are
records only: without `credential` in a profile, nothing is minted. What nobody but a person can say is left empty,
and an empty owner is refused by the API server until somebody has filled it in."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION
from leasehold.api.profile import MCPServerProfile, Transport
from leasehold.core.hidden_text import visible
from leasehold.core.import_found import FoundServer
from leasehold.core.text import shortened

FILL_IN: Final = "  # fill in"
MAX_WORDS: Final = 64
MAX_WORD: Final = 1024

_EMPTY: Final = re.compile(r"^(\s+(?:user|team|summary): '')$", re.MULTILINE)
_OPEN_URL: Final = re.compile(r"^(\s+url: .*(?:\$\{|REDACTED).*|\s+url: '')$", re.MULTILINE)
_LONGEST_STEM: Final = 40
_DROPPED: Final = frozenset(
    {"www", "com", "org", "net", "io", "dev", "app", "ai", "svc", "cluster", "local", "https", "http"}
)


@dataclass(frozen=True)
class Declared:
    """What a person says of everything that is imported; what they do not say is left empty."""

    owner: str = ""
    team: str = ""
    purpose: str = ""
    namespace: str = ""


def as_manifests(servers: Sequence[FoundServer], declared: Declared) -> str:
    """YAML, profiles first. The same servers give the same names, whatever else is found."""
    profiles: dict[str, list[FoundServer]] = {}
    for server in servers:
        profiles.setdefault(profile_name(server), []).append(server)
    documents = [_document(_profile(name, used, declared), used) for name, used in sorted(profiles.items())]
    connections = {connection_name(server): server for server in servers}
    documents += [
        _document(_connection(name, server, declared), [server])
        for name, server in sorted(connections.items())
    ]
    return "".join(documents)


def profile_name(server: FoundServer) -> str:
    """One name for one server, whoever uses it."""
    return _name(_subject(server), server.transport, server.identity)


def connection_name(server: FoundServer) -> str:
    """One name for one use: the agent, the server, and where that is written."""
    user, place = server.user, server.place
    parts = (user.namespace, user.agent, profile_name(server), place.source, place.pointer)
    return _name(f"{user.agent}-{server.name}", *parts)


def _name(stem: str, *identity: str) -> str:
    digest = hashlib.sha256("\0".join(identity).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{dns_label(stem)[:_LONGEST_STEM].rstrip('-')}-{digest}"


def dns_label(text: str) -> str:
    """Lowercase letters, digits and hyphens, as names of objects are made."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].rstrip("-") or "server"


def _subject(server: FoundServer) -> str:
    if server.url is not None:
        parts = re.findall(r"[A-Za-z0-9]+", re.sub(r"\$\{\w+\}|[?].*|REDACTED", "", server.url))
        return "-".join(word for word in parts if word.lower() not in _DROPPED) or "server"
    return server.program


def _profile(name: str, used: Sequence[FoundServer], declared: Declared) -> dict[str, Any]:
    server = used[0]
    spec: dict[str, Any] = {"transport": str(server.transport)}
    if server.transport is Transport.STDIO:
        spec["command"] = [word[:MAX_WORD] for word in server.command[:MAX_WORDS]]
    else:
        spec = {"url": server.url or "", **spec}
    return {
        "apiVersion": API_VERSION,
        "kind": MCPServerProfile.KIND,
        "metadata": {"name": name},
        "spec": {**spec, "owner": {"team": declared.team}},
    }


def _connection(name: str, server: FoundServer, declared: Declared) -> dict[str, Any]:
    namespace = server.user.namespace or declared.namespace
    agent = dns_label(server.user.agent)
    return {
        "apiVersion": API_VERSION,
        "kind": MCPConnection.KIND,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "spec": {
            "agent": {"name": agent, "serviceAccountName": server.user.service_account or agent},
            "profile": profile_name(server),
            "owner": {"user": declared.owner, "team": declared.team},
            "purpose": {"summary": declared.purpose},
            **({} if server.enabled else {"suspend": True}),
        },
    }


def _document(manifest: dict[str, Any], used: Sequence[FoundServer]) -> str:
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=False, width=110)
    marked = _OPEN_URL.sub(rf"\1{FILL_IN}", _EMPTY.sub(rf"\1{FILL_IN}", text))
    return "---\n" + "".join(f"# {line}\n" for line in _origins(used)) + marked


def _origins(used: Sequence[FoundServer]) -> Iterator[str]:
    """For the reader of the file only: what stands in comments is not applied."""
    for server in used:
        kinds = ", ".join(dict.fromkeys(str(each.kind) for each in server.credentials))
        where = visible(f"{server.place.source}#{server.place.pointer}", 400)
        yield shortened(f"{where} ({kinds})", 500)
