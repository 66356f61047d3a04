"""One set of servers for all of it."""

from collections.abc import Iterator

import pytest

from breakglass.place import Place, a_place


@pytest.fixture(scope="package")
def place() -> Iterator[Place]:
    """Servers that may be stopped, with a door before each."""
    with a_place() as made:
        yield made
