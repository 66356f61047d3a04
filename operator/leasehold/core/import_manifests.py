"""What was found and is not registered yet, as manifests for Git: a profile for each server, a connection for
each use of one. They are records only: without `credential` in a profile, or `output` in a connection, nothing is
minted. What nobody but a person can say is left empty, and an empty owner is refused by the API server until
somebody has filled it in."""

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
from leasehold.core.import_found import FoundServer, dns_label
from leasehold.core.import_registered import NOTHING_COMPARED, Registration, Standing, Standings
from leasehold.core.text import shortened

FILL_IN: Final = "  # fill in"

_EMPTY: Final = re.compile(r"^(\s+(?:user|team|summary|profile): '')$", re.MULTILINE)
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


def as_manifests(
    servers: Sequence[FoundServer], declared: Declared, standings: Standings = NOTHING_COMPARED
) -> str:
    """YAML, profiles first. The same servers give the same names, whatever else is found."""
    profiles: dict[str, list[FoundServer]] = {}
    connections: dict[str, FoundServer] = {}
    registered = {server: standings.get(server, Standing()) for server in servers}
    for server, standing in registered.items():
        if not standing.profiles:
            profiles.setdefault(profile_name(server), []).append(server)
        if standing.registration is not Registration.REGISTERED:
            connections[connection_name(server)] = server
    documents = [_document(_profile(name, used, declared), used) for name, used in sorted(profiles.items())]
    documents += [
        _document(_connection(name, server, declared, registered[server]), [server], registered[server].names)
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


def _subject(server: FoundServer) -> str:
    if server.url is not None:
        parts = re.findall(r"[A-Za-z0-9]+", re.sub(r"\$\{\w+\}|[?].*|REDACTED", "", server.url))
        return "-".join(word for word in parts if word.lower() not in _DROPPED) or "server"
    return server.program


def _profile(name: str, used: Sequence[FoundServer], declared: Declared) -> dict[str, Any]:
    server = used[0]
    spec: dict[str, Any] = {"transport": str(server.transport)}
    if server.transport is Transport.STDIO:
        spec["command"] = list(server.target)
    else:
        spec = {"url": server.url or "", **spec}
    return {
        "apiVersion": API_VERSION,
        "kind": MCPServerProfile.KIND,
        "metadata": {"name": name},
        "spec": {**spec, "owner": {"team": declared.team}},
    }


def _connection(name: str, server: FoundServer, declared: Declared, standing: Standing) -> dict[str, Any]:
    namespace = server.user.namespace or declared.namespace
    agent = server.user.agent_name
    return {
        "apiVersion": API_VERSION,
        "kind": MCPConnection.KIND,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "spec": {
            "agent": {"name": agent, "serviceAccountName": server.user.service_account or agent},
            "profile": _profile_of(server, standing),
            "owner": {"user": declared.owner, "team": declared.team},
            "purpose": {"summary": declared.purpose},
            **({} if server.enabled else {"suspend": True}),
        },
    }


def _profile_of(server: FoundServer, standing: Standing) -> str:
    """The registered profile, or the one that is printed as well; none where a person has to choose among some."""
    if not standing.profiles:
        return profile_name(server)
    alike = [each for each in standing.profiles if each.spec.transport is server.transport]
    fitting = alike or standing.profiles
    return fitting[0].metadata.name if len(fitting) == 1 else ""


def _document(manifest: dict[str, Any], used: Sequence[FoundServer], registered: Sequence[str] = ()) -> str:
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=False, width=110)
    marked = _OPEN_URL.sub(rf"\1{FILL_IN}", _EMPTY.sub(rf"\1{FILL_IN}", text))
    return "---\n" + "".join(f"# {line}\n" for line in _comments(used, registered)) + marked


def _comments(used: Sequence[FoundServer], registered: Sequence[str]) -> Iterator[str]:
    """For the reader of the file only: what stands in comments is not applied."""
    for server in used:
        kinds = ", ".join(dict.fromkeys(str(each.kind) for each in server.credentials))
        where = visible(f"{server.place.source}#{server.place.pointer}", 400)
        yield shortened(f"{where} ({kinds})", 500)
    if registered:
        yield shortened(f"registered as {' or '.join(registered)}", 500)
