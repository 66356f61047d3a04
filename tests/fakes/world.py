"""A whole world in memory around the real engine: a cluster whose watches tell the engine what changes, a Vault
beside it, one clock, and the audit records. It lives in virtual time."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from fakes.catalog import FakeCatalog
from fakes.cluster import FakeClock, FakeCluster, Key
from fakes.owners import FakeOwners
from fakes.people import FakePeople
from fakes.usage import FakeUsage
from fakes.vault import vault_beside
from fakes.vault_world import DataAt, FakeRole, FakeToken, LeasedAt, TokenAt
from leasehold import wiring
from leasehold.api.base import Resource
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.names import SecretAnnotation
from leasehold.engine.events import EventRecorder
from leasehold.engine.runtime import Engine
from leasehold.ports import Cluster, Vault
from leasehold.settings import Settings
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.metrics import Telemetry
from objects import NOON, a_connection, a_profile, a_store

NAMESPACE = "support"
ACCOUNT = "support-bot"
OVERLAP_SECONDS = 20
JWT_SECONDS = 1800
LEASED, CHILD, STATIC, EXPIRING = (
    "database/creds/orders",
    "auth/token/create/orders",
    "kv/orders",
    "identity/oidc",
)
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "Lease": {"type": "Lease", "path": LEASED},
    "Token": {"type": "Token", "path": CHILD},
    "login Token": {"type": "Token", "path": None},
    "Static": {"type": "Static", "path": STATIC},
    "Expiring": {"type": "Expiring", "path": EXPIRING},
}


class LoopClock(FakeClock):
    """The server's time, which goes with the loop's."""

    def __init__(self) -> None:
        self.started = NOON

    @property
    def moment(self) -> datetime:  # type: ignore[override]
        return self.started + timedelta(seconds=asyncio.get_running_loop().time())


class _Watched(dict[Key, Resource]):
    """The objects of a cluster; every change is told."""

    def __init__(self, told: Callable[[str, Resource], None]) -> None:
        super().__init__()
        self._told = told

    def __setitem__(self, key: Key, resource: Resource) -> None:
        event = "MODIFIED" if key in self else "ADDED"
        super().__setitem__(key, resource)
        self._told(event, resource)

    def __delitem__(self, key: Key) -> None:
        gone = self[key]
        super().__delitem__(key)
        self._told("DELETED", gone)


class Lines:
    """An audit sink that keeps its records."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []

    def write(self, record: Mapping[str, Any]) -> None:
        self.records.append(record)


class Lead:
    """Whether a process leads, as a test says."""

    def __init__(self) -> None:
        self.is_leader = True


class _Delayed:
    """The cluster, with calls that take as long as the world says."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def __getattr__(self, method: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._world.calls += 1
            if delays := self._world.delays.get(method):
                await asyncio.sleep(delays.pop(0))
            return await getattr(self._world.cluster, method)(*args, **kwargs)

        return call


class World:
    """One team, one store, the profile `orders-read`, and the engines that serve them."""

    def __init__(self, kind: str = "Lease", **credential: Any) -> None:
        self.cluster = FakeCluster()
        self.cluster.clock = self.clock = LoopClock()
        self.cluster.objects = _Watched(self._told)
        self.people = FakePeople(self.cluster)
        self.vault = vault_beside(self.cluster)
        self.catalog = FakeCatalog()
        self.usage: FakeUsage | None = None
        self.owners: FakeOwners | None = None
        self.audit = Lines()
        self.watching = True
        self.calls = 0
        """How many calls the cluster has seen."""
        self.delays: dict[str, list[float]] = {}
        """How long the next calls of a method of the cluster take before they are carried out."""
        self.lead = Lead()
        self.engines: list[Engine] = []
        self.telemetry = Telemetry(FleetMetrics(), "test")
        """The numbers of all engines."""
        self.vault.engines |= {
            LEASED: LeasedAt(),
            CHILD: TokenAt(),
            STATIC: DataAt({"key": "never ends"}),
            EXPIRING: DataAt({"token": a_jwt(self.now + timedelta(seconds=JWT_SECONDS))}),
        }
        self.vault.roles["mcp-orders"] = FakeRole()
        self.people.namespace(name=NAMESPACE)
        self.people.create_service_account(NAMESPACE, ACCOUNT)
        self.store = self.people.create(a_store(metadata={"finalizers": []}))
        recipe = {"overlapSeconds": OVERLAP_SECONDS, **RECIPES[kind], **credential}
        self.profile = self.people.create(a_profile(**recipe))

    @property
    def now(self) -> datetime:
        return self.clock.moment

    async def start(
        self, cluster: Cluster | None = None, vault: Vault | None = None, **settings: Any
    ) -> Engine:
        """Start an engine over this world, or over ports that stand before it."""
        ports = cluster or cast(Cluster, _Delayed(self))
        engine = wiring.build_engine(
            Settings(workers=4, **settings),
            ports,
            vault or self.vault,
            self.clock,
            self.audit,
            self.telemetry,
            EventRecorder(ports, self.clock),
            self.lead,
            self.catalog,
            self.usage,
            self.owners,
        )
        self.engines.append(engine)
        await engine.start()
        return engine

    def claim(self, name: str = "orders", **spec: Any) -> MCPConnection:
        """A team claims the profile."""
        spec = {"output": {"secretName": name}, **spec}
        return self.people.create(a_connection(name, namespace=NAMESPACE, spec=spec))

    def find(self, connection: MCPConnection) -> MCPConnection:
        """The connection as it is stored."""
        found = self.people.find(connection)
        assert found is not None, f"{connection.key} is gone"
        return found

    def ready(self, connection: MCPConnection) -> str:
        """The reason of its Ready condition."""
        conditions = self.find(connection).status.conditions
        return next((each.reason.value for each in conditions if each.type == "Ready"), "")

    def states(self, connection: MCPConnection) -> list[tuple[int, EntryState]]:
        """Generations and their states."""
        return [(entry.generation, entry.state) for entry in self.find(connection).status.ledger]

    def secret_works(self, name: str = "orders") -> bool:
        """Whether what the Secret holds is good for anything at Vault's backends."""
        secret = self.people.secret(NAMESPACE, name)
        if secret is None:
            return False
        lease_id = secret.annotations.get(SecretAnnotation.LEASE_ID)
        if lease_id is not None:
            number = int(lease_id.rpartition("/")[2])
            return self.vault.alive(lease_id) and secret.data["username"] == f"v-{number}"
        if "token" in secret.data and secret.data["token"].startswith("hvs."):
            return secret.data["token"] in [token.text for token in self.tokens()]
        return bool(secret.data)

    def tokens(self) -> list[FakeToken]:
        """The tokens that are alive."""
        return [token for token in self.vault.tokens.values() if token.end > self.now]

    def leases(self) -> list[str]:
        """The leases that are alive."""
        return [lease_id for lease_id in list(self.vault.leases) if self.vault.alive(lease_id)]

    def audited(self) -> list[tuple[str, str, str]]:
        """Action, phase and outcome of every audit record, in order."""
        data = [record["data"] for record in self.audit.records]
        return [(each["action"], each["phase"], each["outcome"]) for each in data]

    def _told(self, event: str, resource: Resource) -> None:
        wire = resource.to_wire()
        if event == "DELETED":
            wire["metadata"]["resourceVersion"] = self.cluster.next_version()
        if self.watching:
            for engine in self.engines:
                asyncio.get_running_loop().call_soon(engine.on_event, resource.KIND, event, wire)


def a_jwt(end: datetime) -> str:
    """A token that says when it ends; nobody checks its signature."""
    parts = ({"alg": "none"}, {"exp": int(end.timestamp())})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])
