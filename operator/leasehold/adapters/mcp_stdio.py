"""A server that is a command: started for one capture on a person's own machine, asked over its standard streams,
and ended. The operator never does this.

One line is one message. There is no status to tell eras apart by, and old servers may not answer what they do not
know, or die of it: so silence is an answer here, and one that died is started again."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from leasehold.adapters.mcp_eras import INITIALIZED, WrongEra, discover, enveloped, initialize
from leasehold.adapters.mcp_limits import Budget, ProbeLimits, too_large
from leasehold.adapters.mcp_listing import read_surface
from leasehold.adapters.mcp_messages import (
    Opening,
    is_request,
    is_response,
    message_of,
    reply,
    request,
    result_of,
    words_of,
)
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson, TryLater
from leasehold.core.probe import Probed
from leasehold.core.surface import STDIO_ORIGIN, Identity, Surface
from leasehold.core.wire_json import JsonObject

PIECE_BYTES: Final = 1 << 16
TAIL_BYTES: Final = 2048
DISCOVERY_SECONDS: Final = 10.0
"""How long a command may take to start and to know `server/discover`."""
EXIT_SECONDS: Final = (0.5, 2.0, 2.0)
"""How long it may take to end after its input did, after SIGTERM and after SIGKILL."""


class _Ended(Exception):
    """The command ended its output."""


class _DiedOfDiscovery(Exception):
    """It ended when it was asked for what it does not know."""


class Pipe:
    """The standard streams of a running command."""

    def __init__(self, process: asyncio.subprocess.Process, budget: Budget) -> None:
        assert process.stdin is not None  # noqa: S101  both are pipes
        assert process.stdout is not None  # noqa: S101
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._budget = budget
        self._rest = bytearray()
        self._last_id = 0
        self.stateless = False

    async def call(self, method: str, params: JsonObject) -> JsonObject:
        """One request."""
        self._last_id += 1
        sent = self._last_id
        await self.tell(request(sent, method, enveloped(params) if self.stateless else params))
        while True:
            told = message_of(await self._line())
            self._budget.hear()
            if is_response(told) and not self._is_late(told):
                return result_of(told, sent, method)
            if is_request(told):
                await self.tell(reply(told))

    async def tell(self, message: JsonObject) -> None:
        """Write one message."""
        self._budget.send()
        self._stdin.write(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        try:
            await self._stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _Ended from error

    def _is_late(self, told: JsonObject) -> bool:
        answered = told.get("id")
        return type(answered) is int and 0 < answered < self._last_id

    async def _line(self) -> bytes:
        limit, searched = self._budget.limits.body_bytes, 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            if searched > limit:
                raise too_large(f"one line of its output is larger than {limit} bytes")
            piece = await self._stdout.read(PIECE_BYTES)
            if not piece:
                raise _Ended
            self._budget.receive(len(piece))
            self._rest += piece
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line


async def capture(command: Sequence[str], limits: ProbeLimits | None = None) -> Probed:
    """The surface of a server that is started by this command. Raises faults."""
    limits = limits or ProbeLimits()
    try:
        async with asyncio.timeout(limits.seconds):
            surface = await _read(command, Budget(limits))
    except TimeoutError:
        raise TryLater(
            Reason.TIMEOUT, f"The command was not read to its end within {limits.seconds:g} s."
        ) from None
    return Probed(surface, Identity(STDIO_ORIGIN, None))


async def _read(command: Sequence[str], budget: Budget) -> Surface:
    with contextlib.suppress(_DiedOfDiscovery):
        async with _running(command, budget) as pipe:
            return await read_surface(pipe, await _begin(pipe, budget.limits), budget)
    async with _running(command, budget) as pipe:
        return await read_surface(pipe, await _shake_hands(pipe), budget)


async def _begin(pipe: Pipe, limits: ProbeLimits) -> Opening:
    pipe.stateless = True
    try:
        async with asyncio.timeout(min(DISCOVERY_SECONDS, limits.seconds / 2)):
            return await discover(pipe)
    except _Ended as error:
        raise _DiedOfDiscovery from error
    except (TimeoutError, WrongEra):
        pipe.stateless = False
    return await _shake_hands(pipe)


async def _shake_hands(pipe: Pipe) -> Opening:
    try:
        opening = await initialize(pipe)
    except WrongEra as wrong:
        raise wrong.fault from wrong
    await pipe.tell(INITIALIZED)
    return opening


@asynccontextmanager
async def _running(command: Sequence[str], budget: Budget) -> AsyncIterator[Pipe]:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "its arguments cannot be used"
        raise NeedsPerson(Reason.UNREACHABLE, f"The command does not start: {words.lower()}.") from error
    tail = bytearray()
    logging = asyncio.create_task(_drain(process.stderr, tail))
    ended: _Ended | None = None
    try:
        yield Pipe(process, budget)
    except _Ended as error:
        ended = error
    finally:
        await _end(process, logging)
    if ended is not None:
        raise NeedsPerson(Reason.UNREACHABLE, _how_it_ended(process, tail)) from ended


async def _drain(stream: asyncio.StreamReader | None, tail: bytearray) -> None:
    """Keeps the command from waiting for a reader of its log, and the log's end for the message of a failure."""
    while stream is not None and (piece := await stream.read(PIECE_BYTES)):
        tail += piece
        del tail[:-TAIL_BYTES]


def _how_it_ended(process: asyncio.subprocess.Process, tail: bytearray) -> str:
    lines = [words_of(line) for line in tail.decode("utf-8", "replace").splitlines() if line.strip()]
    last = f": {lines[-1]}" if lines else "."
    return f"The command ended with status {process.returncode} before it had answered{last}"


async def _end(process: asyncio.subprocess.Process, logging: asyncio.Task[None]) -> None:
    """Close its input, then ask it, then force it; its children are of its session and go with it.

    A process counts as ended when its pipes are read to their end, so they are read meanwhile."""
    leaving = asyncio.gather(logging, _drain(process.stdout, bytearray()), process.wait())
    if process.stdin is not None:
        process.stdin.close()
    for number, seconds in zip((None, signal.SIGTERM, signal.SIGKILL), EXIT_SECONDS, strict=True):
        if number is not None:
            _signal(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(leaving), seconds)
            break
    _signal(process.pid, signal.SIGKILL)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
