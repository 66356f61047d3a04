"""HTTP with server-sent events, the transport of revision 2024-11-05: one stream brings every answer, and each
message of ours is a POST to the address that the stream's first event names.

That address is the server's choice, so it has to be of the stream's own origin: the credential goes there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from yarl import URL

from leasehold.adapters.mcp_eras import INITIALIZED, initialize
from leasehold.adapters.mcp_events import Event, EventReader
from leasehold.adapters.mcp_http import EVENTS, Answer, Http
from leasehold.adapters.mcp_limits import Budget
from leasehold.adapters.mcp_messages import (
    Declined,
    Opening,
    is_request,
    is_response,
    malformed,
    read_message,
    reply,
    request,
    result_of,
)
from leasehold.adapters.mcp_streamable import ACCEPT, declined
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.wire_json import JsonObject

OPENING = "GET of the event stream"


class EventStream:
    """A session over one open stream."""

    def __init__(self, http: Http, url: str, answer: Answer, budget: Budget) -> None:
        self._http = http
        self._url = url
        self._answer = answer
        self._budget = budget
        self._reader = EventReader(budget.limits.body_bytes)
        self._events: list[Event] = []
        self._endpoint = url
        self._last_id = 0

    async def open(self) -> Opening:
        """Learn where messages go, and begin the session."""
        event = await self._next()
        if event.name != "endpoint":
            raise malformed("its stream does not begin with the address for messages")
        self._endpoint = _within_origin(self._url, event.data)
        opening = await initialize(self)
        await self._send(INITIALIZED, 0)
        return opening

    async def call(self, method: str, params: JsonObject) -> JsonObject:
        """One request; its answer comes over the stream, and may come before that of the POST."""
        self._last_id += 1
        sending = asyncio.create_task(self._send(request(self._last_id, method, params), self._last_id))
        reading = asyncio.create_task(self._result(self._last_id, method))
        try:
            await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_EXCEPTION)
            if sending.done():
                sending.result()
            return reading.result()
        finally:
            for task in (sending, reading):
                task.cancel()
            await asyncio.gather(sending, reading, return_exceptions=True)

    async def _result(self, request_id: int, method: str) -> JsonObject:
        while True:
            event = await self._next()
            if event.name != "message" or not event.data:
                continue
            self._budget.hear()
            told = await read_message(event.data)
            if is_response(told):
                return result_of(told, request_id, method)
            if is_request(told):
                await self._send(reply(told), 0)

    async def _next(self) -> Event:
        while not self._events:
            piece = await self._answer.piece()
            if not piece:
                raise malformed("its stream ended without an answer")
            self._events.extend(self._reader.feed(piece))
        return self._events.pop(0)

    async def _send(self, message: JsonObject, request_id: int) -> None:
        async with self._http.exchange("POST", self._endpoint, {"Accept": ACCEPT}, message) as answer:
            if request_id and answer.status not in (200, 202, 204):
                raise await declined(answer, request_id, str(message["method"]))


@asynccontextmanager
async def event_stream(http: Http, url: str, budget: Budget) -> AsyncIterator[EventStream]:
    """The open stream of a server of that transport."""
    async with http.exchange("GET", url, {"Accept": EVENTS, "Cache-Control": "no-store"}) as answer:
        if answer.status != 200:
            raise Declined(OPENING, answer.status, retry_after_seconds=answer.retry_after_seconds)
        if answer.content_type != EVENTS:
            raise Declined(
                OPENING, answer.status, words=f"it is {answer.content_type or 'nothing'}, no stream"
            )
        yield EventStream(http, url, answer, budget)


def _within_origin(url: str, told: bytes) -> str:
    try:
        base = URL(url, encoded=True)
        endpoint = base.join(URL(told.decode("ascii")))
        same = endpoint.origin() == base.origin() and not endpoint.user
    except ValueError as error:
        raise malformed("the address that it names for messages is none") from error
    if not same:
        raise NeedsPerson(
            Reason.REDIRECTED,
            "The server names an address for messages on another origin; the credential does not go there.",
        )
    return str(endpoint)
