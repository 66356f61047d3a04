"""One set of servers, doors and operators for all crash tests."""

from collections.abc import Iterator

import pytest

from crash.world import CrashWorld, crash_world


@pytest.fixture(scope="package")
def world() -> Iterator[CrashWorld]:
    """Servers of its own, whose requests are short."""
    with crash_world() as made:
        yield made
