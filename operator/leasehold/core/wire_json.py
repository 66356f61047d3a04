"""What a server sends decides what agents may do, and two parsers that read one text differently hide a change
from each other. So there is one reading of a text, or none: whatever JSON leaves open is refused."""

import json
import math
from enum import StrEnum
from typing import Final, NoReturn, TypeAlias

from leasehold.core.text import has_surrogates

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

MAX_DEPTH: Final = 128
"""Arrays and objects within each other; honest schemas stay below 30."""

MAX_DIGITS: Final = 400
"""Digits of one integer, which are more than any double has; longer ones take quadratic time to read."""


class Unfit(StrEnum):
    """Why a text was refused."""

    NOT_UTF8 = "NotUTF8"
    NOT_JSON = "NotJSON"
    DUPLICATE_KEY = "DuplicateKey"
    NOT_FINITE = "NotFinite"
    LONE_SURROGATE = "LoneSurrogate"
    TOO_DEEP = "TooDeep"
    TOO_MANY_DIGITS = "TooManyDigits"


class UnfitJson(ValueError):
    """A text that is no JSON, or that can be read in more than one way. The message quotes nothing of it."""

    def __init__(self, reason: Unfit, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def parse(data: bytes, *, max_depth: int = MAX_DEPTH) -> JsonValue:
    """The one value that this text is. Integers stay exact, whatever their size.

    :raises UnfitJson: not UTF-8 (a byte order mark is none of JSON either), no JSON, a duplicate key, NaN or a
        number beyond a double, a lone surrogate, too deep, or an integer of too many digits
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnfitJson(Unfit.NOT_UTF8, f"byte {error.start} is not UTF-8") from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise UnfitJson(Unfit.NOT_JSON, f"no JSON at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    _check(value, max_depth, surrogates_possible="\\u" in text)
    return value  # type: ignore[no-any-return]  # json.loads is not typed


def _without_duplicates(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise UnfitJson(Unfit.DUPLICATE_KEY, "an object has the same key twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise UnfitJson(Unfit.TOO_MANY_DIGITS, f"an integer has more than {MAX_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise UnfitJson(Unfit.NOT_FINITE, "a number is larger than a double can be")
    return number


def _no_constant(name: str) -> NoReturn:
    raise UnfitJson(Unfit.NOT_FINITE, f"{name} is no JSON number")


def _too_deep(max_depth: int) -> UnfitJson:
    return UnfitJson(Unfit.TOO_DEEP, f"arrays and objects are more than {max_depth} deep")


def _check(value: JsonValue, max_depth: int, *, surrogates_possible: bool) -> None:
    """Level by level, not by recursion: the depth is the server's choice. Only an escape makes a surrogate."""
    level: list[JsonValue] = [value]
    for depth in range(max_depth + 1):
        if surrogates_possible and any(_has_lone_surrogate(each) for each in level):
            raise UnfitJson(Unfit.LONE_SURROGATE, "a string holds half of a surrogate pair")
        containers = [each for each in level if isinstance(each, list | dict)]
        if not containers:
            return
        if depth == max_depth:
            raise _too_deep(max_depth)
        level = [
            inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)
        ]


def _has_lone_surrogate(value: JsonValue) -> bool:
    if isinstance(value, str):
        return has_surrogates(value)
    return isinstance(value, dict) and any(has_surrogates(key) for key in value)
