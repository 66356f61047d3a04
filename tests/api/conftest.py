"""The server that judges, with our definitions on it."""

import pytest

from controlplane import Plane
from crd_server import CrdServer


@pytest.fixture(scope="session")
def crd_server(plane: Plane) -> CrdServer:
    server = CrdServer(plane)
    server.install()
    return server
