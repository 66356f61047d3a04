"""`leasehold list`: every connection with whoever answers for it, how it stands, and when it ends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from leasehold.api.base import rfc3339
from leasehold.api.connection import MCPConnection, ReviewRecord
from leasehold.cli.access import AllNamespaces, Context, Kubeconfig, Namespace, opened, run
from leasehold.cli.ending import failed, refused
from leasehold.cli.output import Column, Format, Output, as_rows
from leasehold.cli.selection import Team, Vendor, narrowed
from leasehold.cli.shadow_list import list_shadows
from leasehold.core.conditions import condition_of


def _ready(connection: MCPConnection, field: str) -> Any:
    ready = condition_of(connection.status.conditions, "Ready")
    return None if ready is None else getattr(ready, field)


def _word(value: Any) -> str | None:
    """Plain text of an enumeration's value, for YAML writes no others."""
    return None if value is None else str(value)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def drift_word(connection: MCPConnection) -> str | None:
    """How far the server is from what was approved, in one word."""
    if connection.status.drift is not None:
        return str(connection.status.drift.level)
    told = condition_of(connection.status.conditions, "DriftFree")
    return None if told is None else str(told.reason)


def last_review(connection: MCPConnection) -> ReviewRecord | None:
    """The newest one that counts."""
    said = (connection.status.approval, connection.status.rejection)
    return max((each for each in said if each is not None), key=lambda each: each.time, default=None)


def _decision(connection: MCPConnection) -> str | None:
    said = last_review(connection)
    if said is None:
        return None
    return "Reject" if said is connection.status.rejection else "Approve"


COLUMNS: Final[Sequence[Column[MCPConnection]]] = (
    Column("namespace", "NAMESPACE", lambda each: each.metadata.namespace),
    Column("name", "NAME", lambda each: each.metadata.name),
    Column("agent", "AGENT", lambda each: each.spec.agent.name),
    Column("profile", "PROFILE", lambda each: each.spec.profile),
    Column("owner", "OWNER", lambda each: each.spec.owner.user),
    Column("team", "TEAM", lambda each: each.spec.owner.team),
    Column("ready", "READY", lambda each: _word(_ready(each, "status"))),
    Column("reason", "REASON", lambda each: _word(_ready(each, "reason"))),
    Column("leaseEndTime", "LEASE-END", lambda each: _time(each.status.lease_end_time)),
    Column(
        "credentialExpiryTime", "CREDENTIAL-EXPIRY", lambda each: _time(each.status.credential_expiry_time)
    ),
    Column("drift", "DRIFT", drift_word),
    Column(
        "lastReviewTime",
        "LAST-REVIEW",
        lambda each: _time(said.time if (said := last_review(each)) else None),
    ),
    Column("lastReviewDecision", "DECISION", _decision, wide=True),
    Column(
        "lastReviewer",
        "REVIEWER",
        lambda each: said.reviewer if (said := last_review(each)) else None,
        wide=True,
    ),
    Column("reviewDueTime", "REVIEW-DUE", lambda each: _time(each.status.review_due_time), wide=True),
    Column("deputy", "DEPUTY", lambda each: each.spec.owner.deputy, wide=True),
    Column(
        "serverURL", "SERVER", lambda each: each.status.server.url if each.status.server else None, wide=True
    ),
    Column(
        "credentialType",
        "TYPE",
        lambda each: _word(each.status.server.credential_type) if each.status.server else None,
        wide=True,
    ),
    Column(
        "residualExposureUntil",
        "RESIDUAL",
        lambda each: _time(each.status.residual_exposure_until),
        wide=True,
    ),
    Column("purpose", "PURPOSE", lambda each: each.spec.purpose.summary, wide=True),
    Column("ticket", "TICKET", lambda each: each.spec.purpose.ticket, wide=True),
    Column("message", "MESSAGE", lambda each: _ready(each, "message"), wide=True),
)


def list_connections(
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Only connections with these labels, as in kubectl.")
    ] = "",
    team: Team = None,
    vendor: Vendor = None,
    shadow: Annotated[
        bool,
        typer.Option("--shadow", help="Instead, heartbeats of what is in use and not registered."),
    ] = False,
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List connections and how they stand.

    Each with whoever answers for it, its deadlines, drift, and its newest review. With --shadow, the heartbeats
    that no connection stands for; only those that `leasehold heartbeat` renews, or that have its label, are seen.
    """
    if shadow:
        if selector or team is not None or vendor is not None:
            raise refused("--shadow: leave out --selector, --team and --vendor, which are about connections")
        list_shadows(namespace, all_namespaces, output, kubeconfig, context)
        return

    async def listed() -> tuple[list[MCPConnection], list[str], str]:
        async with opened(kubeconfig, context, namespace) as access:
            where = "" if all_namespaces else access.namespace
            readable, unreadable = await access.cluster.list_all(MCPConnection, where, selector)
            return await narrowed(access, readable, team, vendor), unreadable, where

    found, unreadable, where = run(listed())
    if not found and output in (Format.TABLE, Format.WIDE):
        typer.echo(
            f"There is no connection in {f'namespace {where}' if where else 'any namespace'}.", err=True
        )
    else:
        typer.echo(as_rows(found, COLUMNS, output), nl=False)
    if unreadable:
        raise failed(f"Not shown, for this version cannot read them: {', '.join(unreadable)}")
