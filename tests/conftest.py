"""Fixtures that every test may use. One control plane serves the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from controlplane import Plane, open_plane
from controlplane.cache import say

LONG_FIRST: Final = ("crash", "replicas", "demo", "breakglass", "faults", "chart", "bench", "browser")
"""Directories of long files, most of them with servers of their own: one that came last would leave the other
workers without work."""
ONE_OPERATOR: Final = "e2e"
"""Its files share an operator, which is started anew wherever another directory's file comes in between."""

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files go to the workers in this order, and what is short fills the end."""
    items.sort(key=lambda item: turn_of(item.path.relative_to(Path(__file__).parent)))


def turn_of(file: Path) -> int:
    """When a file's turn comes; those with the same one stay as they were collected."""
    turns = (*LONG_FIRST, ONE_OPERATOR)
    return turns.index(file.parts[0]) if file.parts[0] in turns else len(turns)


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest) -> Iterator[Plane]:
    """A real API server, Vault and PostgreSQL: ours, or what the environment names. Never a skip."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def visibly(line: str) -> None:  # building takes minutes, and a silent test run looks hung
        with capture.global_and_fixture_disabled():
            say(line)

    with open_plane(visibly) as opened:
        yield opened
