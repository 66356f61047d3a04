"""`leasehold status`: one connection on one screen."""

from datetime import datetime
from typing import Annotated

import typer

from leasehold.api.connection import MCPConnection
from leasehold.api.review import MCPConnectionReview
from leasehold.cli.access import Access, Context, Kubeconfig, Namespace, opened, run
from leasehold.cli.selection import connection_named
from leasehold.cli.status_page import status_page
from leasehold.core.faults import Fault

Reviews = list[MCPConnectionReview] | Fault
Seen = tuple[MCPConnection, Reviews, datetime | None]


async def _reviews(access: Access, namespace: str) -> Reviews:
    """Whoever breaks glass may read connections, and not what people have said about them."""
    try:
        reviews, _ = await access.cluster.list_all(MCPConnectionReview, namespace)
    except Fault as fault:
        return fault
    return reviews


def status(
    name: Annotated[str, typer.Argument(help="The MCPConnection, as NAMESPACE/NAME, or NAME with -n.")],
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
            connection = await connection_named(access, name)
            reviews = await _reviews(access, connection.metadata.namespace)
            return connection, reviews, access.cluster.clock.now()

    typer.echo(status_page(*run(seen())), nl=False)
