"""The operator's rights exactly as they are shipped, on a control plane: CRDs, admission policies, RBAC, and
clients that act as the operator's own service account."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from controlplane import Plane
from controlplane.waiting import wait_until
from leasehold.adapters.cluster import KubernetesCluster
from leasehold.api.connection import MCPConnection
from leasehold.api.crd import KINDS
from leasehold.api.names import GROUP, OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT, OPERATOR_USER
from leasehold.api.profile import MCPServerProfile
from leasehold.api.store import MCPCredentialStore

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = ROOT / "charts" / "manifests"


def install(plane: Plane) -> None:
    """CRDs, then the policies, then everybody's rights; returns when the policies act."""
    plane.kubectl("apply", "--filename", str(ROOT / "crds"))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "--filename", str(ROOT / "crds"))
    plane.kubectl("apply", "--filename", str(MANIFESTS / "admission.yaml"))
    plane.kubectl("apply", "--filename", str(MANIFESTS / "rbac.yaml"))
    plane.kubectl("apply", "--filename", str(MANIFESTS / "roles.yaml"))
    wait_until(lambda: _serves_all_kinds(plane), 30, "all kinds are served")
    wait_until(lambda: _policies_act(plane), 30, "the admission policies act")
    wait_until(lambda: _may_watch(plane), 30, "the operator's rights are known")


@contextmanager
def shipped(plane: Plane) -> Iterator[None]:
    """Install everything; at the end the policies are lifted, so that other tests have an open cluster."""
    install(plane)
    try:
        yield
    finally:
        plane.kubectl("delete", "--ignore-not-found", "--filename", str(MANIFESTS / "admission.yaml"))
        wait_until(lambda: not _policies_act(plane), 30, "the admission policies act no more")


def operator_token(plane: Plane) -> str:
    """A token of the operator's service account for the API server."""
    return plane.service_account_token(OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT, lifetime_seconds=3600)


def run_as(plane: Plane, token: str, scenario: Callable[[KubernetesCluster], Awaitable[T]]) -> T:
    """Run a scenario with the adapter, logged in with this token."""

    async def connected() -> T:
        cluster = KubernetesCluster.explicit(plane.apiserver.url, token, str(plane.apiserver.ca_path))
        try:
            return await scenario(cluster)
        finally:
            await cluster.close()

    return asyncio.run(connected())


def _serves_all_kinds(plane: Plane) -> bool:
    """A kind is established before its storage is there: that takes its first request, which may be refused."""
    kinds = ",".join(f"{kind.PLURAL}.{GROUP}" for kind in KINDS)
    return plane.kubectl("get", kinds, "--all-namespaces", "--output=name", check=False).returncode == 0


def _may_watch(plane: Plane) -> bool:
    """The API server learns of roles and bindings one by one, and refuses until it knows both."""
    asked = [
        ["watch", f"{kind.PLURAL}.{GROUP}"] for kind in (MCPConnection, MCPServerProfile, MCPCredentialStore)
    ]
    return all(
        plane.kubectl(
            "auth", "can-i", *each, "--all-namespaces", f"--as={OPERATOR_USER}", check=False
        ).returncode
        == 0
        for each in asked
    )


def _policies_act(plane: Plane) -> bool:
    """The API server takes policies up in the order in which they were written: the last one tells."""
    asked = ["--namespace=default", "--audience=leasehold.dev/store/policy-check"]
    done = plane.kubectl("create", "token", "default", *asked, check=False)
    return done.returncode != 0 and "reserved for Leasehold" in done.stderr
