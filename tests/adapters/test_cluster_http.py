"""What no answer, and what each kind of answer, means for what happens next: against a server that answers as
each case needs, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from leasehold.adapters.cluster import KubernetesCluster
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.core.facts import LabelledHeartbeat, SecretContent
from leasehold.core.faults import Conflict, Fault, NeedsPerson, OutcomeUnknown, TryLater
from leasehold.core.sealed import Sealed
from objects import a_connection

DATE = "Date: Fri, 20 Nov 2026 12:00:00 GMT\r\n"
Scenario = Callable[[KubernetesCluster], Awaitable[object]]


class Server:
    """Answers every request with the next of its answers; None closes the connection instead."""

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (
                        int(line[16:])
                        for line in head.split("\r\n")
                        if line.lower().startswith("content-length")
                    ),
                    0,
                )
                await reader.readexactly(length)
                self.requests.append(head.split("\r\n")[0])
                answer = self.answers.pop(0)
                if answer is None:
                    return
                writer.write(answer.encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def an_answer(status: int, body: str = "{}", headers: str = "") -> str:
    return f"HTTP/1.1 {status} X\r\n{DATE}{headers}Content-Length: {len(body)}\r\n\r\n{body}"


def a_status(code: int, reason: str) -> str:
    return an_answer(code, f'{{"kind": "Status", "code": {code}, "reason": "{reason}", "message": "so"}}')


@asynccontextmanager
async def serving(server: Server, *namespaces: str) -> AsyncIterator[KubernetesCluster]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    cluster = KubernetesCluster.explicit(f"http://127.0.0.1:{port}", "t0ken", namespaces=namespaces)
    try:
        yield cluster
    finally:
        await cluster.close()
        listening.close()


def outcome(server: Server, *scenarios: Scenario) -> Fault:
    """The fault of the last scenario."""

    async def run() -> Fault:
        async with serving(server) as cluster:
            for scenario in scenarios[:-1]:
                await scenario(cluster)
            with pytest.raises(Fault) as caught:
                await scenarios[-1](cluster)
            return caught.value

    return asyncio.run(run())


async def reads(cluster: KubernetesCluster) -> object:
    return await cluster.get(MCPConnection, "support-bot-orders", "support")


async def writes_status(cluster: KubernetesCluster) -> object:
    return await cluster.put_status(a_connection())


async def writes_secret(cluster: KubernetesCluster) -> object:
    content = SecretContent("support", "s", {}, {}, a_connection(), Sealed({"password": "hunter2"}))
    return await cluster.create_secret(content)


async def lists(cluster: KubernetesCluster) -> object:
    return await cluster.list_all(MCPConnection)


async def deletes_secret(cluster: KubernetesCluster) -> object:
    await cluster.delete_secret("support", "s", "uid")
    return None


@pytest.mark.parametrize("body", ["<html>please log in</html>", "", "[]", "null", '"{"'])
def test_what_is_no_answer_of_an_api_server_says_nothing(body: str) -> None:
    assert isinstance(outcome(Server(an_answer(200, body)), reads), TryLater)
    for write in (writes_status, writes_secret):
        assert isinstance(outcome(Server(an_answer(200, body)), write), OutcomeUnknown)
    assert isinstance(outcome(Server(an_answer(200, body)), lists), TryLater)
    assert isinstance(outcome(Server(an_answer(200, body)), deletes_secret), Fault)


def test_what_is_no_answer_of_an_api_server_tells_no_time() -> None:
    async def run() -> None:
        async with serving(Server(an_answer(200, "<html>"))) as cluster:
            with pytest.raises(TryLater):
                await reads(cluster)
            assert cluster.clock.now() is None

    asyncio.run(run())


def test_a_write_whose_connection_breaks_has_an_unknown_outcome_and_is_sent_once() -> None:
    stored = a_connection().model_dump_json(by_alias=True, exclude_none=True)
    server = Server(an_answer(200, stored), None, an_answer(200, stored))
    assert isinstance(outcome(server, reads, writes_status), OutcomeUnknown)
    assert [line.split()[0] for line in server.requests] == ["GET", "PUT"]


@pytest.mark.parametrize("harmless", [reads, deletes_secret])
def test_what_may_be_repeated_can_be_tried_later_when_its_connection_breaks(harmless: Scenario) -> None:
    fault = outcome(Server(None), harmless)
    assert isinstance(fault, TryLater)
    assert fault.reason is Reason.CLUSTER_UNAVAILABLE


def test_a_write_that_never_left_can_be_tried_later() -> None:
    async def run() -> Fault:
        nobody = KubernetesCluster.explicit("http://127.0.0.1:9", "t0ken")
        try:
            with pytest.raises(Fault) as caught:
                await writes_secret(nobody)
        finally:
            await nobody.close()
        return caught.value

    fault = asyncio.run(run())
    assert isinstance(fault, TryLater)
    assert fault.reason is Reason.CLUSTER_UNAVAILABLE


@pytest.mark.parametrize(
    ("answer", "of_a_read", "of_a_write"),
    [
        (a_status(500, "InternalError"), TryLater, OutcomeUnknown),
        (a_status(504, "Timeout"), TryLater, OutcomeUnknown),
        (a_status(503, "ServiceUnavailable"), TryLater, TryLater),
        (an_answer(503, "upstream connect error"), TryLater, OutcomeUnknown),
        (a_status(401, "Unauthorized"), TryLater, TryLater),
        (a_status(403, "Forbidden"), NeedsPerson, NeedsPerson),
        (a_status(400, "BadRequest"), NeedsPerson, NeedsPerson),
        (an_answer(302, "", "Location: http://127.0.0.1:9/\r\n"), NeedsPerson, NeedsPerson),
        (a_status(410, "Expired"), TryLater, TryLater),
        (an_answer(404, "404 page not found"), TryLater, TryLater),
        (a_status(404, "NotFound"), TryLater, TryLater),
    ],
)
def test_an_error_says_what_happens_next(
    answer: str, of_a_read: type[Fault], of_a_write: type[Fault]
) -> None:
    assert type(outcome(Server(answer), reads)) is of_a_read
    assert type(outcome(Server(answer), writes_status)) is of_a_write
    assert type(outcome(Server(answer), writes_secret)) is of_a_write


def test_being_throttled_says_for_how_long() -> None:
    fault = outcome(Server(an_answer(429, "{}", "Retry-After: 7\r\n")), writes_status)
    assert isinstance(fault, TryLater)
    assert (fault.reason, fault.retry_after_seconds) == (Reason.THROTTLED, 7)


def test_what_a_server_quotes_of_a_secret_is_not_passed_on() -> None:
    body = '{"kind": "Status", "code": 400, "message": "webhook: bad value hunter2"}'
    fault = outcome(Server(an_answer(400, body)), writes_secret)
    assert isinstance(fault, NeedsPerson)
    assert "hunter2" not in fault.message


def test_an_object_that_is_not_of_its_kind_is_named_and_never_absent() -> None:
    fault = outcome(Server(an_answer(200, '{"metadata": {"name": "x"}, "spec": {"profile": 7}}')), reads)
    assert isinstance(fault, NeedsPerson)
    assert "support/support-bot-orders" in fault.message
    assert "spec.profile" in fault.message


def test_a_list_names_what_it_cannot_read_and_goes_through_all_pages() -> None:
    good = a_connection().model_dump_json(by_alias=True, exclude_none=True)
    bad = '{"metadata": {"name": "odd", "namespace": "support"}, "spec": {}}'
    server = Server(
        an_answer(200, f'{{"metadata": {{"continue": "a+b/="}}, "items": [{good}, {bad}]}}'),
        an_answer(200, f'{{"metadata": {{}}, "items": [{good}]}}'),
    )

    async def run() -> tuple[list[MCPConnection], list[str]]:
        async with serving(server) as cluster:
            return await cluster.list_all(MCPConnection)

    readable, unreadable = asyncio.run(run())
    assert [found.key for found in readable] == ["support/support-bot-orders"] * 2
    assert unreadable == ["support/odd"]
    assert "continue=a%2Bb%2F%3D" in server.requests[1]


def a_page(*names: str) -> str:
    items = ", ".join(
        a_connection(namespace=name).model_dump_json(by_alias=True, exclude_none=True) for name in names
    )
    return an_answer(200, f'{{"metadata": {{}}, "items": [{items}]}}')


def listed(server: Server, *namespaces: str) -> list[str]:
    async def run() -> list[str]:
        async with serving(server, *namespaces) as cluster:
            return [found.key for found in (await cluster.list_all(MCPConnection))[0]]

    return asyncio.run(run())


def test_with_namespaces_each_of_them_is_listed_and_nothing_else() -> None:
    server = Server(a_page("support"), a_page("shop"))
    assert listed(server, "support", "shop") == ["support/support-bot-orders", "shop/support-bot-orders"]
    kinds = "/apis/leasehold.dev/v1alpha1/namespaces/{}/mcpconnections?limit=500"
    assert [line.split()[1] for line in server.requests] == [kinds.format("support"), kinds.format("shop")]


def test_what_is_in_no_namespace_is_listed_whole() -> None:
    server = Server(an_answer(200, '{"metadata": {}, "items": []}'))

    async def run() -> object:
        async with serving(server, "support", "shop") as cluster:
            return await cluster.list_all(MCPServerProfile)

    assert asyncio.run(run()) == ([], [])
    assert [line.split()[1] for line in server.requests] == [
        "/apis/leasehold.dev/v1alpha1/mcpserverprofiles?limit=500"
    ]


@pytest.mark.parametrize(
    "namespace",
    [
        an_answer(404, '{"kind": "Status", "code": 404, "reason": "NotFound", "details": {"name": "shop"}}'),
        an_answer(200, '{"metadata": {"name": "shop", "deletionTimestamp": "2026-11-20T12:00:00Z"}}'),
    ],
    ids=["gone", "going"],
)
def test_a_namespace_that_goes_with_our_rights_in_it_hides_no_other(namespace: str) -> None:
    server = Server(a_page("support"), a_status(403, "Forbidden"), namespace, a_page("team"))
    assert listed(server, "support", "shop", "team") == [
        "support/support-bot-orders",
        "team/support-bot-orders",
    ]


def test_rights_that_are_missing_in_a_namespace_that_stays_are_a_fault() -> None:
    server = Server(a_status(403, "Forbidden"), an_answer(200, '{"metadata": {"name": "shop"}}'))
    with pytest.raises(NeedsPerson, match="list mcpconnections shop"):
        listed(server, "shop")


def a_page_of_heartbeats(
    *names: str, following: str = "", renewed: str = "2026-11-20T11:59:00.000000Z"
) -> str:
    items = [
        {
            "metadata": {"namespace": "support", "name": name, "uid": name},
            "spec": {"renewTime": renewed, "holderIdentity": "p" * 300},
        }
        for name in names
    ]
    return an_answer(200, json.dumps({"metadata": {"continue": following}, "items": items}))


def heartbeats_listed(server: Server, *namespaces: str) -> tuple[LabelledHeartbeat, ...]:
    async def listing() -> tuple[LabelledHeartbeat, ...]:
        async with serving(server, *namespaces) as cluster:
            return await cluster.list_heartbeats()

    return asyncio.run(listing())


def test_labelled_heartbeats_are_listed_page_by_page_and_nothing_else_is() -> None:
    server = Server(a_page_of_heartbeats("a", following="more"), a_page_of_heartbeats("b"))
    assert [each.name for each in heartbeats_listed(server)] == ["a", "b"]
    path = "GET /apis/coordination.k8s.io/v1/leases?labelSelector=leasehold.dev%2Fheartbeat%3Dtrue&limit=500"
    assert server.requests == [f"{path} HTTP/1.1", f"{path}&continue=more HTTP/1.1"]


def test_with_namespaces_the_heartbeats_of_each_are_listed_but_for_one_that_goes() -> None:
    going = an_answer(200, '{"metadata": {"deletionTimestamp": "2026-11-20T12:00:00Z"}}')
    server = Server(a_status(403, "Forbidden"), going, a_page_of_heartbeats("b"))
    assert [each.name for each in heartbeats_listed(server, "gone", "team-b")] == ["b"]
    assert "/namespaces/gone/leases?" in server.requests[0]
    assert "/namespaces/team-b/leases?" in server.requests[2]


def test_a_time_that_no_calendar_knows_hides_no_other_heartbeat_and_long_words_are_cut() -> None:
    odd = a_page_of_heartbeats("odd", following="more", renewed="20260-11-20T11:59:00Z")
    first, second = heartbeats_listed(Server(odd, a_page_of_heartbeats("fine")))
    assert (first.renewed, second.renewed is None) == (None, False)
    assert second.holder == "p" * 253


def test_a_list_of_revocations_is_not_empty_because_something_in_between_says_404() -> None:
    async def lists(cluster: KubernetesCluster) -> object:
        return await cluster.list_revocations()

    assert isinstance(outcome(Server(an_answer(404, "not here")), lists), TryLater)


A_SECRET = (
    '{"metadata": {"name": "s", "uid": "u-1", "resourceVersion": "7", '
    '"labels": {"app.kubernetes.io/managed-by": "leasehold"}}}'
)


def test_a_conflict_at_a_deletion_does_not_prove_that_the_secret_is_gone() -> None:
    async def deletes(cluster: KubernetesCluster) -> object:
        await cluster.delete_secret("support", "s", "u-1")
        return None

    conflict = a_status(409, "Conflict")
    assert isinstance(outcome(Server(conflict, an_answer(200, A_SECRET)), deletes), Conflict)
    assert isinstance(outcome(Server(conflict, an_answer(500)), deletes), TryLater), "nothing was seen"


def test_a_conflict_at_a_deletion_with_another_one_of_that_name_is_done() -> None:
    server = Server(a_status(409, "Conflict"), an_answer(200, A_SECRET.replace("u-1", "u-2")))

    async def run() -> None:
        async with serving(server) as cluster:
            await cluster.delete_secret("support", "s", "u-1")

    asyncio.run(run())
    assert not server.answers


def test_every_request_is_observed() -> None:
    seen: list[tuple[str, str, str]] = []

    async def run() -> None:
        listening = await asyncio.start_server(Server(an_answer(200), None).serve, "127.0.0.1", 0)
        host = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        cluster = KubernetesCluster.explicit(
            host, "t0ken", observe=lambda verb, resource, outcome, _: seen.append((verb, resource, outcome))
        )
        try:
            await cluster.namespace_labels("support")
            with pytest.raises(OutcomeUnknown):
                await writes_status(cluster)
            assert cluster.clock.now() is not None
        finally:
            await cluster.close()
            listening.close()

    asyncio.run(run())
    assert seen == [("get", "namespaces", "200"), ("update", "mcpconnections/status", "unanswered")]
