"""A tool is compared by its facets, for a new title means less than a new parameter. Before that, what the
protocol itself holds to be equal is made equal: the order of sets in schemas, and a default that is written out."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from leasehold.core.canonical_json import canonical_json, digest_of
from leasehold.core.surface_schema import schema_field
from leasehold.core.wire_json import JsonObject, JsonValue


class Facet(StrEnum):
    """The parts of a tool."""

    TEXT = "text"
    INPUT = "input"
    OUTPUT = "output"
    HINTS = "hints"
    DISPLAY = "display"
    META = "meta"
    OTHER = "other"


HINT_DEFAULTS: Final[Mapping[str, bool]] = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}
"""What the protocol takes for a hint that is not given."""

PROTOCOL_DEFAULTS: Final[Mapping[str, Mapping[str, bool | str]]] = {
    "annotations": HINT_DEFAULTS,
    "execution": {"taskSupport": "forbidden"},
}
"""By field of a tool, what its members are taken for when they are not given."""

_FACET_OF_FIELD: Final[Mapping[str, Facet]] = {
    "name": Facet.TEXT,
    "description": Facet.TEXT,
    "inputSchema": Facet.INPUT,
    "outputSchema": Facet.OUTPUT,
    "title": Facet.DISPLAY,
    "icons": Facet.DISPLAY,
    "_meta": Facet.META,
}


def effective_hint(tool: JsonObject, hint: str) -> bool:
    """What a client that follows the protocol takes this hint for; what is no boolean is no hint."""
    given = members(tool, "annotations").get(hint)
    return given if isinstance(given, bool) else HINT_DEFAULTS[hint]


def normal_tool(tool: JsonObject) -> JsonObject:
    """The tool without what the protocol calls no difference: sorted schemas, and no written-out defaults."""
    normal = schema_field(schema_field(tool, "inputSchema"), "outputSchema")
    for field, defaults in PROTOCOL_DEFAULTS.items():
        normal = _without(normal, field, defaults)
    return normal


def facets(tool: JsonObject) -> dict[Facet, JsonObject]:
    """The parts of a normal tool, each with the fields that are there; `annotations` is in several of them."""
    parts: dict[Facet, JsonObject] = {facet: {} for facet in Facet}
    annotations: dict[Facet, JsonObject] = {}
    for field, value in tool.items():
        if field == "annotations" and isinstance(value, dict):
            for name, annotation in value.items():
                annotations.setdefault(_facet_of_annotation(name, annotation), {})[name] = annotation
        else:
            parts[_FACET_OF_FIELD.get(field, Facet.OTHER)][field] = value
    for facet, members in annotations.items():
        parts[facet]["annotations"] = members
    return parts


def facet_digests(tool: JsonObject) -> dict[Facet, str]:
    """`sha256:…` of each facet of a tool as it came over the wire."""
    return {facet: digest_of(canonical_json(part)) for facet, part in facets(normal_tool(tool)).items()}


def _facet_of_annotation(name: str, annotation: JsonValue) -> Facet:
    if name == "title":
        return Facet.DISPLAY
    return Facet.HINTS if name in HINT_DEFAULTS and isinstance(annotation, bool) else Facet.OTHER


def members(tool: JsonObject, field: str) -> JsonObject:
    """The members of a field, none where it is no object."""
    value = tool.get(field)
    return value if isinstance(value, dict) else {}


def _without(tool: JsonObject, field: str, defaults: Mapping[str, bool | str]) -> JsonObject:
    """A field that says nothing but defaults says nothing."""
    if not isinstance(tool.get(field), dict):
        return tool
    told = {
        name: given
        for name, given in members(tool, field).items()
        if name not in defaults or type(given) is not type(defaults[name]) or given != defaults[name]
    }
    rest = {name: given for name, given in tool.items() if name != field}
    return {**rest, field: told} if told else rest
