"""How the two eras of MCP begin and go on.

Since revision 2026-07-28 there is no session: every request says all about itself, and `server/discover` tells
what the server is. Before, a session began with `initialize` and, over HTTP, could have an id that every later
request carried and a DELETE that ended it."""

from typing import Final

from leasehold.adapters.mcp_messages import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    HANDSHAKES,
    HEADER_MISMATCH,
    MISSING_CAPABILITY,
    STATELESS,
    UNSUPPORTED_VERSION,
    Channel,
    Declined,
    Opening,
    malformed,
    opening_of,
)
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson
from leasehold.core.wire_json import JsonObject, JsonValue

DISCOVER: Final = "server/discover"
INITIALIZE: Final = "initialize"
INITIALIZED: Final[JsonObject] = {"jsonrpc": "2.0", "method": "notifications/initialized"}

_META: Final = "io.modelcontextprotocol/"


class WrongEra(Exception):
    """The server does not speak this era; `fault` is what to say when it does not speak the other one either."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


async def discover(channel: Channel) -> Opening:
    """Begin in the stateless era.

    :raises WrongEra: the server does not speak it
    """
    try:
        result = await channel.call(DISCOVER, {})
    except Declined as told:
        if told.code == UNSUPPORTED_VERSION:
            _require_stateless(told.data.get("supported") if isinstance(told.data, dict) else None)
        if told.code in (UNSUPPORTED_VERSION, HEADER_MISMATCH, MISSING_CAPABILITY):
            raise told.fault() from told
        raise WrongEra(told.fault()) from told
    _require_stateless(result.get("supportedVersions"))
    meta = result.get("_meta")
    told_info = meta.get(f"{_META}serverInfo") if isinstance(meta, dict) else None
    return opening_of(result, STATELESS, result.get("serverInfo", {}) if told_info is None else told_info)


async def initialize(channel: Channel) -> Opening:
    """Begin a session of the earlier era; `notifications/initialized` has to follow.

    :raises WrongEra: the server does not speak it
    """
    try:
        result = await channel.call(INITIALIZE, _handshake_params())
    except Declined as told:
        raise WrongEra(told.fault()) from told
    version = result.get("protocolVersion")
    if not isinstance(version, str):
        raise malformed("its answer to initialize names no protocol version")
    if version not in HANDSHAKES:
        raise _unsupported()
    return opening_of(result, version, result.get("serverInfo"))


def enveloped(params: JsonObject) -> JsonObject:
    """The parameters of a request of the stateless era."""
    meta: JsonObject = {
        f"{_META}protocolVersion": STATELESS,
        f"{_META}clientInfo": CLIENT_INFO,
        f"{_META}clientCapabilities": CLIENT_CAPABILITIES,
    }
    return {**params, "_meta": meta}


def _require_stateless(supported: JsonValue) -> None:
    if not isinstance(supported, list):
        raise WrongEra(malformed("it names no protocol versions"))
    if STATELESS in supported:
        return
    if any(version in supported for version in HANDSHAKES):
        raise WrongEra(_unsupported())
    raise _unsupported()


def _unsupported() -> NeedsPerson:
    return NeedsPerson(
        Reason.UNSUPPORTED_VERSION,
        f"The server speaks none of the protocol versions {', '.join((STATELESS, *HANDSHAKES))}.",
    )


def _handshake_params() -> JsonObject:
    return {
        "protocolVersion": HANDSHAKES[0],
        "capabilities": CLIENT_CAPABILITIES,
        "clientInfo": CLIENT_INFO,
    }
