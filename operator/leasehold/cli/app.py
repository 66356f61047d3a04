"""The command `leasehold`, also `kubectl leasehold`: every subcommand is put together here."""

from importlib.metadata import version as version_of

import typer

from leasehold.cli.bootstrap import bootstrap
from leasehold.cli.heartbeat import heartbeat
from leasehold.cli.surface import surface
from leasehold.cli.surface_probe import probe

app = typer.Typer(
    name="leasehold",
    help="Puts every MCP connection on a lease.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print local variables, and some are secret
)
app.add_typer(bootstrap, name="bootstrap")
surface.command()(probe)
app.add_typer(surface, name="surface")
app.command()(heartbeat)


@app.command()
def version() -> None:
    """Say which version this is."""
    typer.echo(version_of("leasehold"))


def main() -> None:
    """The entry point of the package's scripts."""
    app()
