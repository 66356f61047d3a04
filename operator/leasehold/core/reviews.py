"""What people have said about a connection, and what of it counts.

A review is judged once, when it is first seen, for it is about the surface as it was then; the verdict is kept in
its status. A counted approval renews the lease; a counted rejection denies, also a later connection of that name,
until a newer approval. What counts is kept in the connection's status: deleting a review undoes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from leasehold.api.base import ConditionStatus
from leasehold.api.connection import Assurance, MCPConnection, ReviewRecord
from leasehold.api.reasons import Reason
from leasehold.api.review import Decision, MCPConnectionReview

COUNTED = "Counted"


@dataclass(frozen=True)
class Verdict:
    """Whether a review counts, and why."""

    counts: bool
    reason: Reason
    message: str


def verdict_of(review: MCPConnectionReview) -> bool | None:
    """What was judged; None: nothing yet."""
    judged = next((each for each in review.status.conditions if each.type == COUNTED), None)
    return None if judged is None else judged.status is ConditionStatus.TRUE


def judge(review: MCPConnectionReview, connection: MCPConnection | None, live_digest: str | None) -> Verdict:
    """The verdict on a review that is seen for the first time; `live_digest` is None where nothing was captured."""
    spec = review.spec
    if connection is not None and spec.reviewer == _agent_user(connection):
        return _void(Reason.REVIEWED_BY_AGENT, "spec.reviewer: an agent does not review its own connection")
    if spec.decision is Decision.REJECT:
        return Verdict(True, Reason.COUNTED, "it denies the connection until somebody approves it anew")
    if connection is None:
        return _void(
            Reason.NO_CONNECTION,
            f"spec.connection: there is no MCPConnection {spec.connection} in this namespace",
        )
    created, said = connection.metadata.creation_timestamp, review.metadata.creation_timestamp
    if created is not None and said is not None and said < created:
        return _void(
            Reason.OLDER_THAN_CONNECTION,
            "the connection was created after this review: look at it, and review it again",
        )
    if spec.surface_digest != live_digest:
        return _void(Reason.ANOTHER_SURFACE, _what_is_exposed(spec.surface_digest, live_digest))
    return Verdict(True, Reason.COUNTED, "it renews the connection's lease")


def _what_is_exposed(said: str | None, live: str | None) -> str:
    if live is None:
        return "spec.surfaceDigest: leave it out, for the server's surface was never captured"
    if said is None:
        return f"spec.surfaceDigest: name what you have looked at; the server exposes {live}"
    return f"spec.surfaceDigest: the server exposes {live} by now: look at that, and review it"


def _void(reason: Reason, message: str) -> Verdict:
    return Verdict(False, reason, message)


def _agent_user(connection: MCPConnection) -> str:
    account = connection.spec.agent.service_account_name
    return f"system:serviceaccount:{connection.metadata.namespace}:{account}"


def reviewed(connection: MCPConnection, reviews: Iterable[MCPConnectionReview]) -> MCPConnection:
    """The connection with the newest approval and rejection that count, from its status or from the reviews."""
    status = connection.status
    records = [
        (review.spec.decision, _record(connection, review)) for review in reviews if verdict_of(review)
    ]
    created = connection.metadata.creation_timestamp
    approval = _newest(
        status.approval,
        (
            record
            for decision, record in records
            if decision is Decision.APPROVE and (created is None or record.time >= created)
        ),
    )
    rejection = _newest(
        status.rejection, (record for decision, record in records if decision is Decision.REJECT)
    )
    if rejection is not None and approval is not None and approval.time > rejection.time:
        rejection = None
    if (approval, rejection) == (status.approval, status.rejection):
        return connection
    changed = status.model_copy(update={"approval": approval, "rejection": rejection})
    return connection.model_copy(update={"status": changed})


def _newest(held: ReviewRecord | None, given: Iterable[ReviewRecord]) -> ReviewRecord | None:
    candidates = [*([held] if held is not None else []), *given]
    return max(candidates, key=lambda record: (record.time, record.review), default=None)


def _record(connection: MCPConnection, review: MCPConnectionReview) -> ReviewRecord:
    return ReviewRecord(
        review=review.metadata.name,
        reviewer=review.spec.reviewer,
        assurance=assurance_of(review, connection),
        time=_said_at(review),
        surface_digest=review.spec.surface_digest,
    )


def assurance_of(review: MCPConnectionReview, connection: MCPConnection) -> Assurance:
    """Whether the reviewer answers for the connection."""
    owner = connection.spec.owner
    return Assurance.OWNER if review.spec.reviewer in (owner.user, owner.deputy) else Assurance.DELEGATE


def _said_at(review: MCPConnectionReview) -> datetime:
    if review.metadata.creation_timestamp is None:
        raise ValueError(f"{review.key} was never stored")
    return review.metadata.creation_timestamp
