"""Reading lists to their end: every page of what a server offers, or a fault.

Each list is asked for whether or not its capability was declared. A client that does not look at declarations
would see what is listed, so what is listed belongs to the surface."""

from dataclasses import dataclass
from typing import Final

from leasehold.adapters.mcp_limits import Budget, too_large
from leasehold.adapters.mcp_messages import METHOD_NOT_FOUND, Channel, Declined, Opening, malformed
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.surface import Surface
from leasehold.core.wire_json import JsonObject, JsonValue


@dataclass(frozen=True)
class Listing:
    """One list: its method, where the items are, what names them, the capability that declares it."""

    method: str
    member: str
    name: str
    capability: str
    required: bool = True
    """Whether a server with the capability must know the method."""


TOOLS: Final = Listing("tools/list", "tools", "name", "tools")
PROMPTS: Final = Listing("prompts/list", "prompts", "name", "prompts")
TEMPLATES: Final = Listing(
    "resources/templates/list", "resourceTemplates", "uriTemplate", "resources", required=False
)


async def read_surface(channel: Channel, opening: Opening, budget: Budget) -> Surface:
    """All that the server exposes. Raises faults; never gives a part."""
    try:
        return Surface(
            era=opening.era,
            server_info=opening.server_info,
            capabilities=opening.capabilities,
            instructions=opening.instructions,
            tools=await _items(channel, TOOLS, opening, budget),
            prompts=await _items(channel, PROMPTS, opening, budget),
            resource_templates=await _items(channel, TEMPLATES, opening, budget),
        )
    except Declined as told:
        raise told.fault() from told


async def _items(
    channel: Channel, listing: Listing, opening: Opening, budget: Budget
) -> tuple[JsonObject, ...]:
    try:
        first = await channel.call(listing.method, {})
    except Declined as told:
        if _has_none(told, listing, opening):
            return ()
        raise
    return await _pages(channel, listing, first, budget)


def _has_none(told: Declined, listing: Listing, opening: Opening) -> bool:
    """Whether a refusal says that there is no such list, rather than that it could not be given."""
    declared = opening.capabilities.get(listing.capability) is not None
    if declared:
        return told.code == METHOD_NOT_FOUND and not listing.required
    return told.code is not None or told.status in (400, 404, 405, 501)


async def _pages(
    channel: Channel, listing: Listing, page: JsonObject, budget: Budget
) -> tuple[JsonObject, ...]:
    items: list[JsonObject] = []
    seen: set[str] = set()
    while True:
        found = _page(page, listing)
        budget.page(len(found))
        items += found
        cursor = _cursor(page, listing, budget)
        if cursor is None:
            return tuple(items)
        if cursor in seen:
            raise NeedsPerson(
                Reason.CURSOR_LOOP, f"The pages of {listing.method} lead back to one that was read already."
            )
        seen.add(cursor)
        following = await channel.call(listing.method, {"cursor": cursor})
        if cursor == "" and _page(following, listing) == found and following.get("nextCursor") == "":
            # earlier revisions left it open, and some servers mean the end by it: there is nothing behind
            return tuple(items)
        page = following


def _page(page: JsonObject, listing: Listing) -> list[JsonObject]:
    found = page.get(listing.member)
    if not isinstance(found, list):
        raise malformed(f"its answer to {listing.method} has no list {listing.member}")
    return [_item(each, listing) for each in found]


def _item(item: JsonValue, listing: Listing) -> JsonObject:
    name = item.get(listing.name) if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(name, str) or not name:
        raise malformed(f"its answer to {listing.method} has an item without a {listing.name}")
    return item


def _cursor(page: JsonObject, listing: Listing, budget: Budget) -> str | None:
    cursor = page.get("nextCursor")
    if not isinstance(cursor, str | None):
        raise malformed(f"its answer to {listing.method} has a cursor that is no text")
    if cursor is not None and len(cursor) > budget.limits.cursor_chars:
        raise too_large(f"a cursor is longer than {budget.limits.cursor_chars} characters")
    return cursor
