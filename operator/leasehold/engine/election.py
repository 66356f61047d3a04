"""Which replica leads: what one of them may believe, from what it saw and when. Pure: no I/O, no clock, no thread.

Every claim is a compare-and-swap on one lease, and no two wall clocks are ever compared. Three rules make two
leaders impossible, as long as clocks run at about the same speed:

- A lease is free when it was given up, or when *this* replica has seen it unchanged for all of its duration.
- A leader counts from before it *sent* its last claim that was answered, and no longer than the renew deadline,
  which is two thirds of the duration: it has stopped believing before anybody else may begin to.
- An answer that did not come proves nothing: the lease is read again, and only another answered claim counts.

A leader that has lost the lease never leads again: what it believes of the world may be old."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from leasehold.core.leader import LeaderClaim, LeaderRecord

TICK = timedelta(microseconds=1)
"""The resolution of a lease's times. A write that changes nothing is not stored, so nobody would see it."""


@dataclass(frozen=True)
class Timing:
    """How long a silent leader keeps the lease, and what follows from that."""

    lease_seconds: int = 15

    @property
    def renew_deadline_seconds(self) -> float:
        """For so long after a claim its sender leads."""
        return self.lease_seconds * 2 / 3

    @property
    def retry_seconds(self) -> float:
        """Between two looks, and between two renewals."""
        return self.lease_seconds * 2 / 15


class Election:
    """One replica's view. Times are seconds of one clock that never goes back and goes on in a paused process.

    One thread at a time may change it; `leads` may be asked from any."""

    def __init__(self, identity: str, timing: Timing) -> None:
        self.identity = identity
        self.timing = timing
        self.record: LeaderRecord | None = None
        self._seen: str | None = None
        self._seen_since = 0.0
        self._certain = False
        self._leads_until: float | None = None
        self._over: str | None = None

    def leads(self, now: float) -> bool:
        """Whether this replica leads at this moment; it turns false by itself."""
        until = self._leads_until
        return self._over is None and until is not None and now < until

    def lost(self, now: float) -> str | None:
        """Why the lead that it had is lost; None where it leads, or never did."""
        if self._over is None and self._leads_until is not None and now >= self._leads_until:
            self._over = f"the lease could not be renewed for {self.timing.renew_deadline_seconds:g} s"
        return self._over

    def remaining(self, now: float) -> float | None:
        """Seconds until the lead ends unless it is renewed; None for a candidate."""
        return None if self._leads_until is None else max(self._leads_until - now, 0.0)

    @property
    def holder(self) -> str:
        """Whom the lease named when it was last seen; empty where it named nobody."""
        return self.record.claim.holder if self.record is not None else ""

    @property
    def audit_end(self) -> str:
        """Of whoever led before, until this replica says what its own is."""
        return self.record.claim.audit_end if self.record is not None else ""

    @property
    def must_look(self) -> bool:
        """Whether the lease has to be read before the next claim."""
        return not self._certain or self._leads_until is None

    def saw(self, record: LeaderRecord | None, now: float) -> None:
        """A read was answered; `now` is when the answer was there, never when the question was asked."""
        version = record.version if record is not None else ""
        if self._seen is None and record is None:
            self._seen_since = now - self.timing.lease_seconds  # there never was one: nobody to wait for
        elif version != self._seen:
            self._seen_since = now
        self._seen = version
        self.record = record
        self._certain = True
        if self._leads_until is not None and self.holder not in ("", self.identity):
            self._over = self._over or f"{self.holder} has taken the lease"

    def claim(self, now: float, moment: datetime) -> LeaderClaim | None:
        """What to write over the record that was seen; None where the lease is somebody else's, or over."""
        if self.lost(now) is not None or not self._certain or not self._is_free(now):
            return None
        return self._signed(self.identity, moment)

    def won(self, record: LeaderRecord, sent: float, now: float) -> None:
        """A claim was answered: it is stored. `sent` is a time before it left."""
        self.record = record
        self._seen, self._seen_since, self._certain = record.version, now, True
        until = sent + self.timing.renew_deadline_seconds
        if self.lost(now) is None and now < until:
            self._leads_until = until

    def doubt(self) -> None:
        """A request was refused, or not answered: nothing is known about the lease."""
        self._certain = False

    def resign(self) -> None:
        """Lead no more, from now on."""
        self._over = self._over or "it was given up"

    def farewell(self, moment: datetime) -> LeaderClaim | None:
        """What to write, after `resign`, so that nobody has to wait; None where the lease is not this one's."""
        if not self._certain or self.holder != self.identity:
            return None
        return self._signed("", moment)

    def _is_free(self, now: float) -> bool:
        if self.record is None and self._leads_until is not None:
            return True  # somebody deleted it, and whoever creates it first has won
        if self.record is not None and self.holder in ("", self.identity):
            return True
        promised = self.record.claim.lease_seconds if self.record is not None else 0
        return now - self._seen_since >= (promised or self.timing.lease_seconds)

    def _signed(self, holder: str, moment: datetime) -> LeaderClaim:
        before = self.record.claim if self.record is not None else LeaderClaim("", 0)
        renewed = moment if before.renewed is None else max(moment, before.renewed + TICK)
        return LeaderClaim(
            holder=holder,
            lease_seconds=self.timing.lease_seconds,
            acquired=before.acquired if holder in ("", before.holder) else renewed,
            renewed=renewed,
            transitions=before.transitions + (holder not in ("", before.holder)),
            audit_end=before.audit_end,
        )
