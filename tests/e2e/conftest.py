"""One operator under its shipped rights, for every end-to-end test of the session."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.prometheus_stage import PrometheusStage
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
def prometheus() -> Iterator[PrometheusStage]:
    """What the operator asks for the use of connections."""
    with PrometheusStage().open() as stage:
        yield stage


@pytest.fixture(scope="package")
def owner_directory(deployment: Deployment) -> Path:
    """Where the operator looks for the owner directory. There is none, unless a test writes it for a while."""
    return deployment.plane.workdir / f"owners-{uuid.uuid4().hex[:8]}.json"


@pytest.fixture(scope="package")
def operator(
    deployment: Deployment, prometheus: PrometheusStage, owner_directory: Path
) -> Iterator[Operator]:
    """A running operator that looks service accounts and heartbeats up often."""
    running = Operator(
        operator_kubeconfig(deployment.plane),
        deployment.plane.workdir,
        standing_check_seconds=2,
        inspection_seconds=3,
        resync_seconds=5,
        probe_allow_loopback=True,
        owner_directory_file=owner_directory,
        owner_grace_seconds=10,
        prometheus_url=prometheus.url,
        prometheus_query="max by (namespace, name) (gateway_last_request_timestamp_seconds)",
    ).start()
    yield running
    assert running.stop() == 0
    assert running.complaints() == []
