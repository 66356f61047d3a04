"""Which era a server speaks is found out in few requests, and what it exposes is read as it was sent."""

from typing import Any

import pytest

from adapters.mcp_stage import (
    CAPABILITIES,
    HANDSHAKE,
    INFO,
    LISTS,
    STATELESS,
    Asked,
    Behaviour,
    Line,
    handshake,
    play,
    stateless,
)
from leasehold.api.profile import Transport
from leasehold.api.reasons import Reason
from leasehold.core.probe import ProbeTarget
from leasehold.core.surface import Identity

READING = ["tools/list", "prompts/list", "resources/templates/list"]
SESSION = ["initialize", "notifications/initialized", *READING, "DELETE"]


def declining(status: int, code: int | None = None, **data: Any) -> Behaviour:
    async def behave(asked: Asked, line: Line) -> None:
        if code is None:
            await line.answer(status, b"no", Content_Type="text/plain")
        else:
            await line.error(asked, code, status, **data)

    return behave


def either(first: Behaviour, rest: Behaviour) -> Behaviour:
    """A server that answers the first request in one way, and the rest in another."""
    begun: list[Asked] = []

    async def behave(asked: Asked, line: Line) -> None:
        begun.append(asked)
        await (first if len(begun) == 1 else rest)(asked, line)

    return behave


def test_a_stateless_server_is_read_in_four_requests() -> None:
    played = play(stateless())
    surface = played.probed.surface
    assert played.stage.rpcs() == ["server/discover", *READING]
    assert (surface.era, surface.server_info, surface.capabilities) == (STATELESS, INFO, CAPABILITIES)
    assert surface.instructions == "Sells things."
    assert list(surface.tools) == LISTS["tools/list"]["tools"]
    assert list(surface.prompts) == LISTS["prompts/list"]["prompts"]
    assert list(surface.resource_templates) == LISTS["resources/templates/list"]["resourceTemplates"]
    assert played.probed.identity == Identity(played.stage.url.removesuffix("/mcp"), None)


def test_every_stateless_request_says_all_about_itself_and_that_we_can_do_nothing() -> None:
    for asked in play(stateless()).stage.asked:
        meta = asked.message["params"]["_meta"]
        assert asked.headers["mcp-protocol-version"] == STATELESS
        assert asked.headers["mcp-method"] == asked.rpc
        assert meta["io.modelcontextprotocol/protocolVersion"] == STATELESS
        assert meta["io.modelcontextprotocol/clientCapabilities"] == {}
        assert meta["io.modelcontextprotocol/clientInfo"]["name"] == "leasehold"
        assert asked.headers["accept-encoding"] == "identity"
        assert "authorization" not in asked.headers


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26"])
def test_a_session_is_begun_carried_and_ended(version: str) -> None:
    played = play(handshake(version=version))
    assert played.probed.surface.era == version
    assert played.stage.rpcs() == ["server/discover", *SESSION]
    for asked in played.stage.asked[2:]:
        assert asked.headers["mcp-session-id"] == "session-1"
        assert asked.headers["mcp-protocol-version"] == version
    assert played.stage.asked[1].message["params"]["capabilities"] == {}


@pytest.mark.parametrize("hint", ["2025-11-25", "2025-03-26"])
def test_what_was_spoken_last_is_asked_first(hint: str) -> None:
    played = play(handshake(), target=ProbeTarget("", era_hint=hint))
    assert played.stage.rpcs() == SESSION
    assert played.probed.surface.era == HANDSHAKE


def test_a_hint_that_became_wrong_costs_one_request() -> None:
    played = play(stateless(), target=ProbeTarget("", era_hint=HANDSHAKE))
    assert played.stage.rpcs() == ["initialize", "server/discover", *READING]
    assert played.probed.surface.era == STATELESS


@pytest.mark.parametrize(
    "first",
    [
        declining(400),
        declining(404),
        declining(405),
        declining(406),
        declining(415),
        declining(500),
        declining(501),
        declining(200),
        declining(202),
        declining(400, -32000),
        declining(404, -32601),
        declining(200, -32601),
        declining(200, -32602),
        declining(400, -32022, supported=["2025-11-25"]),
        declining(400, -32022),
        stateless({"server/discover": {"supportedVersions": ["2025-06-18"], "capabilities": {}}}),
        stateless({"server/discover": {"something": "else"}}),
    ],
)
def test_a_server_that_does_not_know_the_newest_era_is_asked_in_the_earlier_one(first: Behaviour) -> None:
    played = play(either(first, handshake()))
    assert played.probed.surface.era == HANDSHAKE
    assert played.stage.rpcs() == ["server/discover", *SESSION]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (declining(401), Reason.UNAUTHORIZED),
        (declining(403), Reason.FORBIDDEN),
        (declining(429), Reason.THROTTLED),
        (declining(307), Reason.REDIRECTED),
        (declining(502), Reason.SERVER_ERROR),
        (declining(503), Reason.SERVER_ERROR),
        (declining(400, -32020), Reason.REFUSED),
        (declining(400, -32021), Reason.REFUSED),
        (declining(400, -32022, supported=["2099-01-01"]), Reason.UNSUPPORTED_VERSION),
        (
            stateless({"server/discover": {"supportedVersions": ["2099-01-01"], "capabilities": {}}}),
            Reason.UNSUPPORTED_VERSION,
        ),
    ],
)
def test_what_says_nothing_about_eras_ends_the_probe(first: Behaviour, reason: Reason) -> None:
    played = play(either(first, handshake()))
    assert played.fault.reason is reason
    assert played.stage.rpcs() == ["server/discover"]


def test_a_version_that_we_do_not_speak_is_said() -> None:
    opening = {"protocolVersion": "1999-01-01", "capabilities": {}, "serverInfo": INFO}
    assert play(handshake({"initialize": opening})).fault.reason is Reason.UNSUPPORTED_VERSION


def test_a_path_where_no_server_is_is_said() -> None:
    fault = play(declining(404)).fault
    assert fault.reason is Reason.NOT_MCP
    assert "404" in fault.message


def test_what_a_server_lists_without_declaring_it_belongs_to_its_surface() -> None:
    opening = {"supportedVersions": [STATELESS], "capabilities": {}, "_meta": {}}
    surface = play(stateless({"server/discover": opening})).probed.surface
    assert [tool["name"] for tool in surface.tools] == ["price"]
    assert surface.server_info == {}


def test_a_server_that_offers_nothing_has_an_empty_surface() -> None:
    opening = {"supportedVersions": [STATELESS], "capabilities": {}}
    nothing = declining(404, -32601)
    replaced = {"server/discover": opening} | dict.fromkeys(READING, nothing)
    surface = play(stateless(replaced)).probed.surface
    assert (surface.tools, surface.prompts, surface.resource_templates) == ((), (), ())


def test_templates_may_be_missing_where_resources_are_declared_but_tools_may_not() -> None:
    unknown = declining(404, -32601)
    assert play(stateless({"resources/templates/list": unknown})).probed.surface.resource_templates == ()
    assert play(stateless({"tools/list": unknown})).fault.reason is Reason.REFUSED


def test_a_command_is_not_probed_over_the_network() -> None:
    played = play(stateless(), target=ProbeTarget("", transport=Transport.STDIO))
    assert played.fault.reason is Reason.INVALID_SPEC
    assert played.stage.asked == []
