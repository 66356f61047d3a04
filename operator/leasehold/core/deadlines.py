"""When things end or are due: all derived from stored server times, so that every restart agrees."""

from datetime import datetime, timedelta
from hashlib import sha256

from leasehold.api.connection import LedgerEntry, MCPConnection, OwnerRecord, UseRecord
from leasehold.api.profile import CredentialRecipe

REVIEW_WINDOW = timedelta(days=14)
IDLE_WINDOW = timedelta(days=14)
"""How long before it becomes Idle an unused connection says so; a quarter of `idleSeconds` where that is less."""
STANDING_CHECK_PERIOD = timedelta(hours=1)
REPAIR_PERIOD = timedelta(minutes=5)
"""A Secret that is damaged, or a credential that is gone, again and again is replaced no more often."""
MINT_SETTLE_MARGIN = timedelta(seconds=5)


def jitter(seed: str) -> float:
    """A number in [0, 1) that is always the same for the same seed."""
    return int.from_bytes(sha256(seed.encode()).digest()[:8]) / 2**64


def lease_end(connection: MCPConnection) -> datetime | None:
    """The end of the lease: the newest approval (else the creation) plus its duration. None before the object was
    created."""
    begin = _lease_begin(connection)
    return begin + timedelta(seconds=connection.spec.lease_duration_seconds) if begin else None


def _lease_begin(connection: MCPConnection) -> datetime | None:
    approval = connection.status.approval
    return approval.time if approval is not None else connection.metadata.creation_timestamp


def review_due(connection: MCPConnection) -> datetime | None:
    """From when on a review is owed."""
    end = lease_end(connection)
    return max(end - REVIEW_WINDOW, _lease_begin(connection) or end) if end else None


def idle_end(connection: MCPConnection, use: UseRecord | None) -> datetime | None:
    """When it becomes Idle: `idleSeconds` after its last use, but not before it was watched for so long, nor before
    its newest approval (else its creation) is so old. None while nobody watches, and where it is Idle already."""
    if use is None or use.observed_since is None or use.idle_since is not None:
        return None
    moments = (use.last_used_time, use.observed_since, _lease_begin(connection))
    begin = max(moment for moment in moments if moment is not None)
    return begin + timedelta(seconds=connection.spec.idle_seconds)


def idle_warning(connection: MCPConnection, use: UseRecord | None) -> datetime | None:
    """From when on it is said that it becomes Idle."""
    end = idle_end(connection, use)
    return end - min(IDLE_WINDOW, timedelta(seconds=connection.spec.idle_seconds) / 4) if end else None


def owner_end(owner: OwnerRecord | None) -> datetime | None:
    """When it becomes Orphaned, as was decided when its owner was first found gone. None while nobody has left, and
    where it is Orphaned already."""
    return None if owner is None or owner.orphaned_since is not None else owner.deadline_time


def rotation_due(connection: MCPConnection, entry: LedgerEntry, recipe: CredentialRecipe) -> datetime | None:
    """2/3 of the credential's life, less up to 10 % of it by the connection's UID and generation.

    Life ends at `ttlSeconds` or at the credential's own expiry, whichever is first.
    """
    if entry.issued_time is None:
        return None
    end = entry.issued_time + timedelta(seconds=recipe.ttl_seconds)
    if entry.expiry_time is not None:
        end = min(end, entry.expiry_time)
    life = end - entry.issued_time
    return entry.issued_time + life * (2 / 3 - jitter(f"{connection.metadata.uid}/{entry.generation}") / 10)
