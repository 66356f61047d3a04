"""A heartbeat against an API server that answers as told: whose time is written, and what is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from leasehold.adapters.cluster_heartbeat import Beat, KubernetesHeartbeat
from leasehold.adapters.cluster_login import Connection
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, TryLater

DATE = {"Date": "Fri, 20 Nov 2026 12:00:00 GMT"}
SERVERS_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/support/leases"


class Leases:
    """One namespace's leases; `answers` are given first, as status codes."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.verbs: list[str] = []
        self.specs: list[dict[str, Any]] = []
        self.metadata: list[dict[str, Any]] = []
        self.beat = Beat("support", "orders", "pod-a", 300)
        self.there = False

    async def answer(self, request: web.Request) -> web.Response:
        self.verbs.append(request.method)
        if self.answers and (code := self.answers.pop(0)) != 200:
            return _status(code, "said so")
        if request.method == "POST":
            self.there = True
        elif not self.there:
            return _status(404, "NotFound", name="orders")
        if request.method != "GET":
            body = await request.json()
            self.specs.append(body["spec"])
            self.metadata.append(body["metadata"])
        return web.json_response({"metadata": {"name": "orders"}}, headers=DATE)


def _status(code: int, reason: str, **details: str) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": "it is so", "details": details}
    return web.json_response(body, status=code, headers=DATE)


async def beaten(leases: Leases, scenario: Callable[[KubernetesHeartbeat], Awaitable[None]]) -> None:
    app = web.Application()
    app.router.add_route("*", LEASES, leases.answer)
    app.router.add_route("*", LEASES + "/orders", leases.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    connection = Connection.explicit(f"http://{host}:{port}", "token")
    heartbeat = KubernetesHeartbeat(connection, leases.beat)
    try:
        await scenario(heartbeat)
    finally:
        await heartbeat.close()
        await runner.cleanup()


def beat(leases: Leases, times: int = 1) -> None:
    async def scenario(heartbeat: KubernetesHeartbeat) -> None:
        for _ in range(times):
            await heartbeat.beat()

    asyncio.run(beaten(leases, scenario))


def test_it_is_created_where_there_is_none_and_renewed_from_then_on() -> None:
    leases = Leases()
    beat(leases, times=2)
    assert leases.verbs == ["GET", "PATCH", "POST", "PATCH"]
    assert {spec["holderIdentity"] for spec in leases.specs} == {"pod-a"}


def test_it_is_labelled_and_says_how_long_it_lasts_who_uses_it_and_which_server() -> None:
    leases = Leases()
    leases.beat = replace(leases.beat, server_url="https://shop.example.com/mcp", agent="shop-bot")
    beat(leases, times=2)
    said = {"leasehold.dev/server-url": "https://shop.example.com/mcp", "leasehold.dev/agent": "shop-bot"}
    assert {spec["leaseDurationSeconds"] for spec in leases.specs} == {300}
    for metadata in leases.metadata:
        assert metadata["labels"] == {"leasehold.dev/heartbeat": "true"}
        assert metadata["annotations"] == said


def test_what_is_not_said_any_more_is_taken_from_a_lease_and_not_put_into_a_new_one() -> None:
    leases = Leases()
    beat(leases, times=2)
    created, renewed = leases.metadata
    assert created["annotations"] == {}
    assert created["name"] == "orders"
    assert renewed["annotations"] == {"leasehold.dev/server-url": None, "leasehold.dev/agent": None}


def test_the_time_is_the_api_servers_whatever_ours_is() -> None:
    leases = Leases()
    beat(leases)
    (spec,) = leases.specs
    written = datetime.fromisoformat(spec["renewTime"])
    assert abs((written - SERVERS_NOON).total_seconds()) < 60
    assert spec["renewTime"].endswith("Z")


def test_somebody_who_creates_it_first_has_renewed_it() -> None:
    leases = Leases(200, 200, 409)
    beat(leases)
    assert leases.verbs == ["GET", "PATCH", "POST"]


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (403, NeedsPerson, Reason.REFUSED),
        (401, TryLater, Reason.CLUSTER_UNAVAILABLE),
        (429, TryLater, Reason.THROTTLED),
        (500, TryLater, Reason.CLUSTER_UNAVAILABLE),
    ],
)
def test_what_is_refused_needs_a_person_and_the_rest_is_tried_again(
    code: int, kind: type[Fault], reason: Reason
) -> None:
    leases = Leases(200, code)
    with pytest.raises(Fault) as raised:
        beat(leases)
    assert (type(raised.value), raised.value.reason) == (kind, reason)
    assert leases.specs == []
