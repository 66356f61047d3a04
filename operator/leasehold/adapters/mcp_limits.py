"""A server decides how much it sends and how long it takes; these are the bounds of what one probe accepts.

They are far above honest servers (hundreds of tools make hundreds of kilobytes) and far below what would hurt
the operator. What is larger could not be kept either: an object of the API server holds 1.5 MiB."""

from dataclasses import dataclass

from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson


@dataclass(frozen=True)
class ProbeLimits:
    """What one probe may take; whatever is above is `TooLarge`, or `Timeout`."""

    seconds: float = 30.0
    """The whole probe, from the first connection on; only the goodbye to a session comes after it."""
    silence_seconds: float = 10.0
    """Without a byte from the server."""
    connect_seconds: float = 5.0
    goodbye_seconds: float = 2.0
    body_bytes: int = 2 << 20
    """One answer: a body, one event of a stream, or one line of a command's output."""
    total_bytes: int = 4 << 20
    header_bytes: int = 8190
    """One line of a header."""
    headers: int = 64
    pages: int = 200
    """Of all lists together."""
    items: int = 5000
    """Of all lists together."""
    cursor_chars: int = 8192
    messages: int = 300
    """Requests, notifications and replies that we send."""
    heard_messages: int = 2000
    """Messages that the server sends: answers, and all that it says besides."""


class Budget:
    """What is left of the limits while a probe runs."""

    def __init__(self, limits: ProbeLimits) -> None:
        self.limits = limits
        self._bytes = 0
        self._pages = 0
        self._items = 0
        self._messages = 0
        self._heard = 0

    def receive(self, count: int) -> None:
        """Bytes came in. Raises TooLarge, as everything here."""
        self._bytes += count
        if self._bytes > self.limits.total_bytes:
            raise too_large(f"it sent more than {self.limits.total_bytes} bytes in all")

    def page(self, items: int) -> None:
        """One more page of a list came in."""
        self._pages += 1
        self._items += items
        if self._items > self.limits.items:
            raise too_large(f"it lists more than {self.limits.items} items")
        if self._pages > self.limits.pages:
            raise too_large(f"its lists have more than {self.limits.pages} pages")

    def hear(self) -> None:
        """One more message came in."""
        self._heard += 1
        if self._heard > self.limits.heard_messages:
            raise too_large(f"it sent more than {self.limits.heard_messages} messages")

    def send(self) -> None:
        """One more message goes out."""
        self._messages += 1
        if self._messages > self.limits.messages:
            raise too_large(f"it makes us send more than {self.limits.messages} messages")


def too_large(because: str) -> NeedsPerson:
    """The fault of a server that wants more than is its due."""
    return NeedsPerson(Reason.TOO_LARGE, f"The server was not read to its end: {because}.")
