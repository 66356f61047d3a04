"""Stands between operators and both of their servers, and does what no server can be asked to do at one exact
request: kill the operator before the request arrives or after it was carried out, cut, delay, answer otherwise.

What the operator asked for goes on at the server after the operator's own connection is gone, unless
`cuts_upstream` says otherwise. Watches pass through as streams."""

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from adapters.strange_vault import a_certificate
from controlplane import Plane
from controlplane.waiting import wait_until

T = TypeVar("T")

KUBERNETES: Final = "kubernetes"
VAULT: Final = "vault"
HOP_BY_HOP: Final = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
NOT_FORWARDED: Final = HOP_BY_HOP | {"accept-encoding"}
OUR_KINDS: Final = "/apis/leasehold.dev/v1alpha1/"
BOUND_SECONDS: Final = 60.0


class Cut(Exception):
    """The operator's connection ends here, without an answer."""


@dataclass(frozen=True)
class Reply:
    """An answer, of the server or in its place."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Exchange:
    """One request of an operator; `status` is what the server answered, None as long as it did not."""

    server: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None
    answer: bytes = field(default=b"", repr=False)
    forwarded: bool = False

    @property
    def is_watch(self) -> bool:
        """Whether its answer is a stream without an end."""
        return "watch=true" in self.query or "watch=1" in self.query


@dataclass(frozen=True)
class LastWords:
    """What a watch is told in place of what the server tells, and how it ends then: cut, or as if that were all."""

    told: bytes
    cut: bool = True


class Meddler(Protocol):
    """What is done to requests; both run in the proxy's event loop. Raise `Cut` to answer nothing. Watches are only
    shown to it: what becomes of them is a matter of the lane."""

    async def before(self, exchange: Exchange) -> Reply | None:
        """Ahead of the server; a reply keeps the request from it."""

    async def after(self, exchange: Exchange) -> Reply | None:
        """The server has answered; a reply takes the place of its answer."""


class Witness(Protocol):
    """Learns of every request that reached a server, whatever became of the operator."""

    def leaving(self, exchange: Exchange) -> None:
        """It is about to be sent on."""

    def answered(self, exchange: Exchange) -> None:
        """The server answered."""


@dataclass(frozen=True)
class Scope:
    """The part of the cluster that an operator gets to see, so that several may work side by side."""

    namespace: str
    profile: str
    store: str

    def narrowed(self, path: str, query: str) -> tuple[str, str]:
        """The same list or watch, of this part alone."""
        kind = path.removeprefix(OUR_KINDS)
        names = {
            "mcpserverprofiles": self.profile,
            "mcpcredentialstores": self.store,
            "mcprevocations": self.namespace,
        }
        if kind in ("mcpconnections", "mcpagentexposures"):
            return f"{OUR_KINDS}namespaces/{self.namespace}/{kind}", query
        if kind in names:
            selector = f"fieldSelector=metadata.name%3D{names[kind]}"
            return path, f"{query}&{selector}" if query else selector
        return path, query


class Lane:
    """A door of its own to each server: one operator, or several in turn."""

    def __init__(self, name: str, upstream: Mapping[str, str], witness: Witness | None) -> None:
        self.name = name
        self.scope: Scope | None = None
        self.meddler: Meddler | None = None
        self.cuts_upstream = False
        self.watches_are_silent = False
        self.watch_reply: Reply | None = None
        """What new watches are answered with, in place of a stream."""
        self.watches_refused = 0
        self.watch_ends: list[LastWords | Reply] = []
        """What becomes of the next watches, one after the other."""
        self.another_vault = ""
        """The address of a Vault that stands where the store's own has stood."""
        self.apiserver_url = ""
        self.vault_address = ""
        self.session: aiohttp.ClientSession | None = None
        self.runners: list[web.AppRunner] = []
        self.log: list[Exchange] = []
        self._watches: list[web.Request] = []
        self._upstream = upstream
        self._witness = witness

    def is_quiet(self) -> bool:
        """Whether nobody holds a connection."""
        return not any(runner.server.connections for runner in self.runners if runner.server)

    def rest(self) -> None:
        """Wait until whoever came through this door is gone, and stop meddling."""
        wait_until(self.is_quiet, BOUND_SECONDS, f"nobody is connected to {self.name}")
        self.meddler, self.scope = None, None
        self.cuts_upstream = self.watches_are_silent = False
        self.watch_reply, self.another_vault, self.watch_ends = None, "", []
        self.log.clear()

    async def cut_watches(self) -> int:
        """End every watch that is open, in the middle; how many there were."""
        transports = [request.transport for request in self._watches if request.transport is not None]
        for transport in transports:
            transport.abort()
        return len(transports)

    async def serve_kubernetes(self, request: web.Request) -> web.StreamResponse:
        """The door to the API server."""
        return await self._serve(KUBERNETES, request)

    async def serve_vault(self, request: web.Request) -> web.StreamResponse:
        """The door to Vault."""
        return await self._serve(VAULT, request)

    async def _serve(self, server: str, request: web.Request) -> web.StreamResponse:
        raw = URL(request.raw_path, encoded=True)
        exchange = Exchange(
            server, request.method, raw.raw_path, raw.raw_query_string, request.headers, await request.read()
        )
        if exchange.is_watch:
            return await self._stream(request, exchange)
        carried = asyncio.create_task(self._carry(exchange))
        try:
            reply = await asyncio.shield(carried)
        except asyncio.CancelledError:
            if self.cuts_upstream:
                carried.cancel()
            raise
        if reply is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.Response(status=reply.status, body=reply.body, headers=dict(reply.headers))

    async def _carry(self, exchange: Exchange) -> Reply | None:
        meddler = self.meddler
        self.log.append(exchange)
        try:
            reply = await meddler.before(exchange) if meddler else None
            if reply is None:
                reply = await self._forward(exchange)
                instead = await meddler.after(exchange) if meddler else None
                reply = instead or reply
        except (Cut, aiohttp.ClientError, OSError):
            return None
        return reply

    async def _forward(self, exchange: Exchange) -> Reply:
        exchange.forwarded = True
        if self._witness is not None:
            self._witness.leaving(exchange)
        async with self._send(exchange) as response:
            exchange.answer = await response.read()
            exchange.status = response.status
            headers = _end_to_end(response.headers, HOP_BY_HOP)
        if self._witness is not None:
            self._witness.answered(exchange)
        return Reply(exchange.status, exchange.answer, headers)

    async def _stream(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        if self.meddler is not None:
            await self.meddler.before(exchange)
        end = self.watch_ends.pop(0) if self.watch_ends else self.watch_reply
        if isinstance(end, Reply):
            self.watches_refused += 1
            return web.Response(status=end.status, body=end.body, headers=dict(end.headers))
        if end is not None:
            return await _say(request, end)
        self._watches.append(request)
        try:
            return await self._pass_on(request, exchange)
        finally:
            self._watches.remove(request)

    async def _pass_on(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        async with self._send(exchange) as upstream:
            response = web.StreamResponse(
                status=upstream.status, headers=_end_to_end(upstream.headers, HOP_BY_HOP)
            )
            with contextlib.suppress(ConnectionError):  # whoever watched is dead
                await response.prepare(request)
                if self.meddler is not None:
                    await self.meddler.after(exchange)
                async for chunk in upstream.content.iter_any():
                    if not self.watches_are_silent:
                        await response.write(chunk)
            return response

    def _send(self, exchange: Exchange) -> Any:
        assert self.session is not None
        path, query = exchange.path, exchange.query
        if exchange.server == KUBERNETES and exchange.method == "GET" and self.scope is not None:
            path, query = self.scope.narrowed(path, query)
        upstream = self._upstream[exchange.server]
        if exchange.server == VAULT and self.another_vault:
            upstream = self.another_vault
        url = upstream + path + (f"?{query}" if query else "")
        headers = _end_to_end(exchange.headers, NOT_FORWARDED) | {"Accept-Encoding": "identity"}
        return self.session.request(
            exchange.method,
            URL(url, encoded=True),
            headers=headers,
            data=exchange.body or None,
            allow_redirects=False,
        )


async def _say(request: web.Request, words: LastWords) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(words.told)
        if words.cut and request.transport is not None:
            request.transport.abort()
    return response


def _end_to_end(headers: Mapping[str, str], dropped: frozenset[str]) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name.lower() not in dropped}


class Proxy:
    """A context manager with an event loop and a thread of its own."""

    def __init__(self, plane: Plane, witness: Witness | None = None) -> None:
        self._upstream = {KUBERNETES: plane.apiserver.url, VAULT: plane.vault.address}
        self._witness = witness
        self._trust = ssl.create_default_context(cafile=str(plane.apiserver.ca_path))
        certificate = a_certificate(plane.workdir)
        self._door = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._door.load_cert_chain(certificate)
        self._ca = certificate.read_bytes().split(b"-----BEGIN PRIV")[0]
        self._workdir = plane.workdir
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crash-proxy", daemon=True)
        self._runners: list[web.AppRunner] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._session = self._run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lane(self, name: str) -> Lane:
        """Another pair of doors."""
        lane = Lane(name, self._upstream, self._witness)
        lane.session = self._session
        self._run(self._admit(lane))
        return lane

    def cut_watches(self, lane: Lane) -> int:
        """See `Lane.cut_watches`."""
        return self._run(lane.cut_watches())

    def kubeconfig(self, lane: Lane, token: str) -> Path:
        """A kubeconfig through the lane's door, which has a CA of its own."""
        cluster = {
            "server": lane.apiserver_url,
            "certificate-authority-data": base64.b64encode(self._ca).decode(),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": lane.name, "cluster": cluster}],
            "users": [{"name": lane.name, "user": {"token": token}}],
            "contexts": [{"name": lane.name, "context": {"cluster": lane.name, "user": lane.name}}],
            "current-context": lane.name,
        }
        path = self._workdir / f"{lane.name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(BOUND_SECONDS)

    async def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(ssl=self._trust, limit=0)
        return aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )

    async def _admit(self, lane: Lane) -> None:
        kubernetes = await self._listen(lane, lane.serve_kubernetes, self._door)
        vault = await self._listen(lane, lane.serve_vault, None)
        lane.apiserver_url, lane.vault_address = f"https://{kubernetes}", f"http://{vault}"

    async def _listen(self, lane: Lane, handler: Any, tls: ssl.SSLContext | None) -> str:
        application = web.Application(client_max_size=1 << 26)
        application.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        lane.runners.append(runner)
        self._runners.append(runner)
        return f"127.0.0.1:{runner.addresses[0][1]}"

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        await self._session.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
