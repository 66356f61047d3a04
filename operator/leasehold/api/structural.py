"""The API server stores structural schemas only, and pydantic speaks all of JSON Schema. What has a form
there is translated; anything else ends the generation: a keyword that is dropped is a rule that nobody
enforces."""

from collections.abc import Mapping
from typing import Any, Final

from leasehold.api.rules import LIST_MAP_KEYS, LIST_TYPE, MAP_TYPE, VALIDATIONS

COPIED: Final = (
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    LIST_TYPE,
    LIST_MAP_KEYS,
    MAP_TYPE,
    VALIDATIONS,
)
"""Keywords that mean the same on both sides, in the order in which they are written."""

TRANSLATED: Final = (
    "$defs",
    "$ref",
    "anyOf",
    "const",
    "description",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "additionalProperties",
    "properties",
    "title",
)


class NotStructural(Exception):
    """A model uses what the API server cannot enforce; the message says where and what."""


def structural(schema: Mapping[str, Any], *, with_defaults: bool = True) -> dict[str, Any]:
    """A pydantic JSON schema (mode validation, by alias) as a structural schema.

    Without defaults for what is never completed by the server, such as status.
    :raises NotStructural: there is no structural form
    """
    return _Translation(schema.get("$defs", {}), with_defaults).of(schema, "")


class _Translation:
    def __init__(self, definitions: Mapping[str, Any], with_defaults: bool) -> None:
        self._definitions = definitions
        self._with_defaults = with_defaults

    def of(self, schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        flat = self._flat(schema, path)
        if foreign := flat.keys() - set(COPIED) - set(TRANSLATED):
            raise NotStructural(f"{path or 'the schema'} uses {', '.join(sorted(foreign))}")
        made: dict[str, Any] = {}
        if "description" in flat:
            made["description"] = " ".join(flat["description"].split())
        made |= {keyword: flat[keyword] for keyword in COPIED if keyword in flat}
        self._literals(made, flat, path)
        if not self._with_defaults or made.get("default") in (None, [], {}):
            made.pop("default", None)
        if "items" in flat:
            made["items"] = self.of(flat["items"], f"{path}[]")
        if flat.get("properties"):
            made["properties"] = {
                name: self.of(part, f"{path}.{name}") for name, part in flat["properties"].items()
            }
        elif made.get("type") == "object":
            self._map(made, flat, path)
        if "type" not in made:
            raise NotStructural(f"{path} has no type")
        return made

    def _flat(self, schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Without references and without null; what stands beside a reference wins over what it names."""
        siblings = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "$defs")}
        if "$ref" in schema:
            return self._merged(self._definitions[schema["$ref"].rpartition("/")[2]], siblings, path)
        if "anyOf" in schema:
            others = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
            if len(others) != 1:
                raise NotStructural(f"{path} may have several types")
            return self._merged(others[0], siblings, path)
        return siblings

    def _merged(self, named: Mapping[str, Any], siblings: dict[str, Any], path: str) -> dict[str, Any]:
        flat = self._flat(named, path)
        rules = [*flat.get(VALIDATIONS, []), *siblings.get(VALIDATIONS, [])]
        return flat | siblings | ({VALIDATIONS: rules} if rules else {})

    def _literals(self, made: dict[str, Any], flat: Mapping[str, Any], path: str) -> None:
        if "const" in flat:
            made["enum"] = [flat["const"]]
        if made.get("type") == "integer":
            made["format"] = "int64"
        for exclusive, inclusive, step in (
            ("exclusiveMinimum", "minimum", 1),
            ("exclusiveMaximum", "maximum", -1),
        ):
            if exclusive in flat:
                if made.get("type") != "integer":
                    raise NotStructural(f"{path} uses {exclusive} on something that is no integer")
                made[inclusive] = flat[exclusive] + step

    def _map(self, made: dict[str, Any], flat: Mapping[str, Any], path: str) -> None:
        values = flat.get("additionalProperties")
        if not isinstance(values, Mapping):
            raise NotStructural(
                f"{path or 'the schema'} is neither an object of fields nor a map of one kind of value"
            )
        made["additionalProperties"] = self.of(values, f"{path}{{}}")
