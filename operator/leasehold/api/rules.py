"""Every rule is written twice, once in Python and once in CEL, side by side: the API server refuses an object
for the same reason, in the same words, as the models that read it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, SchemaValidator, core_schema

VALIDATIONS = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"
MAP_TYPE = "x-kubernetes-map-type"


class Cause(StrEnum):
    """How the API server labels a violation, in front of its message."""

    INVALID = "FieldValueInvalid"
    REQUIRED = "FieldValueRequired"
    FORBIDDEN = "FieldValueForbidden"


@dataclass(frozen=True)
class Rule:
    """What an object, or a change of it, must satisfy; `message` says what to write instead."""

    cel: str
    message: str
    field: str | None = None
    cause: Cause = Cause.INVALID

    def to_schema(self) -> dict[str, str]:
        """One item of `x-kubernetes-validations`."""
        item = {"rule": self.cel, "message": self.message}
        if self.field is not None:
            item["fieldPath"] = f".{self.field}"
        if self.cause is not Cause.INVALID:
            item["reason"] = str(self.cause)
        return item


def add_validations(json_schema: dict[str, Any], rules: list[Rule]) -> None:
    """Declare CEL rules on a part of a schema, after those that it already has."""
    if rules:
        json_schema.setdefault(VALIDATIONS, []).extend(rule.to_schema() for rule in rules)


# Rules between the fields of one model: methods, marked with their CEL form.

Check = TypeVar("Check", bound=Callable[..., bool])


def rule(
    cel: str, message: str, *, field: str | None = None, cause: Cause = Cause.INVALID
) -> Callable[[Check], Check]:
    """Mark a method `(self) -> bool` as what must hold; `field` (camelCase) is what the message is about."""
    return _mark("__leasehold_rule__", Rule(cel, message, field, cause))


def transition(
    cel: str, message: str, *, field: str | None = None, cause: Cause = Cause.FORBIDDEN
) -> Callable[[Check], Check]:
    """Mark a method `(self, old) -> bool` as what must hold whenever `old` becomes `self`."""
    return _mark("__leasehold_transition__", Rule(cel, message, field, cause))


def _mark(attribute: str, marked: Rule) -> Callable[[Check], Check]:
    def decorate(check: Check) -> Check:
        setattr(check, attribute, marked)
        return check

    return decorate


def rules_of(model: type) -> tuple[tuple[str, Rule], ...]:
    """The model's rules by the names of their methods, in the order in which they are written."""
    return _marked(model, "__leasehold_rule__")


def transitions_of(model: type) -> tuple[tuple[str, Rule], ...]:
    """The model's rules for changes, likewise."""
    return _marked(model, "__leasehold_transition__")


@cache
def _marked(model: type, attribute: str) -> tuple[tuple[str, Rule], ...]:
    return tuple(
        (name, found)
        for ancestor in reversed(model.__mro__)
        for name, member in vars(ancestor).items()
        if isinstance(found := getattr(member, attribute, None), Rule)
    )


# Rules for one value: metadata of an Annotated type.


@dataclass(frozen=True)
class Holds:
    """A value's rule, in CEL about `self` and as a function of the value."""

    cel: str
    message: str
    check: Callable[[Any], bool]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._obeyed, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        json_schema = handler(schema)
        add_validations(json_schema, [Rule(self.cel, self.message)])
        return json_schema

    def _obeyed(self, value: Any) -> Any:
        if not self.check(value):
            raise ValueError(self.message)
        return value


def matches(pattern: str, message: str) -> Holds:
    """A string in which this regular expression (RE2, no quotes) is found."""
    return Holds(f"self.matches(r'{pattern}')", message, _finder(pattern))


def lacks(pattern: str, message: str) -> Holds:
    """A string in which this regular expression (RE2, no quotes) is not found."""
    found = _finder(pattern)
    return Holds(f"!self.matches(r'{pattern}')", message, lambda value: not found(value))


def keys_match(pattern: str, longest: int, message: str) -> Holds:
    """A map whose keys are no longer than that, and match. (Keys have no schema of their own.)"""
    found = _finder(pattern)
    return Holds(
        f"self.all(key, size(key) <= {longest} && key.matches(r'{pattern}'))",
        message,
        lambda mapping: all(len(key) <= longest and found(key) for key in mapping),
    )


def _finder(pattern: str) -> Callable[[Any], bool]:
    """The Rust engine of pydantic, not `re`: its `$` is the very end, as for the API server."""
    if "'" in pattern:
        raise ValueError(f"quotes would end the CEL string: {pattern}")
    return SchemaValidator(core_schema.str_schema(pattern=pattern)).isinstance_python


@dataclass(frozen=True)
class Immutable:
    """Metadata of a field that keeps its first value; `instead` is what to do about it."""

    instead: str

    def as_rule(self) -> Rule:
        """The CEL form. It sees changes only, not the field's coming and going."""
        return Rule("self == oldSelf", f"immutable: {self.instead}", cause=Cause.FORBIDDEN)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        json_schema = handler(schema)
        add_validations(json_schema, [self.as_rule()])
        return json_schema


# How lists are merged, which also says what may repeat in them.


@dataclass(frozen=True)
class ListType:
    """`atomic`, `set`, or `map` by the wire names `keys`; sets and maps refuse duplicates."""

    name: str
    keys: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if self.name == "atomic":
            return schema
        return core_schema.no_info_after_validator_function(self._without_duplicates, schema)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        json_schema = handler(schema)
        json_schema[LIST_TYPE] = self.name
        if self.keys:
            json_schema[LIST_MAP_KEYS] = list(self.keys)
        return json_schema

    def _without_duplicates(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        seen = [tuple(getattr(item, key) for key in self.keys) if self.keys else item for item in items]
        if len(set(seen)) != len(seen):
            raise ValueError("Duplicate value: write each one once")
        return items


ATOMIC = ListType("atomic")
SET = ListType("set")
