"""However a watch ends, and whenever the watches are asked to end: it gives no traceback, and an end that nobody
asked for is reported."""

import gc
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.worlds import RealPeople
from controlplane import Plane
from controlplane.waiting import wait_until
from crash.harms import kubernetes_refusal
from crash.proxy import Exchange, Lane, LastWords, Proxy, Reply
from handlers.told import SECONDS, Told
from leasehold.api.connection import MCPConnection
from leasehold.handlers.watch import WATCHED
from objects import a_connection
from shipped import operator_token, shipped

CROWD = 25
"""So many connections that a stop finds kopf in the middle of them."""


@pytest.fixture(scope="module")
def people(plane: Plane) -> Iterator[RealPeople]:
    with shipped(plane):
        yield RealPeople(plane)


@pytest.fixture(scope="module")
def connection(people: RealPeople) -> MCPConnection:
    """One of many."""
    namespace = people.namespace()
    crowd = [a_connection(f"one-of-many-{number}", namespace=namespace).to_wire() for number in range(CROWD)]
    for each in crowd:
        each["metadata"] = {key: each["metadata"][key] for key in ("name", "namespace")}
        each.pop("status", None)
    people.plane.apply({"apiVersion": "v1", "kind": "List", "items": crowd})
    found = people.find(a_connection("one-of-many-0", namespace=namespace))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def lane(people: RealPeople) -> Iterator[Lane]:
    with Proxy(people.plane) as proxy:
        lane = proxy.lane("watch-ends")
        proxy.kubeconfig(lane, operator_token(people.plane))
        yield lane


@pytest.fixture
def kubeconfig(people: RealPeople, lane: Lane) -> Iterator[str]:
    """The operator's, through the lane."""
    yield str(Path(people.plane.workdir) / f"{lane.name}.kubeconfig")
    lane.rest()


@pytest.fixture
def loud(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """After the test: nothing but kopf itself, whose alarms are toned down, has logged an error or a traceback."""
    caplog.set_level(logging.INFO)
    yield []
    gc.collect()  # asyncio complains of what nobody has looked at when it is thrown away
    records = [each for each in caplog.records if not each.name.startswith("kopf")]
    assert [each.getMessage() for each in records if each.exc_info or each.levelno >= logging.ERROR] == []


class Tripwire:
    """Counts requests, and tells when the nth one comes, or has its answer."""

    def __init__(self, nth: int = 0, answered: bool = False) -> None:
        self.seen: list[Exchange] = []
        self.touched = threading.Event()
        self._nth, self._answered = nth, answered

    async def before(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        self.seen.append(exchange)
        self._touch(exchange, answered=False)
        return None

    async def after(self, exchange: Exchange) -> Reply | None:
        """See `Meddler`."""
        self._touch(exchange, answered=True)
        return None

    def _touch(self, exchange: Exchange, answered: bool) -> None:
        nth = next(number for number, each in enumerate(self.seen, start=1) if each is exchange)
        if (nth, answered) == (self._nth, self._answered):
            self.touched.set()


@pytest.mark.usefixtures("loud", "connection")
def test_a_stop_at_any_moment_of_the_beginning_leaves_nothing_behind(kubeconfig: str, lane: Lane) -> None:
    wire = lane.meddler = Tripwire()
    told = Told(kubeconfig)
    wait_until(
        lambda: sum(each.is_watch for each in wire.seen) >= len(WATCHED), SECONDS, "every kind is watched"
    )
    told.end()
    for nth in range(1, len(wire.seen) + 1):
        for answered in (False, True):
            lane.rest()
            trap = lane.meddler = Tripwire(nth, answered)
            told = Told(kubeconfig)
            wait_until(trap.touched.is_set, SECONDS, f"request {nth} comes")
            told.end()
            assert told.failures == []


def an_event(connection: MCPConnection) -> bytes:
    return json.dumps({"type": "MODIFIED", "object": connection.to_wire()}).encode() + b"\n"


def an_error(**status: object) -> LastWords:
    words = {"type": "ERROR", "object": {"kind": "Status", "message": "made up", **status}}
    return LastWords(json.dumps(words).encode() + b"\n", cut=False)


@pytest.mark.usefixtures("loud")
def test_watches_that_are_cut_at_any_byte_go_on(
    people: RealPeople, connection: MCPConnection, kubeconfig: str, lane: Lane
) -> None:
    event = an_event(connection)
    cuts: list[LastWords | Reply] = [
        LastWords(event[:size]) for size in range(0, len(event) + 1, len(event) // 60)
    ]
    throttled = kubernetes_refusal(429, "TooManyRequests", Retry_After="0")
    lane.watch_ends = [*cuts, an_error(code=410, reason="Expired"), throttled]
    told = Told(kubeconfig)
    wait_until(lambda: not lane.watch_ends, SECONDS, "watches are cut again and again")
    people.edit(connection)
    wait_until(lambda: told.labelled(connection), SECONDS, "the edit is told")
    told.end()
    assert told.failures == []


@pytest.mark.usefixtures("loud")
def test_whatever_else_ends_a_watch_is_reported(
    connection: MCPConnection, kubeconfig: str, lane: Lane
) -> None:
    words = [b"null\n", b"[]\n", b"{}\n", b"<html>", b"\xff\n", b'{"type": "ADDED", "object": {}}\n']
    words += [an_event(connection)[:size] for size in (1, 20, -2)]
    ends: list[LastWords | Reply] = [LastWords(each, cut=False) for each in words]
    ends += [an_error(code=500), an_error(code=504, reason="Timeout"), an_error()]
    ends += [
        kubernetes_refusal(410, "Expired"),
        kubernetes_refusal(404, "NotFound"),
        kubernetes_refusal(401, "Unauthorized"),
    ]
    for end in ends:
        lane.watch_ends = [end] * len(WATCHED)
        told = Told(kubeconfig)
        wait_until(lambda told=told: told.failures, SECONDS, f"{end} is reported")  # type: ignore[misc]
        assert told.watcher.alive
        told.end()
        lane.rest()
