"""Several operator processes over one control plane of their own, whose API server may be stopped."""

import signal
from collections.abc import Callable, Iterator

import pytest

from controlplane import ControlPlane
from controlplane.vaultsetup import setup_database_engine
from deployment import Deployment, Operator, operator_kubeconfig
from leasehold.api.names import OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT
from leasehold.settings import Settings
from shipped import shipped

LEASE_SECONDS = 9
TAKEN_OVER_SECONDS = 45
"""A bound for a busy machine, not what it takes: the lease's duration, a retry, and a first list."""
SECOND_LEASE = "leasehold-second"

Start = Callable[..., Operator]


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
def start(deployment: Deployment) -> Iterator[Start]:
    """Starts replicas; the first one leads. At the end all of them are dead, and nobody leads."""
    plane = deployment.plane
    kubeconfig = operator_kubeconfig(plane)
    running: list[Operator] = []

    def another(**settings: object) -> Operator:
        given = {"lease_seconds": LEASE_SECONDS, "resync_seconds": 5, "standing_check_seconds": 5}
        replica = Operator(kubeconfig, plane.workdir, **{**given, **settings})
        running.append(replica)
        return replica.start(leads=len(running) == 1 or "lease_name" in settings)

    yield another
    for replica in running:
        if replica.exited is None:
            replica.send(signal.SIGCONT)
            replica.kill()
    leases = [Settings().lease_name, SECOND_LEASE]
    plane.kubectl("delete", "lease", *leases, "--ignore-not-found", f"--namespace={OPERATOR_NAMESPACE}")


@pytest.fixture
def second_lease(deployment: Deployment) -> str:
    """Another election, in which another operator leads at the same time: nothing that is shipped allows it."""
    metadata = {"name": SECOND_LEASE, "namespace": OPERATOR_NAMESPACE}
    api, role = "rbac.authorization.k8s.io", SECOND_LEASE
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "update"]}
    subject = {
        "kind": "ServiceAccount",
        "name": OPERATOR_SERVICE_ACCOUNT,
        "namespace": OPERATOR_NAMESPACE,
    }
    binding = {"roleRef": {"apiGroup": api, "kind": "Role", "name": role}, "subjects": [subject]}
    kinds: list[dict[str, object]] = [
        {"kind": "Role", "rules": [{**rule, "resourceNames": [SECOND_LEASE]}]},
        {"kind": "RoleBinding", **binding},
    ]
    for kind in kinds:
        deployment.plane.apply({"apiVersion": f"{api}/v1", "metadata": metadata, **kind})
    return SECOND_LEASE
