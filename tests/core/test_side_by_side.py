"""What a person is shown of two surfaces: all that differs, nothing that is the same, and nothing hidden."""

import pytest
from hypothesis import given

from leasehold.core.drift import DriftClass, FindingKind
from leasehold.core.hidden_text import hidden
from leasehold.core.side_by_side import LONGEST_VALUE, NOTHING, Row, side_by_side
from leasehold.core.surface import Surface, surface_digest
from leasehold.core.surface_compare import compare
from leasehold.core.surface_facets import Facet
from leasehold.core.wire_json import JsonObject
from mcp_surfaces import REFUND, SEARCH, a_surface, edited, saved, surfaces
from strategies import EACH

OLD = saved(a_surface())


def rows_of(tool: JsonObject, longest: int | None = LONGEST_VALUE) -> tuple[Row, ...]:
    """What is shown where `search` became this tool and nothing else changed."""
    (changed,) = side_by_side(OLD, saved(a_surface((tool, REFUND))), longest).changed
    assert (changed.section, changed.item) == ("tools", "search")
    return changed.rows


def test_a_place_that_differs_has_both_sides() -> None:
    rows = rows_of(edited(SEARCH, description="Searches everything.", annotations={"readOnlyHint": False}))
    assert rows == (
        Row("annotations/openWorldHint", "false", None),
        Row("annotations/readOnlyHint", "true", "false"),
        Row("description", '"Searches the orders of a customer."', '"Searches everything."'),
    )


def test_what_is_the_same_is_only_counted() -> None:
    found = side_by_side(OLD, saved(a_surface((edited(SEARCH, title="Find"), REFUND))))
    assert found.unchanged == {"tools": 1, "prompts": 1, "resourceTemplates": 1}
    assert [row.path for each in found.changed for row in each.rows] == ["title"]


def test_nothing_differs_of_one_surface() -> None:
    found = side_by_side(OLD, OLD)
    assert found.changed == ()
    assert found.unchanged == {"tools": 2, "prompts": 1, "resourceTemplates": 1}


def test_without_an_approved_surface_everything_is_shown_as_new() -> None:
    found = side_by_side(NOTHING, OLD)
    assert {each.item for each in found.changed} == {"server", "search", "refund", "triage", "orders://{id}"}
    assert all(row.before is None for each in found.changed for row in each.rows)
    assert sum(found.unchanged.values()) == 0


def test_the_worst_comes_first() -> None:
    new = a_surface((edited(SEARCH, title="A"), edited(REFUND, description="Hi\U000e0041\U000e0042")))
    found = side_by_side(OLD, saved(new))
    assert [each.item for each in found.changed] == ["refund", "search"]
    assert [each.drift_class for each in found.changed] == [DriftClass.HOSTILE, DriftClass.BENIGN]
    assert FindingKind.HIDDEN_CHARACTERS in found.changed[0].kinds


def test_hidden_characters_are_spelled_out_and_lines_stay_lines() -> None:
    (row,) = rows_of(edited(SEARCH, description="One\u202e.\nTwo\x1b[31m."))
    assert row.after == '"One\\u{202E}.\\n\nTwo\\u{001B}[31m."'


def test_a_text_that_says_true_is_not_the_truth() -> None:
    (row,) = rows_of(edited(SEARCH, annotations={"readOnlyHint": "true", "openWorldHint": False}))
    assert (row.before, row.after) == ("true", '"true"')


def test_of_long_texts_only_what_changed_is_shown_with_what_is_around_it() -> None:
    first, last = "a" * 5000, "z" * 5000
    old = saved(a_surface((edited(SEARCH, description=f"{first} good {last}"), REFUND)))
    new = saved(a_surface((edited(SEARCH, description=f"{first} evil {last}"), REFUND)))
    (row,) = side_by_side(old, new).changed[0].rows
    assert row.before == f"…{'a' * 59} good {'z' * 59}…"
    assert row.after == f"…{'a' * 59} evil {'z' * 59}…"


def test_the_parts_of_a_tool_that_differ_are_named() -> None:
    new = edited(SEARCH, description="Searches.", annotations={"readOnlyHint": False}, _meta={"a": 1})
    (changed,) = side_by_side(OLD, saved(a_surface((new, REFUND)))).changed
    assert changed.facets == (Facet.TEXT, Facet.HINTS, Facet.META)
    assert side_by_side(NOTHING, OLD).changed[0].facets == ()


def test_what_is_cut_is_said_and_can_be_had() -> None:
    tool = edited(SEARCH, description="x" * 9000)
    (row,) = rows_of(tool)
    assert row.after is not None
    assert row.after.endswith(f"… ({9002 - LONGEST_VALUE} more characters)")
    (row,) = rows_of(tool, None)
    assert row.after == f'"{"x" * 9000}"'


def test_two_long_keys_that_begin_alike_are_two_places() -> None:
    key = "k" * 100
    old = saved(a_surface((edited(SEARCH, **{key + "a": 1, key + "b": 1}), REFUND)))
    new = saved(a_surface((edited(SEARCH, **{key + "a": 1, key + "b": 2}), REFUND)))
    (row,) = side_by_side(old, new).changed[0].rows
    assert (row.before, row.after) == ("1", "2")


@pytest.mark.parametrize("approved", [True, False])
@EACH
@given(old=surfaces, new=surfaces)
def test_every_finding_is_shown_with_the_thing_that_it_is_about(
    old: Surface, new: Surface, approved: bool
) -> None:
    one, other = saved(old) if approved else NOTHING, saved(new)
    found = side_by_side(one, other)
    assert sorted(found.findings, key=str) == sorted(compare(one, other), key=str)
    if surface_digest(one.surface) != surface_digest(new):
        assert any(each.rows for each in found.changed)


@EACH
@given(old=surfaces, new=surfaces)
def test_nothing_that_is_shown_hides_anything(old: Surface, new: Surface) -> None:
    for each in side_by_side(saved(old), saved(new), None).changed:
        for row in each.rows:
            shown = [row.path, *(row.before or "").split("\n"), *(row.after or "").split("\n")]
            assert not any("\x1b" in text or "\u202e" in text for text in shown)
            assert all(not hidden(text) or text.isprintable() for text in shown)
