"""`leasehold status`: one connection on one screen."""

from datetime import datetime
from typing import Annotated

import typer

from leasehold.api.connection import MCPConnection
from leasehold.api.review import MCPConnectionReview
from leasehold.cli.access import Access, Context, Kubeconfig, Namespace, opened, run
from leasehold.cli.status_page import status_page
from leasehold.core.faults import Vanished

Seen = tuple[MCPConnection, list[MCPConnectionReview], datetime | None]


async def existing(access: Access, name: str) -> MCPConnection:
    """The connection of that name.

    :raises Vanished: there is none, or none any more
    """
    found = await access.cluster.get(MCPConnection, name, access.namespace)
    if found is None:
        raise Vanished(f"There is no MCPConnection {name} in namespace {access.namespace}.")
    return found


def status(
    name: Annotated[str, typer.Argument(help="The MCPConnection.")],
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show one connection on one screen.

    Who answers for it, its deadlines, its credential, drift, reviews, and, where it is not ready, why and what to
    do.
    """

    async def seen() -> Seen:
        async with opened(kubeconfig, context, namespace) as access:
            connection = await existing(access, name)
            reviews, _ = await access.cluster.list_all(MCPConnectionReview, access.namespace)
            return connection, reviews, access.cluster.clock.now()

    typer.echo(status_page(*run(seen())), nl=False)
