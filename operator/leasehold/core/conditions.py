"""Looking conditions up by their type."""

from collections.abc import Iterable

from leasehold.api.base import Condition


def condition_of(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of that type; None: nobody has said anything of it."""
    return next((each for each in conditions if each.type == kind), None)
