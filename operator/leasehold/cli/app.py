"""The command `leasehold`, also `kubectl leasehold`: every subcommand is put together here."""

from importlib.metadata import version as version_of

import typer

from leasehold.cli.agents import agents
from leasehold.cli.bootstrap import bootstrap
from leasehold.cli.breakglass import breakglass
from leasehold.cli.connection_list import list_connections
from leasehold.cli.diff import diff
from leasehold.cli.doctor import doctor
from leasehold.cli.evidence import evidence
from leasehold.cli.heartbeat import heartbeat
from leasehold.cli.import_command import import_
from leasehold.cli.lift import lift
from leasehold.cli.policy_test import policy
from leasehold.cli.review import approve, reject
from leasehold.cli.status import status
from leasehold.cli.surface import surface
from leasehold.cli.surface_probe import probe

app = typer.Typer(
    name="leasehold",
    help="Puts every MCP connection on a lease.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help, also in a pipe
    pretty_exceptions_enable=False,  # they would print local variables, and some are secret
)
app.command("list")(list_connections)
app.command()(agents)
app.command()(status)
app.command()(diff)
app.command()(approve)
app.command()(reject)
app.command()(breakglass)
app.command()(lift)
app.command()(doctor)
app.command("import")(import_)
app.add_typer(bootstrap, name="bootstrap")
surface.command()(probe)
app.add_typer(surface, name="surface")
app.add_typer(policy, name="policy")
app.command()(heartbeat)
app.add_typer(evidence, name="evidence")


@app.command()
def version() -> None:
    """Say which version this is."""
    typer.echo(version_of("leasehold"))


def main() -> None:
    """The entry point of the package's scripts."""
    app()
