"""What befalls an operator, or its requests, while it carries a revocation out."""

import asyncio
import re
import threading
from dataclasses import dataclass

from crash.nursery import OperatorProcess
from crash.proxy import VAULT, Cut, Exchange, Reply


@dataclass(frozen=True)
class Spot:
    """The nth request of a kind, before it arrives or after it was answered."""

    name: str
    method: str
    path: str
    nth: int
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.name} {self.nth}"


class Ambush:
    """Kills the operator at one spot; it may be laid before the operator is born. Once it is sprung, the lane has
    to rest before the next operator."""

    def __init__(self, spot: Spot) -> None:
        self.over = threading.Event()
        self._spot = spot
        self._seen = 0
        self._chosen: Exchange | None = None
        self._victim: OperatorProcess | None = None

    def aim(self, victim: OperatorProcess) -> None:
        """This is the one."""
        self._victim = victim

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        spot = self._spot
        if exchange.method == spot.method and re.search(spot.path, exchange.path):
            self._seen += 1
            if self._seen == spot.nth:
                self._chosen = exchange
                if not spot.after:
                    await self._strike()
            elif self._seen > spot.nth and not spot.after:
                raise Cut  # a kill takes a moment, and nothing of the kind arrives in that
        return None

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if exchange is self._chosen:
            await self._strike()
        return None

    async def _strike(self) -> None:
        assert self._victim is not None
        await asyncio.to_thread(self._victim.kill)
        self.over.set()
        raise Cut


class Slowness:
    """Vault takes its time over every request."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        if exchange.server == VAULT:
            await asyncio.sleep(self._seconds)
        return None

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        return None


class Lookout:
    """Counts the mints that leave for Vault."""

    def __init__(self) -> None:
        self.left = 0

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        self.left += exchange.server == VAULT and "/creds/" in exchange.path
        return None

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        return None
