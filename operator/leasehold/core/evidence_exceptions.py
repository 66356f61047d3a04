"""What an access review has to ask about: of connections as they stand, of generations of their credentials, and of
policies and people in the period."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.core import evidence_checks as checks
from leasehold.core.evidence_checks import Check
from leasehold.core.evidence_endings import LATE_SECONDS, Ending, endings_of
from leasehold.core.evidence_sources import Sources
from leasehold.core.evidence_table import Row, Table
from leasehold.core.evidence_times import told
from leasehold.core.evidence_violations import past_violations, present_violations, removed_policies
from leasehold.core.ledger import cannot_end, only_runs_out

COLUMNS: Final = (
    "kind",
    "namespace",
    "connection",
    "connectionUID",
    "generation",
    "sinceTime",
    "untilTime",
    "deadlineTime",
    "policy",
    "policyGeneration",
    "rule",
    "effect",
    "words",
)
ABOUT: Final = (
    "One row for each reason to ask about a connection, a generation of its credential, or a policy. What is told "
    "of connections holds at the time of reading; what is told of generations, of violations that are over, and of "
    "policies, in the period."
)


class ExceptionKind(StrEnum):
    """First what is told of connections, then of policies, of generations, and of objects."""

    REVIEW_OVERDUE = "ReviewOverdue"
    REVIEW_DUE = "ReviewDue"
    NEVER_REVIEWED = "NeverReviewed"
    STATIC_CREDENTIAL = "StaticCredential"
    RECORD_ONLY = "RecordOnly"
    USE_NOT_WATCHED = "UseNotWatched"
    IDLE = "Idle"
    DRIFTED = "Drifted"
    OWNER_LEFT = "OwnerLeft"
    ORPHANED = "Orphaned"
    OWNER_IS_NO_PERSON = "OwnerIsNoPerson"
    FAILING = "Failing"
    POLICY_VIOLATED = "PolicyViolated"
    POLICY_WAS_VIOLATED = "PolicyWasViolated"
    POLICY_REMOVED = "PolicyRemoved"
    NOT_ENDED = "NotEnded"
    ENDED_LATE = "EndedLate"
    END_NOT_ON_RECORD = "EndNotOnRecord"
    ABANDONED = "Abandoned"
    UNREADABLE = "Unreadable"


CHECKS: Final[tuple[tuple[ExceptionKind, Check], ...]] = (
    (ExceptionKind.REVIEW_OVERDUE, checks.review_is_overdue),
    (ExceptionKind.REVIEW_DUE, checks.review_is_due),
    (ExceptionKind.NEVER_REVIEWED, checks.was_never_reviewed),
    (ExceptionKind.STATIC_CREDENTIAL, checks.credential_is_static),
    (ExceptionKind.RECORD_ONLY, checks.nothing_is_minted),
    (ExceptionKind.USE_NOT_WATCHED, checks.use_is_not_watched),
    (ExceptionKind.IDLE, checks.is_idle),
    (ExceptionKind.DRIFTED, checks.has_drifted),
    (ExceptionKind.OWNER_LEFT, checks.owner_has_left),
    (ExceptionKind.ORPHANED, checks.is_orphaned),
    (ExceptionKind.OWNER_IS_NO_PERSON, checks.owner_is_a_machine),
    (ExceptionKind.FAILING, checks.is_not_in_order),
)


def exceptions(sources: Sources) -> Table:
    """The table."""
    rows = [
        *_of_connections(sources),
        *_of_policies(sources),
        *_of_ledgers(sources),
        *_of_endings(sources),
        *_unreadable(sources),
    ]
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


def _of_policies(sources: Sources) -> Iterator[Row]:
    for kind, found in (
        (ExceptionKind.POLICY_VIOLATED, present_violations(sources)),
        (ExceptionKind.POLICY_WAS_VIOLATED, past_violations(sources)),
        (ExceptionKind.POLICY_REMOVED, removed_policies(sources)),
    ):
        for row in found:
            yield {"kind": kind.value, **row}


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
