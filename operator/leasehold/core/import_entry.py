"""One server as some client's configuration has it. The clients agree on little: one fact has up to five spellings,
and all of them are read wherever they stand, for people copy entries from one client to another."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from leasehold.api.profile import Transport
from leasehold.core.import_arguments import ReadCommand, read_command
from leasehold.core.import_found import CredentialKind, FoundServer, Place, User
from leasehold.core.import_sightings import Environment, Sightings, Variable, is_credential
from leasehold.core.import_urls import is_url
from leasehold.core.import_values import (
    Fingerprint,
    expanded,
    is_secret_name,
    shown_key,
    shown_name,
    with_shown_references,
)

_URLS: Final = ("httpUrl", "url", "serverUrl", "uri")
_COMMANDS: Final = ("command", "cmd")
_VARIABLES: Final = ("env", "environment", "envs")
_HEADERS: Final = ("headers", "http_headers")
_OAUTH: Final = ("oauth", "auth", "authProviderType")
_FREE: Final = ("apiKey", "bearer_token", "bearerToken", "token", "settings", "initializationOptions")
"""Fields of which any part may be a credential."""


_BEGINS_WITH_VARIABLE: Final = re.compile(r"^\$\{\w+\}(?:/[a-z]{1,16}){0,4}/?\Z")


def is_entry(value: Any) -> bool:
    """Whether this says how a server is reached."""
    return isinstance(value, dict) and any(
        name in value for name in (*_URLS, *_COMMANDS, "settings", "transport")
    )


def read_entry(
    name: str,
    entry: Mapping[str, Any],
    user: User,
    place: Place,
    fingerprint: Fingerprint,
    outer: Environment,
) -> FoundServer | None:
    """The server, or None where the entry names neither a URL nor a command. `outer` is the environment in which
    the client runs, as far as it is known."""
    entry = _opened(entry)
    own = {
        key: Variable(place.under(field, shown_key(key)), _text(value))
        for field, variables in _mappings(entry, _VARIABLES)
        for key, value in variables.items()
    }
    sightings = Sightings(fingerprint, {**outer, **own})
    url_field = next(
        (field for field in _URLS if isinstance(entry.get(field), str) and entry[field].strip()), None
    )
    command = _command(entry)
    reading = ReadCommand()
    url = None
    if url_field is not None:
        url = _url(entry[url_field], sightings, place.under(url_field))
        if url is None:
            return None
    elif command:
        reading = read_command(command[0], command[1:], sightings, place.under("args"))
        url = reading.remote if reading.is_bridge else None
    elif "settings" not in entry:
        return None
    for variable_name, variable in own.items():
        sightings.see_variable(variable_name, variable)
    _see_fields(entry, sightings, place)
    if not sightings.found:
        kind = CredentialKind.NONE if url is None else CredentialKind.UNSTATED
        sightings.add(kind, "", place)
    return FoundServer(
        user=user,
        name=name,
        transport=_transport(entry, url_field, url, reading, user),
        url=url,
        command=() if url is not None else tuple(reading.shown) or (shown_name(name),),
        credentials=tuple(sightings.found),
        place=place,
        program="" if url is not None else reading.program or shown_name(name),
        enabled=entry.get("enabled") is not False and entry.get("disabled") is not True,
    )


def _url(text: str, sightings: Sightings, place: Place) -> str | None:
    """The URL that may be shown; None where it is none. A variable may hold the beginning of it, or all of it."""
    known = {name: each.text for name, each in sightings.environment.items() if each.text is not None}
    whole = expanded(text, known)
    if is_url(whole):
        return sightings.see_url(whole, place)
    shown = with_shown_references(whole)
    return shown if _BEGINS_WITH_VARIABLE.match(shown) else None


def _opened(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Zed once had the whole command in `command`, and Continue once had it in `transport`."""
    for field in ("command", "transport"):
        inner = entry.get(field)
        if isinstance(inner, dict):
            path = {"command": inner["path"]} if "path" in inner else {}
            return {**{key: value for key, value in entry.items() if key != field}, **inner, **path}
    return entry


def _command(entry: Mapping[str, Any]) -> list[str]:
    command = next((entry[field] for field in _COMMANDS if entry.get(field)), None)
    arguments = entry.get("args")
    if isinstance(arguments, str):
        arguments = arguments.split()
    words = [
        *(command if isinstance(command, list) else [command]),
        *(arguments if isinstance(arguments, list) else ()),
    ]
    texts = [text for word in words if (text := _text(word)) is not None]
    return texts if texts and command is not None and texts[0].strip() else []


def _see_fields(entry: Mapping[str, Any], sightings: Sightings, place: Place) -> None:
    options = entry.get("requestOptions")
    within = [(entry, place)] + (
        [(options, place.under("requestOptions"))] if isinstance(options, dict) else []
    )
    for fields, where in within:
        for field, headers in _mappings(fields, _HEADERS):
            for name, value in headers.items():
                sightings.see_header(str(name), _text(value) or "", where.under(field, shown_key(name)))
    _see_references(entry, sightings, place)
    if entry.get("headersHelper"):
        sightings.add(CredentialKind.PROGRAM, "headersHelper", place.under("headersHelper"))
    _see_free_fields(entry, sightings, place)


def _see_references(entry: Mapping[str, Any], sightings: Sightings, place: Place) -> None:
    """Fields that name variables or files."""
    names = [(entry.get("bearer_token_env_var"), place.under("bearer_token_env_var"))]
    for field, headers in _mappings(entry, ("env_http_headers",)):
        names += [(variable, place.under(field, shown_key(header))) for header, variable in headers.items()]
    for field in ("env_vars", "env_keys"):
        listed = entry.get(field)
        for variable in listed if isinstance(listed, list) else ():
            if isinstance(variable, str) and is_secret_name(variable):
                names.append((variable, place.under(field)))
    for name, where in names:
        if isinstance(name, str):
            sightings.see(CredentialKind.ENVIRONMENT_REFERENCE, shown_name(name), f"${{{name}}}", where)
    if isinstance(entry.get("envFile"), str):
        sightings.add(CredentialKind.FILE_REFERENCE, "envFile", place.under("envFile"))


def _see_free_fields(entry: Mapping[str, Any], sightings: Sightings, place: Place) -> None:
    for field in (*_FREE, *_OAUTH):
        for name, text, where in _texts(field, entry.get(field), place.under(field)):
            if (is_secret_name(name) and name != "auth") or is_credential(name, text):
                sightings.see(CredentialKind.STATIC_FIELD, shown_name(name), text, where)
    for field in _OAUTH:
        if _is_oauth(entry.get(field)):
            sightings.add(CredentialKind.OAUTH, field, place.under(field))


def _is_oauth(stated: Any) -> bool:
    if isinstance(stated, dict):
        return bool(stated) and stated.get("enabled") is not False
    return stated is True or (isinstance(stated, str) and stated.lower() not in ("", "none", "off", "false"))


def _texts(name: str, value: Any, place: Place, depth: int = 0) -> Iterator[tuple[str, str, Place]]:
    if isinstance(value, str):
        yield name, value, place
    elif isinstance(value, dict) and depth < 8:
        for key, inner in value.items():
            yield from _texts(str(key), inner, place.under(shown_key(key)), depth + 1)


def _transport(
    entry: Mapping[str, Any], url_field: str | None, url: str | None, reading: ReadCommand, user: User
) -> Transport:
    if url is None:
        return Transport.STDIO
    stated = str(entry.get("type") or entry.get("transport") or entry.get("transportType") or "").lower()
    if "sse" in stated or reading.transport is Transport.SSE:
        return Transport.SSE
    if "http" in stated or reading.transport is not None or url_field == "httpUrl":
        return Transport.STREAMABLE_HTTP
    old_default = user.client == "Gemini CLI" and url_field == "url"
    return Transport.SSE if old_default or url.endswith("/sse") else Transport.STREAMABLE_HTTP


def _mappings(entry: Mapping[str, Any], fields: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    return [(field, value) for field in fields if isinstance(value := entry.get(field), dict)]


def _text(value: Any) -> str | None:
    """A scalar as the client hands it on."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else None
