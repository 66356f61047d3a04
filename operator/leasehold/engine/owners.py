"""Keeps what the owner directory says, and whether it can be believed: read anew every minute, beside all passes.

A directory that cannot be read is no directory any more: what it said before is not used."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog

from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault
from leasehold.core.owner_directory import OwnerDirectory, folded
from leasehold.core.owners import Doubt, OwnerLook, answering, doubt_about, is_mass_leave
from leasehold.ports import Clock, Metrics, OwnerSource

READ_SECONDS: Final = 60
"""How often it is looked at whether there is a new one."""

NOT_SET_UP: Final = Doubt(
    Reason.NO_OWNER_DIRECTORY,
    "there is no owner directory (LEASEHOLD_OWNER_DIRECTORY_FILE), so nobody can say whether the owner is there",
)
TOO_MANY: Final = Doubt(
    Reason.SUSPECT_OWNER_DIRECTORY,
    "the owner directory lacks more than half of all owners, or everybody: that is taken for a mistake of the job "
    "that writes it, until it has them again or most of their connections have other owners",
)
BROKEN: Final = Doubt(Reason.UNREADABLE_OWNER_DIRECTORY, "the owner directory could not be read; see the log")

log = structlog.get_logger(__name__)


class OwnerBook:
    """The newest owner directory, or why there is none."""

    def __init__(
        self,
        source: OwnerSource | None,
        clock: Clock,
        metrics: Metrics,
        fleet: Callable[[], Iterable[MCPConnection]],
        period: timedelta,
        oldest: timedelta,
        grace: timedelta,
    ) -> None:
        self._source = source
        self._clock = clock
        self._metrics = metrics
        self._fleet = fleet
        self._period = min(period, timedelta(seconds=READ_SECONDS))
        self._oldest = oldest
        self._grace = grace
        self._active: frozenset[str] = frozenset()
        self._doubt: Doubt | None = NOT_SET_UP
        self._is_known = source is None

    def look(self, connection: MCPConnection, now: datetime) -> OwnerLook | None:
        """What it says of a connection's people; None: it was not read yet."""
        if not self._is_known:
            return None
        owner, record = connection.spec.owner, connection.status.owner
        people = {folded(each) for each in (owner.user, owner.deputy, answering(connection, record)) if each}
        there = frozenset(people & self._active) if self._doubt is None else frozenset()
        return OwnerLook(now, self._grace, self._doubt, there)

    async def read_for_ever(self) -> None:
        """Read it again and again, beside all passes."""
        while self._source is not None:
            await asyncio.sleep(self._period.total_seconds())
            await self.read()

    async def read(self) -> None:
        """Read it once, and keep what it says, or why it is not believed."""
        now = self._clock.now()
        if self._source is None or now is None:
            return
        before = self._doubt if self._is_known else None
        try:
            directory = await self._source.read()
            self._active, self._doubt = directory.active, self._doubt_about(directory, now)
        except Fault as fault:
            self._active, self._doubt = frozenset(), Doubt(fault.reason, fault.message)
        except Exception:
            log.exception("the owner directory could not be read")
            self._active, self._doubt = frozenset(), BROKEN
        self._is_known = True
        self._metrics.owner_directory_read("ok" if self._doubt is None else self._doubt.reason.value)
        if self._doubt is not None:
            log.warning(
                "the owner directory is not believed", reason=self._doubt.reason, why=self._doubt.message
            )
        elif before is not None:
            log.info("the owner directory is believed again")

    def _doubt_about(self, directory: OwnerDirectory, now: datetime) -> Doubt | None:
        people = {folded(each) for each in _answering(self._fleet())}
        missing = len(people - directory.active)
        self._metrics.owners(len(people) - missing, missing, directory.as_of)
        if (doubt := doubt_about(directory, now, self._oldest)) is not None:
            return doubt
        if is_mass_leave(people, directory):
            log.warning("the owner directory lacks too many", missing=missing, owners=len(people))
            return TOO_MANY
        return None


def _answering(fleet: Iterable[MCPConnection]) -> Iterable[str]:
    """Whose absence would end anything that has not ended by it already."""
    for connection in fleet:
        record = connection.status.owner
        if record is None or record.orphaned_since is None:
            yield answering(connection, record)
