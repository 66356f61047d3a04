"""Who holds which role on a control plane, for tests of what people may do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controlplane import Plane
from controlplane.waiting import wait_until

RBAC = "rbac.authorization.k8s.io"
OURS = {"made-for": "tests-of-rights"}


def bind(plane: Plane, role: str, *users: str, namespace: str = "") -> None:
    """Bind a ClusterRole to users, in a namespace or everywhere. Service accounts are users by their long name."""
    plane.apply(_binding(role, users, namespace))


def grant(plane: Plane, user: str, namespace: str, *rules: dict[str, Any]) -> None:
    """Give a user rights that no shipped role has; without a namespace everywhere."""
    name = f"granted-{user}".replace(":", "-")
    kind = "Role" if namespace else "ClusterRole"
    role = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": _metadata(name, namespace)}
    plane.apply({**role, "rules": list(rules)})
    plane.apply(_binding(name, (user,), namespace, kind))


def unbind_everywhere(plane: Plane) -> None:
    """Take back what was bound or granted everywhere; what was in a namespace goes with it."""
    selected = "--selector=" + ",".join(f"{key}={value}" for key, value in OURS.items())
    plane.kubectl("delete", "clusterrolebindings,clusterroles", selected)


@contextmanager
def bound(plane: Plane, user: str, *roles: str, proof: tuple[str, str]) -> Iterator[None]:
    """A user holds these ClusterRoles everywhere meanwhile; `proof` is a verb and a resource of the last one."""
    for role in roles:
        bind(plane, role, user)
    try:
        wait_until(lambda: may(plane, user, *proof), 30, "the roles act")
        yield
    finally:
        for role in roles:
            plane.kubectl("delete", "clusterrolebinding", _name(role, (user,)))
        wait_until(lambda: not may(plane, user, *proof), 30, "the roles act no more")


def may(plane: Plane, user: str, verb: str, resource: str, namespace: str = "") -> bool:
    """What the API server says to `kubectl auth can-i`."""
    where = f"--namespace={namespace}" if namespace else "--all-namespaces"
    asked = plane.kubectl("auth", "can-i", verb, resource, where, f"--as={user}", check=False)
    return asked.stdout.strip() == "yes"


def _binding(role: str, users: tuple[str, ...], namespace: str, kind: str = "ClusterRole") -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": _metadata(_name(role, users), namespace),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user} for user in users],
    }


def _metadata(name: str, namespace: str) -> dict[str, Any]:
    return {"name": name, "labels": OURS, **({"namespace": namespace} if namespace else {})}


def _name(role: str, users: tuple[str, ...]) -> str:
    return "-".join([role, *users]).replace(":", "-")
