"""A server may send as much as it likes. The prober leaves it soon, and holds little meanwhile."""

import asyncio
import gzip
import itertools
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.mcp_answers import a_result, body, with_tools
from adapters.mcp_stage import IMPATIENT, Asked, Behaviour, Line, Stage, play
from leasehold.adapters.mcp_limits import ProbeLimits
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson

MIB = 1 << 20
HUGE = 200 * MIB
NARROW = replace(IMPATIENT, seconds=30.0, body_bytes=MIB // 2, total_bytes=MIB, heard_messages=10**9)
SENT_BYTES_AT_MOST = 24 * MIB
"""The narrow limits, the framing of tiny chunks (six bytes for one), and what kernels hold in their buffers."""


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


def test_the_limits_of_a_probe_fit_each_other() -> None:
    limits = ProbeLimits()
    assert limits.body_bytes < limits.total_bytes
    assert limits.connect_seconds < limits.silence_seconds < limits.seconds
    assert limits.pages < limits.messages
