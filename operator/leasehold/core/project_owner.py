"""What a connection's OwnerActive condition says: whether who answers for it is there, and what becomes of it."""

from leasehold.api.base import ConditionStatus, rfc3339
from leasehold.api.connection import OwnerRecord
from leasehold.api.reasons import Reason
from leasehold.core.observation import Observation

Verdict = tuple[ConditionStatus, Reason, str]

NOBODY_ENDS = "no connection ends because its owner has left"


def owner_active(o: Observation) -> Verdict:
    """The OwnerActive condition."""
    record = o.owner
    if record is not None and record.orphaned_since is not None:
        since = f"Orphaned since {rfc3339(record.orphaned_since)}"
        return ConditionStatus.FALSE, Reason.ORPHANED, f"{_who(record)} has left; {since}, until {_a_word(o)}"
    doubt = o.owner_look.doubt if o.owner_look is not None else None
    if o.owner_look is None or doubt is not None:
        before = next((each for each in o.connection.status.conditions if each.type == "OwnerActive"), None)
        if doubt is None and before is not None:
            return before.status, before.reason, before.message
        if doubt is None:
            return ConditionStatus.UNKNOWN, Reason.NO_OWNER_DIRECTORY, "the owner directory was not read yet"
        left = f"; {_who(record)} was found gone before" if record and record.left_since else ""
        return ConditionStatus.UNKNOWN, doubt.reason, f"{doubt.message}{left}; meanwhile {NOBODY_ENDS}"
    if record is not None and record.deadline_time is not None:
        end = f"it becomes Orphaned at {rfc3339(record.deadline_time)} unless {_a_word(o)} before"
        return ConditionStatus.FALSE, Reason.OWNER_LEFT, f"{_who(record)} has left; {end}"
    if record is not None:
        return (
            ConditionStatus.FALSE,
            Reason.DEPUTY_ANSWERS,
            "the owner has left, and the deputy, who is there, has approved it since and answers for it",
        )
    return ConditionStatus.TRUE, Reason.OWNER_LISTED, "the owner directory has its owner as active"


def _who(record: OwnerRecord) -> str:
    return "the owner" if record.answering == record.owner else "the deputy, who answered for it,"


def _a_word(o: Observation) -> str:
    deputy, record = o.connection.spec.owner.deputy, o.owner
    if deputy is None or (record is not None and record.answering == deputy):
        return "spec.owner names somebody else"
    return f"its deputy {deputy} approves it or spec.owner.user names somebody else"
