"""A surface in a file: `leasehold surface probe` writes it, Git keeps it, `leasehold surface diff` reads two of
them, perhaps years and versions apart. So the file says what it is, and its digest says whether it was edited."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leasehold.core.surface import Identity, Surface, surface_digest
from leasehold.core.wire_json import JsonObject, JsonValue, UnfitJson, parse

FORMAT: Final = "leasehold.dev/surface/v1"
_WANTED: Final = 'it should be what `leasehold surface probe` prints, or {"tools": [...]}'


class UnfitFile(ValueError):
    """The text is no saved surface and no listing of tools; the message says what would be right."""


@dataclass(frozen=True)
class Saved:
    """What a file holds. A plain listing of tools has no identity, and nothing but tools in its surface."""

    surface: Surface
    identity: Identity | None

    @property
    def is_listing(self) -> bool:
        return self.identity is None


def to_saved(surface: Surface, identity: Identity) -> str:
    """The file's text: ASCII, so that what is hidden in the server's texts shows as escapes; indented for Git."""
    document: JsonObject = {
        "format": FORMAT,
        "digest": surface_digest(surface),
        "identity": {"origin": identity.origin, "tlsIssuer": identity.tls_issuer},
        "surface": {
            "era": surface.era,
            "serverInfo": surface.server_info,
            "capabilities": surface.capabilities,
            "instructions": surface.instructions,
            "tools": list(surface.tools),
            "prompts": list(surface.prompts),
            "resourceTemplates": list(surface.resource_templates),
        },
    }
    return json.dumps(document, indent=2) + "\n"


def to_patch(saved: str) -> str:
    """The change to a profile that supplies a saved surface: YAML for Git, or for `kubectl patch --patch-file`."""
    lines = "".join(f"    {line}\n" for line in saved.splitlines())
    return f"spec:\n  suppliedSurface: |\n{lines}"


def from_saved(data: bytes) -> Saved:
    """What a saved surface holds, or a listing as `tools/list` answers it: `{"tools": [...]}`.

    :raises UnfitFile: it is neither, it was edited after it was saved, or it is one page of a longer listing
    """
    try:
        document = parse(data)
    except UnfitJson as error:
        raise UnfitFile(f"it cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise UnfitFile(f"it is no JSON object; {_WANTED}")
    if "format" in document:
        return _saved(document)
    if "tools" in document:
        return _listing(document)
    hint = "; this is a whole answer: keep its result only" if "jsonrpc" in document else ""
    raise UnfitFile(f"it has neither format nor tools; {_WANTED}{hint}")


def _saved(document: JsonObject) -> Saved:
    if document["format"] != FORMAT:
        raise UnfitFile(f"its format is not {FORMAT}, the only one that this version reads")
    identity, surface = _object(document, "identity"), _object(document, "surface")
    saved = Saved(
        Surface(
            era=_text(surface, "era"),
            server_info=_object(surface, "serverInfo"),
            capabilities=_object(surface, "capabilities"),
            instructions=_text_or_null(surface, "instructions"),
            tools=_objects(surface, "tools"),
            prompts=_objects(surface, "prompts"),
            resource_templates=_objects(surface, "resourceTemplates"),
        ),
        Identity(_text(identity, "origin"), _text_or_null(identity, "tlsIssuer")),
    )
    if document.get("digest") != surface_digest(saved.surface):
        raise UnfitFile(
            "its digest is not that of its surface: it was edited, so save it again from the server"
        )
    return saved


def _listing(document: JsonObject) -> Saved:
    if document.get("nextCursor") is not None:
        raise UnfitFile("it has a nextCursor, so it is one page of a longer listing; put all pages together")
    return Saved(Surface("", {}, {}, None, _objects(document, "tools"), (), ()), None)


def _object(parent: Mapping[str, JsonValue], field: str) -> JsonObject:
    value = parent.get(field)
    if not isinstance(value, dict):
        raise UnfitFile(f"its {field} is no object")
    return value


def _objects(parent: Mapping[str, JsonValue], field: str) -> tuple[JsonObject, ...]:
    values = parent.get(field)
    if not isinstance(values, list):
        raise UnfitFile(f"its {field} is no list")
    found = tuple(value for value in values if isinstance(value, dict))
    if len(found) != len(values):
        raise UnfitFile(f"its {field} holds something that is no object")
    return found


def _text_or_null(parent: Mapping[str, JsonValue], field: str) -> str | None:
    value = parent.get(field)
    if value is not None and not isinstance(value, str):
        raise UnfitFile(f"its {field} is neither a string nor null")
    return value


def _text(parent: Mapping[str, JsonValue], field: str) -> str:
    value = _text_or_null(parent, field)
    if value is None:
        raise UnfitFile(f"its {field} is missing")
    return value
