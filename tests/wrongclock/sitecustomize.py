"""Python runs this first wherever this folder is on its path: the process's wall clock is wrong from then on, by
as much as the environment says. TLS and the monotonic clock keep the right time, as on a node whose clock is off
only for what programs make of it."""

import datetime
import os
import time
from typing import Any

AHEAD_SECONDS = float(os.environ["WRONG_CLOCK_AHEAD_SECONDS"])

_Right = datetime.datetime
_right_time, _right_time_ns = time.time, time.time_ns


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _Right)


class _Wrong(_Right, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _Right.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return _Right.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


time.time = lambda: _right_time() + AHEAD_SECONDS
time.time_ns = lambda: _right_time_ns() + int(AHEAD_SECONDS * 1e9)
datetime.datetime = _Wrong  # type: ignore[misc]
