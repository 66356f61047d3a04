"""`leasehold lift`: the end of a revocation, on another person's word."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from leasehold.api.connection import MCPConnection
from leasehold.api.hold import OnLift
from leasehold.api.reasons import Reason
from leasehold.api.revocation import Lift, MCPRevocation
from leasehold.cli.access import Access, Contexts, Kubeconfig, opened
from leasehold.cli.ending import FAILED, refused
from leasehold.cli.output import Column, Format, Output, as_rows
from leasehold.core.faults import Fault, NeedsPerson, Vanished


@dataclass(frozen=True)
class Lifted:
    """What became of it in one cluster."""

    context: str
    done: bool
    words: str
    held: tuple[str, ...] = ()
    """Connections that wait for a review now."""


COLUMNS: Final[Sequence[Column[Lifted]]] = (
    Column("context", "CLUSTER", lambda each: each.context),
    Column("lifted", "LIFTED", lambda each: "yes" if each.done else "no"),
    Column("held", "HELD", lambda each: len(each.held)),
    Column("message", "MESSAGE", lambda each: each.words),
)


def lift(
    name: Annotated[str, typer.Argument(help="The MCPRevocation.")],
    reason: Annotated[str, typer.Option(help="Why it is safe again; it stays on record.")],
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Contexts = None,
) -> None:
    """Lift a revocation that somebody else requested.

    Says which connections wait for a review then.

    Exit status: 0 when it is lifted in every cluster, 1 when it is not, 2 when this was used wrongly.
    """
    try:
        Lift(by="somebody", reason=reason)
    except ValidationError as error:
        raise refused(f"--reason: {error.errors(include_url=False)[0]['msg']}") from error
    outcomes = asyncio.run(
        _everywhere(kubeconfig, list(dict.fromkeys(context or ())) or [None], name, reason)
    )
    typer.echo(as_rows(outcomes, COLUMNS, output), nl=False)
    for each in outcomes:
        for key in each.held:
            namespace, _, connection = key.partition("/")
            typer.echo(f"held in {each.context}: leasehold approve {connection} -n {namespace}", err=True)
    if not all(each.done for each in outcomes):
        raise typer.Exit(FAILED)


async def _everywhere(
    kubeconfig: Path | None, contexts: Sequence[str | None], name: str, reason: str
) -> list[Lifted]:
    return list(await asyncio.gather(*(_in_one(kubeconfig, each, name, reason) for each in contexts)))


async def _in_one(kubeconfig: Path | None, context: str | None, name: str, reason: str) -> Lifted:
    where = context or "the current context"
    try:
        async with opened(kubeconfig, context) as access:
            where = access.context
            return await _lifted(access, name, reason)
    except Fault as fault:
        return Lifted(where, False, fault.message)


async def _lifted(access: Access, name: str, reason: str) -> Lifted:
    revocation = await access.cluster.get(MCPRevocation, name)
    if revocation is None:
        raise Vanished(f"There is no MCPRevocation {name}.")
    if revocation.spec.lift is not None:
        words = f"it was lifted before, by {revocation.spec.lift.by}"
    else:
        user = await access.cluster.user_name()
        if user == revocation.spec.requested_by:
            raise NeedsPerson(Reason.REFUSED, f"{user} has requested it: somebody else has to lift it")
        await access.cluster.lift(revocation, Lift(by=user, reason=reason))
        words = f"lifted by {user}"
    held = await _held(access, revocation)
    if held:
        words += "; each connection is held until an approval that is newer"
    return Lifted(access.context, True, words, held)


async def _held(access: Access, revocation: MCPRevocation) -> tuple[str, ...]:
    """By their holds; who may lift may not always list, and it is lifted anyway."""
    if revocation.spec.on_lift is OnLift.RESUME:
        return ()
    try:
        connections, _ = await access.cluster.list_all(MCPConnection)
    except Fault:
        return ()
    uid = revocation.metadata.uid
    return tuple(each.key for each in connections if any(hold.uid == uid for hold in each.status.holds))
