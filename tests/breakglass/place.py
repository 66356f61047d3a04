"""Where switches are thrown: servers of its own, a door to each through which the operators go, teams whose
connections work, and whatever a person or an administrator does and sees there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from contract.worlds import RealPeople
from controlplane import ControlPlane
from controlplane.vaultapi import VaultRefused
from controlplane.vaultsetup import CREATE_LOGIN, setup_database_engine, setup_ssh_engine
from controlplane.waiting import WaitTimedOut, wait_until
from crash.admin import Admin
from crash.nursery import Nursery, OperatorProcess
from crash.proxy import Exchange, Proxy
from crash.witness import Book
from crash.world import let_operators_lead
from deployment import Deployment
from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION, OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT
from leasehold.api.revocation import MCPRevocation
from shipped import install

MAX_REQUEST_SECONDS: Final = 8
STORE: Final = "breakglass"
KINDS: Final = f"/apis/{API_VERSION}"
REVOCATIONS: Final = f"{KINDS}/{MCPRevocation.PLURAL}"
DEPUTY: Final = ("--as=deputy", "--as-group=system:masters")

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """Connections in a namespace of their own, by a profile and a Vault role that nobody else uses; each has a
    service account and a Secret of its name."""

    namespace: str
    profile: str
    lease_path: str
    size: int

    @property
    def names(self) -> list[str]:
        """The connections."""
        return [f"agent-{number:03d}" for number in range(self.size)]


class Place:
    """All of it."""

    def __init__(self, plane: ControlPlane, proxy: Proxy, nursery: Nursery, book: Book) -> None:
        self.plane = plane
        self.book = book
        self.admin = Admin(plane)
        self.deployment = Deployment(plane)
        self.lane = proxy.lane("breakglass")
        self._nursery = nursery
        self._user = RealPeople(plane).user()
        self._owners: dict[str, str] = {}
        self._lessees: dict[str, str] = {}
        self._read: dict[int, Exchange] = {}
        let_operators_lead(plane)
        self.store = self.deployment.register_store(
            STORE, "jwt-breakglass", address=self.lane.vault_address, maxRequestSeconds=MAX_REQUEST_SECONDS
        )
        token = plane.service_account_token(
            OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT, lifetime_seconds=7200
        )
        self._kubeconfig = proxy.kubeconfig(self.lane, token)

    def operator(self, **settings: Any) -> OperatorProcess:
        """An operator that goes through the doors, and leads at once."""
        settings = {"inspection_seconds": 86400, **settings}
        return self._nursery.operator(self._kubeconfig, "breakglass", **settings)

    @contextmanager
    def running(self, **settings: Any) -> Iterator[OperatorProcess]:
        """An operator until the end of the context, unless it is killed before; it wrote nothing that it must not.

        It is killed then, too: what it has still to do is not to be needed for anything."""
        operator = self.operator(**settings)
        try:
            yield operator
        finally:
            operator.kill()
            self.lane.rest()
        wrong = [each for each in self._nursery.misconduct() if "'logger': 'kopf" not in each]
        assert not wrong, "\n".join(wrong)

    def team(self, size: int, engine: str = "otp", **role: Any) -> Team:
        """A new team; no connection yet."""
        name = f"breakglass-{uuid.uuid4().hex[:8]}"
        recipe = {"storeName": STORE, "overlapSeconds": 1, "ttlSeconds": 3600, "type": "Lease"}
        if engine == "otp":
            path = setup_ssh_engine(self.plane.vault.api, role=name)
            recipe |= {"path": path, "method": "Write", "parameters": {"ip": "10.0.0.1"}}
        else:
            path = setup_database_engine(self.plane.vault.api, self.plane.postgres, role=name, **role)
            recipe |= {"path": path}
        self.deployment.profile(recipe, name=name, store=self.store)
        self.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
        team = Team(name, name, path, size)
        accounts = [{"metadata": {"name": each}} for each in team.names]
        self._each(
            lambda body: self.admin.create(f"/api/v1/namespaces/{name}/serviceaccounts", body), accounts
        )
        return team

    def working(self, size: int, engine: str = "otp", seconds: float = 60, **role: Any) -> Team:
        """A team whose connections an operator, that runs already, has provided."""
        team = self.team(size, engine, **role)
        if engine == "otp":
            self.claim(team, *team.names)
        else:  # PostgreSQL refuses one of two that are granted the same role in the same moment
            self._claim_in_turn(team, seconds)
        self.wait_ready(team, "Active", seconds)
        return team

    def _claim_in_turn(self, team: Team, seconds: float) -> None:
        for number, name in enumerate(team.names, start=1):
            self.claim(team, name)
            self._wait_active(team, number, seconds)

    def _wait_active(self, team: Team, number: int, seconds: float) -> None:
        wait_until(lambda: self.ready_count(team) == number, seconds, f"{number} of them are Active")

    def claim(self, team: Team, *names: str) -> None:
        """Create connections, labelled `tier: suspect`."""
        self._each(lambda name: self._claim(team, name), names)

    def _each(self, act: Callable[[T], object], items: Iterable[T]) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(act, items))

    def _claim(self, team: Team, name: str) -> None:
        body = {
            "apiVersion": API_VERSION,
            "kind": MCPConnection.KIND,
            "metadata": {"name": name, "namespace": team.namespace, "labels": {"tier": "suspect"}},
            "spec": {
                "agent": {"name": name, "serviceAccountName": name},
                "profile": team.profile,
                "owner": {"user": "alice@example.com", "team": "support"},
                "purpose": {"summary": "see what one switch ends"},
                "output": {"secretName": name},
            },
        }
        self.admin.create(f"{KINDS}/namespaces/{team.namespace}/{MCPConnection.PLURAL}", body)

    def relabel(self, team: Team, *names: str, tier: str | None = None) -> None:
        """Another label, or none."""
        for name in names:
            path = f"{KINDS}/namespaces/{team.namespace}/{MCPConnection.PLURAL}/{name}"
            self.admin.patch(path, {"metadata": {"labels": {"tier": tier}}})

    def holds(self, team: Team) -> list[str]:
        """The names of the revocations that hold its connections."""
        return [hold.revocation for each in self.connections(team) for hold in each.status.holds]

    def connections(self, team: Team) -> list[MCPConnection]:
        """As they are stored."""
        body = self.admin.get(f"{KINDS}/namespaces/{team.namespace}/{MCPConnection.PLURAL}")
        assert body is not None
        return [MCPConnection.model_validate(each) for each in body["items"]]

    def ready(self, team: Team) -> list[str]:
        """The Ready reasons, each once."""
        found = self.connections(team)
        conditions = [each for connection in found for each in connection.status.conditions]
        reasons = {each.reason.value for each in conditions if each.type == "Ready"}
        whole = len(found) == team.size and all(each.status.conditions for each in found)
        return sorted(reasons) if whole else ["Incomplete", *sorted(reasons)]

    def wait_ready(self, team: Team, reason: str, seconds: float = 30) -> None:
        """Until all of them say so."""
        wait_until(lambda: self.ready(team) == [reason], seconds, f"{team.namespace} is {reason}", pause=0.2)

    def ready_count(self, team: Team) -> int:
        """How many of them say Active."""
        conditions = [each for connection in self.connections(team) for each in connection.status.conditions]
        return sum(each.type == "Ready" and each.reason.value == "Active" for each in conditions)

    def secrets(self, team: Team) -> int:
        """How many Secrets the team has."""
        body = self.admin.get(f"/api/v1/namespaces/{team.namespace}/secrets")
        assert body is not None
        return len(body["items"])

    def living_leases(self, team: Team) -> int:
        """How many of its leases Vault has."""
        return len(self.deployment.leases(f"{team.lease_path}/"))

    def logged_in(self, team: Team) -> set[str]:
        """Those of its connections under whose logins, whichever they ever got, something may be alive."""
        known = set(self.deployment.vault.list("auth/token/accessors"))
        return {
            self._owner(accessor) for accessor in tuple(self.book.logins[team.namespace]) if accessor in known
        } - {""}

    def leased(self, team: Team) -> set[str]:
        """Those of its connections of which a lease is alive; look first while their logins are, too."""
        for exchange in tuple(self.book.mints[team.namespace]):
            if exchange.status == 200 and id(exchange) not in self._read:
                self._read[id(exchange)] = exchange
                lease = json.loads(exchange.answer)["lease_id"].rpartition("/")[2]
                accessor = self.book.accessor_of(exchange)
                self._lessees[lease] = self._owner(accessor) or lease
        return {self._lessees.get(each, each) for each in self.deployment.leases(f"{team.lease_path}/")}

    def _owner(self, accessor: str) -> str:
        """Whose login it is; empty where it has ended meanwhile."""
        if accessor not in self._owners:
            try:
                facts = self.deployment.vault.write("auth/token/lookup-accessor", accessor=accessor)
            except VaultRefused as refused:
                if refused.status not in (400, 403):
                    raise
                return ""
            self._owners[accessor] = str(facts["data"]["meta"]["service_account"])
        return self._owners[accessor]

    def throw(self, name: str, target: Mapping[str, Any], **fields: Any) -> None:
        """`kubectl create` of a revocation."""
        spec = {"target": dict(target), "reason": "a token was seen in a log", "requestedBy": self._user}
        kind = {"apiVersion": API_VERSION, "kind": MCPRevocation.KIND}
        self.admin.create(REVOCATIONS, {**kind, "metadata": {"name": name}, "spec": {**spec, **fields}})

    def lift(self, name: str) -> None:
        """Another person's word."""
        patch = '--patch={"spec": {"lift": {"by": "deputy", "reason": "it is safe again"}}}'
        self.plane.kubectl("patch", "mcpkill", name, "--type=merge", patch, *DEPUTY)

    def revocation(self, name: str) -> MCPRevocation:
        """As it is stored."""
        body = self.admin.get(f"{REVOCATIONS}/{name}")
        assert body is not None
        return MCPRevocation.model_validate(body)

    def wait_complete(self, name: str, seconds: float = 60) -> MCPRevocation:
        """As `kubectl wait --for=condition=Complete` does."""

        def arrived() -> MCPRevocation | None:
            found = self.revocation(name)
            return found if said(found, "Complete")[0] == "True" else None

        try:
            found = wait_until(arrived, seconds, f"{name} is complete", pause=0.1)
        except WaitTimedOut as late:
            raise AssertionError(f"{late}\nits status: {self.revocation(name).status.to_wire()}") from late
        assert found is not None
        return found


def said(revocation: MCPRevocation, kind: str) -> tuple[str, str]:
    """Status and reason of a condition; empty where there is none yet."""
    found = next((each for each in revocation.status.conditions if each.type == kind), None)
    return (found.status.value, found.reason.value) if found else ("", "")


@contextmanager
def a_place() -> Iterator[Place]:
    """Servers that nobody else uses; Vault waits for a mint of five seconds, and not for much longer."""
    book = Book()
    with ControlPlane(vault_max_request_seconds=MAX_REQUEST_SECONDS) as plane:
        install(plane)
        with Proxy(plane, book) as proxy, Nursery(plane.workdir) as nursery:
            yield Place(plane, proxy, nursery, book)


SLOW_MINT: Final = {"creation_statements": ["SELECT pg_sleep(5)", CREATE_LOGIN]}
