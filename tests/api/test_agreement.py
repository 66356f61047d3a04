"""Models and server agree on objects that nobody thought of: URLs put together from awkward pieces, and whole
specs drawn from the schema's own bounds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus_cases import corpus, with_value
from crd_server import CrdServer
from leasehold.api.base import Resource
from leasehold.api.crd import KINDS, schema_of
from leasehold.api.profile import MCPServerProfile
from leasehold.api.store import MCPCredentialStore

against_a_server = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)

SCHEMES = ["https://", "http://", "https:", "https:///", "HTTP://", "ftp://", "//", " https://"]
USERS = ["a@", "a:b@", "@"]
NAMES = ["example.com", "EXAMPLE.com", "a..b", "-a", "a_b", "a b", "ü.example", "localhost", ""]
ADDRESSES = [
    "127.0.0.1",
    "127.0.0.1.",
    "0x7f.1",
    "[::1]",
    "[::01]",
    "[1::]",
    "[::]",
    "[0::1]",
    "[",
    "[]",
    "]",
]
LONG_ADDRESSES = [
    "[::ffff:1.2.3.4]",
    "[::ffff:102:304]",
    "[fe80::1%25eth0]",
    "[1:2:3:4:5:6:7:8]",
    "[1:0:0:2::3]",
]
PORTS = [":443", ":80", ":8200", ":0", ":65535", ":65536", ":", ":x", ":8200:1", ":00443"]
PATHS = ["", "/", "/MCP", "/mcp/", "//", "/a//b", "/.", "/..", "/a/../b", "/a.b", "/%2e%2e", "/ü"]
ENDS = ["?", "?a=b", "?a/", "#", "#x", "?a#b/", "\n", " ", "'", "\\", "\u2028"]

PIECES = (SCHEMES, USERS, [*NAMES, *ADDRESSES, *LONG_ADDRESSES], PORTS, PATHS, ENDS)


@st.composite
def urls(draw: st.DrawFn) -> str:
    """A good URL with up to two awkward pieces: with more, there would always be another reason to refuse."""
    parts = ["https://", "", "example.com", "", "/mcp", ""]
    for place in draw(st.sets(st.sampled_from(range(len(PIECES))), max_size=2)):
        parts[place] = draw(st.sampled_from(PIECES[place]))
    return "".join(parts)


def accepted_by_models(kind: type[Resource], wanted: Mapping[str, Any]) -> bool:
    try:
        kind.model_validate(wanted)
    except ValidationError:
        return False
    return True


def base_of(kind: type[Resource]) -> dict[str, Any]:
    return next(case.after for case in corpus() if case.kind is kind and not case.field)


@pytest.mark.parametrize(
    ("kind", "path"),
    [(MCPCredentialStore, "spec.address"), (MCPServerProfile, "spec.url")],
    ids=["address", "url"],
)
@against_a_server
@given(url=urls())
def test_a_url_is_canonical_for_both_or_for_neither(
    kind: type[Resource], path: str, url: str, crd_server: CrdServer
) -> None:
    wanted = with_value(base_of(kind), path, url)

    assert crd_server.judge(kind, wanted).accepted == accepted_by_models(kind, wanted)


@each_kind
@against_a_server
@given(data=st.data())
def test_a_spec_within_the_bounds_is_valid_for_both_or_for_neither(
    kind: type[Resource], data: st.DataObject, crd_server: CrdServer
) -> None:
    spec = data.draw(drawn_from(schema_of(kind)["properties"]["spec"]))
    wanted = base_of(kind) | {"spec": spec}

    judgement = crd_server.judge(kind, wanted)

    assert judgement.accepted == accepted_by_models(kind, wanted), judgement.causes


def drawn_from(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a structural schema allows, and some that only its rules refuse."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "string":
            return drawn_text(schema)
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "boolean":
            return st.booleans()
        case "array":
            unique = schema["x-kubernetes-list-type"] == "set"
            return st.lists(
                drawn_from(schema["items"]), min_size=schema.get("minItems", 0), max_size=3, unique=unique
            )
        case _ if "properties" in schema:
            return drawn_object(schema)
        case _:
            keys = st.text("ab./-_ ", max_size=6)
            return st.dictionaries(keys, drawn_from(schema["additionalProperties"]), max_size=3)


def drawn_object(schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    parts = {name: drawn_from(part) for name, part in schema["properties"].items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in required},
        optional={name: part for name, part in parts.items() if name not in required},
    )


def drawn_text(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(lambda at: f"{at.isoformat()}Z")  # noqa: DTZ001
    shortest, longest = schema.get("minLength", 0), min(schema["maxLength"], 300)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).filter(
            lambda text: shortest <= len(text) <= longest
        )
    if schema["maxLength"] == 2048 or schema["maxLength"] == 512:
        return st.one_of(
            st.just("https://mcp.example.com/mcp"), st.text(min_size=max(shortest, 1), max_size=9)
        )
    return st.text(st.characters(codec="utf-8"), min_size=shortest, max_size=12)
