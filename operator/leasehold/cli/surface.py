"""`leasehold surface`: what an MCP server exposes, kept in files. `diff` says in a pull request, without cluster
and without network, what a new version of a server would change."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from leasehold.cli.ending import FINDINGS, refused
from leasehold.core.drift import DriftClass, worst
from leasehold.core.drift_report import as_json, as_markdown, as_text
from leasehold.core.surface_compare import compare
from leasehold.core.surface_saved import Saved, UnfitFile, from_saved

surface = typer.Typer(help="Look at what MCP servers expose.", no_args_is_help=True)


class Output(StrEnum):
    """How findings are printed."""

    JSON = "json"
    TEXT = "text"
    MARKDOWN = "markdown"


_PRINTED: Final = {Output.JSON: as_json, Output.TEXT: as_text, Output.MARKDOWN: as_markdown}


@surface.command()
def diff(
    old: Annotated[Path, typer.Argument(help="What was approved; - is stdin.")],
    new: Annotated[Path, typer.Argument(help="What is exposed now; - is stdin.")],
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.TEXT,
) -> None:
    """Compare two saved surfaces, or two listings of tools, and say what each change means.

    Exit status: 0 when nothing changed that a person has to look at, 3 when something did, 2 when a file cannot
    be read.
    """
    try:
        before, after = _read(old), _read(new)
        if before.is_listing != after.is_listing:
            raise UnfitFile(
                f"{old} and {new} are a saved surface and a plain listing of tools; compare two of a kind"
            )
    except UnfitFile as error:
        raise refused(str(error)) from error
    findings = compare(before, after)
    typer.echo(_PRINTED[output](findings))
    raise typer.Exit(FINDINGS if worst(findings).rank > DriftClass.BENIGN.rank else 0)


def _read(file: Path) -> Saved:
    try:
        return from_saved(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        raise UnfitFile(f"{file} cannot be read: {error.strerror}") from error
    except UnfitFile as error:
        raise UnfitFile(f"{file}: {error}") from error
