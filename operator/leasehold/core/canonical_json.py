"""Two texts that say the same must have the same digest, and two that differ never. RFC 8785 has one writing for
each value, but its numbers are doubles: larger integers would fall together."""

from hashlib import sha256
from typing import Final

import rfc8785

from leasehold.core.wire_json import JsonValue

_OURS: Final = "leasehold:"
_INTEGER: Final = _OURS + "integer:"
_STRING: Final = _OURS + "string:"
_LARGEST: Final = 2**53 - 1
"""The largest integer that a double tells from its neighbours."""


def canonical_json(value: JsonValue) -> bytes:
    """The RFC 8785 form. An integer beyond ±(2^53 - 1) is written as the string `leasehold:integer:<digits>`,
    and a string that begins with `leasehold:` gets `leasehold:string:` before it, so that no string stands for
    an integer. The form of an object holds the forms of its members, so parts may be written apart."""
    try:
        plain = rfc8785.dumps(value)
    except rfc8785.IntegerDomainError:
        return rfc8785.dumps(_tagged(value))
    return rfc8785.dumps(_tagged(value)) if b'"' + _OURS.encode() in plain else plain


def as_sent(value: JsonValue) -> JsonValue:
    """What a canonical form stands for, once it is parsed: without the marks of integers and strings."""
    if isinstance(value, dict):
        return {key: as_sent(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_sent(member) for member in value]
    if isinstance(value, str) and value.startswith(_INTEGER):
        return int(value.removeprefix(_INTEGER))
    return value.removeprefix(_STRING) if isinstance(value, str) else value


def digest_of(canonical: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return f"sha256:{sha256(canonical).hexdigest()}"


def _tagged(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _tagged(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_tagged(member) for member in value]
    if isinstance(value, str):
        return _STRING + value if value.startswith(_OURS) else value
    if isinstance(value, int) and abs(value) > _LARGEST:
        return f"{_INTEGER}{value}"
    return value
