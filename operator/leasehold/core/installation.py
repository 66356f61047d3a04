"""What an installation has to have: the operator's rights, one by one, and the admission policies.

The manifests that are installed say the same; this is what a command can ask the API server about, for somebody may
have installed less, or something may have changed since."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from leasehold.api.names import GROUP

CATALOG: Final = (
    "mcpaccesspolicies",
    "mcpcredentialstores",
    "mcprevocations",
    "mcpserverprofiles",
    "mcptoolsnapshots",
)
CLAIMS: Final = ("mcpconnections", "mcpconnectionreviews")
READ: Final = ("get", "list", "watch")


class Scope(Enum):
    """Where a right is needed."""

    CLUSTER = "the cluster"
    TEAMS = "wherever connections are"
    HOME = "the operator's own namespace"


@dataclass(frozen=True)
class Right:
    """One verb on one resource; `resource` may have a subresource behind a slash."""

    verb: str
    group: str
    resource: str
    scope: Scope
    name: str = ""

    def __str__(self) -> str:
        """As `kubectl auth can-i` takes it."""
        resource, _, subresource = self.resource.partition("/")
        full = f"{resource}.{self.group}" if self.group else resource
        return f"{self.verb} {full}{f'/{subresource}' if subresource else ''}{f' {self.name}' if self.name else ''}"


def _rights(
    verbs: tuple[str, ...], group: str, resources: tuple[str, ...], scope: Scope, name: str = ""
) -> Iterator[Right]:
    for resource in resources:
        for verb in verbs:
            yield Right(verb, group, resource, scope, name)


def operator_rights(lease: str) -> tuple[Right, ...]:
    """Everything that the operator may do; `lease` is the one by which replicas elect."""
    return (
        *_rights(READ, GROUP, CATALOG, Scope.CLUSTER),
        *_rights(("patch",), GROUP, ("mcpcredentialstores",), Scope.CLUSTER),
        *_rights(
            ("update",),
            GROUP,
            ("mcpcredentialstores/status", "mcprevocations/status", "mcpserverprofiles/status"),
            Scope.CLUSTER,
        ),
        *_rights(("create", "delete"), GROUP, ("mcptoolsnapshots",), Scope.CLUSTER),
        *_rights(("get",), "", ("namespaces",), Scope.CLUSTER),
        *_rights(READ, GROUP, CLAIMS, Scope.TEAMS),
        *_rights(("patch",), GROUP, ("mcpconnections",), Scope.TEAMS),
        *_rights(("update",), GROUP, ("mcpconnections/status", "mcpconnectionreviews/status"), Scope.TEAMS),
        *_rights(("get", "list", "create", "update", "delete"), GROUP, ("mcpagentexposures",), Scope.TEAMS),
        *_rights(("create", "patch", "delete"), "", ("secrets",), Scope.TEAMS),
        *_rights(("create",), "", ("serviceaccounts/token",), Scope.TEAMS),
        *_rights(("get",), "", ("serviceaccounts",), Scope.TEAMS),
        *_rights(("get", "list"), "coordination.k8s.io", ("leases",), Scope.TEAMS),
        *_rights(("create",), "events.k8s.io", ("events",), Scope.TEAMS),
        *_rights(("get", "update"), "coordination.k8s.io", ("leases",), Scope.HOME, lease),
        *_rights(("create",), "coordination.k8s.io", ("leases",), Scope.HOME),
    )


NOT_FOR_THE_OPERATOR: Final = tuple(_rights(READ, "", ("secrets",), Scope.TEAMS))
"""What no role may add: it reads no Secret."""

POLICIES: Final = {
    "leasehold-secrets": True,
    "leasehold-ledger-status": True,
    "leasehold-ledger-finalizer": True,
    "leasehold-ledger-operator": True,
    "leasehold-ledger-abandon": False,
    "leasehold-revocation-request": True,
    "leasehold-revocation-lift": False,
    "leasehold-revocation-record": False,
    "leasehold-review-word": True,
    "leasehold-review-record": False,
    "leasehold-snapshots": True,
    "leasehold-exposures": True,
    "leasehold-tokens-operator": True,
    "leasehold-tokens-projected": False,
    "leasehold-tokens-audience": True,
}
"""Every admission policy, and whether it knows the operator by name; the binding of each has its name."""
