"""`leasehold heartbeat`: says that a connection is used, from beside whoever uses it.

The Lease of the connection's name is renewed again and again until SIGTERM, or once with `--once`: the former says
that a pod runs, the latter is for whoever knows when the connection is really used."""

import asyncio
import contextlib
import math
import signal
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from leasehold.adapters.cluster_heartbeat import Beat, KubernetesHeartbeat
from leasehold.core.faults import Fault, NeedsPerson
from leasehold.core.shadow import shown_server

FAILED: Final = 1
WRONG_USE: Final = 2
SOON_SECONDS: Final = 15.0
"""After a renewal that failed and may succeed."""
ONCE_LASTS_SECONDS: Final = 86400
"""Of a renewal that nobody has promised to repeat."""


def heartbeat(
    connection: Annotated[str, typer.Argument(help="The connection, as NAMESPACE/NAME.")],
    interval: Annotated[
        float, typer.Option(min=1, max=86400, help="Seconds between renewals; far less than idleSeconds.")
    ] = 300.0,
    once: Annotated[bool, typer.Option("--once", help="Renew it once, and end.")] = False,
    server: Annotated[
        str | None,
        typer.Option(
            help="The URL of the server that is used; its query, and what looks like a credential, are left out."
        ),
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Who uses it (spec.agent.name).")] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A kubeconfig; without it, the pod's own service account."
        ),
    ] = None,
) -> None:
    """Renew the heartbeat of a connection: the Lease of its name, which is created where there is none.

    Exit status: 0 after SIGTERM, SIGINT, or one renewal with --once; 1 when it is refused, or --once failed; 2
    when this was used wrongly.
    """
    namespace, slash, name = connection.partition("/")
    if not (namespace and slash and name) or "/" in name:
        typer.echo(f"name the connection as NAMESPACE/NAME, not {connection!r}", err=True)
        raise typer.Exit(WRONG_USE)
    if server is not None and shown_server(server) is None:
        typer.echo("--server: write the URL as https://HOST/PATH", err=True)
        raise typer.Exit(WRONG_USE)
    lasts = ONCE_LASTS_SECONDS if once else math.ceil(interval)
    beat = Beat(namespace, name, socket.gethostname(), lasts, shown_server(server), agent)
    login = None if kubeconfig is None else str(kubeconfig)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(_run(login, beat, interval, once))
    except Fault as fault:
        typer.echo(fault.message, err=True)
        raise typer.Exit(FAILED) from fault


async def _run(kubeconfig: str | None, beat: Beat, interval: float, once: bool) -> None:
    """Ends with a fault, or by a signal, also in the middle of a request: the next one would say the same."""
    _cancel_at((signal.SIGTERM, signal.SIGINT))
    async with KubernetesHeartbeat.opened(kubeconfig, beat) as lease:
        while True:
            pause = interval
            try:
                await lease.beat()
            except Fault as fault:
                if once or isinstance(fault, NeedsPerson):
                    raise
                typer.echo(fault.message, err=True)
                pause = min(interval, SOON_SECONDS)
            if once:
                return
            await asyncio.sleep(pause)


def _cancel_at(signals: Iterable[signal.Signals]) -> None:
    task = asyncio.current_task()
    for signum in signals:
        asyncio.get_running_loop().add_signal_handler(signum, lambda: task.cancel() if task else None)
