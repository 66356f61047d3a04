"""`kubectl_complete-leasehold`: what kubectl asks for completions of `kubectl leasehold …`, since 1.26.

It gives the words typed so far, the last one perhaps empty, and reads one completion per line, with a tab before
its description, and then a directive: 4 means no files, 0 means as the shell likes (the format of cobra). The
command completes itself as it does for fish, whose lines are the same."""

import contextlib
import io
import os
import shlex
import sys
from typing import Final

from leasehold.cli.app import app

NO_FILES: Final = ":4"
AS_THE_SHELL_LIKES: Final = ":0"
WIDEST_LINE: Final = 1000


def completions(words: list[str]) -> list[str]:
    """What the last of these words could become."""
    *before, incomplete = ["leasehold", *words]
    os.environ |= {
        "COLUMNS": str(WIDEST_LINE),
        "_LEASEHOLD_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": f"{shlex.join(before)} {shlex.quote(incomplete) if incomplete else ''}",
    }
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.suppress(SystemExit):
        app(prog_name="leasehold")
    return [line for line in sink.getvalue().splitlines() if line]


def main() -> None:
    """The entry point of the package's script."""
    found = completions(sys.argv[1:] or [""])
    for line in [*found, NO_FILES if found else AS_THE_SHELL_LIKES]:
        print(line)
