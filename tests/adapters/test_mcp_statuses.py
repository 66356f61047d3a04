"""What a status means for what happens next, wherever in a probe it comes."""

import pytest

from adapters.mcp_answers import status, with_tools
from adapters.mcp_stage import Asked, Line, play, stateless
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, TryLater


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
