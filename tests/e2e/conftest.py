"""One operator under its shipped rights, for every end-to-end test of the session."""

from collections.abc import Iterator

import pytest

from controlplane import Plane
from controlplane.vaultsetup import setup_database_engine
from deployment import Deployment, Operator, operator_kubeconfig
from shipped import shipped


@pytest.fixture(scope="package")
def deployment(plane: Plane) -> Iterator[Deployment]:
    """The shipped manifests and a prepared Vault."""
    with shipped(plane):
        setup_database_engine(plane.vault.api, plane.postgres, ttl_seconds=3600)
        yield Deployment(plane)


@pytest.fixture(scope="package")
def operator(deployment: Deployment) -> Iterator[Operator]:
    """A running operator that looks service accounts up often."""
    running = Operator(
        operator_kubeconfig(deployment.plane),
        deployment.plane.workdir,
        standing_check_seconds=2,
        inspection_seconds=3,
        resync_seconds=5,
        probe_allow_loopback=True,
    ).start()
    yield running
    assert running.stop() == 0
    assert running.complaints() == []
