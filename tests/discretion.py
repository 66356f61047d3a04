"""What no operator may ever write, wherever a test runs one: a traceback, a line that is no JSON, a secret.

Everything that a test's operator wrote is read here once it has ended. Secrets are known in two ways: whoever
comes across one tells it here, and whatever looks like one needs not be known. A place where the redaction had
to take something out counts as well: it is the last net, and nothing should ever reach it."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from leasehold.core.redaction import REDACTED

SHORTEST_SECRET: Final = 12
"""A shorter word may be there for another reason."""

LOOKS_SECRET: Final = re.compile(
    r"hv[sbr]\.[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY|"
    + re.escape(REDACTED)
)

_told: set[str] = set()


class Indiscreet(AssertionError):
    """An operator wrote what it must not; the message says where and not what."""


def tell(secrets: Iterable[str]) -> None:
    """From now on no operator may write these."""
    _told.update(text for text in secrets if len(text) >= SHORTEST_SECRET)


def must_be_discreet(*outputs: Path) -> None:
    """Read all that an operator wrote.

    :raises Indiscreet: something of it must not be there
    """
    found = [f"{each.name}: {what}" for each in outputs if each.exists() for what in indiscretions(each)]
    if found:
        raise Indiscreet("\n".join(found))


def indiscretions(output: Path) -> Iterator[str]:
    """What must not be in a log or among audit records."""
    text = output.read_text(errors="replace")
    if any(secret in text for secret in tuple(_told)):  # others may be told meanwhile
        yield "a secret"
    for number, line in enumerate(text.splitlines(), start=1):
        if (looks := LOOKS_SECRET.search(line)) is not None:
            yield f"line {number} has what looks like a secret at character {looks.start()}"
        if "Traceback (most recent call last)" in line:
            yield f"line {number} has a traceback"
    yield from (f"line {number} is no JSON" for number in _unreadable(text))


def _unreadable(text: str) -> Iterator[int]:
    """A process that was killed may leave its last line unfinished."""
    complete = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]
    for number, line in enumerate(complete, start=1):
        if not isinstance(_decoded(line), dict):
            yield number


def _decoded(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
