"""Times as evidence has them: RFC 3339 in UTC, which order as texts do."""

from datetime import datetime

from leasehold.api.base import rfc3339


def told(moment: datetime | None) -> str | None:
    """As a table has it."""
    return None if moment is None else rfc3339(moment)


def seconds_between(begin: str | None, end: str | None) -> int | None:
    """Whole seconds, where both are known."""
    if begin is None or end is None:
        return None
    try:
        return int((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds())
    except ValueError:  # a record may say the 99th of a month
        return None
