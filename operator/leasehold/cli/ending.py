"""How a command ends: 0 when all is well, 1 when it did not work, 2 when it was used wrongly, 3 when it found
something that a person has to look at."""

from typing import Final

import typer

from leasehold.core.hidden_text import visible

FAILED: Final = 1
WRONG_USE: Final = 2
FINDINGS: Final = 3

LONGEST_LINE: Final = 2000


def failed(message: str) -> typer.Exit:
    """To be raised: it did not work, and why."""
    return _ended(message, FAILED)


def refused(message: str) -> typer.Exit:
    """To be raised: it was used wrongly, and what would be right."""
    return _ended(message, WRONG_USE)


def _ended(message: str, code: int) -> typer.Exit:
    for line in message.splitlines():
        typer.echo(visible(line, LONGEST_LINE), err=True)
    return typer.Exit(code)
