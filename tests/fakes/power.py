"""A process that ends in the middle of anything: its ports let a given number of calls through, and from then on
nothing it does reaches the world."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from leasehold.engine.runtime import Engine
from leasehold.ports import Cluster, Vault


class PowerFailure(BaseException):
    """Not an Exception: nothing that the engine catches, as nothing catches a SIGKILL."""


@dataclass
class Power:
    """Fails at the `fails_at`-th call (counted from 1), before it reaches the world or after it has."""

    fails_at: int | None = None
    after: bool = False
    calls: list[str] = field(default_factory=list)
    counting: bool = True
    failed: asyncio.Event = field(default_factory=asyncio.Event)

    def cluster(self, behind: Cluster) -> Cluster:
        """The cluster as this process reaches it."""
        return cast(Cluster, _Line(self, behind))

    def vault(self, behind: Vault) -> Vault:
        """The Vault as this process reaches it."""
        return cast(Vault, _Line(self, behind))

    async def carry(self, method: str, call: Callable[[], Any]) -> Any:
        """One call, if there is power for it."""
        if self.failed.is_set():
            raise PowerFailure
        last = False
        if self.counting:
            self.calls.append(method)
            last = len(self.calls) == self.fails_at
        if last and not self.after:
            self.failed.set()
            raise PowerFailure
        answer = await call()
        if last:
            self.failed.set()
        if self.failed.is_set():
            raise PowerFailure
        return answer


@dataclass
class Pause(Power):
    """The process is stopped there, as by SIGSTOP, and goes on where it was once it is `woken`."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, method: str, call: Callable[[], Any]) -> Any:
        """One call; it waits while the process is stopped, before it leaves or with its answer."""
        await self._go_on()
        last = False
        if self.counting:
            self.calls.append(method)
            last = len(self.calls) == self.fails_at
        if last and not self.after:
            self.failed.set()
            await self._go_on()
        try:
            return await call()
        finally:
            if last:
                self.failed.set()
            await self._go_on()

    async def _go_on(self) -> None:
        if self.failed.is_set():
            await self.woken.wait()


class _Line:
    def __init__(self, power: Power, behind: Any) -> None:
        self._power, self._behind = power, behind

    def __getattr__(self, method: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._power.carry(method, lambda: getattr(self._behind, method)(*args, **kwargs))

        return call


async def bury(engine: Engine, power: Power) -> None:
    """What is left of a process without power: nothing. Its tasks end without another word to the world."""
    power.failed.set()
    asyncio.get_running_loop().set_exception_handler(_without_obituaries)
    await engine.stop(0)


def _without_obituaries(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncio tells of every task whose exception nobody asked for; here all of them end by one."""
    if not isinstance(context.get("exception"), PowerFailure):
        loop.default_exception_handler(context)
