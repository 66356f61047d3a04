"""Streamable HTTP: every message is a POST, and its answer is one JSON object or a stream of events that ends
with it. Both eras share this; what they put around it is theirs.

Specification: "Streamable HTTP" of revisions 2025-03-26 to 2026-07-28."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final

from leasehold.adapters.mcp_events import EventReader
from leasehold.adapters.mcp_http import EVENTS, JSON, Answer, Http
from leasehold.adapters.mcp_limits import Budget
from leasehold.adapters.mcp_messages import (
    Declined,
    is_request,
    is_response,
    malformed,
    read_message,
    result_of,
)
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.wire_json import JsonObject

ACCEPT: Final = f"{JSON}, {EVENTS}"

OnHead = Callable[[Answer], None]
OnRequest = Callable[[JsonObject], Awaitable[None]]


async def _ignore(_: JsonObject) -> None:
    """Nobody answers."""


async def ask(
    http: Http,
    url: str,
    headers: Mapping[str, str],
    message: JsonObject,
    budget: Budget,
    on_head: OnHead = lambda _: None,
    on_request: OnRequest = _ignore,
) -> JsonObject:
    """POST one request and read its result.

    :param on_head: told of the head of an answer with status 200, before its body is read
    :param on_request: told of every request that the server makes on the way
    :raises Declined: the server said no
    """
    method, request_id = str(message["method"]), message["id"]
    assert isinstance(request_id, int)  # noqa: S101  we made it
    async with http.exchange("POST", url, {"Accept": ACCEPT, **headers}, message) as answer:
        if answer.status != 200:
            raise await declined(answer, request_id, method)
        on_head(answer)
        if answer.content_type == JSON:
            return result_of(await read_message(await answer.body()), request_id, method)
        if answer.content_type == EVENTS:
            async with aclosing(messages(answer, budget)) as stream:
                async for told in stream:
                    if is_response(told):
                        return result_of(told, request_id, method)
                    if is_request(told):
                        await on_request(told)
            raise malformed(f"its stream ended without an answer to {method}")
        raise Declined(method, answer.status, words=f"it is {answer.content_type or 'nothing'}, not JSON")


async def messages(answer: Answer, budget: Budget) -> AsyncGenerator[JsonObject, None]:
    """The JSON-RPC messages of an event stream; other events are passed over."""
    reader = EventReader(budget.limits.body_bytes)
    while piece := await answer.piece():
        for event in reader.feed(piece):
            if event.name == "message" and event.data:
                budget.hear()
                yield await read_message(event.data)


async def declined(answer: Answer, request_id: int, method: str) -> Declined:
    """What an answer with another status than 200 says; a body that is no JSON-RPC error says nothing."""
    bare = Declined(method, answer.status, retry_after_seconds=answer.retry_after_seconds)
    if answer.content_type != JSON:
        return bare
    try:
        result_of(await read_message(await answer.body()), request_id, method, answer.status)
    except Declined as told:
        told.retry_after_seconds = answer.retry_after_seconds
        return told
    except NeedsPerson as fault:
        if fault.reason is Reason.TOO_LARGE:
            raise
    return bare
