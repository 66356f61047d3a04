"""One connection on one screen: how it stands and what to do, who answers for it, its deadlines, what may be alive,
what its server exposes, and what people have said."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from leasehold.api.base import ConditionStatus, rfc3339
from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.review import MCPConnectionReview
from leasehold.cli.output import as_table
from leasehold.core.conditions import condition_of
from leasehold.core.faults import Fault
from leasehold.core.hidden_text import visible
from leasehold.core.next_step import next_step
from leasehold.core.reviews import COUNTED

LONGEST_LINE = 1200
REVIEWS_SHOWN = 8

Row = tuple[str, str]


def status_page(
    connection: MCPConnection, reviews: Sequence[MCPConnectionReview] | Fault, now: datetime | None
) -> str:
    """The whole page; `now` is the API server's time, for the distances. Reviews that could not be read are a
    fault, which is no reason not to show the rest."""
    page = [*_headline(connection), ""]
    for title, rows in (
        ("Owner", _owner(connection)),
        ("Deadlines", _deadlines(connection, now)),
        ("Credential", _credential(connection, now)),
        ("Drift", _drift(connection, now)),
    ):
        page += [title, _indented(rows)]
    page.append("Reviews")
    if isinstance(reviews, Fault):
        page.append(f"  not known: {_line(reviews.message)}\n")
    else:
        page.append(_reviews(connection, reviews))
    return "\n".join(page)


def _headline(connection: MCPConnection) -> Iterator[str]:
    ready = condition_of(connection.status.conditions, "Ready")
    if ready is None:
        yield f"{connection.key}: not known to the operator"
    else:
        word = "Ready" if ready.status is ConditionStatus.TRUE else "not Ready"
        yield f"{connection.key}: {word}, {ready.reason}"
        yield _line(f"  {ready.message}")
    step = next_step(connection)
    if step is not None:
        yield _line(f"  What to do: {step}")


def _owner(connection: MCPConnection) -> Iterator[Row]:
    spec, server = connection.spec, connection.status.server
    yield "agent", f"{spec.agent.name}, as service account {spec.agent.service_account_name}"
    yield "owner", spec.owner.user
    if spec.owner.deputy is not None:
        yield "deputy", spec.owner.deputy
    yield "team", spec.owner.team
    ticket = f" ({spec.purpose.ticket})" if spec.purpose.ticket else ""
    yield "purpose", spec.purpose.summary + ticket
    yield "profile", spec.profile
    if server is not None:
        where = f"{server.url}, " if server.url else ""
        yield "server", f"{where}{server.transport}"
        if server.scopes:
            yield "scopes", " ".join(server.scopes)


def _deadlines(connection: MCPConnection, now: datetime | None) -> Iterator[Row]:
    status = connection.status
    yield "created", _when(connection.metadata.creation_timestamp, now)
    yield "review due", _when(status.review_due_time, now)
    yield "lease ends", _when(status.lease_end_time, now)
    used = condition_of(status.conditions, "Used")
    if used is not None:
        yield "use", f"{used.reason}: {used.message}"
    if connection.spec.suspend:
        yield "suspended", "by its team (spec.suspend)"
    for hold in status.holds:
        lifted = f", lifted {_when(hold.lifted_time, now)}" if hold.lifted_time else ""
        yield "held", f"by revocation {hold.revocation} since {_when(hold.since_time, now)}{lifted}"
    if status.backoff is not None:
        failures = f"after {status.backoff.failures} failures, last {status.backoff.reason}"
        yield "tried again", f"{_when(status.backoff.retry_time, now)}, {failures}"


def _credential(connection: MCPConnection, now: datetime | None) -> Iterator[Row]:
    status = connection.status
    issued = condition_of(status.conditions, "CredentialIssued")
    if not status.ledger:
        yield "none", issued.message if issued is not None and issued.message else "nothing is alive"
    for entry in status.ledger:
        yield f"generation {entry.generation}", _generation(entry, now)
    if status.secret is not None:
        yield "Secret", status.secret.name
    if status.server is not None and status.server.revocability:
        yield "revocation", status.server.revocability
    if status.residual_exposure_until is not None:
        yield "may work", f"until {_when(status.residual_exposure_until, now)}, although it was ended"


def _generation(entry: LedgerEntry, now: datetime | None) -> str:
    words = [str(entry.state) if entry.state is EntryState.CURRENT else f"{entry.state} ({entry.reason})"]
    words.append(str(entry.type))
    if entry.issued_time is not None:
        words.append(f"issued {_when(entry.issued_time, now)}")
    if entry.end_time is not None:
        words.append(f"is revoked {_when(entry.end_time, now)}")
    words.append(f"runs out {_when(entry.expiry_time, now)}" if entry.expiry_time else "its end is not known")
    return ", ".join(words)


def _drift(connection: MCPConnection, now: datetime | None) -> Iterator[Row]:
    drift = connection.status.drift
    told = condition_of(connection.status.conditions, "DriftFree")
    reachable = condition_of(connection.status.conditions, "Reachable")
    if told is None:
        yield "unknown", "the operator has said nothing yet"
    else:
        yield str(told.reason), told.message
    if drift is not None:
        yield "since", _when(drift.since_time, now)
        if drift.deadline_time is not None:
            yield "deadline", f"{_when(drift.deadline_time, now)}: then the credential ends"
        for item in drift.findings:
            times = f" ({item.count} times)" if item.count > 1 else ""
            yield str(item.level), f"{item.kind} {item.item}{times}"
    known = told.reason if told is not None else None
    if reachable is not None and reachable.status is not ConditionStatus.TRUE and reachable.reason != known:
        yield "probe", f"{reachable.reason}: {reachable.message}"


def _reviews(connection: MCPConnection, reviews: Sequence[MCPConnectionReview]) -> str:
    about = [each for each in reviews if each.spec.connection == connection.metadata.name]
    newest = sorted(about, key=lambda each: str(each.metadata.creation_timestamp), reverse=True)
    if not newest:
        return "  none\n"
    rows = [
        (
            rfc3339(each.metadata.creation_timestamp) if each.metadata.creation_timestamp else None,
            each.spec.decision,
            each.spec.reviewer,
            _verdict(each),
            each.spec.comment,
        )
        for each in newest[:REVIEWS_SHOWN]
    ]
    table = as_table(("TIME", "DECISION", "REVIEWER", "COUNTS", "COMMENT"), rows)
    more = len(newest) - len(rows)
    return _shifted(table) + (f"  and {more} older\n" if more > 0 else "")


def _verdict(review: MCPConnectionReview) -> str:
    judged = condition_of(review.status.conditions, COUNTED)
    if judged is None:
        return "not judged yet"
    return "yes" if judged.status is ConditionStatus.TRUE else f"no: {judged.reason}"


def _when(moment: datetime | None, now: datetime | None) -> str:
    if moment is None:
        return "unknown"
    return f"{rfc3339(moment)} ({distance(moment - now)})" if now is not None else rfc3339(moment)


def distance(away: timedelta) -> str:
    """As kubectl writes ages: `in 86d`, `3h ago`."""
    seconds = abs(round(away.total_seconds()))
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            amount = f"{seconds // size}{letter}"
            break
    else:
        amount = f"{seconds}s"
    return f"in {amount}" if away > timedelta() else f"{amount} ago"


def _indented(rows: Iterable[Row]) -> str:
    return _shifted(as_table((), list(rows)))


def _shifted(table: str) -> str:
    return "".join(f"  {line}\n" for line in table.splitlines())


def _line(text: str) -> str:
    return visible(text, LONGEST_LINE)
