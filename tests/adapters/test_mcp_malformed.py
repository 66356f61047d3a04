"""What is not exactly the protocol is a fault with a reason, and never a surface."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from adapters.mcp_answers import a_result, body, message, raw, with_tools
from adapters.mcp_stage import IMPATIENT, STATELESS, Asked, Behaviour, Line, handshake, play, stateless
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater

BRIEF = replace(IMPATIENT, seconds=0.5)


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
        line.hang_up()

    for _ in range(12):
        assert play(noisy, limits=BRIEF).fault.message
