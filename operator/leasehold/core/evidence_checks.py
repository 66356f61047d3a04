"""What there is to ask about a connection as it stands. Each check is named for what it finds, and says since when
and why."""

from collections.abc import Callable

from leasehold.api.connection import MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.core.conditions import condition_of
from leasehold.core.evidence_times import told
from leasehold.core.questions import nobody_has_reviewed, owner_is_no_person

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


def owner_has_left(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """Nobody who is there answers for it, and there is time yet."""
    owner = connection.status.owner
    if owner is None or owner.left_since is None or owner.orphaned_since is not None:
        return None
    end = f"it ends at {told(owner.deadline_time)}"
    return told(owner.left_since), f"who answered for it has left, and nobody has taken it over: {end}"


def is_orphaned(connection: MCPConnection, _now: str) -> tuple[str | None, str] | None:
    """Nobody took it over in time."""
    owner = connection.status.owner
    if owner is None or owner.orphaned_since is None:
        return None
    left = f"; whoever answered for it left by {told(owner.left_since)}" if owner.left_since else ""
    return told(owner.orphaned_since), f"it belongs to nobody, and ended for that{left}"


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
