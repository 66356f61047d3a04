"""`ports.Usage` in memory: what somebody who sees the traffic would tell."""

from collections.abc import Mapping

from leasehold.core.faults import Fault


class FakeUsage:
    """`told` is when each connection was used last; `fault` is raised as long as it is set."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}
        self.fault: Fault | None = None
        self.asked = 0

    async def last_uses(self) -> Mapping[str, float]:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return dict(self.told)
