"""How far one connection is under a revocation: from its own ledger and holds, and from what this process has seen
at the store ahead of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.names import FINALIZER
from leasehold.api.reasons import Reason
from leasehold.core import ledger
from leasehold.core.revocations import has_no_room

ACCEPTED = frozenset({Reason.REVOCATION_PENDING, Reason.IRREVOCABLE})
"""A pass that stopped with these had its revocation accepted; the death is what is waited for."""


@dataclass(frozen=True)
class Seen:
    """What the store has answered to this process, and is in no ledger yet."""

    is_struck: Callable[[LedgerEntry], bool]
    is_dead: Callable[[LedgerEntry], bool]
    has_no_secret: Callable[[MCPConnection], bool]
    is_surveyed: Callable[[MCPConnection, str], bool]
    """By a revocation's uid."""


@dataclass(frozen=True)
class Standing:
    """How far one connection is."""

    connection: MCPConnection
    is_lost: bool
    """Its ledger is lost, so that nobody knows what is alive."""
    is_held: bool
    is_known: bool
    """Its ledger names everything that was or will be minted."""
    alive: tuple[LedgerEntry, ...]
    is_revoked: bool
    has_no_secret: bool
    without_end: bool
    until: datetime | None
    """Until when something of it may work; None: nothing, or nobody can say."""

    @property
    def is_ended(self) -> bool:
        """Nothing is left that could be revoked, and no mint under way can add anything."""
        return self.is_held and not self.is_lost and all(ledger.only_runs_out(entry) for entry in self.alive)

    @property
    def is_verified(self) -> bool:
        """Everything is dead."""
        return self.is_known and not self.alive and not self.without_end

    @property
    def is_failing(self) -> bool:
        """Something could not be ended so far."""
        backoff = self.connection.status.backoff
        waits = backoff is not None and any(not ledger.only_runs_out(entry) for entry in self.alive)
        return waits or self.is_lost


def standing_of(connection: MCPConnection, uid: str, seen: Seen, now: datetime) -> Standing:
    """How far a connection is under the revocation with this uid."""
    status = connection.status
    alive = tuple(entry for entry in status.ledger if not seen.is_dead(entry))
    hold = next((hold for hold in status.holds if hold.uid == uid), None)
    surveyed = seen.is_surveyed(connection, uid)
    # without a hold of its own nothing tells what was let go since it began, so all that was let go counts
    told = (hold,) if hold else status.holds if has_no_room(connection) else ()
    times = [entry.expiry_time for entry in alive]
    times += [status.revoked_certificate_until, *(each.residual_time for each in told)]
    ends = [time for time in times if time is not None and time > now]
    is_lost = ledger.is_lost(connection, FINALIZER)
    is_held = (
        hold is not None
        or status.last_generation == 0
        or ledger.is_gone(connection, FINALIZER)
        or (has_no_room(connection) and surveyed)
    )
    return Standing(
        connection=connection,
        is_lost=is_lost,
        is_held=is_held,
        is_known=not is_lost and (is_held or surveyed),
        alive=alive,
        is_revoked=not is_lost and all(_is_accepted(connection, entry, seen) for entry in alive),
        has_no_secret=not is_lost and not ledger.intents(alive) and seen.has_no_secret(connection),
        without_end=is_lost or any(each.without_end for each in told) or any(map(ledger.cannot_end, alive)),
        until=max(ends, default=None),
    )


def _is_accepted(connection: MCPConnection, entry: LedgerEntry, seen: Seen) -> bool:
    if ledger.only_runs_out(entry) or seen.is_struck(entry):
        return True
    backoff = connection.status.backoff
    going = entry.state in (EntryState.REVOKING, EntryState.IRREVOCABLE)
    return going and backoff is not None and backoff.reason in ACCEPTED
