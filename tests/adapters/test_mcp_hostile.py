"""A server may send anything, and as much and as slowly as it likes. The prober ends every time, with a reason,
and holds little meanwhile."""

import asyncio
import gzip
import itertools
import json
import os
import random
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.mcp_stage import IMPATIENT, STATELESS, Asked, Behaviour, Line, Stage, handshake, play, stateless
from leasehold.adapters.mcp_limits import ProbeLimits
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.probe import ProbeTarget
from leasehold.core.sealed import Sealed

MIB = 1 << 20
HUGE = 200 * MIB
BRIEF = replace(IMPATIENT, seconds=0.5)
QUIET = replace(IMPATIENT, silence_seconds=0.3)
NARROW = replace(IMPATIENT, seconds=30.0, body_bytes=MIB // 2, total_bytes=MIB, heard_messages=10**9)
SENT_BYTES_AT_MOST = 24 * MIB
"""The narrow limits, the framing of tiny chunks (six bytes for one), and what kernels hold in their buffers."""


def with_tools(behaviour: Behaviour | Mapping[str, Any]) -> Behaviour:
    return stateless({"tools/list": behaviour})


def raw(*parts: bytes) -> Behaviour:
    async def behave(_: Asked, line: Line) -> None:
        for part in parts:
            await line.raw(part)
        line._writer.close()

    return behave


def body(text: bytes, **headers: str) -> Behaviour:
    async def behave(_: Asked, line: Line) -> None:
        await line.answer(200, text, **headers)

    return behave


def a_result(inner: str) -> Behaviour:
    """A result written out by hand, for what `json` would not write."""

    async def behave(asked: Asked, line: Line) -> None:
        await line.answer(200, f'{{"jsonrpc":"2.0","id":{asked.id},"result":{inner}}}'.encode())

    return behave


def message(**members: Any) -> Behaviour:
    async def behave(asked: Asked, line: Line) -> None:
        told = {"jsonrpc": "2.0", "id": asked.id, "result": {"tools": []}} | members
        await line.answer(200, {name: value for name, value in told.items() if value is not ...})

    return behave


# ---- too much


async def _flood(line: Line, piece: bytes) -> None:
    for _ in range(HUGE // len(piece)):
        await line.raw(piece)


async def long_body(_: Asked, line: Line) -> None:
    await line.head(200, Content_Type="application/json", Content_Length=HUGE)
    await _flood(line, b" " * 65536)


async def endless_body(_: Asked, line: Line) -> None:
    await line.head(200, Content_Type="application/json", Connection="close")
    await _flood(line, b'[[[["a' * 10000)


async def chunked_body(_: Asked, line: Line) -> None:
    await line.head(200, Content_Type="application/json", Transfer_Encoding="chunked")
    await _flood(line, b"10000\r\n" + b"x" * 65536 + b"\r\n")


async def tiny_chunks(_: Asked, line: Line) -> None:
    await line.head(200, Content_Type="application/json", Transfer_Encoding="chunked")
    await _flood(line, b"1\r\n[\r\n" * 9000)


async def endless_line_of_events(_: Asked, line: Line) -> None:
    await line.stream()
    await line.raw(b"data: ")
    await _flood(line, b"x" * 65536)


async def endless_event(_: Asked, line: Line) -> None:
    await line.stream()
    await _flood(line, b"data: " + b"x" * 60000 + b"\n")


async def endless_comments(_: Asked, line: Line) -> None:
    await line.stream()
    await _flood(line, b": still here\n\n" * 4000)


async def endless_notifications(_: Asked, line: Line) -> None:
    await line.stream()
    await _flood(line, b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n' * 900)


async def endless_error(_: Asked, line: Line) -> None:
    await line.head(400, Content_Type="application/json", Connection="close")
    await _flood(line, b"x" * 65536)


async def wide_headers(_: Asked, line: Line) -> None:
    await line.raw(b"HTTP/1.1 200 OK\r\n")
    await _flood(line, b"X-Wide: " + b"x" * 60000 + b"\r\n")


async def endless_header(_: Asked, line: Line) -> None:
    await line.raw(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    await _flood(line, b"x" * 65536)


async def many_headers(_: Asked, line: Line) -> None:
    await line.raw(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        await line.raw(f"X-{number}: x\r\n".encode() * 500)


async def endless_status_line(_: Asked, line: Line) -> None:
    await _flood(line, b"HTTP/1.1 200 " + b"x" * 60000)


FLOODS = [
    long_body,
    endless_body,
    chunked_body,
    tiny_chunks,
    endless_line_of_events,
    endless_event,
    endless_comments,
    endless_notifications,
    endless_error,
    wide_headers,
    endless_header,
    many_headers,
    endless_status_line,
]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_left_soon_after_its_bound(flood: Behaviour) -> None:
    played = play(with_tools(flood), limits=NARROW)
    assert played.fault.reason is Reason.TOO_LARGE
    assert isinstance(played.fault, NeedsPerson)
    assert played.stage.sent < SENT_BYTES_AT_MOST


@pytest.mark.parametrize("framing", ["Content_Length", "Transfer_Encoding"])
def test_one_answer_has_a_bound_of_its_own(framing: str) -> None:
    text = b" " * 2000

    async def answer(_: Asked, line: Line) -> None:
        chunked = framing == "Transfer_Encoding"
        await line.head(
            200, Content_Type="application/json", **{framing: "chunked" if chunked else len(text)}
        )
        await line.raw(b"7d0\r\n" + text + b"\r\n0\r\n\r\n" if chunked else text)

    fault = play(with_tools(answer), limits=replace(IMPATIENT, body_bytes=1000)).fault
    assert fault.reason is Reason.TOO_LARGE
    assert "one answer" in fault.message


def test_a_server_that_talks_without_end_is_left() -> None:
    played = play(with_tools(endless_notifications))
    assert played.fault.reason is Reason.TOO_LARGE
    assert "messages" in played.fault.message


densest = a_result('{"tools":[{"name":"a","x":[' + "[]," * 690_000 + "[]]}]}")
"""As many values as two megabytes hold."""


@pytest.mark.parametrize("flood", [long_body, chunked_body, endless_event, densest])
def test_the_process_does_not_grow_with_what_a_server_sends(flood: Behaviour) -> None:
    program = Path(__file__).with_name("mcp_flood.py")

    async def run() -> tuple[str, int]:
        async with Stage(with_tools(flood)).open() as stage:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                str(program),
                stage.url,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "operator")},
            )
            told, _ = await asyncio.wait_for(child.communicate(), 60)
            reason, grown = told.decode().split()
            return reason, int(grown)

    reason, grown = asyncio.run(run())
    assert reason == Reason.TOO_LARGE
    assert grown < 24 * MIB


def test_a_compressed_answer_is_refused_before_it_is_read() -> None:
    bomb = gzip.compress(b" " * HUGE, 1)
    played = play(with_tools(body(bomb, Content_Encoding="gzip")))
    assert played.fault.reason is Reason.MALFORMED
    assert "compressed" in played.fault.message


def test_pages_without_end_are_left() -> None:
    pages = itertools.count()

    async def always_one_more(asked: Asked, line: Line) -> None:
        await line.result(asked, {"tools": [], "nextCursor": str(next(pages))})

    played = play(with_tools(always_one_more))
    assert played.fault.reason is Reason.TOO_LARGE
    assert len(played.stage.asked) < 300


def test_more_items_than_anybody_can_review_are_refused() -> None:
    played = play(with_tools({"tools": [{"name": f"t{number}"} for number in range(5001)]}))
    assert played.fault.reason is Reason.TOO_LARGE


def test_a_cursor_that_would_be_a_flood_of_ours_is_refused() -> None:
    assert play(with_tools({"tools": [], "nextCursor": "c" * 10000})).fault.reason is Reason.TOO_LARGE


def paged(pages: Mapping[str | None, dict[str, Any]]) -> Behaviour:
    async def behave(asked: Asked, line: Line) -> None:
        await line.result(asked, pages[asked.message["params"].get("cursor")])

    return behave


def a_page(name: str, **cursor: Any) -> dict[str, Any]:
    return {"tools": [{"name": name}], **cursor}


@pytest.mark.parametrize(
    ("pages", "read"),
    [
        ({None: a_page("a", nextCursor="1"), "1": a_page("b", nextCursor="2"), "2": a_page("c")}, "abc"),
        ({None: a_page("a", nextCursor="1"), "1": a_page("b", nextCursor=None)}, "ab"),
        ({None: a_page("a", nextCursor=""), "": a_page("b")}, "ab"),  # an empty cursor is a cursor
        ({None: a_page("a", nextCursor=""), "": a_page("a", nextCursor="")}, "a"),  # or means the end
    ],
)
def test_all_pages_are_read(pages: Mapping[str | None, dict[str, Any]], read: str) -> None:
    surface = play(with_tools(paged(pages))).probed.surface
    assert "".join(str(tool["name"]) for tool in surface.tools) == read


@pytest.mark.parametrize(
    "pages",
    [
        {None: a_page("a", nextCursor="1"), "1": a_page("b", nextCursor="1")},
        {
            None: a_page("a", nextCursor="1"),
            "1": a_page("b", nextCursor="2"),
            "2": a_page("c", nextCursor="1"),
        },
        {None: a_page("a", nextCursor=""), "": a_page("b", nextCursor="")},
    ],
)
def test_pages_that_lead_back_are_a_loop(pages: Mapping[str | None, dict[str, Any]]) -> None:
    assert play(with_tools(paged(pages))).fault.reason is Reason.CURSOR_LOOP


# ---- too slow


async def mute(_: Asked, line: Line) -> None:
    await line.silence()


async def drip(_: Asked, line: Line) -> None:
    await line.head(200, Content_Type="application/json", Content_Length=1000)
    while True:
        await line.raw(b" ")
        await asyncio.sleep(0.02)


async def drip_of_headers(_: Asked, line: Line) -> None:
    await line.raw(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await line.raw(b"x")
        await asyncio.sleep(0.02)


async def pings_for_ever(_: Asked, line: Line) -> None:
    await line.stream()
    while True:
        await line.raw(b": ping\n\n")
        await asyncio.sleep(0.02)


async def informs_for_ever(_: Asked, line: Line) -> None:
    while True:
        await line.raw(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("slowly", [mute, drip, drip_of_headers, pings_for_ever, informs_for_ever])
def test_slowness_of_any_kind_ends_with_the_time(slowly: Behaviour) -> None:
    for behaviour in (slowly, with_tools(slowly), handshake({"tools/list": slowly})):
        fault = play(behaviour, limits=BRIEF).fault
        assert isinstance(fault, TryLater)
        assert fault.reason is Reason.TIMEOUT


def test_silence_ends_a_probe_before_its_time_is_over() -> None:
    fault = play(with_tools(mute), limits=QUIET).fault
    assert fault.reason is Reason.TIMEOUT
    assert "silent" in fault.message


def test_a_session_is_ended_also_when_the_time_is_over() -> None:
    played = play(handshake({"tools/list": mute}), limits=BRIEF)
    assert played.fault.reason is Reason.TIMEOUT
    assert played.stage.rpcs()[-1] == "DELETE"


def test_a_goodbye_that_is_not_answered_is_not_waited_for() -> None:
    assert play(handshake({"DELETE": mute}), limits=replace(IMPATIENT, goodbye_seconds=0.2)).probed


# ---- not what it should be


@pytest.mark.parametrize(
    "behaviour",
    [
        body(b"\xff\xfe{}"),
        body(b"{"),
        body(b""),
        body(b"[]"),
        body(b"null"),
        body(b"[" * 100000),
        body(b'{"jsonrpc":"2.0","id":2,"id":2,"result":{"tools":[]}}'),
        body(b'[{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}]'),
        body(b'{"jsonrpc":"2.0","id":2,"result":{"tools":[]}} {}'),
        a_result('{"tools":[],"tools":[{"name":"hidden"}]}'),
        a_result('{"tools":[{"name":"a","name":"b"}]}'),
        a_result('{"tools":[{"name":"a","x":NaN}]}'),
        a_result('{"tools":[{"name":"a","x":1e999}]}'),
        a_result('{"tools":[{"name":"a","x":"\\ud800"}]}'),
        a_result('{"tools":[{"name":"a","x":' + "9" * 500 + "}]}"),
        a_result('{"tools":[{"name":"a","x":' + "[" * 200 + "]" * 200 + "}]}"),
        message(jsonrpc="1.0"),
        message(jsonrpc=...),
        message(id=999),
        message(id="2"),
        message(id=True),
        message(id=2.0),
        message(id=None),
        message(result=...),
        message(result=[]),
        message(result={}),
        message(result={"tools": {}}),
        message(result={"tools": None}),
        message(result={"tools": ["price"]}),
        message(result={"tools": [{"name": 7}]}),
        message(result={"tools": [{"name": ""}]}),
        message(result={"tools": [{}]}),
        message(result={"tools": [], "nextCursor": 5}),
        message(result={"tools": [], "nextCursor": ["x"]}),
        message(result={"tools": [], "resultType": "input_required"}),
        message(error={"code": -32603, "message": "both"}),
        message(result=..., error="no"),
        message(result=..., error={"code": "1"}),
        message(result=..., error={"code": -1, "message": "x"}, id=77),
    ],
)
def test_what_is_not_the_protocol_is_malformed_and_never_a_surface(behaviour: Behaviour) -> None:
    assert play(with_tools(behaviour)).fault.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "members",
    [
        {"capabilities": []},
        {},
        {"capabilities": {}, "instructions": 1},
        {"capabilities": {}, "serverInfo": "shop"},
    ],
)
def test_a_discovery_of_wrong_types_is_malformed(members: dict[str, Any]) -> None:
    discovery = {"supportedVersions": [STATELESS], **members}
    assert play(stateless({"server/discover": discovery})).fault.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "opening",
    [
        {"protocolVersion": 7, "capabilities": {}, "serverInfo": {}},
        {"capabilities": {}, "serverInfo": {}},
        {"protocolVersion": "2025-11-25", "serverInfo": {}},
        {"protocolVersion": "2025-11-25", "capabilities": {}},
        {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}, "instructions": []},
    ],
)
def test_a_handshake_of_wrong_types_is_malformed(opening: dict[str, Any]) -> None:
    assert play(handshake({"initialize": opening})).fault.reason is Reason.MALFORMED


@pytest.mark.parametrize("session_id", ["a b", "x" * 2000, "caf\u00e9"])
def test_a_session_id_that_is_none_is_malformed(session_id: str) -> None:
    async def begin(asked: Asked, line: Line) -> None:
        await line.result(asked, {}, Mcp_Session_Id=session_id)

    assert play(handshake({"initialize": begin})).fault.reason is Reason.MALFORMED


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", "text/plain; charset=utf-8", ""])
def test_an_answer_of_another_type_is_no_mcp(kind: str) -> None:
    assert play(with_tools(body(b'{"jsonrpc":"2.0"}', Content_Type=kind))).fault.reason is Reason.NOT_MCP


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), Reason.NOT_MCP),
        ((b"\x15\x03\x01\x00\x02\x02\x46",), Reason.NOT_MCP),
        ((b"",), Reason.UNREACHABLE),
        ((b"HTTP/1.1 200 OK\r\nContent-Type: application/js",), Reason.UNREACHABLE),
        (
            (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{",),
            Reason.MALFORMED,
        ),
        (
            (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
            ),
            Reason.MALFORMED,
        ),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",), Reason.NOT_MCP),
        ((b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",), Reason.NOT_MCP),
        ((b"HTTP/1.1 99999 OK\r\n\r\n",), Reason.NOT_MCP),
    ],
)
def test_what_is_not_http_or_breaks_off_is_told_apart(parts: tuple[bytes, ...], reason: Reason) -> None:
    assert play(with_tools(raw(*parts))).fault.reason is reason


def test_a_cut_connection_is_tried_again_later() -> None:
    async def cut(_: Asked, line: Line) -> None:
        line.cut()

    fault = play(with_tools(cut)).fault
    assert isinstance(fault, TryLater)
    assert fault.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("seed", range(6))
def test_noise_in_every_place_ends_in_a_fault_of_ours(seed: int) -> None:
    """Honest answers with bytes changed, dropped and doubled at random."""
    random_ = random.Random(seed)

    async def noisy(asked: Asked, line: Line) -> None:
        result = {"supportedVersions": [STATELESS], "capabilities": {}, "tools": [{"name": "a"}]}
        text = json.dumps({"jsonrpc": "2.0", "id": asked.id, "result": result}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        data = bytearray(head.encode() + text)
        for _ in range(random_.randint(1, 8)):
            place = random_.randrange(len(data))
            data[place : place + random_.randint(0, 2)] = random_.randbytes(random_.randint(0, 3))
        await line.raw(bytes(data))
        line._writer.close()

    for _ in range(12):
        assert play(noisy, limits=BRIEF).fault.message


# ---- statuses, redirects


def status(code: int, **headers: object) -> Behaviour:
    async def behave(_: Asked, line: Line) -> None:
        await line.answer(code, b"<html>", Content_Type="text/html", **headers)

    return behave


@pytest.mark.parametrize(
    ("code", "fault", "reason"),
    [
        (401, NeedsPerson, Reason.UNAUTHORIZED),
        (403, NeedsPerson, Reason.FORBIDDEN),
        (400, NeedsPerson, Reason.NOT_MCP),
        (404, NeedsPerson, Reason.NOT_MCP),
        (405, NeedsPerson, Reason.NOT_MCP),
        (408, TryLater, Reason.SERVER_ERROR),
        (429, TryLater, Reason.THROTTLED),
        (500, TryLater, Reason.SERVER_ERROR),
        (502, TryLater, Reason.SERVER_ERROR),
        (503, TryLater, Reason.SERVER_ERROR),
        (204, NeedsPerson, Reason.NOT_MCP),
    ],
)
def test_a_status_midway_is_a_reason_and_never_part_of_a_surface(
    code: int, fault: type[Fault], reason: Reason
) -> None:
    played = play(stateless({"prompts/list": status(code)}))
    assert isinstance(played.fault, fault)
    assert played.fault.reason is reason


def test_the_wait_that_a_server_asks_for_is_kept() -> None:
    fault = play(with_tools(status(429, Retry_After="7"))).fault
    assert isinstance(fault, TryLater)
    assert fault.retry_after_seconds == 7.0


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2/mcp",
        "http://169.254.169.254/latest/meta-data/",
        "/mcp/",
        "file:///etc/passwd",
        "http://[",
        "",
    ],
)
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(location: str, code: int) -> None:
    played = play(status(code, Location=location))
    assert played.fault.reason is Reason.REDIRECTED
    assert len(played.stage.asked) == 1


def test_an_error_of_the_server_is_quoted_in_one_short_harmless_line() -> None:
    async def rude(asked: Asked, line: Line) -> None:
        await line.error(asked, -32602, words="no\x1b[31m\u202e\r\nway " + "!" * 9000)

    message = play(with_tools(rude)).fault.message
    assert "no" in message
    assert len(message) < 400
    assert message.isprintable()


# ---- streams


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
        line._writer.close()

    assert play(with_tools(empty)).fault.reason is Reason.MALFORMED


# ---- sessions


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


# ---- credentials

TOKEN = "Bearer correct-horse-battery-staple"


def with_token(**headers: str) -> ProbeTarget:
    return ProbeTarget("", headers=Sealed({"Authorization": TOKEN, **headers}))


def test_the_credential_goes_with_every_request() -> None:
    played = play(handshake(), target=with_token(**{"X-Tenant": "acme"}))
    assert played.probed.surface.tools
    assert {asked.headers["authorization"] for asked in played.stage.asked} == {TOKEN}
    assert {asked.headers["x-tenant"] for asked in played.stage.asked} == {"acme"}


async def echoing(asked: Asked, line: Line) -> None:
    await line.error(asked, -32602, words=f"bad token {asked.headers['authorization'].split()[-1]}")


@pytest.mark.parametrize("token", [TOKEN, "correct-horse-battery-staple", "Key correct-horse/battery"])
def test_a_credential_that_the_server_repeats_in_an_error_is_not_repeated_by_us(token: str) -> None:
    target = ProbeTarget("", headers=Sealed({"Authorization": token}))
    fault = play(with_tools(echoing), target=target).fault
    assert "correct-horse" not in fault.message
    assert "correct-horse" not in repr(fault)
    assert "bad token" in fault.message


def test_a_surface_that_repeats_the_credential_is_not_kept() -> None:
    async def echo(asked: Asked, line: Line) -> None:
        secret = asked.headers["authorization"].split()[1]
        await line.result(asked, {"tools": [{"name": "a", "description": f"say {secret}"}]})

    assert play(with_tools(echo), target=with_token()).fault.reason is Reason.CREDENTIAL_ECHOED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Mcp-Session-Id", "mine"),
        ("Host", "other.example"),
        ("content-length", "1"),
        ("Bad Name", "x"),
        ("X-Line", "a\r\nInjected: b"),
        ("X-Empty", ""),
        ("X-Wide", "caf\u00e9"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(name: str, value: str) -> None:
    played = play(stateless(), target=with_token(**{name: value}))
    assert played.fault.reason is Reason.INVALID_SPEC
    assert not value or value not in played.fault.message
    assert played.stage.asked == []


def test_no_proxy_of_the_environment_sees_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert play(stateless()).probed.surface.tools


def test_cookies_are_not_kept() -> None:
    async def baking(asked: Asked, line: Line) -> None:
        await line.result(asked, {"tools": []}, Set_Cookie="a=b; Path=/")

    played = play(with_tools(baking))
    assert played.probed
    assert not any("cookie" in asked.headers for asked in played.stage.asked)


def test_the_limits_of_a_probe_fit_each_other() -> None:
    limits = ProbeLimits()
    assert limits.body_bytes < limits.total_bytes
    assert limits.connect_seconds < limits.silence_seconds < limits.seconds
    assert limits.pages < limits.messages
