"""A server may take as long as it likes. The prober does not."""

import asyncio
from dataclasses import replace

import pytest

from adapters.mcp_answers import mute, with_tools
from adapters.mcp_stage import IMPATIENT, Asked, Behaviour, Line, handshake, play
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater

BRIEF = replace(IMPATIENT, seconds=0.5)
QUIET = replace(IMPATIENT, silence_seconds=0.3)


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
