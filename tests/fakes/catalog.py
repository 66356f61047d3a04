"""`ports.Catalog` in memory: servers that expose what a test says, or fail as it says."""

import asyncio

from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, TryLater
from leasehold.core.probe import Probed, ProbeTarget
from leasehold.core.surface import Identity, Surface


class FakeCatalog:
    """Servers by their URL; whoever is not there is unreachable."""

    def __init__(self) -> None:
        self.servers: dict[str, Surface] = {}
        self.issuers: dict[str, str] = {}
        self.faults: dict[str, Fault] = {}
        self.seconds: dict[str, float] = {}
        """How long a server takes to answer."""
        self.asked: list[ProbeTarget] = []

    async def probe(self, target: ProbeTarget) -> Probed:
        self.asked.append(target)
        await asyncio.sleep(self.seconds.get(target.url, 0.0))
        if target.url in self.faults:
            raise self.faults[target.url]
        surface = self.servers.get(target.url)
        if surface is None:
            raise TryLater(Reason.UNREACHABLE, "The server cannot be reached.")
        origin = "/".join(target.url.split("/")[:3])
        issuer = self.issuers.get(target.url, "Example CA") if origin.startswith("https:") else None
        return Probed(surface, Identity(origin, issuer))
