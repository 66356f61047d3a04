"""A proxy in front of a real API server that fails on demand in ways the server cannot be asked to."""

import asyncio
import json
import ssl
import threading
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from controlplane import Plane

FORWARDED = ("Authorization", "Accept", "Content-Type")
SECONDS = 30


class Cutter:
    """A context manager; what it does to clients can be changed while it runs."""

    def __init__(self, plane: Plane) -> None:
        self._target = plane.apiserver.url
        self._ssl = ssl.create_default_context(cafile=str(plane.apiserver.ca_path))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cutter", daemon=True)
        self._watches: set[web.StreamResponse] = set()
        self.kinds_are_hidden = False
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def end_watches_with_an_error(self) -> None:
        """Send every open watch an error that is not the usual 410."""
        self._call(self._send_error())

    def _call(self, coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)  # type: ignore[arg-type]

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._ssl))
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        if self.kinds_are_hidden and request.path == "/apis/leasehold.dev/v1alpha1":
            return web.Response(status=404)
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        async with self._session.request(
            request.method, self._target + request.path_qs, headers=headers, data=await request.read() or None
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]}
            )
            await response.prepare(request)
            if "watch" in request.query:
                self._watches.add(response)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            finally:
                self._watches.discard(response)
            return response

    async def _send_error(self) -> None:
        status = {"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd has no leader"}
        for response in list(self._watches):
            await response.write(json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")
