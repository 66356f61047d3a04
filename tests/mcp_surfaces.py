"""Surfaces by intent, and surfaces that hypothesis makes up."""

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from leasehold.core.drift import DriftClass, Finding, FindingKind, worst
from leasehold.core.surface import Identity, Surface
from leasehold.core.surface_compare import compare, compare_surfaces
from leasehold.core.surface_saved import Saved
from leasehold.core.wire_json import JsonObject

LISTINGS: Final = Path(__file__).parent / "listings"

SEARCH: Final[JsonObject] = {
    "name": "search",
    "title": "Search",
    "description": "Searches the orders of a customer.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What to look for."},
            "state": {"type": ["string", "null"], "enum": ["open", "shipped", "returned"]},
            "limit": {"type": "integer", "default": 20, "minimum": 1, "maximum": 100},
        },
        "required": ["query", "state"],
    },
    "annotations": {"readOnlyHint": True, "openWorldHint": False},
}
REFUND: Final[JsonObject] = {
    "name": "refund",
    "description": "Refunds an order.",
    "inputSchema": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
    "annotations": {"destructiveHint": False},
}
TRIAGE: Final[JsonObject] = {
    "name": "triage",
    "description": "Sorts a ticket.",
    "arguments": [{"name": "ticket", "required": True}],
}
ORDER: Final[JsonObject] = {"name": "order", "uriTemplate": "orders://{id}", "mimeType": "application/json"}


def a_surface(
    tools: Sequence[JsonObject] = (SEARCH, REFUND),
    *,
    prompts: Sequence[JsonObject] = (TRIAGE,),
    templates: Sequence[JsonObject] = (ORDER,),
    instructions: str | None = "Orders are in euros.",
    capabilities: JsonObject | None = None,
    server_info: JsonObject | None = None,
    era: str = "2025-11-25",
) -> Surface:
    return Surface(
        era=era,
        server_info=server_info or {"name": "orders", "version": "1.4.0"},
        capabilities=capabilities or {"tools": {"listChanged": True}},
        instructions=instructions,
        tools=tuple(tools),
        prompts=tuple(prompts),
        resource_templates=tuple(templates),
    )


def saved(
    surface: Surface, origin: str = "https://orders.example.com", tls_issuer: str | None = "Example CA"
) -> Saved:
    return Saved(surface, Identity(origin, tls_issuer))


def edited(original: JsonObject, **changes: Any) -> JsonObject:
    """A copy with these fields; `description=None` takes a field away."""
    copy = {**deepcopy(original), **changes}
    return {field: value for field, value in copy.items() if value is not None}


def tool_drift(old: JsonObject, new: JsonObject) -> tuple[Finding, ...]:
    return compare_surfaces(a_surface([old]), a_surface([new]))


def kinds(findings: Sequence[Finding]) -> set[FindingKind]:
    return {each.kind for each in findings}


def listing(name: str) -> list[dict[str, Any]]:
    """The tools of one of the kept listings, fresh each time."""
    tools: list[dict[str, Any]] = json.loads((LISTINGS / f"{name}.json").read_text())["tools"]
    return tools


def listing_drift(old: Sequence[JsonObject], new: Sequence[JsonObject]) -> tuple[Finding, ...]:
    one, other = (Saved(Surface("", {}, {}, None, tuple(tools), (), ()), None) for tools in (old, new))
    return compare(one, other)


def class_of(findings: Sequence[Finding]) -> DriftClass:
    return worst(findings)


texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
schemas = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", ["string", "null"]]),
            "description": texts,
            "enum": st.lists(scalars, max_size=3),
            "default": values,
            "const": values,
            "minimum": st.integers(-9, 9),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(texts, inner, max_size=3)},
        optional={
            "required": st.lists(texts, max_size=3),
            "additionalProperties": st.booleans() | inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=6,
)
annotations = st.fixed_dictionaries(
    {},
    optional={
        "title": texts,
        "readOnlyHint": st.booleans(),
        "destructiveHint": st.booleans(),
        "idempotentHint": st.booleans(),
        "openWorldHint": st.booleans() | st.just("yes"),
        "x-owner": values,
    },
)


def tools(names: st.SearchStrategy[str] = texts) -> st.SearchStrategy[JsonObject]:
    always: dict[str, st.SearchStrategy[Any]] = {"name": names, "inputSchema": schemas}
    sometimes: dict[str, st.SearchStrategy[Any]] = {
        "title": texts,
        "description": texts,
        "outputSchema": schemas,
        "annotations": annotations,
        "icons": st.lists(st.fixed_dictionaries({"src": texts}), max_size=2),
        "_meta": st.dictionaries(texts, values, max_size=2),
        "execution": st.fixed_dictionaries(
            {}, optional={"taskSupport": st.sampled_from(["forbidden", "optional"])}
        ),
        "x-anything": values,
    }
    return st.fixed_dictionaries(always, optional=sometimes)


def listings(made: st.SearchStrategy[JsonObject]) -> st.SearchStrategy[list[JsonObject]]:
    return st.lists(made, max_size=4, unique_by=lambda each: str(each.get("name")))


made_prompts: st.SearchStrategy[JsonObject] = st.builds(
    lambda name, description: {"name": name, "description": description}, texts, texts
)
surfaces = st.builds(
    a_surface,
    listings(tools()),
    prompts=listings(made_prompts),
    templates=st.just(()),
    instructions=st.none() | texts,
    capabilities=st.dictionaries(texts, values, min_size=1, max_size=2),
)
