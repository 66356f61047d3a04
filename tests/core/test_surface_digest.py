"""The digest changes with what a server exposes, and with nothing else."""

from typing import Any

import pytest

from leasehold.core.surface import canonical, surface_digest
from leasehold.core.surface_facets import Facet, facet_digests
from leasehold.core.wire_json import JsonObject, parse
from mcp_surfaces import ORDER, REFUND, SEARCH, TRIAGE, a_surface, edited


def digest(tool: JsonObject) -> str:
    return surface_digest(a_surface([tool]))


def with_schema(schema: JsonObject) -> JsonObject:
    return edited(SEARCH, inputSchema=schema)


def test_the_digest_is_pinned() -> None:
    """Approvals are kept in Git: a release that changes this number voids them all."""
    assert (
        surface_digest(a_surface())
        == "sha256:111c40bccb65e100d5ea78d26e4171f27833ff028af260f7a28606d024ab14b1"
    )


def test_the_canonical_form_is_rfc_8785_and_holds_what_is_exposed() -> None:
    form = canonical(a_surface([REFUND]))
    assert parse(form) == {
        "capabilities": {"tools": {"listChanged": True}},
        "instructions": "Orders are in euros.",
        "prompts": [TRIAGE],
        "resourceTemplates": [ORDER],
        "tools": [REFUND],
    }
    assert b" " not in form.replace(b"Orders are in euros.", b"").replace(b"Refunds an order.", b"").replace(
        b"Sorts a ticket.", b""
    )


def test_order_does_not_matter() -> None:
    other: JsonObject = {"name": "other"}
    one = a_surface([SEARCH, REFUND], prompts=[TRIAGE, other], templates=[ORDER, other])
    two = a_surface([REFUND, SEARCH], prompts=[other, TRIAGE], templates=[other, ORDER])
    assert surface_digest(one) == surface_digest(two)


def test_who_answers_is_not_in_the_digest() -> None:
    other = a_surface(server_info={"name": "other", "version": "2"}, era="2026-07-28")
    assert surface_digest(other) == surface_digest(a_surface())


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"readOnlyHint": False},
        {"destructiveHint": True},
        {"idempotentHint": False, "openWorldHint": True},
        None,
    ],
)
def test_a_hint_at_its_default_is_no_hint(annotations: JsonObject | None) -> None:
    assert digest(edited(REFUND, annotations=annotations)) == digest(edited(REFUND, annotations=None))


def test_a_task_support_at_its_default_says_nothing() -> None:
    assert digest(edited(REFUND, execution={"taskSupport": "forbidden"})) == digest(REFUND)
    assert digest(edited(REFUND, execution={"taskSupport": "optional"})) != digest(REFUND)
    assert digest(edited(REFUND, execution={"taskSupport": "forbidden", "x": 1})) != digest(REFUND)


@pytest.mark.parametrize("odd", ["false", 0, None, "true", 1, [False]])
def test_what_is_no_boolean_is_no_written_out_default(odd: object) -> None:
    annotations: dict[str, Any] = {"readOnlyHint": odd}
    assert digest({**REFUND, "annotations": annotations}) != digest(edited(REFUND, annotations=None))


SORTED: JsonObject = {"type": ["null", "string"], "enum": ["a", "b"], "required": ["a", "b"]}
REVERSED: JsonObject = {"type": ["string", "null"], "enum": ["b", "a"], "required": ["b", "a"]}
AROUND_A_SCHEMA = [
    lambda inner: inner,
    lambda inner: {"properties": {"required": inner, "enum": inner}},
    lambda inner: {"patternProperties": {"^type$": inner}},
    lambda inner: {"$defs": {"type": inner}},
    lambda inner: {"definitions": {"a": inner}},
    lambda inner: {"dependentSchemas": {"a": inner}},
    lambda inner: {"items": inner},
    lambda inner: {"items": [{}, inner]},
    lambda inner: {"prefixItems": [inner]},
    lambda inner: {"allOf": [{"anyOf": [{"oneOf": [inner]}]}]},
    lambda inner: {"not": {"if": {"then": {"else": inner}}}},
    lambda inner: {"additionalProperties": {"unevaluatedProperties": {"propertyNames": inner}}},
    lambda inner: {"contains": {"unevaluatedItems": {"contentSchema": inner}}},
]
AROUND_DATA = [
    lambda inner: {"default": inner},
    lambda inner: {"const": inner},
    lambda inner: {"examples": [inner]},
    lambda inner: {"enum": [inner]},
    lambda inner: {"properties": {"a": {"default": {"properties": {"b": inner}}}}},
    lambda inner: {"x-unknown": inner},
    lambda inner: {"properties": inner},
]


@pytest.mark.parametrize("around", AROUND_A_SCHEMA)
def test_the_order_of_sets_in_a_schema_does_not_matter(around: Any) -> None:
    assert digest(with_schema(around(SORTED))) == digest(with_schema(around(REVERSED)))
    output = edited(SEARCH, outputSchema=around(SORTED)), edited(SEARCH, outputSchema=around(REVERSED))
    assert digest(output[0]) == digest(output[1])


@pytest.mark.parametrize("around", AROUND_DATA)
def test_the_order_of_data_in_a_schema_matters(around: Any) -> None:
    assert digest(with_schema(around(SORTED))) != digest(with_schema(around(REVERSED)))


def test_the_order_of_alternatives_matters() -> None:
    one: JsonObject = {"type": "string"}
    other: JsonObject = {"type": "null"}
    assert digest(with_schema({"anyOf": [one, other]})) != digest(with_schema({"anyOf": [other, one]}))


def test_a_member_that_is_there_twice_is_not_a_member_that_is_there_once() -> None:
    assert digest(with_schema({"enum": ["a", "a"]})) != digest(with_schema({"enum": ["a"]}))


@pytest.mark.parametrize(
    ("one", "other"),
    [("a b", "a  b"), ("a", "a "), ("\u00e9", "e\u0301"), ("A", "a"), ("a\n", "a\r\n"), ("", None)],
)
def test_neither_white_space_nor_letters_are_folded(one: str, other: str | None) -> None:
    assert digest(edited(REFUND, description=one)) != digest(edited(REFUND, description=other))


def test_true_is_not_one_and_a_large_integer_is_not_its_neighbour() -> None:
    for one, other in ((True, 1), (False, 0), (2**53, 2**53 + 1), (None, "null"), ("1", 1)):
        assert digest({**REFUND, "x": one}) != digest({**REFUND, "x": other})


@pytest.mark.parametrize(
    ("field", "value", "facet"),
    [
        ("name", "find", Facet.TEXT),
        ("description", "Other.", Facet.TEXT),
        ("inputSchema", {"type": "object"}, Facet.INPUT),
        ("outputSchema", {"type": "object"}, Facet.OUTPUT),
        ("annotations", {"readOnlyHint": True, "openWorldHint": True}, Facet.HINTS),
        ("annotations", {"readOnlyHint": True, "openWorldHint": False, "title": "T"}, Facet.DISPLAY),
        ("annotations", {"readOnlyHint": True, "openWorldHint": False, "x": 1}, Facet.OTHER),
        ("title", "T", Facet.DISPLAY),
        ("icons", [{"src": "https://a.example/i.png"}], Facet.DISPLAY),
        ("_meta", {"a": 1}, Facet.META),
        ("x-new", 1, Facet.OTHER),
        ("annotations/x", 1, Facet.OTHER),
    ],
)
def test_a_change_is_in_one_facet_only(field: str, value: Any, facet: Facet) -> None:
    was, is_now = facet_digests(SEARCH), facet_digests({**SEARCH, field: value})
    assert {each for each in Facet if was[each] != is_now[each]} == {facet}
