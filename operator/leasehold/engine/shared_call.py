"""One request for all who wait: whoever asks gets the answer to a call that *began after* they asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedCall(Generic[T]):
    """Single flight with the begun-after rule: at most one call is under way, and one more is waited for."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """The result of a call begun after this moment; its fault is everybody's fault."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
            self._next.add_done_callback(_look_at_fault)
        return await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Task[T] | None) -> T:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await self._call()


def _look_at_fault(task: asyncio.Task[T]) -> None:
    """Where all who waited were cancelled, asyncio would complain of a fault that nobody asked for."""
    if not task.cancelled():
        task.exception()
