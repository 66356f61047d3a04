"""One container of a workload: what its environment holds and from where, and the MCP servers that its variables
and arguments name. A Secret is never read: only that it is named, and under which key."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from leasehold.core.import_entry import read_entry
from leasehold.core.import_files import ANY, Import, read_document
from leasehold.core.import_found import CredentialKind, FoundServer, Place, User
from leasehold.core.import_sightings import ANY_NAME, Sightings, Variable
from leasehold.core.import_urls import is_url
from leasehold.core.import_values import Fingerprint, is_secret_name, shown_name

ConfigMaps = Mapping[tuple[str, str], Mapping[str, str]]
"""The data of ConfigMaps by namespace and name."""

_LEADS_TO_MCP: Final = re.compile(r"(?i)^https?://[^?#]*(?:^|[/._-])(?:mcp|sse)(?:[/.:_-]|$|[?#])")
_MCP_WORD: Final = re.compile(r"(?i)(?:^|[^a-z])mcp(?:[^a-z]|$)")
_STEM: Final = re.compile(r"(?i)(?:[_-](?:url|uri|endpoint|address|host|server|base))+$")
_LISTENS: Final = re.compile(r"^https?://(?:0\.0\.0\.0|\[::\])")


@dataclass(frozen=True)
class Container:
    """A container, whose it is, and where it stands."""

    spec: Mapping[str, Any]
    user: User
    place: Place

    @property
    def words(self) -> list[str]:
        """What it starts, as far as the workload says so."""
        return [str(word) for field in ("command", "args") for word in self.spec.get(field) or ()]


def environment(container: Container, config_maps: ConfigMaps) -> dict[str, Variable]:
    """The variables of a container by name."""
    variables: dict[str, Variable] = {}
    namespace = container.user.namespace
    for number, source in enumerate(container.spec.get("envFrom") or ()):
        prefix = source.get("prefix") or ""
        name = str((source.get("configMapRef") or {}).get("name") or "")
        for key, text in config_maps.get((namespace, name), {}).items():
            place = Place(f"configmap/{namespace}/{name}").under("data", key)
            variables[prefix + key] = Variable(place, text)
        if source.get("secretRef"):
            place = container.place.under("envFrom", number)
            shown = f"secret/{source['secretRef'].get('name')}"
            variables[ANY_NAME] = Variable(place, None, CredentialKind.SECRET_REFERENCE, shown)
    for number, entry in enumerate(container.spec.get("env") or ()):
        variables[str(entry.get("name"))] = _variable(
            entry, container.place.under("env", number), namespace, config_maps
        )
    return variables


def _variable(entry: Mapping[str, Any], place: Place, namespace: str, config_maps: ConfigMaps) -> Variable:
    source = entry.get("valueFrom") or {}
    secret, config = source.get("secretKeyRef"), source.get("configMapKeyRef")
    if secret:
        shown = f"secret/{secret.get('name')}/{secret.get('key')}"
        return Variable(place, None, CredentialKind.SECRET_REFERENCE, shown)
    if config:
        key = str(config.get("key"))
        text = config_maps.get((namespace, str(config.get("name"))), {}).get(key)
        where = Place(f"configmap/{namespace}/{config.get('name')}").under("data", key)
        known = CredentialKind.ENVIRONMENT_REFERENCE if text is None else CredentialKind.STATIC_ENVIRONMENT
        return Variable(where, text, known)
    return Variable(place, str(entry.get("value") or ""))


def servers_of(container: Container, variables: Mapping[str, Variable], fingerprint: Fingerprint) -> Import:
    """The servers that variables and arguments of a container name."""
    found = Import()
    named: list[tuple[str, str, Place]] = []
    for name, variable in variables.items():
        if variable.text is not None:
            found += _in_text(name, variable.text, variable.place, container, variables, fingerprint, named)
    words = container.words
    place = container.place.under("args" if container.spec.get("args") else "command")
    bridge = _bridge(words, container, place, variables, fingerprint)
    if bridge is not None:
        return found + Import((bridge,))
    for option, text in _arguments(words):
        found += _in_text(option, text, place, container, variables, fingerprint, named)
    servers = [
        server
        for each in dict.fromkeys(named)
        for server in _named_server(each, container, variables, fingerprint, only=len(named) == 1)
    ]
    return found + Import(tuple(servers))


def _in_text(
    name: str,
    text: str,
    place: Place,
    container: Container,
    variables: Mapping[str, Variable],
    fingerprint: Fingerprint,
    named: list[tuple[str, str, Place]],
) -> Import:
    """A whole configuration in one text; a URL is put down among those that are `named`."""
    if (
        is_url(text)
        and not _LISTENS.match(text)
        and (_LEADS_TO_MCP.match(text) or _names_a_server(name, text))
    ):
        named.append((name, text, place))
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return Import()
        read = read_document(document, place, ANY, fingerprint, workload=container.user, outer=variables)
        return read or Import()
    return Import()


def _names_a_server(name: str, text: str) -> bool:
    return (
        text.startswith(("http://", "https://"))
        and _MCP_WORD.search(name) is not None
        and _STEM.search(name) is not None
    )


def _bridge(
    words: Sequence[str],
    container: Container,
    place: Place,
    variables: Mapping[str, Variable],
    fingerprint: Fingerprint,
) -> FoundServer | None:
    """The remote server, where the container only leads to one."""
    if not any(
        word.rpartition("/")[2].startswith(("mcp-remote", "mcp-proxy", "supergateway")) for word in words
    ):
        return None
    entry = {"command": words[0], "args": list(words[1:])}
    server = read_entry(container.user.agent, entry, container.user, place, fingerprint, variables)
    return server if server is not None and server.url is not None else None


def _arguments(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each argument with the option that it belongs to."""
    option = ""
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("-") and equals:
            yield name, value
        elif word.startswith("-"):
            option = word
            continue
        else:
            yield option, word
        option = ""


def _named_server(
    named: tuple[str, str, Place],
    container: Container,
    variables: Mapping[str, Variable],
    fingerprint: Fingerprint,
    *,
    only: bool,
) -> list[FoundServer]:
    """A server of which one variable or argument has the URL, and others around it the credential."""
    name, text, place = named
    stem = _STEM.sub("", name.lstrip("-")).lower().replace("-", "_")
    around = Sightings(fingerprint, variables)

    def belongs(other: str) -> bool:
        plain = other.lstrip("-").lower().replace("-", "_")
        return plain.startswith(f"{stem}_") or (only and _MCP_WORD.search(plain) is not None)

    for other, variable in variables.items():
        if other != name and belongs(other):
            around.see_variable(other, variable)
    for option, value in _arguments(container.words):
        if option in ("--header", "-H"):
            header, _, said = value.partition(":")
            around.see_header(header.strip(), said.strip(), place)
        elif belongs(option) and is_secret_name(option):
            around.see(CredentialKind.STATIC_ARGUMENT, shown_name(option.lstrip("-")), value, place)
    server = read_entry("", {"url": text}, container.user, place, fingerprint, variables)
    if server is None:  # a URL is enough for one
        return []
    stated = [each for each in server.credentials if each.kind is not CredentialKind.UNSTATED]
    credentials = tuple(dict.fromkeys([*stated, *around.found])) or server.credentials
    return [replace(server, name=_host(server.url or ""), credentials=credentials)]


def _host(url: str) -> str:
    """What a server is called that has no name: the host of a URL that may be shown."""
    return re.split(r"[/:]", url.partition("://")[2])[0] or "server"
