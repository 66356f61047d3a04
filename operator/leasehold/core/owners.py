"""Whether the person who answers for a connection is still there, as the owner directory tells it.

Only a directory that is fresh, whole and believable says that somebody has left. Anything else is a doubt: it
starts nothing, ends nothing, and takes nothing back. A leaver starts a deadline, which is on record from the start.
What became Orphaned stays so until the deputy approves the connection, or somebody else is its owner."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from leasehold.api.base import whole_seconds
from leasehold.api.connection import MCPConnection, OwnerRecord
from leasehold.api.reasons import Reason
from leasehold.core import deadlines
from leasehold.core.owner_directory import OwnerDirectory, folded
from leasehold.core.use import CLOCK_SKEW

FEW: Final = 2
"""So many leavers at once are believed, in however small a fleet."""


@dataclass(frozen=True)
class Doubt:
    """Why the owner directory is not believed. The message says nothing that changes from look to look."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class OwnerLook:
    """What the owner directory says of a connection's people; with a doubt, nothing."""

    at: datetime
    grace: timedelta
    """How long a connection goes on once its owner has left."""
    doubt: Doubt | None = None
    active: frozenset[str] = frozenset()
    """Those of its people who are active, folded."""

    def is_there(self, user: str) -> bool | None:
        """None: nobody can say."""
        return None if self.doubt is not None else folded(user) in self.active


def answering(connection: MCPConnection, record: OwnerRecord | None) -> str:
    """Who answers for it: the owner, or the deputy who approved it after the owner had left."""
    return connection.spec.owner.user if record is None else record.answering


def doubt_about(directory: OwnerDirectory, now: datetime, oldest: timedelta) -> Doubt | None:
    """Whether its time is one at which it can be believed."""
    if directory.as_of > now + CLOCK_SKEW:
        return Doubt(Reason.UNREADABLE_OWNER_DIRECTORY, "asOf lies in the future: whoever writes it is wrong")
    if now - directory.as_of > oldest:
        hours = oldest / timedelta(hours=1)
        return Doubt(
            Reason.STALE_OWNER_DIRECTORY,
            f"it is as of {directory.as_of:%Y-%m-%dT%H:%M:%SZ}, and older than the {hours:g} hours for which it "
            "is believed: see to the job that writes it",
        )
    return None


def is_mass_leave(people: Collection[str], directory: OwnerDirectory) -> bool:
    """Whether more than half of these are missing, or everybody is: then it is the list that is wrong."""
    missing = sum(1 for each in people if each not in directory.active)
    return not directory.active or missing > max(FEW, len(people) / 2)


def owner_now(connection: MCPConnection, look: OwnerLook | None) -> OwnerRecord | None:
    """What is on record of who answers for it, with what the look has brought; applied twice, it is the same as
    once. None: its owner does, and nobody has found them gone."""
    record = _stood_up_for(connection, _about_its_people(connection))
    there = None if look is None else look.is_there(answering(connection, record))
    if look is None or there is None:
        return record
    owner = connection.spec.owner.user
    if there or (record is not None and look.is_there(owner)):
        return _returned(connection, record, look)
    if record is None or record.left_since is None:
        left = whole_seconds(look.at)
        return OwnerRecord(
            owner=owner,
            answering=answering(connection, record),
            left_since=left,
            deadline_time=left + look.grace,
        )
    end = deadlines.owner_end(record)
    if end is not None and look.at >= end:
        return record.model_copy(update={"orphaned_since": end})
    return record


def _about_its_people(connection: MCPConnection) -> OwnerRecord | None:
    """A new owner begins anew, and so does an owner whose deputy answered and is deputy no more."""
    record, owner = connection.status.owner, connection.spec.owner
    if record is None or folded(record.owner) != folded(owner.user):
        return None
    if record.orphaned_since is None and record.answering not in (record.owner, owner.deputy):
        return None
    return record


def _stood_up_for(connection: MCPConnection, record: OwnerRecord | None) -> OwnerRecord | None:
    """By a deputy who has approved it since."""
    approval, deputy = connection.status.approval, connection.spec.owner.deputy
    if record is None or record.left_since is None or approval is None or deputy is None:
        return record
    if approval.time < record.left_since or approval.reviewer != deputy or deputy == record.answering:
        return record
    return OwnerRecord(owner=record.owner, answering=deputy)


def _returned(connection: MCPConnection, record: OwnerRecord | None, look: OwnerLook) -> OwnerRecord | None:
    """The owner, or who answers, is there. What is Orphaned needs the word of one of them, too."""
    if record is None or (
        record.orphaned_since is not None and not _approved_since(connection, record, look)
    ):
        return record
    if look.is_there(record.owner):
        return None
    return OwnerRecord(owner=record.owner, answering=record.answering)


def _approved_since(connection: MCPConnection, record: OwnerRecord, look: OwnerLook) -> bool:
    approval, since = connection.status.approval, record.orphaned_since
    return (
        approval is not None
        and since is not None
        and approval.time >= since
        and approval.reviewer in (record.owner, record.answering)
        and look.is_there(approval.reviewer) is True
    )
