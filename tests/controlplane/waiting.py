"""Waiting for something another process does: always on a condition, always with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class WaitTimedOut(Exception):
    """What was waited for did not happen within its bound."""


def wait_until(produce: Callable[[], T], seconds: float, what: str, *, pause: float = 0.05) -> T:
    """The first truthy answer of `produce`, asked again every `pause` seconds.

    Raises WaitTimedOut after `seconds`, naming `what`; an exception of `produce` ends the wait at once.
    """
    deadline = time.monotonic() + seconds
    while not (answer := produce()):
        if time.monotonic() >= deadline:
            raise WaitTimedOut(f"{what}: not within {seconds:g} s (last answer: {answer!r})")
        time.sleep(pause)
    return answer
