"""Revisions 2025-03-26 to 2025-11-25 over HTTP: a session with an id that every request carries and that a DELETE
ends."""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from typing import Final

from leasehold.adapters.mcp_eras import INITIALIZED, initialize
from leasehold.adapters.mcp_http import Answer, Http
from leasehold.adapters.mcp_limits import Budget
from leasehold.adapters.mcp_messages import (
    METHOD_NOT_FOUND,
    Declined,
    Opening,
    malformed,
    reply,
    request,
)
from leasehold.adapters.mcp_streamable import ACCEPT, ask
from leasehold.core.faults import Fault
from leasehold.core.wire_json import JsonObject

_SESSION_ID: Final = re.compile(r"[\x21-\x7e]{1,1024}")


class SessionGone(Exception):
    """The server has forgotten our session: 404 to a request that carried its id."""


class Handshake:
    """The earlier era over HTTP: one session. An async context manager; a session that began is ended with it."""

    def __init__(self, http: Http, url: str, budget: Budget) -> None:
        self._http = http
        self._url = url
        self._budget = budget
        self._last_id = 0
        self._version: str | None = None
        self._session_id: str | None = None

    async def __aenter__(self) -> "Handshake":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session_id is None:
            return
        # however the probe ended: a session that nobody ends is kept by the server for hours
        with contextlib.suppress(Fault, TimeoutError):
            await self._say_goodbye()

    async def open(self) -> Opening:
        """Begin the session. Raises WrongEra."""
        opening = await initialize(self)
        self._version = opening.era
        await self._tell(INITIALIZED)
        return opening

    async def call(self, method: str, params: JsonObject) -> JsonObject:
        """One request of the session.

        :raises SessionGone: the server does not know the session (any more)
        """
        self._last_id += 1
        message = request(self._last_id, method, params)
        try:
            return await ask(
                self._http, self._url, self._own_headers(), message, self._budget, self._note, self._answer
            )
        except Declined as told:
            if told.status == 404 and self._session_id is not None and told.code != METHOD_NOT_FOUND:
                self._session_id = None
                raise SessionGone from told
            raise

    def _own_headers(self) -> Mapping[str, str]:
        headers = {}
        if self._version is not None:
            headers["MCP-Protocol-Version"] = self._version
        if self._session_id is not None:
            headers["Mcp-Session-Id"] = self._session_id
        return headers

    def _note(self, answer: Answer) -> None:
        session_id = answer.header("Mcp-Session-Id")
        if self._version is not None or session_id is None:
            return
        if _SESSION_ID.fullmatch(session_id) is None:
            raise malformed("its session id is not printable, or too long")
        self._session_id = session_id

    async def _answer(self, message: JsonObject) -> None:
        await self._tell(reply(message))

    async def _tell(self, message: JsonObject) -> None:
        """A notification, or a reply; what a server says to it is not worth a failure, unless it ends all."""
        headers = {"Accept": ACCEPT, **self._own_headers()}
        async with self._http.exchange("POST", self._url, headers, message):
            pass

    async def _say_goodbye(self) -> None:
        async with (
            asyncio.timeout(self._budget.limits.goodbye_seconds),
            self._http.exchange("DELETE", self._url, self._own_headers()),
        ):
            pass
