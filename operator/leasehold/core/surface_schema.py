"""Some servers keep their schemas in hash maps and send the arrays of `required` in another order each time. Where
the JSON Schema grammar has a schema, the order of `required`, `enum` and `type` says nothing; inside a default, an
example or any other plain value the same names are data, and their order stays."""

from typing import Final

from leasehold.core.canonical_json import canonical_json
from leasehold.core.wire_json import JsonObject, JsonValue

_SETS: Final = frozenset({"required", "enum", "type"})

_A_SCHEMA: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_A_LIST_OF_SCHEMAS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_SCHEMAS_BY_NAME: Final = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)


def with_sorted_sets(schema: JsonValue) -> JsonValue:
    """The schema with `required`, `enum` and `type` sorted wherever it is a schema; nothing else is touched."""
    if not isinstance(schema, dict):
        return schema
    return {keyword: _sorted_below(keyword, value) for keyword, value in schema.items()}


def _sorted_below(keyword: str, value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        if keyword in _SETS:
            return _sorted(value)
        return [with_sorted_sets(each) for each in value] if keyword in _A_LIST_OF_SCHEMAS else value
    if isinstance(value, dict):
        if keyword in _SCHEMAS_BY_NAME:
            return {name: with_sorted_sets(each) for name, each in value.items()}
        return with_sorted_sets(value) if keyword in _A_SCHEMA else value
    return value


def _sorted(values: list[JsonValue]) -> list[JsonValue]:
    texts = [value for value in values if isinstance(value, str)]
    return [*sorted(texts)] if len(texts) == len(values) else sorted(values, key=canonical_json)


def schema_field(tool: JsonObject, field: str) -> JsonObject:
    """The object with this field's schema sorted, if it has the field."""
    return {**tool, field: with_sorted_sets(tool[field])} if field in tool else tool
