"""What the API server stores and shows: a structural, bounded, described schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from controlplane import Plane
from corpus_cases import corpus
from crd_server import CrdServer
from kstatus import Verdict, kstatus
from leasehold.api.base import Resource
from leasehold.api.connection import MCPConnection
from leasehold.api.crd import COLUMNS, KINDS, schema_of
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from leasehold.api.rules import LIST_TYPE
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.api.structural import COPIED, NotStructural, structural

FORBIDDEN = {
    "$ref", "$defs", "anyOf", "allOf", "oneOf", "not", "const", "discriminator", "exclusiveMinimum",
    "exclusiveMaximum", "uniqueItems", "prefixItems", "patternProperties", "propertyNames", "title",
}  # fmt: skip


def parts_of(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from parts_of(part, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from parts_of(schema[keyword], f"{path}[]")


PARTS = [found for kind in KINDS for found in parts_of(schema_of(kind), kind.KIND)]
OBSERVED = [kind for kind in KINDS if "status" in kind.model_fields]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)


def those(kind_of_part: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [(path, part) for path, part in PARTS if part.get("type") == kind_of_part]


def test_no_part_uses_what_is_not_structural() -> None:
    known = {*COPIED, "description", "items", "properties", "additionalProperties"}
    assert [path for path, part in PARTS if part.keys() & FORBIDDEN or part.keys() - known] == []


def test_every_part_has_one_type() -> None:
    assert [path for path, part in PARTS if not isinstance(part.get("type"), str)] == []


def test_every_property_is_described() -> None:
    properties = [(path, part) for path, part in PARTS if not path.endswith("[]")]
    bare = {path for path, part in properties if len(part.get("description", "")) < 8}
    assert bare == {f"{kind.KIND}.metadata" for kind in KINDS}  # the server forbids one there


def test_every_list_is_bounded_and_says_how_it_is_merged() -> None:
    lists = those("array")
    assert lists
    assert [path for path, part in lists if "maxItems" not in part or LIST_TYPE not in part] == []


def test_the_ledger_is_merged_by_generation_and_conditions_by_type() -> None:
    keys = {path: part.get("x-kubernetes-list-map-keys") for path, part in those("array")}
    assert keys["MCPConnection.status.ledger"] == ["generation"]
    assert keys["MCPConnection.status.conditions"] == ["type"]


def test_every_map_is_bounded() -> None:
    maps = [(path, part) for path, part in those("object") if "additionalProperties" in part]
    assert maps
    assert [path for path, part in maps if "maxProperties" not in part] == []


def test_every_text_is_bounded() -> None:
    own = [(path, part) for path, part in those("string") if path.count(".") > 1]
    assert own
    assert [
        path
        for path, part in own
        if not part.keys() & {"maxLength", "enum"} and part.get("format") != "date-time"
    ] == []


def test_every_number_has_a_least_value() -> None:
    assert those("integer")
    assert [path for path, part in those("integer") if "minimum" not in part] == []


def test_every_choice_is_a_camel_case_word() -> None:
    choices = {value for _, part in PARTS for value in part.get("enum", ())}
    assert choices
    assert [value for value in choices if not (value.isalnum() and value[0].isupper())] == []


def test_nothing_in_status_but_its_birth_has_a_default() -> None:
    given = [path for path, part in PARTS if ".status" in path and "default" in part]
    assert given == [f"{kind.KIND}.status" for kind in OBSERVED]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"x": {"oneOf": [{"type": "string"}]}}},
        {"type": "object", "properties": {"x": {"type": "array", "uniqueItems": True, "items": {}}}},
        {"type": "object", "properties": {"x": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}},
        {"type": "object", "properties": {"x": {"type": "array", "prefixItems": []}}},
        {"type": "object", "properties": {"x": {"type": "number", "exclusiveMinimum": 0}}},
        {"type": "object", "additionalProperties": False},
        {"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {"maxLength": 3}},
        {"type": "object", "properties": {"x": {}}},
    ],
    ids=lambda schema: str(schema)[:60],
)
def test_what_cannot_be_translated_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(NotStructural, match=r"x|schema"):
        structural(schema)


def test_what_can_be_translated_keeps_its_meaning() -> None:
    schema = {
        "type": "object",
        "$defs": {"One": {"const": "Only", "type": "string"}},
        "properties": {
            "above": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 9},
            "maybe": {"anyOf": [{"$ref": "#/$defs/One"}, {"type": "null"}], "default": None},
        },
    }

    assert structural(schema)["properties"] == {
        "above": {"type": "integer", "format": "int64", "minimum": 4, "maximum": 8},
        "maybe": {"type": "string", "enum": ["Only"]},
    }


@each_kind
def test_the_server_accepts_and_serves_the_definition(kind: type[Resource], crd_server: CrdServer) -> None:
    conditions = crd_server.definition(kind)["status"]["conditions"]

    held = {each["type"] for each in conditions if each["status"] == "True"}
    assert {"NamesAccepted", "Established"} <= held
    assert "NonStructuralSchema" not in held


@each_kind
def test_only_ages_are_printed_as_dates(kind: type[Resource]) -> None:
    dates = {column.path for column in COLUMNS[kind] if column.type == "date"}
    assert dates == {".metadata.creationTimestamp"}


@pytest.mark.parametrize("kind", OBSERVED, ids=lambda kind: kind.KIND)
def test_tools_wait_for_an_object_that_nobody_has_looked_at(
    kind: type[Resource], crd_server: CrdServer
) -> None:
    wanted = next(case.after for case in corpus() if case.kind is kind and not case.field)

    assert kstatus(crd_server.judge(kind, wanted).stored) is Verdict.IN_PROGRESS


def test_a_person_sees_owner_reason_and_times_that_lie_ahead(plane: Plane, crd_server: CrdServer) -> None:
    wanted = next(case.after for case in corpus() if case.kind is MCPConnection and not case.field)
    ready = {"type": "Ready", "status": "True", "reason": "Active", "message": ""}
    status = {
        "conditions": [{**ready, "lastTransitionTime": "2026-11-20T09:30:00Z"}],
        "credentialExpiryTime": "2099-01-01T00:00:00Z",
        "server": {"url": "https://orders.example.com"},
    }

    with crd_server.existing(MCPConnection, wanted):
        patch = json.dumps({"status": status})
        plane.kubectl(
            "patch", "mcpc", wanted["metadata"]["name"], "--subresource=status", "--type=merge", "-p", patch
        )
        shown = plane.kubectl("get", "mcpc", "--field-selector=spec.profile=orders-read").stdout.splitlines()
        others = plane.kubectl("get", "mcpc", "--field-selector=spec.owner.team=nobody").stdout

    assert shown[0].split() == ["NAME", "SERVER", "OWNER", "READY", "REASON", "EXPIRES", "REVIEW-DUE", "AGE"]
    row = "support-bot-orders https://orders.example.com alice@example.com True Active 2099-01-01T00:00:00Z"
    assert shown[1].split()[:6] == row.split()
    assert others == ""


def test_a_person_sees_what_is_revoked_and_how_far_it_is(plane: Plane, crd_server: CrdServer) -> None:
    wanted = next(case.after for case in corpus() if case.kind is MCPRevocation and not case.field)
    counts = {"matched": 12, "verified": 10, "failed": 2, "residual": "2099-01-01T00:00:00Z"}

    with crd_server.existing(MCPRevocation, wanted):
        patch = json.dumps({"status": counts})
        plane.kubectl("patch", "mcpkill", "inc-4711", "--subresource=status", "--type=merge", "-p", patch)
        shown = plane.kubectl("get", "mcpkill", "inc-4711").stdout.splitlines()

    assert shown[0].split() == ["NAME", "TARGET", "MATCHED", "VERIFIED", "FAILED", "RESIDUAL", "AGE"]
    target = '{"profile":"orders-read","team":"support-platform"}'
    assert shown[1].split()[:6] == ["inc-4711", target, "12", "10", "2", "2099-01-01T00:00:00Z"]


def test_a_person_sees_who_said_what_and_whether_it_counts(plane: Plane, crd_server: CrdServer) -> None:
    wanted = next(case.after for case in corpus() if case.kind is MCPConnectionReview and not case.field)
    counted = {"type": "Counted", "status": "True", "reason": "Active", "message": ""}
    status = {"conditions": [{**counted, "lastTransitionTime": "2026-11-20T09:30:00Z"}]}

    with crd_server.existing(MCPConnectionReview, wanted):
        name, patch = wanted["metadata"]["name"], json.dumps({"status": status})
        plane.kubectl("patch", "mcprev", name, "--subresource=status", "--type=merge", "-p", patch)
        one = "--field-selector=spec.connection=support-bot-orders"
        shown = plane.kubectl("get", "mcprev", one).stdout.splitlines()

    assert shown[0].split() == ["NAME", "CONNECTION", "REVIEWER", "DECISION", "COUNTED", "AGE"]
    assert shown[1].split()[:5] == [name, "support-bot-orders", "alice@example.com", "Approve", "Active"]


def test_a_person_sees_what_was_captured_and_when(plane: Plane, crd_server: CrdServer) -> None:
    wanted = next(case.after for case in corpus() if case.kind is MCPToolSnapshot and not case.field)

    with crd_server.existing(MCPToolSnapshot, wanted):
        shown = plane.kubectl("get", "mcpsnap", "--field-selector=spec.profile=orders-read").stdout

    header, row = (line.split() for line in shown.splitlines())
    assert header == ["NAME", "PROFILE", "DIGEST", "TOOLS", "CAPTURED", "AGE"]
    spec = wanted["spec"]
    digest, captured = spec["surfaceDigest"], spec["capturedTime"]
    assert row[:5] == [wanted["metadata"]["name"], "orders-read", digest, "12", captured]
