"""What the election's lease says: one object in the operator's own namespace that names the replica that leads."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class LeaderClaim:
    """What a replica writes. An empty holder gives the lease up. The times are for people: nothing is decided
    by them."""

    holder: str
    lease_seconds: int
    acquired: datetime | None = None
    renewed: datetime | None = None
    transitions: int = 0
    audit_end: str = ""
    """The last audit record of whoever led last, as `core.audit_chain.end_text` writes it; empty where none."""


@dataclass(frozen=True)
class LeaderRecord:
    """A claim as it is stored: `uid` and `version` name exactly this state of it."""

    claim: LeaderClaim
    uid: str
    version: str
