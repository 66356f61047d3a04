"""The credentials of one server, as they come into sight: a value becomes a credential with a kind and a
fingerprint here, once, and is then forgotten."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from leasehold.core.import_found import Credential, CredentialKind, Place
from leasehold.core.import_urls import is_url, read_url
from leasehold.core.import_values import (
    Fingerprint,
    is_plain_path,
    is_secret_name,
    looks_secret,
    shown_name,
    taken_apart,
)

MAX_DEPTH: Final = 16
SHORTEST_RANDOM: Final = 20
"""Below that, a value is a credential only if its name or its issuer's prefix says so."""


@dataclass(frozen=True)
class Variable:
    """A variable of the environment in which a server, or its agent, is started: a text, or where it comes from."""

    place: Place
    text: str | None
    kind: CredentialKind = CredentialKind.STATIC_ENVIRONMENT
    shown: str = ""


Environment = Mapping[str, Variable]

ANY_NAME: Final = "*"
"""In an environment: where variables come from that nothing lists, as with `envFrom` of a Secret."""


@dataclass
class Sightings:
    """Collects; `environment` is what references are looked up in."""

    fingerprint: Fingerprint
    environment: Environment = field(default_factory=dict)
    found: dict[Credential, None] = field(default_factory=dict)

    def add(self, kind: CredentialKind, name: str, place: Place, secret: str | None = None) -> None:
        """One credential; with a fingerprint where its secret is there to be read."""
        fingerprint = self.fingerprint(secret) if secret else None
        self.found.setdefault(Credential(kind, name, place.source, place.pointer, fingerprint))

    def see(self, kind: CredentialKind, name: str, text: str, place: Place) -> None:
        """A text that is a credential by where it stands: it may be one, name one, or keep its place."""
        value = taken_apart(text)
        if not text.strip():
            return
        if value.is_placeholder:
            self.add(CredentialKind.PLACEHOLDER, name, place)
        elif text.startswith("op://"):
            self.add(CredentialKind.SECRET_REFERENCE, name, place)
        elif value.references and not value.literal:
            for reference in value.references:
                self._look_up(reference, place)
        elif is_url(text):
            self.see_url(text, place)
        elif value.is_path:
            self.add(CredentialKind.FILE_REFERENCE, name, place)
        else:
            self.add(kind, name, place, text)

    def see_variable(self, name: str, variable: Variable) -> None:
        """A variable: a credential if its name or its value says so."""
        shown = shown_name(name)
        if variable.text is None:
            if is_secret_name(name):
                self.add(variable.kind, variable.shown or shown, variable.place)
        elif is_secret_name(name) or is_credential(name, variable.text):
            self.see(variable.kind, shown, variable.text, variable.place)
        else:
            self.see_within(CredentialKind.STATIC_ENVIRONMENT, variable.text, variable.place)

    def see_header(self, name: str, text: str, place: Place) -> None:
        """A header: a credential if its name or its value says so."""
        if is_secret_name(name) or is_credential(name, text):
            self.see(CredentialKind.STATIC_HEADER, shown_name(name), text, place)

    def see_url(self, text: str, place: Place) -> str:
        """What a URL carries; the URL that may be shown."""
        url = read_url(text)
        for each in url.carried:
            self.see(each.kind, each.name, each.text, place)
        return url.text

    def see_within(self, kind: CredentialKind, text: str, place: Place) -> None:
        """A text that is none by where it stands, but may hold some: a URL, or JSON with fields of its own."""
        if is_url(text):
            self.see_url(text, place)
        elif text.lstrip().startswith(("{", "[")):
            for name, inner in _texts(text):
                if is_secret_name(name) or is_credential(name, inner):
                    self.see(kind, shown_name(name), inner, place)

    def _look_up(self, reference: str, place: Place) -> None:
        source, colon, rest = reference.partition(":")
        variable = self.environment.get(reference) or self.environment.get(ANY_NAME)
        if variable is not None and variable.text is None:
            self.add(variable.kind, variable.shown or shown_name(reference), variable.place)
        elif variable is not None and taken_apart(variable.text or "").references:
            self.add(CredentialKind.ENVIRONMENT_REFERENCE, shown_name(reference), variable.place)
        elif variable is not None:
            name = reference.removeprefix("input:")
            self.see(variable.kind, shown_name(name), variable.text or "", variable.place)
        elif colon and source == "input":
            self.add(CredentialKind.PROMPT, shown_name(rest), place)
        elif colon and source == "file":
            self.add(CredentialKind.FILE_REFERENCE, rest if is_plain_path(rest) else "", place)
        else:
            self.add(CredentialKind.ENVIRONMENT_REFERENCE, shown_name(reference), place)


def is_credential(name: str, text: str) -> bool:
    """Whether a text looks like a credential although its name does not say so: not the id of something."""
    if is_url(text) or is_plain_path(text) or any(character.isspace() for character in text.strip()):
        return False
    about_an_id = name.lower().endswith(("id", "ref", "version", "digest", "hash", "sha"))
    return not about_an_id and len(text) >= SHORTEST_RANDOM and "@sha256:" not in text and looks_secret(text)


def _texts(text: str) -> Iterator[tuple[str, str]]:
    """The texts of a JSON document with their names."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    pending: list[tuple[str, Any, int]] = [("", document, 0)]
    while pending:
        name, value, depth = pending.pop(0)
        if isinstance(value, str):
            yield name, value
        elif depth < MAX_DEPTH and isinstance(value, dict):
            pending += [(str(key), inner, depth + 1) for key, inner in value.items()]
        elif depth < MAX_DEPTH and isinstance(value, list):
            pending += [(name, inner, depth + 1) for inner in value]
