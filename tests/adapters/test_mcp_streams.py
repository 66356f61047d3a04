"""Answers that come over a stream, among everything else, and sessions that end before their time."""

import itertools
import json
from dataclasses import replace

from adapters.mcp_answers import with_tools
from adapters.mcp_stage import IMPATIENT, Asked, Behaviour, Line, handshake, play
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater


def test_a_stream_brings_its_answer_among_everything_else() -> None:
    async def chatty(asked: Asked, line: Line) -> None:
        await line.stream()
        await line.raw(b"\xef\xbb\xbfretry: 10\r\nid: 1\r\ndata:\r\n\r\n: comment\r\rdata\n\n")
        await line.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
        await line.event("not json at all", name="weather")
        answer = json.dumps(
            {"jsonrpc": "2.0", "id": asked.id, "result": {"tools": [{"name": "a"}]}}, indent=1
        )
        text = "".join(f"data: {each}\r\n" for each in answer.splitlines()) + "\r\n"
        for byte in text.encode():
            await line.raw(bytes([byte]))
        await line.silence()  # a stream need not end after its answer

    assert [tool["name"] for tool in play(with_tools(chatty)).probed.surface.tools] == ["a"]


def test_a_server_of_a_session_gets_its_own_requests_answered() -> None:
    async def asking(asked: Asked, line: Line) -> None:
        await line.stream()
        await line.event({"jsonrpc": "2.0", "id": "p", "method": "ping"})
        await line.event({"jsonrpc": "2.0", "id": 7, "method": "roots/list"})
        await line.event({"jsonrpc": "2.0", "id": asked.id, "result": {"tools": []}})

    async def accept(_: Asked, line: Line) -> None:
        await line.answer(202)

    played = play(handshake({"tools/list": asking, "POST": accept}))
    assert played.probed.surface.tools == ()
    replies = [asked.message for asked in played.stage.asked if asked.method == "POST" and not asked.rpc]
    assert replies[0] == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert replies[1]["id"] == 7
    assert replies[1]["error"]["code"] == -32601


def test_a_server_cannot_make_us_answer_without_end() -> None:
    async def asking(_: Asked, line: Line) -> None:
        await line.stream()
        for number in itertools.count():
            await line.event({"jsonrpc": "2.0", "id": number, "method": "ping"})

    async def accept(_: Asked, line: Line) -> None:
        await line.answer(202)

    played = play(handshake({"tools/list": asking, "POST": accept}), limits=replace(IMPATIENT, messages=30))
    assert played.fault.reason is Reason.TOO_LARGE
    assert len(played.stage.asked) <= 31


def test_a_stream_that_ends_without_its_answer_is_malformed() -> None:
    async def empty(_: Asked, line: Line) -> None:
        await line.stream()
        await line.event({"jsonrpc": "2.0", "method": "notifications/progress"})
        line.hang_up()

    assert play(with_tools(empty)).fault.reason is Reason.MALFORMED


def expiring(times: int) -> Behaviour:
    """A server that forgets the session at the second list, so many times."""
    left = [times]

    async def forget(asked: Asked, line: Line) -> None:
        if left[0] > 0:
            left[0] -= 1
            await line.error(asked, -32001, status=404, words="Session not found")
        else:
            await line.result(asked, {"prompts": []})

    return handshake({"prompts/list": forget})


def test_a_session_that_expires_midway_is_begun_anew_and_read_from_the_start() -> None:
    played = play(expiring(1))
    assert played.probed.surface.tools
    assert played.stage.rpcs().count("initialize") == 2
    assert played.stage.rpcs().count("tools/list") == 2


def test_a_session_that_keeps_expiring_is_a_fault() -> None:
    fault = play(expiring(99)).fault
    assert isinstance(fault, TryLater)
    assert fault.reason is Reason.SESSION_LOST
