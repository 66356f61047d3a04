"""What a connection takes over from others of the same agent to the same server: who creates one anew does not get
rid of what was said about the one before.

Until its first mint it carries their rejections and holds; and for 90 days after one ended that may have had a
credential, a person has to approve it before that mint."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from leasehold.api.connection import MCPConnection, ReviewRecord
from leasehold.api.exposure import AgentConnection, FormerConnection
from leasehold.api.hold import MAX_HOLDS, Hold, OnLift

LOOKED_AT_ANEW: Final = timedelta(days=90)
"""For how long after the end of a connection the next one needs an approval."""

Predecessor = AgentConnection | FormerConnection


def inherited(
    connection: MCPConnection, predecessors: Sequence[Predecessor], revocations: frozenset[str]
) -> MCPConnection:
    """The connection with what was left on its predecessors when it was created; `revocations` are the uids of
    those that are there.

    What somebody has approved since on one of them is not taken over."""
    created = connection.metadata.creation_timestamp
    if connection.status.last_generation or created is None or not predecessors:
        return connection
    approvals = [each.approved_time for each in predecessors if each.approved_time is not None]
    approved = max(approvals, default=None)
    rejection = _rejection(connection.status.rejection, predecessors, created, approved)
    holds = _holds(connection.status.holds, predecessors, created, approved, revocations)
    if (rejection, holds) == (connection.status.rejection, connection.status.holds):
        return connection
    status = connection.status.model_copy(update={"rejection": rejection, "holds": holds})
    return connection.model_copy(update={"status": status})


def _rejection(
    own: ReviewRecord | None,
    predecessors: Iterable[Predecessor],
    created: datetime,
    approved: datetime | None,
) -> ReviewRecord | None:
    standing = [
        each.rejection
        for each in predecessors
        if each.rejection is not None
        and each.rejection.time <= created
        and (approved is None or approved <= each.rejection.time)
    ]
    known = [*([own] if own is not None else []), *standing]
    return max(known, key=lambda record: (record.time, record.review), default=None)


def _holds(
    own: tuple[Hold, ...],
    predecessors: Iterable[Predecessor],
    created: datetime,
    approved: datetime | None,
    revocations: frozenset[str],
) -> tuple[Hold, ...]:
    found = {hold.uid: hold for hold in own}
    for each in predecessors:
        for hold in each.holds:
            if hold.since_time <= created and hold.uid not in found:
                taken = _taken_over(hold, created, revocations)
                if approved is None or taken.lifted_time is None or approved <= taken.lifted_time:
                    found[hold.uid] = taken
    return tuple(found.values())[:MAX_HOLDS]


def _taken_over(hold: Hold, created: datetime, revocations: frozenset[str]) -> Hold:
    """Without what became of the other's credential. The lift of a revocation that is gone nobody saw: an approval
    of the new connection has to come after its creation, so that counts as the lift."""
    about_the_other = {"residual_time": None, "without_end": False}
    if hold.lifted_time is not None or hold.uid in revocations:
        return hold.model_copy(update=about_the_other)
    unseen = {"lifted_time": created, "on_lift": OnLift.REQUIRE_REVIEW}
    return hold.model_copy(update=about_the_other | unseen)


def ended_lately(
    connection: MCPConnection, predecessors: Iterable[Predecessor], now: datetime
) -> FormerConnection | None:
    """The newest predecessor because of which a person has to approve the connection before its first mint; None
    where nobody has to, or somebody has."""
    status = connection.status
    if status.last_generation or status.approval is not None:
        return None
    ended = [
        each
        for each in predecessors
        if isinstance(each, FormerConnection)
        and each.last_generation != 0
        and now < each.ended_time + LOOKED_AT_ANEW
    ]
    return max(ended, key=lambda each: (each.ended_time, each.uid), default=None)
