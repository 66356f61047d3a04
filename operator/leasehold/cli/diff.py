"""`leasehold diff`: what a connection's server exposes next to what was approved, and the review that says yes."""

from typing import Annotated

import typer

from leasehold.api.review import Decision
from leasehold.cli.access import Context, Kubeconfig, Namespace, opened, run
from leasehold.cli.difference import class_of, compared, needs_a_person, shown
from leasehold.cli.ending import FINDINGS, refused
from leasehold.cli.review_manifest import UnfitReview, a_review, manifest
from leasehold.cli.review_subjects import Subject, Subjects, selected
from leasehold.core.side_by_side import SideBySide


def diff(
    name: Annotated[str, typer.Argument(help="The MCPConnection, as NAMESPACE/NAME, or NAME with -n.")],
    approve: Annotated[
        bool, typer.Option("--approve", help="Print the review alone, for kubectl create -f -.")
    ] = False,
    comment: Annotated[
        str | None, typer.Option(help="Why, for the review; without it, what was found.")
    ] = None,
    ticket: Annotated[str | None, typer.Option(help="The request's number or link, for the review.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Cut nothing.")] = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show what a server exposes next to what was approved.

    Below it stands the review that approves what is live. What hides in a text is spelled out. Nothing is written.

    Exit status: 0 when nothing differs that a person has to look at, or with --approve; 3 when something does, or
    nothing was approved or captured; 1 when it could not be read; 2 when this was used wrongly.
    """

    async def looked_at() -> tuple[Subject, str]:
        async with opened(kubeconfig, context, namespace) as access:
            (connection,) = await selected(access, name, None, everywhere=False)
            return await Subjects(access.cluster).of(connection), await access.cluster.user_name()

    subject, user = run(looked_at())
    difference = subject.difference
    found = compared(difference, full=full)
    try:
        review = a_review(
            subject.connection,
            Decision.APPROVE,
            user,
            difference.surface,
            comment if comment is not None else _what_was_found(found),
            ticket,
        )
    except UnfitReview as error:
        raise refused(str(error)) from error
    if approve:
        typer.echo(manifest(review), nl=False)
        return
    typer.echo(shown(difference, found, [subject.connection], full=full))
    typer.echo("# the review that approves what is live; kubectl create -f -\n---")
    typer.echo(manifest(review), nl=False)
    if needs_a_person(difference, found):
        raise typer.Exit(FINDINGS)


def _what_was_found(found: SideBySide | None) -> str:
    if found is None:
        return "looked at it; what the server exposes was never captured"
    kinds = ", ".join(dict.fromkeys(each.kind.value for each in found.findings))
    return (
        f"looked at what differs from the approved surface: {class_of(found)}{f', {kinds}' if kinds else ''}"
    )
