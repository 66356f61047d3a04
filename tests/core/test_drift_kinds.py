"""Each kind of finding, by the smallest change that makes it."""

from typing import Any

import pytest

from leasehold.core.drift import CLASS_OF, DriftClass, Finding, FindingKind, collapse
from leasehold.core.surface import Surface
from leasehold.core.surface_compare import compare, compare_servers
from leasehold.core.wire_json import JsonObject
from mcp_surfaces import ORDER, REFUND, SEARCH, TRIAGE, a_surface, edited, kinds, saved, tool_drift

Kind = FindingKind
WRITES: JsonObject = {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}
READS: JsonObject = {"readOnlyHint": True, "openWorldHint": False}


def hinted(**annotations: Any) -> JsonObject:
    return edited(REFUND, annotations=annotations)


SERVER_CHANGES: list[tuple[Surface, set[FindingKind]]] = [
    (a_surface([REFUND, SEARCH]), {Kind.ORDER_CHANGED}),
    (a_surface([SEARCH]), {Kind.TOOL_REMOVED}),
    (a_surface([]), {Kind.TOOL_REMOVED}),
    (a_surface([SEARCH, REFUND, hinted() | {"name": "new"}]), {Kind.TOOL_ADDED}),
    (a_surface([SEARCH, REFUND, edited(SEARCH, name="new")]), {Kind.TOOL_ADDED}),
    (
        a_surface([SEARCH, REFUND, hinted(destructiveHint=True) | {"name": "new"}]),
        {Kind.DESTRUCTIVE_TOOL_ADDED},
    ),
    (
        a_surface([SEARCH, REFUND, hinted(readOnlyHint=True, destructiveHint=True) | {"name": "new"}]),
        {Kind.TOOL_ADDED},
    ),
    (a_surface([SEARCH, REFUND, SEARCH]), {Kind.DUPLICATE_TOOL_NAME, Kind.TOOL_ADDED}),
    (a_surface([SEARCH, REFUND, hinted()]), {Kind.DUPLICATE_TOOL_NAME, Kind.TOOL_ADDED}),
    (a_surface(prompts=[]), {Kind.PROMPT_REMOVED}),
    (a_surface(prompts=[TRIAGE, {"name": "new"}]), {Kind.PROMPT_ADDED}),
    (a_surface(prompts=[{"name": "new"}, TRIAGE]), {Kind.PROMPT_ADDED}),
    (a_surface(prompts=[edited(TRIAGE, description="Sorts.")]), {Kind.PROMPT_CHANGED}),
    (a_surface(prompts=[edited(TRIAGE, title="Triage")]), {Kind.TITLE_CHANGED}),
    (a_surface(prompts=[edited(TRIAGE, arguments=[{"name": "ticket"}])]), {Kind.PROMPT_CHANGED}),
    (a_surface(templates=[]), {Kind.RESOURCE_TEMPLATE_REMOVED}),
    (a_surface(templates=[ORDER, {"uriTemplate": "x://{y}"}]), {Kind.RESOURCE_TEMPLATE_ADDED}),
    (a_surface(templates=[edited(ORDER, mimeType="text/html")]), {Kind.RESOURCE_TEMPLATE_CHANGED}),
    (a_surface(templates=[edited(ORDER, _meta={"a": 1})]), {Kind.META_CHANGED}),
    (
        a_surface(templates=[edited(ORDER, uriTemplate="orders://{key}")]),
        {Kind.RESOURCE_TEMPLATE_ADDED, Kind.RESOURCE_TEMPLATE_REMOVED},
    ),
    (a_surface(instructions=None), {Kind.INSTRUCTIONS_CHANGED}),
    (a_surface(instructions=""), {Kind.INSTRUCTIONS_CHANGED}),
    (a_surface(instructions="Orders are in dollars."), {Kind.INSTRUCTIONS_CHANGED}),
    (
        a_surface(instructions="Orders\u200b are in euros."),
        {Kind.INSTRUCTIONS_CHANGED, Kind.HIDDEN_CHARACTERS},
    ),
    (a_surface(capabilities={"tools": {"listChanged": False}}), {Kind.CAPABILITY_CHANGED}),
    (a_surface(capabilities={"tools": {"listChanged": True}, "logging": {}}), {Kind.CAPABILITY_CHANGED}),
    (a_surface(era="2026-07-28"), {Kind.PROTOCOL_CHANGED}),
    (a_surface(server_info={"name": "orders", "version": "1.5.0"}), {Kind.VERSION_CHANGED}),
    (a_surface(server_info={"name": "others", "version": "1.4.0"}), {Kind.SERVER_INFO_CHANGED}),
    (a_surface(server_info={"name": "orders", "version": "1.4.0", "title": "O"}), {Kind.TITLE_CHANGED}),
    (
        a_surface(server_info={"name": "orders", "version": "1.4.0", "websiteUrl": "x"}),
        {Kind.SERVER_INFO_CHANGED},
    ),
    (
        a_surface(server_info={"name": "orders", "version": "1.4.0\u202e"}),
        {Kind.VERSION_CHANGED, Kind.HIDDEN_CHARACTERS},
    ),
]
TOOL_CHANGES: list[tuple[JsonObject, JsonObject, set[FindingKind]]] = [
    (SEARCH, edited(SEARCH, title="Find"), {Kind.TITLE_CHANGED}),
    (SEARCH, edited(SEARCH, annotations={**READS, "title": "Find"}), {Kind.TITLE_CHANGED}),
    (SEARCH, edited(SEARCH, icons=[{"src": "https://a.example/i.png"}]), {Kind.ICONS_CHANGED}),
    (SEARCH, edited(SEARCH, _meta={"build": 7}), {Kind.META_CHANGED}),
    (SEARCH, edited(SEARCH, title="Find\U000e0041"), {Kind.TITLE_CHANGED, Kind.HIDDEN_CHARACTERS}),
    (SEARCH, edited(SEARCH, _meta={"a\u2066": 1}), {Kind.META_CHANGED, Kind.HIDDEN_CHARACTERS}),
    (SEARCH, edited(SEARCH, description="Searches orders."), {Kind.DESCRIPTION_CHANGED}),
    (SEARCH, edited(SEARCH, description=None), {Kind.DESCRIPTION_CHANGED}),
    (SEARCH, edited(SEARCH, description="Searches the orders of a customer. "), {Kind.DESCRIPTION_CHANGED}),
    (SEARCH, edited(SEARCH, inputSchema={"type": "object"}), {Kind.INPUT_SCHEMA_CHANGED}),
    (SEARCH, edited(SEARCH, outputSchema={"type": "object"}), {Kind.OUTPUT_SCHEMA_CHANGED}),
    (SEARCH, {**SEARCH, "x-new": None}, {Kind.TOOL_FIELD_CHANGED}),
    ({**SEARCH, "x": [True]}, {**SEARCH, "x": [1]}, {Kind.TOOL_FIELD_CHANGED}),
    ({**SEARCH, "x": False}, {**SEARCH, "x": 0}, {Kind.TOOL_FIELD_CHANGED}),
    ({**SEARCH, "x": 2**53}, {**SEARCH, "x": 2**53 + 1}, {Kind.TOOL_FIELD_CHANGED}),
    (SEARCH, edited(SEARCH, execution={"taskSupport": "optional"}), {Kind.TOOL_FIELD_CHANGED}),
    (SEARCH, edited(SEARCH, execution={"taskSupport": "forbidden"}), {Kind.DEFAULT_MADE_EXPLICIT}),
    (SEARCH, edited(SEARCH, annotations={**READS, "idempotentHint": False}), {Kind.DEFAULT_MADE_EXPLICIT}),
    (hinted(), edited(REFUND, annotations=None), {Kind.DEFAULT_MADE_EXPLICIT}),
    (SEARCH, edited(SEARCH, annotations={**READS, "idempotentHint": True}), {Kind.HINT_CHANGED}),
    (SEARCH, edited(SEARCH, annotations={**READS, "x": 1}), {Kind.TOOL_FIELD_CHANGED}),
    (hinted(), hinted(readOnlyHint=True), {Kind.HINT_CHANGED}),
    (hinted(), hinted(destructiveHint=False), {Kind.HINT_CHANGED}),
    (hinted(), hinted(openWorldHint=False), {Kind.HINT_CHANGED}),
    (hinted(idempotentHint=True), hinted(), {Kind.HINT_CHANGED}),
    (hinted(**READS), hinted(**WRITES), {Kind.READ_ONLY_LOST, Kind.HINT_CHANGED}),
    (hinted(**READS), hinted(openWorldHint=False), {Kind.READ_ONLY_LOST, Kind.BECAME_DESTRUCTIVE}),
    (hinted(**WRITES), hinted(openWorldHint=False), {Kind.BECAME_DESTRUCTIVE}),
    (hinted(**WRITES), hinted(destructiveHint=True, openWorldHint=False), {Kind.BECAME_DESTRUCTIVE}),
    (hinted(**WRITES), hinted(destructiveHint=False), {Kind.BECAME_OPEN_WORLD}),
    (hinted(**WRITES), hinted(destructiveHint=False, openWorldHint=True), {Kind.BECAME_OPEN_WORLD}),
    (
        hinted(readOnlyHint=True, destructiveHint=False),
        hinted(readOnlyHint=True, destructiveHint=True),
        {Kind.HINT_CHANGED},
    ),
    (
        hinted(readOnlyHint=True),
        hinted(readOnlyHint="true"),
        {Kind.READ_ONLY_LOST, Kind.BECAME_DESTRUCTIVE},
    ),
    (
        hinted(readOnlyHint=True),
        {**REFUND, "annotations": "none"},
        {Kind.READ_ONLY_LOST, Kind.BECAME_DESTRUCTIVE, Kind.TOOL_FIELD_CHANGED},
    ),
]


@pytest.mark.parametrize(("new", "expected"), SERVER_CHANGES)
def test_a_change_of_the_server_has_its_kind(new: Surface, expected: set[FindingKind]) -> None:
    assert kinds(compare(saved(a_surface()), saved(new))) == expected


@pytest.mark.parametrize(("old", "new", "expected"), TOOL_CHANGES)
def test_a_change_of_a_tool_has_its_kind(
    old: JsonObject, new: JsonObject, expected: set[FindingKind]
) -> None:
    findings = tool_drift(old, new)
    assert kinds(findings) == expected
    assert {each.item for each in findings} == {old["name"]}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (("https://a.example", "A"), ("https://a.example", "A"), set()),
        (("https://a.example", "A"), ("https://a.example", "B"), {Kind.CERTIFICATE_ISSUER_CHANGED}),
        (("https://a.example", "A"), ("https://a.example", None), {Kind.CERTIFICATE_ISSUER_CHANGED}),
        (("https://a.example", None), ("https://a.example", "B"), {Kind.CERTIFICATE_ISSUER_CHANGED}),
        (("https://a.example", "A"), ("https://b.example", "A"), {Kind.ORIGIN_CHANGED}),
        (("http://a.example", None), ("https://a.example", "A"), {Kind.ORIGIN_CHANGED}),
        (("stdio:", None), ("https://a.example", "A"), {Kind.ORIGIN_CHANGED}),
        (
            ("https://a.example", "A"),
            ("http://a.example", None),
            {Kind.ORIGIN_CHANGED, Kind.CERTIFICATE_ISSUER_CHANGED},
        ),
    ],
)
def test_who_answers_is_compared_apart(old: Any, new: Any, expected: set[FindingKind]) -> None:
    assert kinds(compare_servers(saved(a_surface(), *old), saved(a_surface(), *new))) == expected


def test_the_classes_are_those_that_profiles_act_upon() -> None:
    of_class = {each: {kind for kind, found in CLASS_OF.items() if found is each} for each in DriftClass}
    assert of_class[DriftClass.HOSTILE] == {Kind.HIDDEN_CHARACTERS, Kind.DUPLICATE_TOOL_NAME}
    assert of_class[DriftClass.DANGEROUS] == {
        Kind.READ_ONLY_LOST,
        Kind.BECAME_DESTRUCTIVE,
        Kind.BECAME_OPEN_WORLD,
        Kind.DESTRUCTIVE_TOOL_ADDED,
        Kind.AGENT_INSTRUCTION,
        Kind.CREDENTIAL_REQUEST,
        Kind.CREDENTIAL_PARAMETER_ADDED,
        Kind.CERTIFICATE_ISSUER_CHANGED,
    }
    assert of_class[DriftClass.BENIGN] == {
        Kind.ORDER_CHANGED,
        Kind.DEFAULT_MADE_EXPLICIT,
        Kind.TITLE_CHANGED,
        Kind.ICONS_CHANGED,
        Kind.META_CHANGED,
        Kind.VERSION_CHANGED,
    }
    assert of_class[DriftClass.NONE] == set()


def test_hidden_characters_that_were_approved_are_not_found_again() -> None:
    known = edited(REFUND, description="Refunds\u200b an order.")
    reworded = tool_drift(known, edited(known, description="Refunds\u200b one order."))
    assert kinds(reworded) == {Kind.DESCRIPTION_CHANGED}
    for more in ("Refunds\u200b\u200b an order.", "Refunds\u200b\u2060 an order."):
        assert Kind.HIDDEN_CHARACTERS in kinds(tool_drift(known, edited(known, description=more)))
    renamed = compare(saved(a_surface([known])), saved(a_surface([edited(known, name="other")])))
    assert kinds(renamed) == {Kind.TOOL_ADDED, Kind.TOOL_REMOVED}


def test_duplicates_that_were_approved_are_not_found_again() -> None:
    other = edited(SEARCH, description="Another.")
    old = saved(a_surface([SEARCH, other]))
    assert kinds(compare(old, saved(a_surface([SEARCH, edited(other, title="T")])))) == {Kind.TITLE_CHANGED}
    assert Kind.DUPLICATE_TOOL_NAME in kinds(compare(old, saved(a_surface([SEARCH, other, REFUND, other]))))


def test_numbers_of_one_canonical_form_are_one_number() -> None:
    assert tool_drift({**SEARCH, "x": [1, 1.5]}, {**SEARCH, "x": [1.0, 1.5]}) == ()


def test_a_finding_is_told_once() -> None:
    found = compare(saved(a_surface()), saved(a_surface([SEARCH, REFUND, REFUND, REFUND])))
    assert len(found) == 2


def test_a_finding_says_where_and_what() -> None:
    schema = {**SEARCH["inputSchema"], "required": ["query"]}  # type: ignore[dict-item]
    (finding,) = tool_drift(SEARCH, edited(SEARCH, inputSchema=schema))
    assert (finding.item, finding.path) == ("search", "/tools/search/inputSchema/required")
    assert (finding.before, finding.after) == ('["query", "state"]', '["query"]')
    (finding,) = tool_drift(SEARCH, edited(SEARCH, description="Searches the orders of customers."))
    assert finding.before == "Searches the orders of a customer."


def test_very_many_changes_of_one_field_are_told_as_one_more() -> None:
    properties: JsonObject = {f"p{number}": {"type": "string"} for number in range(200)}
    found = tool_drift(SEARCH, edited(SEARCH, inputSchema={"type": "object", "properties": properties}))
    assert "/tools/search/inputSchema" in {each.path for each in found}
    assert len(found) < 60


def test_very_many_fields_that_nobody_knows_hide_no_field_that_somebody_knows() -> None:
    flood: JsonObject = {f"a{number}": number for number in range(5000)}
    for changed in ({**SEARCH, **flood}, edited(SEARCH, annotations={**READS, **flood})):
        worse = edited(changed, description="Searches.", title="Find", icons=[])
        found = tool_drift(SEARCH, worse)
        assert {Kind.DESCRIPTION_CHANGED, Kind.TITLE_CHANGED, Kind.ICONS_CHANGED} < kinds(found)
        assert len(found) < 60


def test_findings_collapse_by_item_then_by_kind_then_from_the_harmless_end() -> None:
    many = [Finding(Kind.DESCRIPTION_CHANGED, f"t{number}", "/") for number in range(30)]
    some = [Finding(Kind.TITLE_CHANGED, "t1", "/a"), Finding(Kind.TITLE_CHANGED, "t1", "/b")]
    hostile = Finding(Kind.HIDDEN_CHARACTERS, "t2", "/")
    assert [(each.kind, each.item, each.count) for each in collapse([*some, hostile])] == [
        (Kind.HIDDEN_CHARACTERS, "t2", 1),
        (Kind.TITLE_CHANGED, "t1", 2),
    ]
    collapsed = [(each.kind, each.item, each.count) for each in collapse([*many, *some, hostile])]
    assert collapsed == [
        (Kind.HIDDEN_CHARACTERS, "t2", 1),
        (Kind.DESCRIPTION_CHANGED, "", 30),
        (Kind.TITLE_CHANGED, "t1", 2),
    ]
    everything = [Finding(kind, item, "/") for kind in FindingKind for item in ("a", "b")]
    assert len(collapse(everything)) == 20
    assert collapse(everything)[0].drift_class is DriftClass.HOSTILE
