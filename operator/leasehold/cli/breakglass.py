"""`leasehold breakglass`: stop whatever a target matches, in one cluster or in several, and say what is dead.

What a person reads on the way goes to stderr; stdout has the result alone."""

import asyncio
import re
import secrets
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from leasehold.api.base import rfc3339
from leasehold.api.connection import MCPConnection
from leasehold.api.hold import OnLift
from leasehold.api.reasons import Reason
from leasehold.api.revocation import MCPRevocationSpec, RevocationTarget
from leasehold.cli.access import Contexts, Kubeconfig
from leasehold.cli.breakglass_clusters import Outcome, Survey, progress_of, survey, throw
from leasehold.cli.breakglass_target import (
    Agent,
    BadTarget,
    Connection,
    OwnerUser,
    Profile,
    Selector,
    ServerURL,
    TargetNamespace,
    Team,
    Vendor,
    target_of,
    word_for,
)
from leasehold.cli.ending import FAILED, FINDINGS, failed, refused
from leasehold.cli.output import Column, Format, Output, as_rows, as_table
from leasehold.core.conditions import condition_of
from leasehold.core.hidden_text import visible

MATCHES_SHOWN: Final = 50
NAME_LENGTH: Final = 40
LONGEST_LINE: Final = 2000


def _complete(outcome: Outcome) -> str:
    if outcome.revocation is None:
        return "failed"
    told = condition_of(outcome.revocation.status.conditions, "Complete")
    return "not taken up" if told is None else str(told.reason)


COLUMNS: Final[Sequence[Column[Outcome]]] = (
    Column("context", "CLUSTER", lambda each: each.context),
    Column(
        "revocation", "REVOCATION", lambda each: each.revocation.metadata.name if each.revocation else None
    ),
    Column("complete", "COMPLETE", _complete),
    Column("matched", "MATCHED", lambda each: each.revocation.status.matched if each.revocation else None),
    Column("verified", "VERIFIED", lambda each: each.revocation.status.verified if each.revocation else None),
    Column("failed", "FAILED", lambda each: each.revocation.status.failed if each.revocation else None),
    Column(
        "secretsDeleted",
        "SECRETS-DELETED",
        lambda each: each.revocation.status.secrets_deleted if each.revocation else None,
    ),
    Column("residual", "RESIDUAL", lambda each: each.revocation.status.residual if each.revocation else None),
    Column(
        "message",
        "MESSAGE",
        lambda each: each.trouble or (progress_of(each.revocation) if each.revocation else ""),
    ),
)


def breakglass(
    reason: Annotated[str, typer.Option(help="Why they are stopped; it stays on record.")],
    server_url: ServerURL = None,
    vendor: Vendor = None,
    profile: Profile = None,
    agent: Agent = None,
    owner_user: OwnerUser = None,
    team: Team = None,
    connection: Connection = None,
    namespace: TargetNamespace = None,
    selector: Selector = None,
    incident: Annotated[str | None, typer.Option(help="The incident's number or link.")] = None,
    on_lift: Annotated[
        OnLift, typer.Option(help="What a lift does: wait for a review of each, or resume.")
    ] = OnLift.REQUIRE_REVIEW,
    expires_seconds: Annotated[
        int | None, typer.Option(help="For drills only: after that long it denies nothing more.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The revocation's name; without it, one is made up.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait until all is verified dead.")] = 60.0,
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Contexts = None,
) -> None:
    """Stop connections now.

    Nothing is minted for them any more, and what they have is revoked and looked up. Every option of the target
    that is given has to match. What matches is shown first, and the target has to be typed.

    Exit status: 0 when all that matched is verified dead; 3 when nothing matched, when something may still work, or
    when it took longer; 1 when a cluster could not be told; 2 when this was used wrongly.
    """
    try:
        target = target_of(
            {
                "serverURL": server_url,
                "vendor": vendor,
                "profile": profile,
                "agent": agent,
                "ownerUser": owner_user,
                "team": team,
                "connection": connection,
                "namespace": namespace,
                "labelSelector": selector,
            }
        )
        spec = MCPRevocationSpec(
            target=target,
            reason=reason,
            requested_by="whoever we are in each cluster",
            incident=incident,
            on_lift=on_lift,
            expires_seconds=expires_seconds,
        )
    except BadTarget as error:
        raise refused(str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = "--" + "-".join(re.findall("[A-Z]?[a-z]+", str(first["loc"][0]))).lower()
        raise refused(f"{option}: {first['msg']}") from error
    surveys = asyncio.run(survey(kubeconfig, list(dict.fromkeys(context or ())) or [None], target))
    _show(target, surveys)
    if not any(each.is_known for each in surveys):
        raise failed("no cluster can be told; docs/breakglass.md says how to end credentials without one")
    if not yes:
        _have_it_typed(target)
    outcomes = asyncio.run(throw(kubeconfig, surveys, name or _a_name(incident), spec, timeout, _say))
    typer.echo(as_rows(outcomes, COLUMNS, output), nl=False)
    _tell_what_is_alive(outcomes)
    raise typer.Exit(_exit_code(outcomes))


def _show(target: RevocationTarget, surveys: Sequence[Survey]) -> None:
    _say(f"target: {target}")
    matched = [(each.context, connection) for each in surveys for connection in each.matched or ()]
    if matched:
        rows = [_shown(context, connection) for context, connection in matched[:MATCHES_SHOWN]]
        titles = ("CLUSTER", "NAMESPACE", "NAME", "AGENT", "PROFILE", "OWNER", "TEAM")
        typer.echo(as_table(titles, rows), nl=False, err=True)
    if len(matched) > MATCHES_SHOWN:
        _say(f"and {len(matched) - MATCHES_SHOWN} more")
    for each in surveys:
        if each.matched is None:
            _say(f"{each.context}: not known what matches: {each.trouble}")
        else:
            count = len(each.matched)
            match = "1 connection matches" if count == 1 else f"{count} connections match"
            _say(f"{each.context}: {match} now, and new ones would, too")
        if each.unsure:
            _say(
                f"{each.context}: {each.unsure} more may match as well: this version cannot read their profiles"
            )
        if each.unreadable:
            _say(
                f"{each.context}: {each.unreadable} more cannot be read by this version, and may match as well"
            )


def _shown(context: str, connection: MCPConnection) -> tuple[str, ...]:
    spec, metadata = connection.spec, connection.metadata
    owner = spec.owner
    return (context, metadata.namespace, metadata.name, spec.agent.name, spec.profile, owner.user, owner.team)


def _have_it_typed(target: RevocationTarget) -> None:
    """Asked on stderr, for stdout has the result alone."""
    word = word_for(target)
    typer.echo(f"Type {visible(word, LONGEST_LINE)} to stop them: ", nl=False, err=True)
    typed = sys.stdin.readline()
    if not typed:
        raise failed("\nnothing was typed, and nothing was stopped; --yes does not ask")
    if typed.strip() != word:
        raise failed("that is not the target: nothing was stopped")


def _a_name(incident: str | None) -> str:
    """Nobody else's, so that it can be looked up whether it was created, and the same in all clusters."""
    words = re.findall("[a-z0-9]+", (incident or "").lower())
    beginning = "-".join(words)[:NAME_LENGTH].strip("-") or "breakglass"
    return f"{beginning}-{secrets.token_hex(3)}"


def _tell_what_is_alive(outcomes: Sequence[Outcome]) -> None:
    alive = [each for outcome in outcomes for each in outcome.alive]
    if not alive:
        return
    _say("not dead:")
    rows = [
        (each.context, each.connection, rfc3339(each.until) if each.until else "nobody can say", each.why)
        for each in alive
    ]
    typer.echo(as_table(("CLUSTER", "CONNECTION", "MAY-WORK-UNTIL", "WHY"), rows), nl=False, err=True)


def _exit_code(outcomes: Sequence[Outcome]) -> int:
    if any(each.revocation is None or each.trouble for each in outcomes):
        return FAILED
    verified = [
        _complete(each) == Reason.VERIFIED for each in outcomes if _complete(each) != Reason.NOTHING_MATCHED
    ]
    return 0 if verified and all(verified) else FINDINGS


def _say(line: str) -> None:
    typer.echo(visible(line, LONGEST_LINE), err=True)
