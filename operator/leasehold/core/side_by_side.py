"""Two surfaces side by side, for the person who has to say whether the new one may stay: only what differs, each
place with what was there and what is there now. The texts are a stranger's, so they come out safe to show."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from leasehold.core.drift import SERVER, DriftClass, Finding, FindingKind, worst
from leasehold.core.hidden_text import visible
from leasehold.core.json_paths import pointer, same
from leasehold.core.surface import Surface
from leasehold.core.surface_compare import Pair, compare, pairs_that_differ, sizes
from leasehold.core.surface_facets import Facet, facet_digests
from leasehold.core.surface_saved import Saved
from leasehold.core.wire_json import JsonObject, JsonValue

LONGEST_VALUE: Final = 4000
"""Characters of one value that are shown, unless all are asked for."""

NOTHING: Final = Saved(Surface("", {}, {}, None, (), (), ()), None)
"""What is compared with where nothing was approved: then everything is new."""

_CONTEXT: Final = 60
"""Characters that are kept around what changed in a long text."""

_PER_CHARACTER: Final = len("\\u{10FFFF}")

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Row:
    """One place that differs; None: there is nothing on that side."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Changed:
    """One thing that differs: a tool, a prompt, a template, or the server itself."""

    section: str
    item: str
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    facets: tuple[Facet, ...] = ()
    """The parts of a tool that differ, by their digests."""

    @property
    def kinds(self) -> tuple[FindingKind, ...]:
        return tuple(dict.fromkeys(each.kind for each in self.findings))

    @property
    def drift_class(self) -> DriftClass:
        return worst(self.findings)


@dataclass(frozen=True)
class SideBySide:
    """All that differs, the worst first, and how much of each list does not."""

    changed: tuple[Changed, ...]
    unchanged: Mapping[str, int]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(chain.from_iterable(each.findings for each in self.changed))


def side_by_side(old: Saved, new: Saved, longest: int | None = LONGEST_VALUE) -> SideBySide:
    """What differs; `longest` bounds a value in characters, None shows all of it."""
    findings = compare(old, new)
    pairs = [_server_pair(old, new), *pairs_that_differ(old.surface, new.surface)]
    changed = list(_changed(pairs, findings, longest))
    changed.sort(key=lambda each: (-each.drift_class.rank, each.section != SERVER, each.section, each.item))
    same_as_before = {
        section: size - sum(pair.section == section and pair.new is not None for pair in pairs)
        for section, size in sizes(new.surface).items()
    }
    return SideBySide(tuple(changed), same_as_before)


def _changed(pairs: Sequence[Pair], findings: Sequence[Finding], longest: int | None) -> Iterator[Changed]:
    by_item: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_item.setdefault((_section_of(finding), finding.item), []).append(finding)
    rows: dict[tuple[str, str], list[Row]] = {key: [] for key in by_item}
    facets: dict[tuple[str, str], set[Facet]] = {}
    for pair in pairs:
        key = (pair.section, visible(pair.name))
        told = rows.setdefault(key, [])
        told += _rows(pair.old, pair.new, longest)
        facets.setdefault(key, set()).update(_facets(pair))
    for key, found in rows.items():
        about = tuple(by_item.get(key, ()))
        if found or about:
            differing = tuple(each for each in Facet if each in facets.get(key, ()))
            yield Changed(*key, about, tuple(found), differing)


def _facets(pair: Pair) -> Iterator[Facet]:
    if pair.section == "tools" and pair.old is not None and pair.new is not None:
        was, now = facet_digests(pair.old), facet_digests(pair.new)
        yield from (facet for facet in Facet if was[facet] != now[facet])


def _section_of(finding: Finding) -> str:
    if finding.item == SERVER and finding.kind is FindingKind.ORDER_CHANGED:
        return SERVER
    section = finding.path.split("/", 2)[1] if finding.path else ""
    return section if section in sizes(NOTHING.surface) else SERVER


def _server_pair(old: Saved, new: Saved) -> Pair:
    return Pair(SERVER, SERVER, _server(old), _server(new))


def _server(saved: Saved) -> JsonObject:
    surface, identity = saved.surface, saved.identity
    told: JsonObject = {
        "serverInfo": surface.server_info or None,
        "capabilities": surface.capabilities or None,
        "instructions": surface.instructions,
        "era": surface.era or None,
    }
    if identity is not None:
        told |= {"origin": identity.origin, "tlsIssuer": identity.tls_issuer}
    return {field: value for field, value in told.items() if value is not None}


def _rows(old: JsonObject | None, new: JsonObject | None, longest: int | None) -> Iterator[Row]:
    was, now = dict(_leaves(old or {})), dict(_leaves(new or {}))
    for place in sorted(was.keys() | now.keys(), key=_in_order):
        if place in was and place in now:
            if not same(was[place], now[place]):
                before, after = _without_what_is_common(was[place], now[place])
                yield Row(_path(place), _shown(before, longest), _shown(after, longest))
        elif place in was:
            yield Row(_path(place), _shown(_text(was[place]), longest), None)
        else:
            yield Row(_path(place), None, _shown(_text(now[place]), longest))


def _leaves(value: JsonValue, place: Place = ()) -> Iterator[tuple[Place, JsonValue]]:
    """Every value that holds no other, by where it is; a list of plain values is one."""
    if isinstance(value, dict) and (value or not place):
        for member, inner in value.items():
            yield from _leaves(inner, (*place, member))
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for number, inner in enumerate(value):
            yield from _leaves(inner, (*place, number))
    else:
        yield place, value


def _in_order(place: Place) -> tuple[tuple[bool, int, str], ...]:
    return tuple((isinstance(each, str), 0 if isinstance(each, str) else each, str(each)) for each in place)


def _path(place: Place) -> str:
    path = ""
    for each in place:
        path = pointer(path, str(each))
    return path.removeprefix("/")


def _text(value: JsonValue) -> str:
    """Texts in quotes, so that the word true is not the truth."""
    return f'"{value}"' if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _without_what_is_common(old: JsonValue, new: JsonValue) -> tuple[str, str]:
    """Two values; of long texts, what both begin and end with is cut to some context."""
    before, after = _text(old), _text(new)
    shorter = min(len(before), len(after))
    if shorter <= 4 * _CONTEXT:
        return before, after
    begin = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    end = next((at for at in range(shorter - begin) if before[-1 - at] != after[-1 - at]), shorter - begin)
    return _cut(before, begin, end), _cut(after, begin, end)


def _cut(text: str, begin: int, end: int) -> str:
    first, last = max(begin - _CONTEXT, 0), len(text) - max(end - _CONTEXT, 0)
    return ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")


def _shown(text: str, longest: int | None) -> str:
    """Line by line; every character that a reader could not see, or that steers a terminal, is spelled out."""
    kept = text if longest is None else text[:longest]
    lines = [visible(line, len(line) * _PER_CHARACTER + 1) for line in kept.split("\n")]
    more = len(text) - len(kept)
    return "\\n\n".join(lines) + (f"… ({more} more characters)" if more else "")
