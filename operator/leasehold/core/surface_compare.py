"""What changed between two surfaces, as findings. What the digest covers is compared apart from who answers: the
first is what a person approves, the second is looked at even where the digest is the same."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from operator import attrgetter, itemgetter
from typing import Final

from leasehold.core.drift import SERVER, Finding, FindingKind, in_order
from leasehold.core.field_compare import DISPLAY, a_finding, field_findings
from leasehold.core.hidden_text import visible
from leasehold.core.json_paths import pointer, written
from leasehold.core.surface import Identity, Surface
from leasehold.core.surface_saved import Saved
from leasehold.core.surface_texts import NewTexts
from leasehold.core.tool_compare import declares_itself_destructive, tool_findings
from leasehold.core.wire_json import JsonObject


@dataclass(frozen=True)
class _Listing:
    """How the objects of one list are compared. `named_by` is the field that tells them apart."""

    path: str
    of: Callable[[Surface], Sequence[JsonObject]]
    named_by: str
    added: Callable[[JsonObject], FindingKind]
    removed: FindingKind
    changed: Callable[[str, str, JsonObject, JsonObject], Iterator[Finding]]
    duplicate: FindingKind | None = None


def _added_tool(tool: JsonObject) -> FindingKind:
    destructive = declares_itself_destructive(tool)
    return FindingKind.DESTRUCTIVE_TOOL_ADDED if destructive else FindingKind.TOOL_ADDED


def _other_findings(
    otherwise: FindingKind, item: str, path: str, old: JsonObject, new: JsonObject
) -> Iterator[Finding]:
    return field_findings(item, path, (old, new), DISPLAY, otherwise)


_TOOLS: Final = _Listing(
    "/tools",
    attrgetter("tools"),
    "name",
    _added_tool,
    FindingKind.TOOL_REMOVED,
    tool_findings,
    FindingKind.DUPLICATE_TOOL_NAME,
)
_PROMPTS: Final = _Listing(
    "/prompts",
    attrgetter("prompts"),
    "name",
    lambda _: FindingKind.PROMPT_ADDED,
    FindingKind.PROMPT_REMOVED,
    partial(_other_findings, FindingKind.PROMPT_CHANGED),
)
_RESOURCE_TEMPLATES: Final = _Listing(
    "/resourceTemplates",
    attrgetter("resource_templates"),
    "uriTemplate",
    lambda _: FindingKind.RESOURCE_TEMPLATE_ADDED,
    FindingKind.RESOURCE_TEMPLATE_REMOVED,
    partial(_other_findings, FindingKind.RESOURCE_TEMPLATE_CHANGED),
)
_LISTINGS: Final = (_TOOLS, _PROMPTS, _RESOURCE_TEMPLATES)
_SERVER_FIELDS: Final = {
    "instructions": FindingKind.INSTRUCTIONS_CHANGED,
    "capabilities": FindingKind.CAPABILITY_CHANGED,
}
_SERVER_INFO_FIELDS: Final = {**DISPLAY, "version": FindingKind.VERSION_CHANGED}


def compare(old: Saved, new: Saved) -> tuple[Finding, ...]:
    """All that changed, worst first; empty where nothing did."""
    return in_order((*compare_surfaces(old.surface, new.surface), *compare_servers(old, new)))


def compare_surfaces(old: Surface, new: Surface) -> tuple[Finding, ...]:
    """What changed of all that the digest covers. Two surfaces of one digest differ in order, and in defaults
    that were written out, at the most."""
    texts = NewTexts(old)
    return in_order(
        (
            *_server_findings(texts, old, new),
            *(
                found
                for each in _LISTINGS
                for found in _list_findings(texts, each, each.of(old), each.of(new))
            ),
        )
    )


@dataclass(frozen=True)
class Pair:
    """One thing as it was and as it is, where these differ; None: it was not there, or is not any more."""

    section: str
    name: str
    old: JsonObject | None
    new: JsonObject | None


def sizes(surface: Surface) -> dict[str, int]:
    """How many things are in each section, by its name in a path."""
    return {each.path.removeprefix("/"): len(each.of(surface)) for each in _LISTINGS}


def pairs_that_differ(old: Surface, new: Surface) -> Iterator[Pair]:
    """The tools, prompts and templates that `compare_surfaces` finds something in, whole."""
    for listing in _LISTINGS:
        was, now = _by_name(listing, listing.of(old)), _by_name(listing, listing.of(new))
        for name in sorted(was.keys() | now.keys()):
            for before, after in _pairs(was.get(name, ()), now.get(name, ())):
                yield Pair(listing.path.removeprefix("/"), name, before, after)


def compare_servers(old: Saved, new: Saved) -> tuple[Finding, ...]:
    """What changed of who answers: what it says of itself, the protocol that it speaks, where it is, and who
    vouches for its certificate."""
    was, now = old.surface, new.surface
    path = "/serverInfo"
    return in_order(
        (
            *field_findings(
                SERVER,
                path,
                (was.server_info, now.server_info),
                _SERVER_INFO_FIELDS,
                FindingKind.SERVER_INFO_CHANGED,
            ),
            *NewTexts(was).findings(SERVER, path, was.server_info, now.server_info),
            *_if_changed(FindingKind.PROTOCOL_CHANGED, "/era", was.era, now.era),
            *_identity_findings(old.identity, new.identity),
        )
    )


def _server_findings(texts: NewTexts, old: Surface, new: Surface) -> Iterator[Finding]:
    before, after = _said(old), _said(new)
    yield from field_findings(SERVER, "", (before, after), _SERVER_FIELDS, FindingKind.CAPABILITY_CHANGED)
    yield from texts.findings(SERVER, "", before, after)


def _said(surface: Surface) -> JsonObject:
    told: JsonObject = {"capabilities": surface.capabilities}
    return told if surface.instructions is None else {**told, "instructions": surface.instructions}


def _identity_findings(old: Identity | None, new: Identity | None) -> Iterator[Finding]:
    if old is None or new is None:
        return
    yield from _if_changed(FindingKind.ORIGIN_CHANGED, "/identity/origin", old.origin, new.origin)
    if old.origin.startswith("https:"):  # elsewhere there was no certificate
        kind, path = FindingKind.CERTIFICATE_ISSUER_CHANGED, "/identity/tlsIssuer"
        yield from _if_changed(kind, path, old.tls_issuer or "", new.tls_issuer or "")


def _if_changed(kind: FindingKind, path: str, before: str, after: str) -> Iterator[Finding]:
    if before != after:
        yield a_finding(kind, SERVER, path, visible(before), visible(after))


def _list_findings(
    texts: NewTexts, listing: _Listing, old: Sequence[JsonObject], new: Sequence[JsonObject]
) -> Iterator[Finding]:
    was, now = _by_name(listing, old), _by_name(listing, new)
    for name in sorted(was.keys() | now.keys()):
        before, after = was.get(name, ()), now.get(name, ())
        path = pointer(listing.path, name)
        if listing.duplicate and len(after) > max(1, len(before)):
            yield a_finding(listing.duplicate, name, path)
        for one, other in _pairs(before, after):
            yield from _pair_findings(texts, listing, (name, path), one, other)
    if [name for name in was if name in now] != [name for name in now if name in was]:
        yield a_finding(FindingKind.ORDER_CHANGED, SERVER, listing.path)


def _pair_findings(
    texts: NewTexts,
    listing: _Listing,
    place: tuple[str, str],
    old: JsonObject | None,
    new: JsonObject | None,
) -> Iterator[Finding]:
    name, path = place
    if new is None:
        yield a_finding(listing.removed, name, path)
        return
    if old is None:
        yield a_finding(listing.added(new), name, path)
    else:
        yield from listing.changed(name, path, old, new)
    yield from texts.findings(name, path, old, new)


def _by_name(listing: _Listing, objects: Sequence[JsonObject]) -> dict[str, list[JsonObject]]:
    found: dict[str, list[JsonObject]] = {}
    for each in objects:
        name = each.get(listing.named_by)
        found.setdefault(name if isinstance(name, str) else "(unnamed)", []).append(each)
    return found


def _pairs(
    old: Sequence[JsonObject], new: Sequence[JsonObject]
) -> Iterator[tuple[JsonObject | None, JsonObject | None]]:
    """What differs among the objects of one name. There is one, unless the server breaks the protocol."""
    return zip_longest(_unmatched(old, new), _unmatched(new, old))


def _unmatched(objects: Sequence[JsonObject], others: Sequence[JsonObject]) -> Iterator[JsonObject]:
    matches = Counter(map(written, others))
    for text, each in sorted(((written(each), each) for each in objects), key=itemgetter(0)):
        matches[text] -= 1
        if matches[text] < 0:
            yield each
