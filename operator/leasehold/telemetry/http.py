"""What a cluster asks of a running operator: its metrics, whether it still turns, whether it is of use. The
probes run on the same event loop as the work, so that a loop that is stuck answers nobody; the metrics are
rendered in a thread of their own, so that a scrape of a large fleet delays no revocation."""

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from leasehold.telemetry.exposition import CONTENT_TYPE

Check = Callable[[], tuple[bool, str]]
"""Whether it is so, and a sentence about it."""


class TelemetryServer:
    """Serves /metrics, /healthz and /readyz, over TLS where a context is given."""

    def __init__(
        self, metrics: Callable[[], bytes], live: Check, ready: Check, tls: ssl.SSLContext | None = None
    ) -> None:
        self._metrics = metrics
        self._tls = tls
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scrape")
        application = web.Application()
        application.router.add_get("/metrics", self._scrape)
        application.router.add_get("/healthz", _probe(live))
        application.router.add_get("/readyz", _probe(ready))
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; port 0 takes a free one. Returns the address.

        :raises OSError: the address cannot be bound
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=self._tls).start()
        bound_host, bound_port = self._runner.addresses[0][:2]
        return bound_host, bound_port

    async def stop(self) -> None:
        """Stop listening; a scrape under way is let go."""
        await self._runner.cleanup()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _scrape(self, request: web.Request) -> web.Response:
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(self._executor, self._rendered, zipped)
        headers = {"Content-Type": CONTENT_TYPE, "Vary": "Accept-Encoding"}
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    def _rendered(self, zipped: bool) -> bytes:
        text = self._metrics()
        return gzip.compress(text, compresslevel=1) if zipped else text


def _probe(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        try:
            good, said = check()
        except Exception as error:  # noqa: BLE001  a check that breaks is an answer too: not healthy, and why
            return web.Response(status=500, text=f"the check itself failed: {type(error).__name__}\n")
        return web.Response(status=200 if good else 503, text=f"{said}\n")

    return answer
