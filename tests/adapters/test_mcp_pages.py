"""Lists are read to their end, and lists without an end are left."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.mcp_answers import with_tools
from adapters.mcp_stage import Asked, Behaviour, Line, play
from leasehold.api.reasons import Reason


def test_pages_without_end_are_left() -> None:
    pages = itertools.count()

    async def always_one_more(asked: Asked, line: Line) -> None:
        await line.result(asked, {"tools": [], "nextCursor": str(next(pages))})

    played = play(with_tools(always_one_more))
    assert played.fault.reason is Reason.TOO_LARGE
    assert len(played.stage.asked) < 300


def test_more_items_than_anybody_can_review_are_refused() -> None:
    played = play(with_tools({"tools": [{"name": f"t{number}"} for number in range(5001)]}))
    assert played.fault.reason is Reason.TOO_LARGE


def test_a_cursor_that_would_be_a_flood_of_ours_is_refused() -> None:
    assert play(with_tools({"tools": [], "nextCursor": "c" * 10000})).fault.reason is Reason.TOO_LARGE


def paged(pages: Mapping[str | None, dict[str, Any]]) -> Behaviour:
    async def behave(asked: Asked, line: Line) -> None:
        await line.result(asked, pages[asked.message["params"].get("cursor")])

    return behave


def a_page(name: str, **cursor: Any) -> dict[str, Any]:
    return {"tools": [{"name": name}], **cursor}


@pytest.mark.parametrize(
    ("pages", "read"),
    [
        ({None: a_page("a", nextCursor="1"), "1": a_page("b", nextCursor="2"), "2": a_page("c")}, "abc"),
        ({None: a_page("a", nextCursor="1"), "1": a_page("b", nextCursor=None)}, "ab"),
        ({None: a_page("a", nextCursor=""), "": a_page("b")}, "ab"),  # an empty cursor is a cursor
        ({None: a_page("a", nextCursor=""), "": a_page("a", nextCursor="")}, "a"),  # or means the end
    ],
)
def test_all_pages_are_read(pages: Mapping[str | None, dict[str, Any]], read: str) -> None:
    surface = play(with_tools(paged(pages))).probed.surface
    assert "".join(str(tool["name"]) for tool in surface.tools) == read


@pytest.mark.parametrize(
    "pages",
    [
        {None: a_page("a", nextCursor="1"), "1": a_page("b", nextCursor="1")},
        {
            None: a_page("a", nextCursor="1"),
            "1": a_page("b", nextCursor="2"),
            "2": a_page("c", nextCursor="1"),
        },
        {None: a_page("a", nextCursor=""), "": a_page("b", nextCursor="")},
    ],
)
def test_pages_that_lead_back_are_a_loop(pages: Mapping[str | None, dict[str, Any]]) -> None:
    assert play(with_tools(paged(pages))).fault.reason is Reason.CURSOR_LOOP
