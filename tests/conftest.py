"""Fixtures that every test may use. One control plane serves the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controlplane import Plane, open_plane
from controlplane.cache import say


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest) -> Iterator[Plane]:
    """A real API server, Vault and PostgreSQL: ours, or what the environment names. Never a skip."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def visibly(line: str) -> None:  # building takes minutes, and a silent test run looks hung
        with capture.global_and_fixture_disabled():
            say(line)

    with open_plane(visibly) as opened:
        yield opened
