"""A control plane of its own, whose servers may be stopped, slowed and killed."""

from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from controlplane.vaultsetup import setup_database_engine
from deployment import Deployment, Operator, operator_kubeconfig
from shipped import shipped


@pytest.fixture(scope="package")
def own_plane() -> Iterator[ControlPlane]:
    """Servers that nobody else uses; Vault ends its requests after 5 s."""
    with ControlPlane(vault_max_request_seconds=5) as plane:
        yield plane


@pytest.fixture(scope="package")
def deployment(own_plane: ControlPlane) -> Iterator[Deployment]:
    """The shipped manifests and a prepared Vault."""
    with shipped(own_plane):
        setup_database_engine(own_plane.vault.api, own_plane.postgres, ttl_seconds=3600)
        yield Deployment(own_plane)


@pytest.fixture
def operator(deployment: Deployment) -> Iterator[Operator]:
    """An operator for one test, which may kill it."""
    running = Operator(
        operator_kubeconfig(deployment.plane),
        deployment.plane.workdir,
        lease_seconds=5,
        standing_check_seconds=5,
        resync_seconds=5,
    ).start()
    yield running
    running.stop()
    assert running.complaints() == []
