"""How commands reach a cluster: with kubectl's own options, and as whoever kubectl would be. Every fault on the way
becomes one sentence on stderr and the exit status 1."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from leasehold.adapters.cluster import KubernetesCluster
from leasehold.adapters.cluster_kubeconfig import context_names, kubeconfig_files, read_context
from leasehold.cli.ending import failed
from leasehold.core.faults import Fault

T = TypeVar("T")


def _contexts(typed: typer.Context, incomplete: str) -> list[str]:
    try:
        names = context_names(kubeconfig_files(typed.params.get("kubeconfig")))
    except Fault:
        return []
    return [name for name in names if name.startswith(incomplete)]


Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="The kubeconfig; without it, the files that KUBECONFIG names, else ~/.kube/config.",
        show_default=False,
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        help="The context of the kubeconfig; without it, the current one.",
        show_default=False,
        autocompletion=_contexts,
    ),
]
Contexts = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        help="The context of the kubeconfig; more than once for more clusters; without it, the current one.",
        show_default=False,
        autocompletion=_contexts,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="The namespace; without it, the one of the context.",
        show_default=False,
    ),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]


@dataclass(frozen=True)
class Access:
    """A cluster, as one context of a kubeconfig reaches it."""

    cluster: KubernetesCluster
    context: str
    namespace: str
    """The one that was asked for, else the context's own."""


@asynccontextmanager
async def opened(
    kubeconfig: Path | None, context: str | None = None, namespace: str | None = None
) -> AsyncIterator[Access]:
    """Access to a cluster, for as long as it is needed; nothing is sent before something is asked.

    :raises Fault: the kubeconfig cannot be used
    """
    chosen = read_context(kubeconfig_files(kubeconfig), context)
    cluster = await KubernetesCluster.from_context(chosen)
    try:
        yield Access(cluster, chosen.name, namespace or chosen.namespace)
    finally:
        await cluster.close()


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """What a command does at a cluster, and what comes of it.

    :raises typer.Exit: it did not work, and the person was told why
    """
    try:
        return asyncio.run(scenario)
    except Fault as fault:
        raise failed(fault.message) from fault
