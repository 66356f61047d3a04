"""`ports.OwnerSource` in memory: what an identity job would have written last."""

from collections.abc import Callable
from datetime import datetime

from leasehold.core.faults import Fault
from leasehold.core.owner_directory import OwnerDirectory, folded


class FakeOwners:
    """`active` are there, as of now or as of a time at which the job stopped; `fault` is raised while it is set."""

    def __init__(self, now: Callable[[], datetime], *active: str) -> None:
        self._now = now
        self.active = set(active)
        self.as_of: datetime | None = None
        self.fault: Fault | None = None

    async def read(self) -> OwnerDirectory:
        if self.fault is not None:
            raise self.fault
        return OwnerDirectory(self.as_of or self._now(), frozenset(map(folded, self.active)))
