"""Where two JSON values differ, and which texts are in one, each with a JSON pointer (RFC 6901)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leasehold.core.canonical_json import canonical_json
from leasehold.core.hidden_text import MAX_SHOWN, visible
from leasehold.core.wire_json import JsonValue

_CONTEXT: Final = 30
"""Characters that are shown around what changed in a text."""

_LONGEST_KEY: Final = 80
_ENCODER: Final = json.JSONEncoder(sort_keys=True)


@dataclass(frozen=True)
class Change:
    """A place where two values differ; excerpts are safe to show, and empty for what is not there."""

    path: str
    before: str
    after: str


def pointer(path: str, member: str) -> str:
    """The path of a member, safe to show; a long key is cut, or the paths below it would be longer than all
    that was sent."""
    return f"{path}/{visible(member, _LONGEST_KEY).replace('~', '~0').replace('/', '~1')}"


def written(value: JsonValue) -> str:
    """One text for each value as Python holds it, much faster made than the canonical one."""
    return _ENCODER.encode(value)


def same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two values have one canonical form; so true is not 1, and 1.0 is."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return written(one) == written(other) or canonical_json(one) == canonical_json(other)


def changes(old: JsonValue, new: JsonValue, path: str = "") -> Iterator[Change]:
    """The smallest places that differ, in the order of their paths. A list of plain values is one place, and so
    is a list that became longer or shorter."""
    if isinstance(old, dict) and isinstance(new, dict):
        for member in sorted(old.keys() | new.keys()):
            at = pointer(path, member)
            if member in old and member in new:
                yield from changes(old[member], new[member], at)
            else:
                before = _shown(old[member]) if member in old else ""
                yield Change(at, before, _shown(new[member]) if member in new else "")
    elif isinstance(old, list) and isinstance(new, list) and _are_alike(old, new):
        for place, (before_item, after_item) in enumerate(zip(old, new, strict=True)):
            yield from changes(before_item, after_item, f"{path}/{place}")
    elif not same(old, new):
        yield Change(path, *_excerpts(old, new))


def texts(value: JsonValue, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string with its path, and every key with the path of its member."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from texts(item, f"{path}/{place}")
    elif isinstance(value, dict):
        for key, member in value.items():
            at = pointer(path, key)
            yield at, key
            yield from texts(member, at)


def _are_alike(old: list[JsonValue], new: list[JsonValue]) -> bool:
    return len(old) == len(new) and any(isinstance(each, dict | list) for each in (*old, *new))


def _shown(value: JsonValue) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _excerpts(old: JsonValue, new: JsonValue) -> tuple[str, str]:
    if not (isinstance(old, str) and isinstance(new, str)):
        return _shown(old), _shown(new)
    start = max(0, _common(old, new) - _CONTEXT)
    if start < _CONTEXT:
        start = 0
    mark = "…" if start else ""
    return visible(mark + old[start : start + MAX_SHOWN]), visible(mark + new[start : start + MAX_SHOWN])


def _common(old: str, new: str) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )
