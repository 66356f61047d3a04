"""The transport of revision 2024-11-05: one stream, an address that the server chooses, answers out of order."""

import pytest

from adapters.mcp_stage import IMPATIENT, Asked, Behaviour, Line, legacy, play, stateless
from leasehold.adapters.mcp_events import EventReader
from leasehold.api.profile import Transport
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.probe import ProbeTarget
from leasehold.core.sealed import Sealed

TARGET = ProbeTarget("", transport=Transport.SSE, headers=Sealed({"X-Api-Key": "a-key-of-its-own"}))


def test_a_server_of_the_old_transport_is_read_with_the_credential_in_every_request() -> None:
    played = play(legacy(), target=TARGET)
    surface = played.probed.surface
    assert surface.era == "2024-11-05"
    assert [tool["name"] for tool in surface.tools] == ["price"]
    assert played.stage.rpcs() == [
        "GET",
        "initialize",
        "notifications/initialized",
        "tools/list",
        "prompts/list",
        "resources/templates/list",
    ]
    assert {asked.headers["x-api-key"] for asked in played.stage.asked} == {"a-key-of-its-own"}


def saying(endpoint: str) -> Behaviour:
    async def begin(_: Asked, line: Line) -> None:
        await line.event(endpoint, name="endpoint")
        await line.silence()

    return legacy({"endpoint": begin})


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("http://127.0.0.2:1/message", Reason.REDIRECTED),
        ("//evil.example/message", Reason.REDIRECTED),
        ("https://127.0.0.1/message", Reason.REDIRECTED),
        ("http://user@127.0.0.1:1/message", Reason.REDIRECTED),
        ("file:///etc/passwd", Reason.MALFORMED),
        ("http://[", Reason.MALFORMED),
        ("/m\u00fcssage", Reason.MALFORMED),
    ],
)
def test_the_credential_goes_to_no_other_origin(endpoint: str, reason: Reason) -> None:
    played = play(saying(endpoint), target=TARGET)
    assert played.fault.reason is reason
    assert len(played.stage.asked) == 1


async def _message_first(_: Asked, line: Line) -> None:
    await line.event({"jsonrpc": "2.0", "method": "notifications/message"})
    await line.silence()


async def _end(_: Asked, line: Line) -> None:
    line.hang_up()


async def _refuse(_: Asked, line: Line) -> None:
    await line.answer(401)


async def _wrong_id(asked: Asked, line: Line) -> None:
    await line.answer(404)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (legacy({"endpoint": _message_first}), Reason.MALFORMED),
        (legacy({"endpoint": _end}), Reason.MALFORMED),
        (legacy({"initialize": _refuse}), Reason.UNAUTHORIZED),
        (legacy({"tools/list": _refuse}), Reason.UNAUTHORIZED),
        (legacy({"tools/list": _wrong_id}), Reason.NOT_MCP),
        (legacy({"tools/list": {"tools": "none"}}), Reason.MALFORMED),
        (stateless(), Reason.NOT_MCP),
    ],
)
def test_what_goes_wrong_is_told(behaviour: Behaviour, reason: Reason) -> None:
    assert play(behaviour, target=TARGET).fault.reason is reason


def test_an_answer_that_never_comes_over_the_stream_ends_with_the_time() -> None:
    async def accept(_: Asked, line: Line) -> None:
        await line.answer(202)

    limits = type(IMPATIENT)(seconds=0.5)
    assert play(legacy({"tools/list": accept}), target=TARGET, limits=limits).fault.reason is Reason.TIMEOUT


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_are_the_same_in_whatever_pieces_they_come(size: int, end: str) -> None:
    lines = [
        ": c",
        "event: endpoint",
        "data: /m",
        "",
        "data:a",
        "data: b",
        "id: 1",
        "",
        "",
        "event: x",
        "",
        "data",
        "",
    ]
    # a CR alone ends a line only when it is known that no LF follows
    text = "".join(line + end for line in [*lines, ": last"]).encode()
    reader = EventReader(100)
    events = [event for at in range(0, len(text), size) for event in reader.feed(text[at : at + size])]
    assert [(event.name, event.data) for event in events] == [
        ("endpoint", b"/m"),
        ("message", b"a\nb"),
        ("message", b""),
    ]


@pytest.mark.parametrize("flood", [b"data: " + b"x" * 200, b"data: x\n" * 100, b"x" * 101])
def test_one_event_has_a_bound(flood: bytes) -> None:
    with pytest.raises(NeedsPerson) as caught:
        list(EventReader(100).feed(flood))
    assert caught.value.reason is Reason.TOO_LARGE
