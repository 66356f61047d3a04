"""`leasehold list --shadow`: what is in use, as heartbeats tell, and that no connection stands for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer

from leasehold.api.base import rfc3339
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.cli.access import Access, opened, run
from leasehold.cli.output import Column, Format, as_rows
from leasehold.core.faults import TryLater
from leasehold.core.shadow import Shadow, registered_urls, shadows_among, shown_server

COLUMNS: Final[Sequence[Column[Shadow]]] = (
    Column("namespace", "NAMESPACE", lambda each: each.heartbeat.namespace),
    Column("name", "NAME", lambda each: each.heartbeat.name),
    Column("kind", "KIND", lambda each: str(each.kind)),
    Column("agent", "AGENT", lambda each: each.heartbeat.agent),
    Column("serverURL", "SERVER", lambda each: shown_server(each.heartbeat.server_url)),
    Column("lastSeenTime", "LAST-SEEN", lambda each: rfc3339(each.renewed)),
    Column("registeredURL", "REGISTERED", lambda each: each.registered_url, wide=True),
    Column("holder", "HOLDER", lambda each: each.heartbeat.holder, wide=True),
)


def list_shadows(
    namespace: str | None,
    all_namespaces: bool,
    output: Format,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Print them.

    :raises typer.Exit: they could not be read, and the person was told why
    """

    async def listed() -> tuple[tuple[Shadow, ...], str]:
        async with opened(kubeconfig, context, namespace) as access:
            where = "" if all_namespaces else access.namespace
            return await _shadows(access, where), where

    found, where = run(listed())
    if not found and output in (Format.TABLE, Format.WIDE):
        place = f"namespace {where}" if where else "any namespace"
        typer.echo(f"No labelled heartbeat in {place} is without its connection.", err=True)
    else:
        typer.echo(as_rows(found, COLUMNS, output), nl=False)


async def _shadows(access: Access, where: str) -> tuple[Shadow, ...]:
    """Heartbeats first: a connection that is made meanwhile is no shadow."""
    heartbeats = await access.cluster.list_heartbeats(where)
    connections, unreadable = await access.cluster.list_all(MCPConnection, where)
    now = access.cluster.clock.now()
    if now is None:
        raise TryLater(Reason.CLUSTER_UNAVAILABLE, "The API server's answers have no Date.")
    return shadows_among(heartbeats, registered_urls(connections, unreadable), now)
