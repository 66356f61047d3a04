"""What one pass over a connection is going to do."""

from dataclasses import dataclass

from leasehold.api.connection import LedgerEntry
from leasehold.api.reasons import Reason
from leasehold.core.checks import Finding


@dataclass(frozen=True)
class Ending:
    """One generation to be ended now and proven dead."""

    entry: LedgerEntry
    reason: Reason


@dataclass(frozen=True)
class Plan:
    """An ordered piece of work: recover, adopt, end, mint, annotate, delete the Secret."""

    finding: Finding
    recover: bool = False
    abandon: str | None = None
    adoptions: tuple[LedgerEntry, ...] = ()
    """Open intents whose Secret was written: Current, and their mint is known to be over."""
    endings: tuple[Ending, ...] = ()
    mint: Reason | None = None
    annotate: bool = False
    delete_secret: bool = False
