"""The credential goes to the server that was registered, and comes back in nothing."""

import pytest

from adapters.mcp_answers import with_tools
from adapters.mcp_stage import Asked, Line, handshake, play, stateless
from leasehold.api.reasons import Reason
from leasehold.core.probe import ProbeTarget
from leasehold.core.sealed import Sealed

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
