"""MCP servers as bad as a case needs, over real sockets: an honest server of either era in which any answer can be
replaced by anything at all."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from leasehold.adapters.mcp import McpCatalog
from leasehold.adapters.mcp_addresses import AddressPolicy
from leasehold.adapters.mcp_limits import ProbeLimits
from leasehold.core.faults import Fault
from leasehold.core.probe import Probed, ProbeTarget

STATELESS = "2026-07-28"
HANDSHAKE = "2025-11-25"
INFO = {"name": "shop", "version": "1.2.3"}
CAPABILITIES: Mapping[str, Any] = {"tools": {}, "prompts": {}, "resources": {}}
LISTS: Mapping[str, dict[str, Any]] = {
    "tools/list": {"tools": [{"name": "price", "inputSchema": {"type": "object"}, "x-new": [1.5, None]}]},
    "prompts/list": {"prompts": [{"name": "greet"}]},
    "resources/templates/list": {"resourceTemplates": [{"name": "order", "uriTemplate": "orders://{id}"}]},
}
IMPATIENT = ProbeLimits(seconds=10.0, silence_seconds=10.0)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; `rpc` is the JSON-RPC method, empty where there is none."""

    method: str
    path: str
    headers: Mapping[str, str]
    message: Mapping[str, Any]

    @property
    def rpc(self) -> str:
        return str(self.message.get("method", ""))

    @property
    def id(self) -> Any:
        return self.message.get("id")


class Line:
    """A connection to the prober, on which anything can be said."""

    def __init__(self, stage: "Stage", writer: asyncio.StreamWriter) -> None:
        self.stage = stage
        self._writer = writer

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
        self.stage.sent += len(data)

    async def head(self, status: int = 200, **headers: object) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        await self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def answer(self, status: int, body: Any = b"", **headers: object) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if "Content_Type" in headers else {"Content_Type": "application/json"}
        await self.head(status, Content_Length=len(data), **kind, **headers)
        await self.raw(data)

    async def result(self, asked: Asked, result: Any, **headers: object) -> None:
        await self.answer(200, {"jsonrpc": "2.0", "id": asked.id, "result": result}, **headers)

    async def error(self, asked: Asked, code: int, status: int = 200, words: str = "no", **data: Any) -> None:
        error: dict[str, Any] = {"code": code, "message": words} | ({"data": data} if data else {})
        await self.answer(status, {"jsonrpc": "2.0", "id": asked.id, "error": error})

    async def stream(self) -> None:
        """Begin an event stream that ends with the connection."""
        await self.head(200, Content_Type="text/event-stream", Connection="close")

    async def event(self, message: Any, name: str = "") -> None:
        data = message if isinstance(message, str) else json.dumps(message)
        await self.raw((f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode())

    async def silence(self) -> None:
        """Say nothing more, and keep the connection."""
        await asyncio.Event().wait()

    def hang_up(self) -> None:
        """Close the connection after what was said."""
        self._writer.close()

    def cut(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()


Behaviour = Callable[[Asked, Line], Awaitable[None]]
Replacement = Behaviour | Mapping[str, Any]


class Stage:
    """A listening server; `asked` and `sent` are what it saw and said."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked: list[Asked] = []
        self.sent = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/mcp"

    def rpcs(self) -> list[str]:
        """The JSON-RPC methods, or HTTP methods where there was no message, in order."""
        return [asked.rpc or asked.method for asked in self.asked]

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Stage"]:
        listening = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listening.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        await asyncio.gather(task, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(self, writer)
        try:
            while True:
                asked = await _read(reader)
                self.asked.append(asked)
                await self._behaviour(asked, line)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return
        finally:
            with contextlib.suppress(OSError):
                writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, json.loads(body) if body else {})


def stateless(replaced: Mapping[str, Replacement] | None = None) -> Behaviour:
    """An honest server of revision 2026-07-28, but for what is replaced (by JSON-RPC method)."""
    opening = {
        "supportedVersions": [STATELESS],
        "capabilities": CAPABILITIES,
        "instructions": "Sells things.",
        "_meta": {"io.modelcontextprotocol/serverInfo": INFO},
    }
    results: dict[str, Replacement] = {"server/discover": opening, **LISTS, **(replaced or {})}

    async def behave(asked: Asked, line: Line) -> None:
        await _play(results.get(asked.rpc), asked, line)

    return behave


def handshake(replaced: Mapping[str, Replacement] | None = None, version: str = HANDSHAKE) -> Behaviour:
    """An honest server with sessions, but for what is replaced; `DELETE` is a key, too."""
    session = "session-1"
    opening = {
        "protocolVersion": version,
        "capabilities": CAPABILITIES,
        "instructions": "Sells things.",
        "serverInfo": INFO,
    }

    async def begin(asked: Asked, line: Line) -> None:
        await line.result(asked, opening, Mcp_Session_Id=session)

    async def accepted(asked: Asked, line: Line) -> None:
        await line.answer(202)

    results: dict[str, Replacement] = {
        "initialize": begin,
        "notifications/initialized": accepted,
        "DELETE": accepted,
        **LISTS,
        **(replaced or {}),
    }

    async def behave(asked: Asked, line: Line) -> None:
        if asked.rpc != "initialize" and asked.headers.get("mcp-session-id") != session:
            await line.error(asked, -32000, status=400, words="Bad Request: no session")
            return
        await _play(results.get(asked.rpc or asked.method), asked, line)

    return behave


def legacy(replaced: Mapping[str, Replacement] | None = None, endpoint: str = "/message?id=1") -> Behaviour:
    """An honest server of the transport of 2024-11-05; `endpoint` is a key, too: the stream's first event."""
    opening = {"protocolVersion": "2024-11-05", "capabilities": CAPABILITIES, "serverInfo": INFO}
    results: dict[str, Replacement] = {"initialize": opening, **LISTS, **(replaced or {})}
    streams: list[Line] = []

    async def behave(asked: Asked, line: Line) -> None:
        if asked.method == "GET":
            streams.append(line)
            await line.stream()
            if "endpoint" not in results:
                await line.event(endpoint, name="endpoint")
            await _play(results.get("endpoint", _silent), asked, line)
        elif asked.path != endpoint:
            await line.answer(404)
        else:
            await _push(results.get(asked.rpc), asked, line, streams[-1])

    return behave


async def _push(replacement: Replacement | None, asked: Asked, line: Line, stream: Line) -> None:
    if isinstance(replacement, Mapping):
        # the answer first: whoever waits for the POST before reading the stream would wait for ever
        await stream.event({"jsonrpc": "2.0", "id": asked.id, "result": replacement}, name="message")
        await line.answer(202)
    elif replacement is not None:
        await replacement(asked, line)
    else:
        await line.answer(202)


async def _silent(_: Asked, line: Line) -> None:
    await line.silence()


async def _play(replacement: Replacement | None, asked: Asked, line: Line) -> None:
    if replacement is None:
        await line.error(asked, -32601, status=404, words="Method not found")
    elif isinstance(replacement, Mapping):
        await line.result(asked, replacement)
    else:
        await replacement(asked, line)


@dataclass(frozen=True)
class Played:
    """How a probe ended, and what the server saw of it."""

    outcome: Probed | Fault
    stage: Stage

    @property
    def probed(self) -> Probed:
        assert isinstance(self.outcome, Probed), self.outcome
        return self.outcome

    @property
    def fault(self) -> Fault:
        assert isinstance(self.outcome, Fault), self.outcome
        return self.outcome


def play(
    behaviour: Behaviour,
    *,
    target: ProbeTarget | None = None,
    target_of: Callable[[str], ProbeTarget] = ProbeTarget,
    limits: ProbeLimits = IMPATIENT,
    policy: AddressPolicy | None = None,
    tls: ssl.SSLContext | None = None,
) -> Played:
    """Probe a server that behaves so, at its own URL unless the target has one.

    Anything that is neither a surface nor a fault fails the test."""

    async def run() -> Played:
        async with Stage(behaviour, tls).open() as stage:
            catalog = McpCatalog(policy or AddressPolicy(allow_loopback=True), limits)
            aimed = target_of(stage.url) if target is None else replace(target, url=target.url or stage.url)
            try:
                outcome: Probed | Fault = await catalog.probe(aimed)
            except Fault as fault:
                outcome = fault
            return Played(outcome, stage)

    return asyncio.run(run())
