"""Vault names the fields of a credential freely; the data keys of a Kubernetes Secret may hold less. Both
the raw fields and the templates of a connection pass here on their way into the Secret."""

import re
from typing import Final

MAX_SECRET_KEY_CHARS: Final = 253

_VALID: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)
_INVALID_CHARACTER: Final = re.compile(r"[^-._a-zA-Z0-9]", re.ASCII)


def is_secret_key(key: str) -> bool:
    """Whether the API server takes this as a data key: letters, digits, `-`, `_`, `.`, and nothing that
    begins with two dots or is a single one (volumes keep those for themselves)."""
    return _VALID.fullmatch(key) is not None and key != "." and not key.startswith("..")


def as_secret_key(field: str) -> str:
    """The data key of a credential field: itself where it is valid, else each odd character becomes `_`."""
    if is_secret_key(field):
        return field
    key = _INVALID_CHARACTER.sub("_", field)[:MAX_SECRET_KEY_CHARS] or "_"
    return key if is_secret_key(key) else "_" + key[1:]
