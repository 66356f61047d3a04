"""`leasehold agents`: what each agent can reach through all of its connections together."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import typer

from leasehold.api.base import rfc3339
from leasehold.api.exposure import MCPAgentExposure
from leasehold.cli.access import AllNamespaces, Context, Kubeconfig, Namespace, opened, run
from leasehold.cli.ending import failed
from leasehold.cli.output import Column, Format, Output, as_rows
from leasehold.core.agent_graph import mermaid


def _joined(words: Iterable[object]) -> str | None:
    return ", ".join(str(word) for word in words) or None


COLUMNS: Final[Sequence[Column[MCPAgentExposure]]] = (
    Column("namespace", "NAMESPACE", lambda each: each.metadata.namespace),
    Column("agent", "AGENT", lambda each: each.spec.agent),
    Column("connections", "CONNECTIONS", lambda each: each.spec.connection_count),
    Column(
        "denied",
        "DENIED",
        lambda each: sum(one.denied_by is not None for one in each.spec.connections),
    ),
    Column("servers", "SERVERS", lambda each: _joined(one.name for one in each.spec.profiles)),
    Column("riskTier", "RISK", lambda each: str(each.spec.risk_tier) if each.spec.risk_tier else None),
    Column("capabilities", "CAPABILITIES", lambda each: _joined(each.spec.capabilities)),
    Column(
        "forbidden",
        "FORBIDDEN",
        lambda each: _joined(dict.fromkeys(one.policy for one in each.spec.forbidden)),
    ),
    Column("credentialTypes", "TYPES", lambda each: _joined(each.spec.credential_types)),
    Column(
        "residualExposureUntil",
        "RESIDUAL",
        lambda each: rfc3339(until) if (until := each.spec.residual_exposure_until) else None,
    ),
    Column(
        "residualExposureSeconds",
        "RUNS-OUT-AFTER",
        lambda each: each.spec.residual_exposure_seconds,
        wide=True,
    ),
    Column("tools", "TOOLS", lambda each: each.spec.tools.total, wide=True),
    Column("dataClasses", "DATA", lambda each: _joined(each.spec.data_classes), wide=True),
    Column("scopes", "SCOPES", lambda each: _joined(each.spec.scopes), wide=True),
    Column("former", "FORMER", lambda each: len(each.spec.former), wide=True),
)


def agents(
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Output = Format.TABLE,
    graph: Annotated[
        bool, typer.Option("--graph", help="Print a Mermaid flowchart of agents and servers instead.")
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show what each agent can reach through all of its connections.

    Servers, capabilities, data, risk, what policies forbid, and until when what is denied may still work.
    The object is MCPAgentExposure, which also names the connections that ended.
    """

    async def listed() -> tuple[list[MCPAgentExposure], list[str], str]:
        async with opened(kubeconfig, context, namespace) as access:
            where = "" if all_namespaces else access.namespace
            return *await access.cluster.list_all(MCPAgentExposure, where), where

    found, unreadable, where = run(listed())
    found.sort(key=lambda each: each.key)
    if graph:
        typer.echo(mermaid(found), nl=False)
    elif not found and output in (Format.TABLE, Format.WIDE):
        typer.echo(f"There is no agent in {f'namespace {where}' if where else 'any namespace'}.", err=True)
    else:
        typer.echo(as_rows(found, COLUMNS, output), nl=False)
    if unreadable:
        raise failed(f"Not shown, for this version cannot read them: {', '.join(unreadable)}")
