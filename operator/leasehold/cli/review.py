"""`leasehold approve` and `leasehold reject`: a person's word on one connection or on many, who has seen it.

What is read on the way goes to stderr; stdout has what became of each review. A review that was written may be
void, for the server may have changed meanwhile: so the command waits until the operator has judged it."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from leasehold.api.base import ConditionStatus
from leasehold.api.connection import MCPConnection
from leasehold.api.review import Decision, MCPConnectionReview
from leasehold.cli.access import Access, AllNamespaces, Context, Kubeconfig, Namespace, opened, run
from leasehold.cli.difference import compared, shown
from leasehold.cli.ending import FAILED, FINDINGS, failed, refused
from leasehold.cli.output import Column, Format, Output, as_rows
from leasehold.cli.review_manifest import UnfitReview, a_review
from leasehold.cli.review_subjects import Subject, Subjects, by_difference, selected
from leasehold.cli.selection import Team, Vendor
from leasehold.core.conditions import condition_of
from leasehold.core.faults import Fault
from leasehold.core.hidden_text import visible
from leasehold.core.reviews import COUNTED

POLL_SECONDS: Final = 0.5
SECONDS: Final = 20.0

Name = Annotated[str | None, typer.Argument(help="The MCPConnection, as NAMESPACE/NAME, or NAME with -n.")]
Selector = Annotated[
    str | None, typer.Option("--selector", "-l", help="All connections with these labels, as in kubectl.")
]
Comment = Annotated[str | None, typer.Option(help="Why; it stays on record. Without it, you are asked.")]
Ticket = Annotated[str | None, typer.Option(help="The request's number or link.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Full = Annotated[bool, typer.Option("--full", help="Cut nothing of what differs.")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait until the operator has judged them.")]


@dataclass(frozen=True)
class Said:
    """What became of one review; `counts` None: nobody has judged it yet, or it was not written."""

    connection: MCPConnection
    review: MCPConnectionReview | None
    counts: bool | None
    words: str


COLUMNS: Final[Sequence[Column[Said]]] = (
    Column("namespace", "NAMESPACE", lambda each: each.connection.metadata.namespace),
    Column("connection", "CONNECTION", lambda each: each.connection.metadata.name),
    Column("review", "REVIEW", lambda each: each.review.metadata.name if each.review else None),
    Column(
        "counts", "COUNTS", lambda each: "unknown" if each.counts is None else "yes" if each.counts else "no"
    ),
    Column("message", "MESSAGE", lambda each: each.words),
)


@dataclass(frozen=True)
class _Asked:
    """What was typed, the same for both decisions."""

    decision: Decision
    name: str | None
    selector: str | None
    team: str | None
    vendor: str | None
    everywhere: bool
    comment: str | None
    ticket: str | None
    yes: bool
    full: bool
    timeout: float
    output: Format
    cluster: tuple[Path | None, str | None, str | None]

    @property
    def verb(self) -> str:
        return self.decision.value.lower()


def _command(decision: Decision, explained: str) -> Callable[..., None]:
    """The command for one decision; both take the same options."""

    def command(
        name: Name = None,
        selector: Selector = None,
        team: Team = None,
        vendor: Vendor = None,
        comment: Comment = None,
        ticket: Ticket = None,
        yes: Yes = False,
        full: Full = False,
        timeout: Timeout = SECONDS,
        output: Output = Format.TABLE,
        namespace: Namespace = None,
        all_namespaces: AllNamespaces = False,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
    ) -> None:
        cluster = (kubeconfig, context, namespace)
        chosen = (name, selector, team, vendor, all_namespaces)
        _review(_Asked(decision, *chosen, comment, ticket, yes, full, timeout, output, cluster))

    command.__name__ = decision.value.lower()
    command.__doc__ = explained
    return command


approve: Final = _command(
    Decision.APPROVE,
    """Approve connections, in your own name.

    Their leases begin anew, and what their servers expose now is what was approved. What differs is shown first,
    once for all connections that share it.

    Exit status: 0 when every approval counts; 3 when one is void, or was not judged in time; 1 when one could not
    be written; 2 when this was used wrongly.
    """,
)

reject: Final = _command(
    Decision.REJECT,
    """Reject connections, in your own name.

    Their credentials end, and no connection of that name gets one until it is approved. What differs is shown
    first, once for all connections that share it.

    Exit status: 0 when every rejection counts; 3 when one is void, or was not judged in time; 1 when one could not
    be written; 2 when this was used wrongly.
    """,
)


def _review(asked: _Asked) -> None:
    are_many = any(each is not None for each in (asked.selector, asked.team, asked.vendor))
    if (asked.name is not None) == are_many:
        raise refused("name one connection, or choose several with --selector, --team or --vendor")
    if asked.name is not None and asked.everywhere:
        raise refused("--all-namespaces goes with --selector, --team or --vendor")
    if asked.yes and asked.comment is None:
        raise refused("--yes asks nothing, so say why with --comment; it stays on record")
    user, subjects = run(_looked_at(asked))
    for difference, connections in by_difference(subjects):
        typer.echo(
            shown(difference, compared(difference, full=asked.full), connections, full=asked.full), err=True
        )
    comment = asked.comment if asked.comment is not None else _answer("Why (it stays on record)")
    try:
        reviews = [
            a_review(each.connection, asked.decision, user, each.difference.surface, comment, asked.ticket)
            for each in subjects
        ]
    except UnfitReview as error:
        raise refused(str(error)) from error
    if not asked.yes:
        _have_it_confirmed(asked, len(reviews), user)
    said = run(_say(asked, list(zip(subjects, reviews, strict=True))))
    typer.echo(as_rows(said, COLUMNS, asked.output), nl=False)
    if any(each.review is None for each in said):
        raise typer.Exit(FAILED)
    if not all(each.counts for each in said):
        raise typer.Exit(FINDINGS)


async def _looked_at(asked: _Asked) -> tuple[str, list[Subject]]:
    async with opened(*asked.cluster) as access:
        user = await access.cluster.user_name()
        subjects = Subjects(access.cluster)
        chosen = await selected(
            access, asked.name, asked.selector, asked.team, asked.vendor, everywhere=asked.everywhere
        )
        # who says no need not have seen everything; who says yes has
        look = subjects.of if asked.decision is Decision.APPROVE else subjects.even_unseen
        return user, [await look(each) for each in chosen]


def _answer(question: str) -> str:
    """Asked on stderr; what libraries ask with leaves a blank on stdout, which has the result alone."""
    typer.echo(f"{question}: ", nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        raise failed("\nnothing was written; --comment and --yes do not ask")
    return line.strip()


def _have_it_confirmed(asked: _Asked, count: int, user: str) -> None:
    what = f"{count} connection{'s' if count > 1 else ''}"
    if _answer(f"{asked.verb} {what} as {visible(user)}? Type {asked.verb}") != asked.verb:
        raise failed("nothing was written")


async def _say(asked: _Asked, reviews: Sequence[tuple[Subject, MCPConnectionReview]]) -> list[Said]:
    """Write them all; what cannot be written holds up nothing."""
    async with opened(*asked.cluster) as access:
        said = [await _write(access, subject.connection, review) for subject, review in reviews]
        loop = asyncio.get_running_loop()
        end = loop.time() + asked.timeout
        while any(_is_open(each) for each in said):
            said = [await _judged(access, each) if _is_open(each) else each for each in said]
            if loop.time() >= end:
                break
            await asyncio.sleep(POLL_SECONDS)
        return said


def _is_open(said: Said) -> bool:
    return said.review is not None and said.counts is None


async def _write(access: Access, connection: MCPConnection, review: MCPConnectionReview) -> Said:
    try:
        return Said(
            connection, await access.cluster.create(review), None, "not judged yet: is the operator up?"
        )
    except Fault as fault:
        return Said(connection, None, None, fault.message)


async def _judged(access: Access, said: Said) -> Said:
    review = said.review
    if review is None:
        return said
    try:
        found = await access.cluster.get(MCPConnectionReview, review.metadata.name, review.metadata.namespace)
    except Fault as fault:
        return Said(said.connection, review, None, f"written, and not read again: {fault.message}")
    told = condition_of(found.status.conditions, COUNTED) if found is not None else None
    if told is None:
        return said
    return Said(
        said.connection, review, told.status is ConditionStatus.TRUE, f"{told.reason}: {told.message}"
    )
