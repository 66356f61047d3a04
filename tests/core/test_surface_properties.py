"""What holds for any two surfaces: no change is invisible, and no order is a change."""

from copy import deepcopy
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leasehold.core.canonical_json import canonical_json
from leasehold.core.drift import DriftClass, FindingKind, collapse, worst
from leasehold.core.hidden_text import hidden
from leasehold.core.surface import canonical, surface_digest
from leasehold.core.surface_compare import compare, compare_surfaces
from leasehold.core.surface_facets import HINT_DEFAULTS, facet_digests, normal_tool
from leasehold.core.wire_json import JsonObject, JsonValue
from mcp_surfaces import a_surface, kinds, saved, surfaces, tool_drift, tools, values
from strategies import EACH

SOME = settings(EACH, max_examples=40)
NO_DIFFERENCE = {FindingKind.ORDER_CHANGED, FindingKind.DEFAULT_MADE_EXPLICIT}
BENIGN_FIELDS = {"title", "icons", "_meta"}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something could be changed."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [inner for key, member in value.items() for inner in places(member, (*path, key))]
    if isinstance(value, list):
        found += [inner for place, item in enumerate(value) for inner in places(item, (*path, place))]
    return found


def put(tool: JsonObject, path: tuple[Any, ...], value: JsonValue) -> JsonObject:
    copy: Any = deepcopy(tool)
    parent = copy
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    changed: JsonObject = copy
    return changed


def is_benign(path: tuple[Any, ...]) -> bool:
    return path[0] in BENIGN_FIELDS or path[:2] == ("annotations", "title")


def shuffled(value: Any, draw: Any) -> Any:
    """The members of every object, and the three lists, in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], draw) for key in draw(st.permutations(list(value)))}
    return [shuffled(each, draw) for each in value] if isinstance(value, list) else value


@SOME
@given(surfaces)
def test_a_surface_compared_with_itself_has_no_findings(surface: Any) -> None:
    assert compare(saved(surface), saved(deepcopy(surface))) == ()


@SOME
@given(surfaces, st.data())
def test_shuffling_never_drifts(surface: Any, data: st.DataObject) -> None:
    def again(objects: Any) -> Any:
        return tuple(shuffled(each, data.draw) for each in data.draw(st.permutations(objects)))

    other = a_surface(
        again(surface.tools),
        prompts=again(surface.prompts),
        templates=surface.resource_templates,
        instructions=surface.instructions,
        capabilities=shuffled(surface.capabilities, data.draw),
    )
    assert surface_digest(other) == surface_digest(surface)
    assert kinds(compare(saved(surface), saved(other))) <= {FindingKind.ORDER_CHANGED}


@SOME
@given(tools(), values, st.data())
def test_a_change_anywhere_in_a_tool_is_found(
    tool: JsonObject, value: JsonValue, data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(places(tool)))
    changed = put(tool, place, value)
    assume(canonical_json(changed) != canonical_json(tool))
    findings = tool_drift(tool, changed)
    assert findings
    if canonical_json(normal_tool(changed)) == canonical_json(normal_tool(tool)):
        assert kinds(findings) <= NO_DIFFERENCE
    elif not is_benign(place):
        assert worst(findings).rank >= DriftClass.REVIEW.rank
    assert worst(tool_drift(changed, tool)) is not DriftClass.NONE


@SOME
@given(tools(), st.data())
def test_a_field_that_is_taken_away_is_found(tool: JsonObject, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(tool)))
    smaller = {name: value for name, value in tool.items() if name != field}
    findings = tool_drift(tool, smaller)
    assert findings
    assert not is_benign((field,)) or worst(findings) is DriftClass.BENIGN


@SOME
@given(surfaces, surfaces)
def test_two_digests_are_equal_exactly_when_the_canonical_forms_are(one: Any, other: Any) -> None:
    same = canonical(one) == canonical(other)
    assert (surface_digest(one) == surface_digest(other)) is same
    assert (kinds(compare_surfaces(one, other)) <= NO_DIFFERENCE) is same


@SOME
@given(tools(st.just("a")), tools(st.just("a")))
def test_tools_of_the_same_facets_differ_in_nothing(one: JsonObject, other: JsonObject) -> None:
    assert (facet_digests(one) == facet_digests(other)) is (kinds(tool_drift(one, other)) <= NO_DIFFERENCE)


@SOME
@given(surfaces, surfaces)
def test_a_comparison_is_deterministic_and_its_class_is_the_worst_of_its_findings(
    one: Any, other: Any
) -> None:
    findings = compare(saved(one), saved(other))
    assert findings == compare(saved(deepcopy(one)), saved(deepcopy(other)))
    ranks = [each.drift_class.rank for each in findings]
    assert ranks == sorted(ranks, reverse=True)
    assert worst(findings).rank == max(ranks, default=0)


@SOME
@given(surfaces, surfaces)
def test_whatever_a_server_sends_its_findings_are_safe_to_show(one: Any, other: Any) -> None:
    for finding in compare(saved(one), saved(other)):
        for text in (finding.item, finding.path, finding.before, finding.after):
            assert len(text) <= 256
            assert hidden(text) == ""
            assert "\n" not in text


@SOME
@given(surfaces, surfaces, st.integers(1, 8))
def test_a_collapsed_list_is_short_and_begins_with_the_worst(one: Any, other: Any, limit: int) -> None:
    findings = compare(saved(one), saved(other))
    collapsed = collapse(findings, limit)
    assert len(collapsed) <= limit
    assert [each.drift_class for each in collapsed[:1]] == [each.drift_class for each in findings[:1]]
    whole = collapse(findings, len(FindingKind))
    assert sum(each.count for each in whole) == len(findings)


@SOME
@given(tools(st.just("a")), st.sampled_from(sorted(HINT_DEFAULTS)))
def test_writing_a_default_out_never_drifts(tool: JsonObject, hint: str) -> None:
    given_hints = tool.get("annotations", {})
    assert isinstance(given_hints, dict)
    assume(hint not in given_hints)
    written_out: JsonObject = {**tool, "annotations": {**given_hints, hint: HINT_DEFAULTS[hint]}}
    assert surface_digest(a_surface([written_out])) == surface_digest(a_surface([tool]))
    assert kinds(tool_drift(tool, written_out)) == {FindingKind.DEFAULT_MADE_EXPLICIT}
