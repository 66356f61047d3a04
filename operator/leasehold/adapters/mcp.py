"""The prober: reads all that an MCP server exposes to one principal, or says exactly why it could not.

Which era a server speaks is found out by asking. The one that was spoken last is asked for first, else the newest.
The other one is tried where the server says no to the first request in a way that says nothing else: a 4xx, 500 or
501 without a JSON-RPC error of the stateless era, any other JSON-RPC error, or a version list without ours. A
refused credential, a redirect, a failing gateway, TLS or network and silence say nothing about eras, and end the
probe."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from yarl import URL

from leasehold.adapters.mcp_addresses import AddressPolicy, Guard
from leasehold.adapters.mcp_credentials import Credentials
from leasehold.adapters.mcp_eras import WrongEra, discover
from leasehold.adapters.mcp_handshake import Handshake, SessionGone
from leasehold.adapters.mcp_http import Http
from leasehold.adapters.mcp_limits import Budget, ProbeLimits
from leasehold.adapters.mcp_listing import read_surface
from leasehold.adapters.mcp_messages import HANDSHAKES, Declined
from leasehold.adapters.mcp_sse import event_stream
from leasehold.adapters.mcp_stateless import Stateless
from leasehold.adapters.mcp_tls import Trust
from leasehold.api.profile import Transport
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.probe import Probed, ProbeTarget
from leasehold.core.surface import Identity, Surface

Read = Callable[[Http, str, Budget], Awaitable[Surface]]


class McpCatalog:
    """Reads servers over the network; one for the whole process."""

    def __init__(self, policy: AddressPolicy, limits: ProbeLimits | None = None) -> None:
        self._policy = policy
        self._limits = limits or ProbeLimits()
        self._trust = Trust()

    async def probe(self, target: ProbeTarget) -> Probed:
        """The surface of a server, read to its end. Raises faults."""
        credentials = Credentials(target.headers)
        try:
            async with asyncio.timeout(self._limits.seconds):
                probed = await self._probe(target, credentials)
        except TimeoutError:
            raise timed_out(self._limits) from None
        except Fault as fault:
            raise credentials.cleaned(fault) from None
        credentials.refuse_echo(probed.surface)
        return probed

    async def _probe(self, target: ProbeTarget, credentials: Credentials) -> Probed:
        read = _reader(target)
        budget = Budget(self._limits)
        trust = self._trust.context(target.ca_bundle, target.client_certificate)
        async with Http(credentials.headers(), trust, Guard(self._policy), budget) as http:
            surface = await read(http, target.url, budget)
            return Probed(surface, Identity(_origin(target.url), http.tls_issuer))


def timed_out(limits: ProbeLimits) -> TryLater:
    """The fault of a server that is slow, however it is slow."""
    return TryLater(Reason.TIMEOUT, f"The server was not read to its end within {limits.seconds:g} s.")


def _reader(target: ProbeTarget) -> Read:
    if target.transport is Transport.SSE:
        return _read_event_stream
    if target.transport is Transport.STDIO:
        raise NeedsPerson(Reason.INVALID_SPEC, "A server that is a command is not probed over the network.")
    if target.era_hint in HANDSHAKES:
        return _handshake_first
    return _stateless_first


async def _stateless_first(http: Http, url: str, budget: Budget) -> Surface:
    return await _one_of(_read_stateless, _read_handshake, http, url, budget)


async def _handshake_first(http: Http, url: str, budget: Budget) -> Surface:
    return await _one_of(_read_handshake, _read_stateless, http, url, budget)


async def _one_of(first: Read, second: Read, http: Http, url: str, budget: Budget) -> Surface:
    with contextlib.suppress(WrongEra):
        return await first(http, url, budget)
    try:
        return await second(http, url, budget)
    except WrongEra as wrong:
        raise wrong.fault from wrong


async def _read_stateless(http: Http, url: str, budget: Budget) -> Surface:
    channel = Stateless(http, url, budget)
    return await read_surface(channel, await discover(channel), budget)


async def _read_handshake(http: Http, url: str, budget: Budget) -> Surface:
    """A session that gets lost is begun anew once, and everything is read again: never parts of two."""
    for _ in range(2):
        try:
            async with Handshake(http, url, budget) as session:
                return await read_surface(session, await session.open(), budget)
        except SessionGone:
            continue
    raise TryLater(Reason.SESSION_LOST, "The server forgot the session twice while it was read.")


async def _read_event_stream(http: Http, url: str, budget: Budget) -> Surface:
    try:
        async with event_stream(http, url, budget) as session:
            return await read_surface(session, await session.open(), budget)
    except Declined as told:
        raise told.fault() from told
    except WrongEra as wrong:
        raise wrong.fault from wrong


def _origin(url: str) -> str:
    return str(URL(url, encoded=True).origin())
