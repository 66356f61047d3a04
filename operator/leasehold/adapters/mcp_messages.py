"""JSON-RPC as MCP speaks it: one request, and the one answer that belongs to it.

Everything that arrives was written by a stranger. A message that is not exactly what the protocol allows is a
fault, for a reader that guesses would show a person a surface that agents do not see."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final, Protocol

from leasehold import __version__
from leasehold.adapters.mcp_limits import too_large
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.redaction import redacted
from leasehold.core.text import shortened
from leasehold.core.wire_json import JsonObject, JsonValue, UnfitJson, parse

STATELESS: Final = "2026-07-28"
HANDSHAKES: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Protocol versions, newest first; what they differ in beyond the transport does not concern lists."""

CLIENT_CAPABILITIES: Final[JsonObject] = {}
"""None: a server that shows more to a client that can do more shows a prober the least."""

CLIENT_INFO: Final[JsonObject] = {"name": "leasehold", "version": __version__}

METHOD_NOT_FOUND: Final = -32601
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

MAX_WORDS: Final = 200
LARGE_BYTES: Final = 1 << 16
MAX_MARKS: Final = 150_000
"""Commas and opening brackets of one message. A value that takes two bytes on the wire takes a hundred when it is
read, so bytes alone do not bound memory; honest schemas have about one mark in thirty bytes."""

_UNPRINTABLE: Final = re.compile(
    r"[^\x20-\x7e\xa0-\u200a\u2010-\u2027\u2030-\u205f\u2070-\ud7ff\uf900-\ufdcf]+"
)


@dataclass(frozen=True)
class Opening:
    """What a server says of itself before anything is listed."""

    era: str
    server_info: JsonObject
    capabilities: JsonObject
    instructions: str | None


class Channel(Protocol):
    """A way to ask one server; each protocol era and transport has its own."""

    async def call(self, method: str, params: JsonObject) -> JsonObject:
        """The result of one request.

        :raises Declined: the server said no
        """
        ...


class Declined(Exception):
    """The server said no to a request: with an HTTP status, a JSON-RPC error, or both. Which of the two eras it
    speaks may be why, so whoever asked decides what it means."""

    def __init__(
        self,
        method: str,
        status: int,
        code: int | None = None,
        words: str = "",
        data: JsonValue = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(method, status, code)
        self.method = method
        self.status = status
        self.code = code
        self.words = words
        self.data = data
        self.retry_after_seconds = retry_after_seconds

    def fault(self) -> Fault:
        """What it means where the era is known, or no era is left to try."""
        said = f"error {self.code}" if self.code is not None else f"HTTP status {self.status}"
        sentence = f"The server answered {self.method} with {said}"
        sentence += f": {self.words}" if self.words else "."
        if self.status >= 500 or self.code == INTERNAL_ERROR:
            return TryLater(Reason.SERVER_ERROR, sentence, self.retry_after_seconds)
        if self.code is None:
            return NeedsPerson(Reason.NOT_MCP, f"{sentence} Is the path of the URL right?")
        return NeedsPerson(Reason.REFUSED, sentence)


def request(request_id: int, method: str, params: JsonObject) -> JsonObject:
    """A request as it goes over the wire."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def reply(message: JsonObject) -> JsonObject:
    """What we answer to a server's own request: we are there, and nothing else."""
    head: JsonObject = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] == "ping":
        return head | {"result": {}}
    return head | {"error": {"code": METHOD_NOT_FOUND, "message": "this client has no capabilities"}}


def message_of(text: bytes) -> JsonObject:
    """One message.

    :raises NeedsPerson: it is no single JSON-RPC 2.0 message, or one of too many parts
    """
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > MAX_MARKS:
        raise too_large(f"one answer has more than {MAX_MARKS} parts")
    try:
        message = parse(text)
    except UnfitJson as error:
        raise malformed(f"its answer cannot be read: {error}") from error
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise malformed("its answer is no JSON-RPC message")
    return message


async def read_message(text: bytes) -> JsonObject:
    """One message, read in a thread where it is large: the strict reading of megabytes takes a third of a second,
    and the loop has other work. Raises as `message_of`."""
    if len(text) < LARGE_BYTES:
        return message_of(text)
    return await asyncio.to_thread(message_of, text)


def is_response(message: JsonObject) -> bool:
    """Whether it answers a request of ours, rather than telling or asking us something."""
    return "method" not in message


def is_request(message: JsonObject) -> bool:
    """Whether the server wants an answer from us."""
    known = isinstance(message.get("method"), str)
    return known and isinstance(message.get("id"), str | int) and not isinstance(message["id"], bool)


def result_of(message: JsonObject, request_id: int, method: str, status: int = 200) -> JsonObject:
    """The result in the response to this request.

    :raises Declined: it holds an error
    :raises NeedsPerson: it is not the response to this request, or not complete
    """
    if "error" in message and "result" not in message:
        raise _declined(message, request_id, method, status)
    answered, result = message.get("id"), message.get("result")
    if type(answered) is not int or answered != request_id or "error" in message:
        raise malformed(f"its answer to {method} does not belong to the request")
    if not isinstance(result, dict):
        raise malformed(f"its answer to {method} has no result")
    if result.get("resultType", "complete") != "complete":
        raise malformed(f"its answer to {method} is not complete")
    return result


def _declined(message: JsonObject, request_id: int, method: str, status: int) -> Declined:
    error, answered = message["error"], message.get("id")
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or type(code) is not int:
        raise malformed(f"its answer to {method} is an error without a code")
    if answered is not None and (type(answered) is not int or answered != request_id):
        raise malformed(f"its answer to {method} does not belong to the request")
    return Declined(method, status, code, words_of(error.get("message")), error.get("data"))


def opening_of(result: JsonObject, era: str, server_info: JsonValue) -> Opening:
    """What the result of the first request says of the server. Raises Malformed."""
    capabilities, instructions = result.get("capabilities"), result.get("instructions")
    if not isinstance(capabilities, dict) or not isinstance(server_info, dict):
        raise malformed("it does not say what it is and what it can do")
    if not isinstance(instructions, str | None):
        raise malformed("its instructions are no text")
    return Opening(era, server_info, capabilities, instructions)


def words_of(text: JsonValue) -> str:
    """A server's own words, fit for a sentence: one short line without what would steer a terminal."""
    if not isinstance(text, str):
        return ""
    return shortened(_UNPRINTABLE.sub(" ", redacted(text[: MAX_WORDS * 4])), MAX_WORDS)


def malformed(because: str) -> NeedsPerson:
    """The fault of a server whose answer is not what the protocol says."""
    return NeedsPerson(Reason.MALFORMED, f"The server was not understood: {because}.")
