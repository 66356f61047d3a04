"""One tool as it was approved and as it is now. Hints are compared by what a client takes them for, not by what
is written: leaving out `readOnlyHint` is the same as taking it back."""

from collections.abc import Iterator
from typing import Final

from leasehold.core.drift import Finding, FindingKind
from leasehold.core.drift_cues import credential_parameters
from leasehold.core.field_compare import DISPLAY, a_finding, field_findings
from leasehold.core.json_paths import pointer, written
from leasehold.core.surface_facets import (
    HINT_DEFAULTS,
    PROTOCOL_DEFAULTS,
    effective_hint,
    members,
    normal_tool,
)
from leasehold.core.wire_json import JsonObject

_FIELDS: Final = {
    **DISPLAY,
    "name": FindingKind.DESCRIPTION_CHANGED,
    "description": FindingKind.DESCRIPTION_CHANGED,
    "inputSchema": FindingKind.INPUT_SCHEMA_CHANGED,
    "outputSchema": FindingKind.OUTPUT_SCHEMA_CHANGED,
}
_ANNOTATIONS: Final = {
    "title": FindingKind.TITLE_CHANGED,
    **dict.fromkeys(HINT_DEFAULTS, FindingKind.HINT_CHANGED),
}


def tool_findings(item: str, path: str, old: JsonObject, new: JsonObject) -> Iterator[Finding]:
    """What changed in a tool; what its new texts say is not looked at."""
    normal = before, after = normal_tool(old), normal_tool(new)
    dangers = list(_hints_that_became_worse(item, path, old, new))
    told = {each.path for each in dangers}
    yield from dangers
    if not _same_text((old, new), "inputSchema"):
        yield from _new_credential_parameters(item, path, old, new)
    if all(isinstance(each.get("annotations", {}), dict) for each in (before, after)):
        annotations = (members(before, "annotations"), members(after, "annotations"))
        at = pointer(path, "annotations")
        for finding in field_findings(item, at, annotations, _ANNOTATIONS, FindingKind.TOOL_FIELD_CHANGED):
            if finding.kind is not FindingKind.HINT_CHANGED or finding.path not in told:
                yield finding
        before, after = _without_annotations(before), _without_annotations(after)
    yield from field_findings(item, path, (before, after), _FIELDS, FindingKind.TOOL_FIELD_CHANGED)
    yield from _written_differently(item, path, (old, new), normal)


def declares_itself_destructive(tool: JsonObject) -> bool:
    """Whether a tool says itself that it destroys; one that says nothing is only taken for it."""
    return members(tool, "annotations").get("destructiveHint") is True and not effective_hint(
        tool, "readOnlyHint"
    )


def _hints_that_became_worse(item: str, path: str, old: JsonObject, new: JsonObject) -> Iterator[Finding]:
    for kind, hint, harmless in (
        (FindingKind.READ_ONLY_LOST, "readOnlyHint", True),
        (FindingKind.BECAME_DESTRUCTIVE, "destructiveHint", False),
        (FindingKind.BECAME_OPEN_WORLD, "openWorldHint", False),
    ):
        was, is_now = _means(old, hint), _means(new, hint)
        if was is harmless and is_now is not harmless:
            before, after = str(was).lower(), str(is_now).lower()
            yield a_finding(kind, item, f"{path}/annotations/{hint}", before, after)


def _means(tool: JsonObject, hint: str) -> bool:
    """The protocol gives `destructiveHint` no meaning where a tool is read-only."""
    if hint == "destructiveHint" and effective_hint(tool, "readOnlyHint"):
        return False
    return effective_hint(tool, hint)


def _new_credential_parameters(item: str, path: str, old: JsonObject, new: JsonObject) -> Iterator[Finding]:
    at = pointer(path, "inputSchema")
    known = {name for _, name in credential_parameters(old.get("inputSchema"), at)}
    for where, name in credential_parameters(new.get("inputSchema"), at):
        if name not in known:
            yield a_finding(FindingKind.CREDENTIAL_PARAMETER_ADDED, item, where)


def _without_annotations(tool: JsonObject) -> JsonObject:
    return {field: value for field, value in tool.items() if field != "annotations"}


def _written_differently(
    item: str, path: str, sent: tuple[JsonObject, JsonObject], normal: tuple[JsonObject, JsonObject]
) -> Iterator[Finding]:
    """Where two normal tools are equal and what was sent is not."""
    for kind, fields in (
        (FindingKind.ORDER_CHANGED, ("inputSchema", "outputSchema")),
        (FindingKind.DEFAULT_MADE_EXPLICIT, tuple(PROTOCOL_DEFAULTS)),
    ):
        for field in fields:
            if not _same_text(sent, field) and _same_text(normal, field):
                yield a_finding(kind, item, pointer(path, field))


def _same_text(tools: tuple[JsonObject, JsonObject], field: str) -> bool:
    old, new = tools
    return written(old.get(field)) == written(new.get(field))
