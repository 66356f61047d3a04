"""At every bound of every field in a spec, and just beyond, models and server agree."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from corpus_cases import corpus, with_value
from crd_server import CrdServer
from leasehold.api.base import Resource
from leasehold.api.crd import KINDS, schema_of


def bounded(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, Any, Any]]:
    """(path, bound, a value at it, one beyond it)"""
    for name, part in schema.get("properties", {}).items():
        field = f"{path}.{name}"
        yield from bounded(part, field)
        for bound, at, beyond in values(part):
            yield field, bound, at, beyond


def values(part: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound in part:
            yield bound, part[bound], part[bound] + step
    for bound, step in (("minLength", -1), ("maxLength", 1)):
        if bound in part:
            yield bound, "a" * part[bound], "a" * (part[bound] + step)
    if "maxItems" in part and part["items"]["type"] == "string":
        texts = [f"a{number}" for number in range(part["maxItems"] + 1)]
        yield "maxItems", texts[:-1], texts
    if "maxProperties" in part:
        entries = {f"a{number}": "a" for number in range(part["maxProperties"] + 1)}
        yield "maxProperties", dict(list(entries.items())[:-1]), entries


def accepted_by_models(kind: type[Resource], wanted: Mapping[str, Any]) -> bool:
    try:
        kind.model_validate(wanted)
    except ValidationError:
        return False
    return True


BOUNDS = [
    pytest.param(kind, *found, id=f"{kind.KIND}-{found[0]}-{found[1]}")
    for kind in KINDS
    for found in bounded(schema_of(kind)["properties"]["spec"], "spec")
]


@pytest.mark.parametrize(("kind", "path", "bound", "at", "beyond"), BOUNDS)
def test_a_bound_is_where_both_say_it_is(
    kind: type[Resource], path: str, bound: str, at: Any, beyond: Any, crd_server: CrdServer
) -> None:
    base = next(case.after for case in corpus() if case.kind is kind and not case.field)

    on_it, beyond_it = (with_value(base, path, value) for value in (at, beyond))

    assert crd_server.judge(kind, on_it).accepted == accepted_by_models(kind, on_it)
    assert not accepted_by_models(kind, beyond_it)
    refused = crd_server.judge(kind, beyond_it)
    assert any(field == path for field, _ in refused.causes), refused.causes
