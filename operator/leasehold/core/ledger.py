"""The ledger: every generation that may be alive, from before it is minted until it is proven dead.

Pure motions of its entries. An entry leaves the ledger in exactly one way: `without`, by whoever has the proof."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from leasehold.api.connection import MAX_LEDGER_ENTRIES, EntryState, LedgerEntry, MCPConnection
from leasehold.api.profile import CredentialType

Ledger = tuple[LedgerEntry, ...]


def current(ledger: Ledger) -> LedgerEntry | None:
    """The published generation."""
    return next((entry for entry in ledger if entry.state is EntryState.CURRENT), None)


def intents(ledger: Ledger) -> Ledger:
    """Generations of which nobody yet knows whether they were minted."""
    return tuple(entry for entry in ledger if entry.state is EntryState.INTENT)


def names(ledger: Ledger, entry: LedgerEntry) -> bool:
    """Whether a ledger holds this very mint, in whatever state, and not another one of its number; an accessor
    that was given back is left out."""
    return any(
        other.generation == entry.generation and (other.accessor == entry.accessor or not other.accessor)
        for other in ledger
    )


def is_full(ledger: Ledger) -> bool:
    """One place stays free, so that what is under way can always be recorded."""
    return len(ledger) >= MAX_LEDGER_ENTRIES - 1


def is_lost(connection: MCPConnection, finalizer: str) -> bool:
    """Our finalizer says that a ledger was written; the status says that there never was one."""
    return finalizer in connection.metadata.finalizers and connection.status.last_generation == 0


def is_gone(connection: MCPConnection, finalizer: str) -> bool:
    """Only other people's finalizers hold it, and nothing of ours is alive."""
    metadata = connection.metadata
    return (
        metadata.deletion_timestamp is not None
        and finalizer not in metadata.finalizers
        and not connection.status.ledger
    )


def with_entry(ledger: Ledger, entry: LedgerEntry) -> Ledger:
    """The ledger with this generation added or replaced, in order."""
    others = [other for other in ledger if other.generation != entry.generation]
    return tuple(sorted([*others, entry], key=lambda each: each.generation))


def without(ledger: Ledger, generations: Iterable[int]) -> Ledger:
    """The ledger without generations that are proven dead (or given up, which is audited)."""
    gone = set(generations)
    return tuple(entry for entry in ledger if entry.generation not in gone)


def published(ledger: Ledger, entry: LedgerEntry, now: datetime, overlap: timedelta) -> Ledger:
    """`entry` becomes Current; its predecessor retires and works for the overlap at the most."""
    motions: Ledger = ledger
    for other in ledger:
        if other.state is EntryState.CURRENT and other.generation != entry.generation:
            end = now + overlap if other.expiry_time is None else min(now + overlap, other.expiry_time)
            motions = with_entry(
                motions, other.model_copy(update={"state": EntryState.RETIRING, "end_time": end})
            )
    return with_entry(motions, entry.model_copy(update={"state": EntryState.CURRENT}))


def exposed_until(ledger: Ledger) -> datetime | None:
    """Until when something in the ledger may still work; None: nothing, or nobody can say (Static)."""
    ends = [entry.expiry_time for entry in ledger if entry.expiry_time is not None]
    return max(ends, default=None)


def only_runs_out(entry: LedgerEntry) -> bool:
    """Nobody can revoke it; its end is its expiry."""
    return entry.type is CredentialType.EXPIRING and entry.state is not EntryState.INTENT


def cannot_end(entry: LedgerEntry) -> bool:
    """Nobody can revoke it and it does not run out."""
    return entry.type is CredentialType.STATIC and entry.state is not EntryState.INTENT
