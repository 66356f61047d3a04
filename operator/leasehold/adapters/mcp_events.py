"""Server-sent events, read piece by piece: a stream has no length, so what is held of it has a bound.

The format is that of the HTML standard, section 9.2: lines end with CR, LF or both; a line that begins with a
colon is a comment; an event ends with an empty line, and one that the stream's end cuts off does not count."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leasehold.adapters.mcp_limits import too_large

_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?!\Z)")
"""A CR at the end of a piece may be half of a CR LF, so it waits for the next piece."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Event:
    """One event; without a name of its own it is a `message`."""

    name: str
    data: bytes


class EventReader:
    """Turns pieces of a stream into events.

    :param max_bytes: what one event may hold, its unfinished line included
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._searched = 0
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0
        self._first = True

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that end in this piece. Raises TooLarge."""
        self._rest += piece
        for line in self._lines():
            event = self._take(line)
            if event is not None:
                yield event
        if self._size + len(self._rest) > self._max_bytes:
            raise too_large(f"one event of its stream is larger than {self._max_bytes} bytes")

    def _lines(self) -> Iterator[bytes]:
        begin = 0
        for end in _LINE_END.finditer(self._rest, self._searched):
            yield bytes(self._rest[begin : end.start()])
            begin = end.end()
        del self._rest[:begin]
        # the last byte is looked at again: a CR that waited for its LF is found with it
        self._searched = max(0, len(self._rest) - 1)

    def _take(self, line: bytes) -> Event | None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            return self._finish()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value
        elif field == b"data":
            self._data.append(value)
            self._size += len(value) + 1
            if self._size > self._max_bytes:
                raise too_large(f"one event of its stream is larger than {self._max_bytes} bytes")
        return None

    def _finish(self) -> Event | None:
        name, data = self._name, self._data
        self._name, self._data, self._size = b"", [], 0
        if not data:
            return None
        return Event(name.decode("utf-8", "replace") or "message", b"\n".join(data))
