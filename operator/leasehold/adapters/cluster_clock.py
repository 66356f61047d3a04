"""The API server's time, read off the `Date` header of every answer.

Deadlines are compared with times that the API server wrote, so its clock is the only one that may decide; a
node's wall clock can be wrong by hours. `Date` has whole seconds and travels for a while: each answer
therefore bounds the server's time from both sides, and the monotonic clock carries the bounds on."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RESOLUTION_SECONDS = 1.0
"""`Date` says no more than the second (RFC 9110, section 5.6.7)."""

STEP_BACK_EVERY_SECONDS = 60.0


class ServerClock:
    """Implements `ports.Clock`. Never ahead of what was seen; steps back one second a minute at most, so that
    API servers whose clocks disagree cannot make time run backwards."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset: float | None = None
        self._stepped_back_at = -STEP_BACK_EVERY_SECONDS
        self._parsed: tuple[str, float] = ("", 0.0)

    def now(self) -> datetime | None:
        """The API server's time; None until the first answer was seen."""
        if self._offset is None:
            return None
        return datetime.fromtimestamp(self._offset + self._monotonic(), UTC)

    def saw(self, date: str | None, sent: float, received: float) -> None:
        """Take in an answer's `Date`, with the monotonic times around it; an unreadable one is ignored."""
        second = self._second(date)
        if second is None:
            return
        earliest = second - received
        latest = second + RESOLUTION_SECONDS - sent
        if self._offset is None or earliest > self._offset:
            self._offset = earliest
        elif latest < self._offset and received - self._stepped_back_at >= STEP_BACK_EVERY_SECONDS:
            self._offset = max(latest, self._offset - RESOLUTION_SECONDS)
            self._stepped_back_at = received

    def _second(self, date: str | None) -> float | None:
        if not date:
            return None
        if date != self._parsed[0]:
            try:
                self._parsed = (date, parsedate_to_datetime(date).timestamp())
            except (TypeError, ValueError):
                return None
        return self._parsed[1]
