"""What an access review has to ask about. Each check is named for what it finds, and says since when and why."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.core.conditions import condition_of
from leasehold.core.evidence_endings import LATE_SECONDS, Ending, endings_of
from leasehold.core.evidence_sources import Sources, told
from leasehold.core.evidence_table import Row, Table
from leasehold.core.ledger import cannot_end, only_runs_out
from leasehold.core.questions import nobody_has_reviewed, owner_is_no_person

COLUMNS: Final = ("kind", "namespace", "connection", "connectionUID", "generation", "sinceTime", "words")
ABOUT: Final = (
    "One row for each reason to ask about a connection or a generation of its credential. What is told of "
    "connections holds at the time of reading; what is told of generations, in the period."
)


class ExceptionKind(StrEnum):
    """First what is told of connections, then of generations, then of objects."""

    REVIEW_OVERDUE = "ReviewOverdue"
    REVIEW_DUE = "ReviewDue"
    NEVER_REVIEWED = "NeverReviewed"
    STATIC_CREDENTIAL = "StaticCredential"
    RECORD_ONLY = "RecordOnly"
    USE_NOT_WATCHED = "UseNotWatched"
    IDLE = "Idle"
    DRIFTED = "Drifted"
    OWNER_IS_NO_PERSON = "OwnerIsNoPerson"
    FAILING = "Failing"
    NOT_ENDED = "NotEnded"
    ENDED_LATE = "EndedLate"
    END_NOT_ON_RECORD = "EndNotOnRecord"
    ABANDONED = "Abandoned"
    UNREADABLE = "Unreadable"


Check = Callable[[MCPConnection, str], tuple[str | None, str] | None]
"""Since when, and why; None where there is nothing to ask."""


def review_is_overdue(connection: MCPConnection, now: str) -> tuple[str | None, str] | None:
    """The lease is over, and nobody has renewed it."""
    end = told(connection.status.lease_end_time)
    return None if end is None or end > now else (end, "the lease is over without a review that renews it")


def review_is_due(connection: MCPConnection, now: str) -> tuple[str | None, str] | None:
    """The lease ends soon."""
    due, end = told(connection.status.review_due_time), told(connection.status.lease_end_time)
    if due is None or end is None or due > now or end <= now:
        return None
    return due, f"a review is due; the lease ends at {end}"


def was_never_reviewed(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """It lives on whoever created it."""
    if not nobody_has_reviewed(connection):
        return None
    return told(connection.metadata.creation_timestamp), "no review of it has ever counted"


def credential_is_static(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """It has no end of its own, and nobody can revoke it here."""
    server = connection.status.server
    if server is None or server.credential_type is not CredentialType.STATIC:
        return None
    return told(connection.metadata.creation_timestamp), "its credential neither runs out nor can be revoked"


def nothing_is_minted(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """A record only: what the agent uses is not in our hands."""
    if connection.spec.output is not None:
        return None
    return told(
        connection.metadata.creation_timestamp
    ), "a record only: its credential is none of Leasehold's"


def use_is_not_watched(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """It never becomes idle, for nobody tells whether it is used."""
    use = connection.status.use
    if use is not None and (use.observed_since is not None or use.idle_since is not None):
        return None
    return None, "nobody tells whether it is used, so it never ends for want of use"


def is_idle(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """Nobody uses it, and nobody has deleted it."""
    use = connection.status.use
    if use is None or use.idle_since is None:
        return None
    return told(use.idle_since), "nobody used it; it ended, and is still declared"


def has_drifted(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """Its server exposes what nobody has approved."""
    drift = connection.status.drift
    if drift is None:
        return None
    end = told(drift.deadline_time)
    until = f"; the credential ends at {end} unless that is approved" if end else ""
    return told(drift.since_time), f"its server differs from what was approved: {drift.level.value}{until}"


def owner_is_a_machine(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """A user of the cluster itself answers for nothing."""
    if not owner_is_no_person(connection):
        return None
    return None, f"its owner is {connection.spec.owner.user}, which is no person"


def is_not_in_order(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """It neither works, nor was it ended on purpose."""
    backoff = connection.status.backoff
    ready = condition_of(connection.status.conditions, "Ready")
    if backoff is None:
        return None
    since = told(ready.last_transition_time) if ready else None
    return (
        since,
        f"what has to be done for it fails: {backoff.reason.value}, {backoff.failures} times in a row",
    )


CHECKS: Final[tuple[tuple[ExceptionKind, Check], ...]] = (
    (ExceptionKind.REVIEW_OVERDUE, review_is_overdue),
    (ExceptionKind.REVIEW_DUE, review_is_due),
    (ExceptionKind.NEVER_REVIEWED, was_never_reviewed),
    (ExceptionKind.STATIC_CREDENTIAL, credential_is_static),
    (ExceptionKind.RECORD_ONLY, nothing_is_minted),
    (ExceptionKind.USE_NOT_WATCHED, use_is_not_watched),
    (ExceptionKind.IDLE, is_idle),
    (ExceptionKind.DRIFTED, has_drifted),
    (ExceptionKind.OWNER_IS_NO_PERSON, owner_is_a_machine),
    (ExceptionKind.FAILING, is_not_in_order),
)


def exceptions(sources: Sources) -> Table:
    """The table."""
    rows = [*_of_connections(sources), *_of_ledgers(sources), *_of_endings(sources), *_unreadable(sources)]
    rows.sort(key=lambda row: tuple(str(row.get(each)) for each in COLUMNS))
    return Table("exceptions", "Exceptions", ABOUT, COLUMNS, rows)


def _of_connections(sources: Sources) -> Iterator[Row]:
    scope = sources.scope
    for connection in sources.connections:
        created = told(connection.metadata.creation_timestamp)
        if created is not None and created >= scope.period.end:
            continue
        for kind, check in CHECKS:
            if (found := check(connection, scope.read_time)) is not None:
                yield _row(kind, connection, since=found[0], words=found[1])


def _row(
    kind: ExceptionKind,
    connection: MCPConnection,
    since: str | None,
    words: str,
    generation: int | None = None,
) -> Row:
    return {
        "kind": kind.value,
        "namespace": connection.metadata.namespace,
        "connection": connection.metadata.name,
        "connectionUID": connection.metadata.uid,
        "generation": generation,
        "sinceTime": since,
        "words": words,
    }


def _of_ledgers(sources: Sources) -> Iterator[Row]:
    """Generations that had to end, and are not proven dead."""
    for connection in sources.connections:
        for entry in connection.status.ledger:
            end = told(entry.end_time)
            if end is None or end > sources.scope.read_time or only_runs_out(entry) or cannot_end(entry):
                continue
            words = f"it had to end, and is not proven dead: {entry.reason.value}"
            yield _row(ExceptionKind.NOT_ENDED, connection, end, words, entry.generation)


def _of_endings(sources: Sources) -> Iterator[Row]:
    existing = {each.metadata.uid for each in sources.connections}
    for ending in endings_of(sources):
        if ending.abandoned:
            yield _ending_row(ExceptionKind.ABANDONED, ending, "a person gave it up, with nothing proven")
        elif ending.ended is None and ending.data.connection.uid not in existing:
            words = "its connection is gone, and no record says that it ended"
            yield _ending_row(ExceptionKind.END_NOT_ON_RECORD, ending, words)
        elif ending.state == "Verified" and (ending.seconds or 0) > LATE_SECONDS:
            words = (
                f"proven dead {ending.seconds} s after its end was begun, which is more than {LATE_SECONDS} s"
            )
            yield _ending_row(ExceptionKind.ENDED_LATE, ending, words)


def _ending_row(kind: ExceptionKind, ending: Ending, words: str) -> Row:
    of = ending.data.connection
    return {
        "kind": kind.value,
        "namespace": of.namespace,
        "connection": of.name,
        "connectionUID": of.uid,
        "generation": of.generation,
        "sinceTime": ending.begun or ending.ended,
        "words": f"{words}; {ending.last_failure}" if ending.last_failure else words,
    }


def _unreadable(sources: Sources) -> Iterator[Row]:
    for name in sources.unreadable:
        yield {
            "kind": ExceptionKind.UNREADABLE.value,
            "connection": name,
            "words": "this version cannot read this object",
        }
