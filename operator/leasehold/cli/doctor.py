"""`leasehold doctor`: whether what an installation stands on is there, and works."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Final

import typer

from leasehold.adapters.cluster import KubernetesCluster
from leasehold.adapters.metrics_http import scrape
from leasehold.api.crd import KINDS
from leasehold.api.names import OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT
from leasehold.api.store import MCPCredentialStore
from leasehold.cli.access import Context, Kubeconfig, opened, run
from leasehold.cli.ending import FINDINGS
from leasehold.cli.output import Column, Format, Output, as_rows
from leasehold.core import examination
from leasehold.core.examination import Checked, State
from leasehold.core.faults import Fault
from leasehold.core.installation import NOT_FOR_THE_OPERATOR, Right, Scope, operator_rights

AT_ONCE: Final = 8

COLUMNS: Final[Sequence[Column[Checked]]] = (
    Column("check", "CHECK", lambda each: each.check),
    Column("state", "STATE", lambda each: str(each.state)),
    Column("words", "WHAT-HOLDS", lambda each: each.words),
    Column("advice", "WHAT-TO-DO", lambda each: each.advice),
)


@dataclass(frozen=True)
class Operator:
    """Whose installation is looked at."""

    namespace: str
    service_account: str
    lease: str
    team_namespaces: tuple[str, ...]

    @property
    def user(self) -> str:
        """As whom the API server knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of every service account of its namespace."""
        return "system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated"


def doctor(
    operator_namespace: Annotated[str, typer.Option(help="Where the operator runs.")] = OPERATOR_NAMESPACE,
    operator_service_account: Annotated[
        str, typer.Option(help="As which it runs.")
    ] = OPERATOR_SERVICE_ACCOUNT,
    lease_name: Annotated[str, typer.Option(help="The Lease by which its replicas elect.")] = "leasehold",
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            "-n",
            help="A namespace that it looks after; more than once for more; without it, it looks after all.",
        ),
    ] = None,
    metrics_url: Annotated[
        str | None,
        typer.Option(help="Its metrics as they are reached from here, as in http://host:8080/metrics."),
    ] = None,
    metrics_ca: Annotated[Path | None, typer.Option(help="PEM of the only CAs to believe there.")] = None,
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Look whether an installation is sound.

    Its kinds, rights, admission policies, stores, clock, leader and metrics; each with what to do where it is not.

    Exit status: 0 when all is well, 3 when something is not, or could not be told, 1 when the cluster cannot be
    reached.
    """
    operator = Operator(operator_namespace, operator_service_account, lease_name, tuple(namespace or ()))

    async def examined() -> list[Checked]:
        async with opened(kubeconfig, context) as access:
            await access.cluster.user_name()  # whoever is nobody there learns nothing
            return await _examined(access.cluster, operator, metrics_url, metrics_ca)

    checked = run(examined())
    typer.echo(as_rows(checked, COLUMNS, output), nl=False)
    if any(each.state is not State.OK for each in checked):
        raise typer.Exit(FINDINGS)


async def _examined(
    cluster: KubernetesCluster, operator: Operator, metrics_url: str | None, metrics_ca: Path | None
) -> list[Checked]:
    async def clock() -> list[Checked]:
        return [examination.clock(cluster.clock.now(), datetime.now(UTC))]

    async def metrics(url: str) -> list[Checked]:
        found = examination.samples_of(await scrape(url, metrics_ca))
        return [examination.metrics(url, found, version_of("leasehold"))]

    checks: list[tuple[str, Callable[[], Awaitable[list[Checked]]]]] = [
        ("kinds", lambda: _kinds(cluster)),
        ("rights", lambda: _rights(cluster, operator)),
        ("policies", lambda: _policies(cluster, operator)),
        ("policies in force", lambda: _policies_act(cluster)),
        ("stores", lambda: _stores(cluster)),
        ("clock", clock),
        ("leader", lambda: _leader(cluster, operator)),
    ]
    if metrics_url is not None:
        checks.append(("metrics", lambda: metrics(metrics_url)))
    return [each for name, check in checks for each in await _tried(name, check)]


async def _tried(name: str, check: Callable[[], Awaitable[list[Checked]]]) -> list[Checked]:
    """What cannot be read is not known, and is said; the other checks go on."""
    try:
        return await check()
    except Fault as fault:
        return [
            examination.unknown(
                name, fault.message, "run this as somebody who may look, or mend what is said"
            )
        ]


async def _kinds(cluster: KubernetesCluster) -> list[Checked]:
    return [examination.kinds({kind: await cluster.definition(kind) for kind in KINDS})]


async def _rights(cluster: KubernetesCluster, operator: Operator) -> list[Checked]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def may(right: Right, namespace: str) -> bool:
        async with turn:
            return await cluster.may(operator.user, operator.groups, right, namespace)

    needed = [(each, where) for each in operator_rights(operator.lease) for where in _places(each, operator)]
    unwanted = [(each, where) for each in NOT_FOR_THE_OPERATOR for where in _places(each, operator)]
    answers = await asyncio.gather(*(may(*each) for each in [*needed, *unwanted]))
    missing = [
        right for (right, _), allowed in zip(needed, answers[: len(needed)], strict=True) if not allowed
    ]
    surplus = [right for (right, _), allowed in zip(unwanted, answers[len(needed) :], strict=True) if allowed]
    return [examination.rights(operator.user, list(dict.fromkeys(missing)), list(dict.fromkeys(surplus)))]


def _places(right: Right, operator: Operator) -> tuple[str, ...]:
    match right.scope:
        case Scope.CLUSTER:
            return ("",)
        case Scope.HOME:
            return (operator.namespace,)
        case Scope.TEAMS:
            return operator.team_namespaces or ("",)


async def _policies(cluster: KubernetesCluster, operator: Operator) -> list[Checked]:
    found, bindings = await cluster.admission_policies(), await cluster.admission_bindings()
    return [examination.policies(found, bindings, operator.user)]


async def _policies_act(cluster: KubernetesCluster) -> list[Checked]:
    return [examination.policies_act(await cluster.refuses_false_names())]


async def _stores(cluster: KubernetesCluster) -> list[Checked]:
    return examination.stores(*await cluster.list_all(MCPCredentialStore))


async def _leader(cluster: KubernetesCluster, operator: Operator) -> list[Checked]:
    record = await cluster.leader(operator.namespace, operator.lease)
    return [examination.leader(record, cluster.clock.now(), f"{operator.namespace}/{operator.lease}")]
