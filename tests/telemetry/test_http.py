"""The three answers that a cluster gets from a running operator."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.http import Check, TelemetryServer
from leasehold.telemetry.metrics import Telemetry

BOUND = aiohttp.ClientTimeout(total=20)


def yes() -> tuple[bool, str]:
    return True, "the loop turns, 4 of 4 workers answer"


@asynccontextmanager
async def served(
    metrics: Callable[[], bytes] = bytes, live: Check = yes, ready: Check = yes
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    server = TelemetryServer(metrics, live, ready)
    host, port = await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(timeout=BOUND) as session:
            yield session, f"http://{host}:{port}"
    finally:
        await server.stop()


def test_metrics_are_served_as_prometheus_reads_them() -> None:
    telemetry = Telemetry(FleetMetrics(), "0.1.0")
    telemetry.leader(leading=True)

    async def scenario() -> None:
        async with served(telemetry.render) as (session, url), session.get(f"{url}/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            names = {family.name for family in text_string_to_metric_families(await answer.text())}
            assert "leasehold_leader" in names

    asyncio.run(scenario())


def test_a_client_that_takes_no_compression_gets_none() -> None:
    async def scenario() -> None:
        async with served(lambda: b"a 1\n") as (session, url):
            for encoding, compressed in (("identity", None), ("gzip", "gzip")):
                headers = {"Accept-Encoding": encoding}
                async with session.get(f"{url}/metrics", headers=headers) as answer:
                    assert answer.headers.get("Content-Encoding") == compressed
                    assert await answer.text() == "a 1\n"

    asyncio.run(scenario())


def test_a_slow_scrape_holds_up_no_probe() -> None:
    scraping, let_go = threading.Event(), threading.Event()

    def slow() -> bytes:
        scraping.set()
        let_go.wait(timeout=20)
        return b"a 1\n"

    async def scenario() -> None:
        async with served(slow) as (session, url):
            scrape = asyncio.create_task(_body(session, f"{url}/metrics"))
            await asyncio.to_thread(scraping.wait, 20)
            assert (await _body(session, f"{url}/healthz"))[0] == 200
            assert not scrape.done()
            let_go.set()
            assert await scrape == (200, "a 1\n")

    asyncio.run(scenario())


def test_probes_say_what_is_so() -> None:
    state = {"ready": (False, "not ready: the inventory of MCPConnection is not complete yet")}

    async def scenario() -> None:
        async with served(ready=lambda: state["ready"]) as (session, url):
            assert await _body(session, f"{url}/healthz") == (200, "the loop turns, 4 of 4 workers answer\n")
            assert await _body(session, f"{url}/readyz") == (
                503,
                "not ready: the inventory of MCPConnection is not complete yet\n",
            )
            state["ready"] = (True, "ready: leader")
            assert await _body(session, f"{url}/readyz") == (200, "ready: leader\n")

    asyncio.run(scenario())


def test_a_stuck_worker_is_unhealthy() -> None:
    async def scenario() -> None:
        async with served(live=lambda: (False, "worker 2 has not answered for 300 s")) as (session, url):
            assert await _body(session, f"{url}/healthz") == (503, "worker 2 has not answered for 300 s\n")

    asyncio.run(scenario())


def test_a_check_that_breaks_is_no_good_answer_and_tells_no_secret() -> None:
    def broken() -> tuple[bool, str]:
        raise RuntimeError("hvs.CAESIJf0abcdefghijklmnop")

    async def scenario() -> None:
        async with served(ready=broken) as (session, url):
            assert await _body(session, f"{url}/readyz") == (500, "the check itself failed: RuntimeError\n")

    asyncio.run(scenario())


def test_nothing_else_is_served() -> None:
    async def scenario() -> None:
        async with served() as (session, url):
            assert (await _body(session, f"{url}/"))[0] == 404
            async with session.post(f"{url}/metrics") as answer:
                assert answer.status == 405

    asyncio.run(scenario())


async def _body(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with session.get(url) as answer:
        return answer.status, await answer.text()
