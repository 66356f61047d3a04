"""Two wire objects of the same thing are compared field by field, for the field says what a change means."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from leasehold.core.drift import Finding, FindingKind
from leasehold.core.hidden_text import visible
from leasehold.core.json_paths import changes, pointer
from leasehold.core.wire_json import JsonObject

DISPLAY: Final[Mapping[str, FindingKind]] = {
    "title": FindingKind.TITLE_CHANGED,
    "icons": FindingKind.ICONS_CHANGED,
    "_meta": FindingKind.META_CHANGED,
}
"""Fields for the eyes of people, of whatever object."""

MAX_PATH: Final = 256
_MAX_CHANGES: Final = 50
"""Places of one field, and fields that nobody knows, that are told singly; one finding stands for the rest."""


def a_finding(kind: FindingKind, item: str, path: str, before: str = "", after: str = "") -> Finding:
    """A finding whose item and path are of bounded length; the excerpts have to be."""
    return Finding(kind, visible(item), visible(path, MAX_PATH), before, after)


def field_findings(
    item: str,
    path: str,
    fields: tuple[JsonObject, JsonObject],
    kinds: Mapping[str, FindingKind],
    otherwise: FindingKind,
) -> Iterator[Finding]:
    """What differs between two objects, the old and the new; the kind is that of the field, or `otherwise`. A
    server that makes up thousands of fields is told once for all that are too many."""
    unknown = 0
    for field in sorted(fields[0].keys() | fields[1].keys()):
        if field in kinds:
            yield from _field_findings(item, path, fields, field, kinds[field])
        elif unknown <= _MAX_CHANGES:
            found = list(_field_findings(item, path, fields, field, otherwise))
            unknown += bool(found)
            yield from found if unknown <= _MAX_CHANGES else [a_finding(otherwise, item, path)]


def _field_findings(
    item: str, path: str, fields: tuple[JsonObject, JsonObject], field: str, kind: FindingKind
) -> Iterator[Finding]:
    old, new = ({field: each[field]} if field in each else {} for each in fields)
    found = list(islice(changes(old, new, path), _MAX_CHANGES + 1))
    for change in found[:_MAX_CHANGES]:
        yield a_finding(kind, item, change.path, change.before, change.after)
    if len(found) > _MAX_CHANGES:
        yield a_finding(kind, item, pointer(path, field))
