"""The servers of the crash tests, and the connections that the operators are killed over: one per point, each in a
namespace of its own, by one of a few lanes of which each has a store and profiles of its own."""

import base64
import itertools
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from controlplane import ControlPlane
from controlplane.vaultsetup import CREATE_LOGIN, setup_database_engine, setup_oidc_tokens
from crash.admin import Admin
from crash.nursery import Nursery, OperatorProcess
from crash.proxy import Lane, Proxy, Scope
from crash.witness import Book
from deployment import Deployment
from discretion import tell
from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION, OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT
from leasehold.api.revocation import MCPRevocation
from leasehold.api.store import MCPCredentialStore
from shipped import install

MAX_REQUEST_SECONDS: Final = 4
LANES: Final = 6
NAME: Final = "agent"
CONNECTIONS: Final = "/apis/leasehold.dev/v1alpha1/mcpconnections"
EXPOSURES: Final = "/apis/leasehold.dev/v1alpha1/mcpagentexposures"
REVOCATIONS: Final = "/apis/leasehold.dev/v1alpha1/mcprevocations"

RECIPES: Final[dict[str, dict[str, Any]]] = {
    "Lease": {"type": "Lease", "path": "database/creds/crash"},
    "Token": {"type": "Token", "path": None},
    "Expiring": {"type": "Expiring", "path": "identity/oidc/token/crash"},
    "Expiring soon": {"type": "Expiring", "path": "identity/oidc/token/crash-soon"},
    "Slow": {"type": "Lease", "path": "database/creds/crash-slow"},
    "Endless": {"type": "Lease", "path": "database/creds/crash-endless"},
}
"""`Slow` takes a while in PostgreSQL, and Vault waits for it; `Endless` takes longer than Vault waits."""

LEASED_ROLES: Final = ("crash", "crash-slow", "crash-endless")


@dataclass(frozen=True)
class Subject:
    """One connection."""

    kind: str
    namespace: str
    profile: str
    store: str

    @property
    def path(self) -> str:
        """Where the API server has it."""
        return f"/apis/leasehold.dev/v1alpha1/namespaces/{self.namespace}/mcpconnections/{NAME}"

    @property
    def scope(self) -> Scope:
        """What an operator has to see to work on it alone."""
        return Scope(self.namespace, self.profile, self.store)


class CrashWorld:
    """All of it."""

    def __init__(self, plane: ControlPlane, proxy: Proxy, nursery: Nursery, book: Book) -> None:
        self.plane = plane
        self.book = book
        self.admin = Admin(plane)
        self.deployment = Deployment(plane)
        self._proxy = proxy
        self._nursery = nursery
        let_operators_lead(plane)
        _set_engines_up(plane)
        self._token = plane.service_account_token(
            OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT, lifetime_seconds=7200
        )
        tell([self._token])
        self.lanes = [proxy.lane(f"lane-{number}") for number in range(LANES)]
        self.open_lane = proxy.lane("lane-open")
        self._profiles: set[str] = set()
        self._stores = {lane.name: self._register(lane) for lane in self.lanes}

    def operator(self, lane: Lane, **settings: Any) -> OperatorProcess:
        """An operator that goes through this lane's doors."""
        settings = {"inspection_seconds": 86400, **settings}  # a look in passing is no part of a scenario
        task = lane.scope.namespace if lane.scope is not None else lane.name
        return self._nursery.operator(self._proxy.kubeconfig(lane, self._token), task, **settings)

    def cut_watches(self, lane: Lane) -> int:
        """End every watch of that lane; how many there were."""
        return self._proxy.cut_watches(lane)

    def end_operators(self) -> None:
        """Kill whoever a test that failed has left behind."""
        self._nursery.end_all()

    def misconduct(self) -> list[str]:
        """What operators that have ended since the last call wrote, and must not write."""
        return self._nursery.misconduct()

    @property
    def stores(self) -> list[MCPCredentialStore]:
        """The store of every lane."""
        return list(self._stores.values())

    def lane_of(self, subject: Subject) -> Lane:
        """The lane whose store it uses."""
        return next(lane for lane in self.lanes if _named(lane) == subject.store)

    def subjects(self, kind: str, count: int) -> list[Subject]:
        """New namespaces with a service account, spread over the lanes; no connection yet."""
        for lane in self.lanes[:count]:
            self._register_profile(lane, kind)
        lanes = itertools.cycle(self.lanes)
        made = [self._subject(kind, next(lanes)) for _ in range(count)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._make_namespace, made))
        return made

    def claim(self, subject: Subject) -> None:
        """Create the connection."""
        body = {
            "apiVersion": API_VERSION,
            "kind": MCPConnection.KIND,
            "metadata": {"name": NAME, "namespace": subject.namespace},
            "spec": {
                "agent": {"name": "agent", "serviceAccountName": "agent"},
                "profile": subject.profile,
                "owner": {"user": "alice@example.com", "team": "support"},
                "purpose": {"summary": "see what a crash leaves behind"},
                "output": {"secretName": NAME},
            },
        }
        self.admin.create(subject.path.rpartition("/")[0], body)

    def change(self, subject: Subject, **spec: Any) -> None:
        """Edit the connection."""
        self.admin.patch(subject.path, {"spec": spec})

    def delete(self, subject: Subject) -> None:
        """Ask for its deletion."""
        self.admin.delete(subject.path)

    def revoke(self, subject: Subject) -> None:
        """Throw the breakglass switch; the revocation has the name of the subject's namespace."""
        body = {
            "apiVersion": API_VERSION,
            "kind": MCPRevocation.KIND,
            "metadata": {"name": subject.namespace},
            "spec": {
                "target": {"namespace": subject.namespace},
                "reason": "see what a crash leaves behind",
                "requestedBy": "admin",
            },
        }
        self.admin.create(REVOCATIONS, body)

    def revocations(self) -> dict[str, MCPRevocation]:
        """All that are stored, by the namespace that they mean."""
        body = self.admin.get(REVOCATIONS)
        assert body is not None
        found = [MCPRevocation.model_validate(each) for each in body["items"]]
        return {each.metadata.name: each for each in found}

    def find(self, subject: Subject) -> MCPConnection | None:
        """As it is stored."""
        body = self.admin.get(subject.path)
        return MCPConnection.model_validate(body) if body is not None else None

    def secret(self, subject: Subject) -> dict[str, str] | None:
        """The decoded data of its Secret; None where there is none."""
        body = self.admin.get(f"/api/v1/namespaces/{subject.namespace}/secrets/{NAME}")
        if body is None:
            return None
        return {key: base64.b64decode(value).decode() for key, value in body.get("data", {}).items()}

    def connections(self) -> dict[str, MCPConnection]:
        """All that are stored, by namespace."""
        body = self.admin.get(CONNECTIONS)
        assert body is not None
        found = [MCPConnection.model_validate(each) for each in body["items"]]
        return {each.metadata.namespace: each for each in found}

    def exposed(self) -> set[str]:
        """The namespaces whose agent has an exposure."""
        body = self.admin.get(EXPOSURES)
        assert body is not None
        return {each["metadata"]["namespace"] for each in body["items"]}

    def _subject(self, kind: str, lane: Lane) -> Subject:
        return Subject(kind, f"crash-{uuid.uuid4().hex[:10]}", _profile(lane, kind), _named(lane))

    def _make_namespace(self, subject: Subject) -> None:
        self.admin.create("/api/v1/namespaces", {"metadata": {"name": subject.namespace}})
        accounts = f"/api/v1/namespaces/{subject.namespace}/serviceaccounts"
        self.admin.create(accounts, {"metadata": {"name": "agent"}})

    def _register(self, lane: Lane) -> MCPCredentialStore:
        return self.deployment.register_store(
            _named(lane),
            f"jwt-{_named(lane)}",
            address=lane.vault_address,
            maxRequestSeconds=MAX_REQUEST_SECONDS,
        )

    def _register_profile(self, lane: Lane, kind: str) -> None:
        if (name := _profile(lane, kind)) in self._profiles:
            return
        recipe = {**RECIPES[kind], "storeName": _named(lane), "overlapSeconds": 1, "ttlSeconds": 3600}
        self.deployment.profile(recipe, name=name, store=self._stores[lane.name])
        self._profiles.add(name)


def _named(lane: Lane) -> str:
    return f"crash-{lane.name}"


def _profile(lane: Lane, kind: str) -> str:
    return f"{_named(lane)}-{kind.lower().replace(' ', '-')}"


def let_operators_lead(plane: ControlPlane) -> None:
    """Every operator elects by a lease of its own here, and the shipped rights name one lease alone."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "crash-election"}
    operator = {"kind": "ServiceAccount", "name": OPERATOR_SERVICE_ACCOUNT, "namespace": OPERATOR_NAMESPACE}
    metadata = {"name": "crash-election", "namespace": OPERATOR_NAMESPACE}
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "update"]}
    version = "rbac.authorization.k8s.io/v1"
    plane.apply({"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [rule]})
    plane.apply(
        {
            "apiVersion": version,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": role,
            "subjects": [operator],
        }
    )


def _set_engines_up(plane: ControlPlane) -> None:
    vault, postgres = plane.vault.api, plane.postgres
    for role, pause in zip(LEASED_ROLES, (0, 2.5, 6), strict=True):
        statements = [f"SELECT pg_sleep({pause})", CREATE_LOGIN] if pause else [CREATE_LOGIN]
        setup_database_engine(vault, postgres, role=role, creation_statements=statements)
    setup_oidc_tokens(vault, role="crash", ttl_seconds=900)
    setup_oidc_tokens(vault, role="crash-soon", ttl_seconds=60)


@contextmanager
def crash_world() -> Iterator[CrashWorld]:
    """Servers of its own: Vault ends requests after four seconds, so what a crash leaves open is soon over."""
    book = Book()
    with ControlPlane(vault_max_request_seconds=MAX_REQUEST_SECONDS) as plane:
        install(plane)
        with Proxy(plane, book) as proxy, Nursery(plane.workdir) as nursery:
            yield CrashWorld(plane, proxy, nursery, book)
