"""What the engine needs from the outside, as protocols; adapters and fakes pass the same contract suites.

Every method raises only `core.faults`. Times are aware UTC datetimes, durations are seconds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from leasehold.api.base import Resource
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.profile import CredentialRecipe, CredentialType
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import (
    AccessorRevocation,
    EventType,
    Heartbeat,
    LabelledHeartbeat,
    LeaseFacts,
    Login,
    MintAnswer,
    RevocationFact,
    SecretContent,
    SecretMeta,
    SecretProbe,
    SecretReading,
    SecretTouch,
    ServiceAccountFact,
    ServiceAccountToken,
    TokenFacts,
)
from leasehold.core.leader import LeaderClaim, LeaderRecord
from leasehold.core.owner_directory import OwnerDirectory
from leasehold.core.probe import Probed, ProbeTarget
from leasehold.core.sealed import Sealed

R = TypeVar("R", bound=Resource)


class Clock(Protocol):
    """The API server's time. The local wall clock decides nothing."""

    def now(self) -> datetime | None:
        """The API server's `Date`, advanced by monotonic time; None until the first answer was seen."""
        ...


class Cluster(Protocol):
    """The Kubernetes API server. A failed read is a fault, never "absent"."""

    async def get(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        """A consistent read; None only where the server says 404."""
        ...

    async def list_all(self, kind: type[R]) -> tuple[list[R], list[str]]:
        """Every object of the kind that can be read, and the keys of those that cannot (from the cache)."""
        ...

    async def put_status(self, resource: R) -> R:
        """Write `resource.status` as it is, only onto exactly this uid and resourceVersion.

        :raises Conflict: the object has another version by now
        :raises Vanished: it is gone, or another object has its name
        """
        ...

    async def add_finalizer(self, resource: R) -> R:
        """Add our finalizer, only onto exactly this uid and resourceVersion. Raises as `put_status`."""
        ...

    async def remove_finalizer(self, resource: R) -> None:
        """Remove our finalizer, only from exactly this uid and resourceVersion; gone is done.

        :raises Conflict: the object has another version by now
        """
        ...

    async def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None where there is none."""
        ...

    async def service_account(self, namespace: str, name: str) -> ServiceAccountFact | None:
        """The service account, None where there is none."""
        ...

    async def heartbeat(self, namespace: str, name: str) -> Heartbeat | None:
        """The coordination.k8s.io Lease of that name; None where there is none.

        :raises NeedsPerson: the operator's own RBAC does not allow it, or its renewTime cannot be read
        """
        ...

    async def list_heartbeats(self) -> tuple[LabelledHeartbeat, ...]:
        """All Leases with the label of a heartbeat, in the namespaces that are looked after."""
        ...

    async def request_token(
        self, namespace: str, name: str, audience: str, seconds: int
    ) -> ServiceAccountToken:
        """A token of that service account for one audience.

        :raises Vanished: there is no such service account
        """
        ...

    async def probe_secret(self, namespace: str, name: str) -> SecretProbe:
        """An empty merge patch: tells whether the name is free, ours or foreign, without any data.

        :raises NeedsPerson: the operator's own RBAC does not allow it
        """
        ...

    async def touch_secret(self, namespace: str, name: str, resource_version: str) -> SecretTouch:
        """Whether the Secret still has this version; no data comes back."""
        ...

    async def read_secret(self, namespace: str, name: str) -> SecretReading | None:
        """A Secret that carries our label, with its data; None where it is gone or not ours (any more)."""
        ...

    async def create_secret(self, content: SecretContent) -> SecretMeta:
        """:raises Conflict: the name is taken"""
        ...

    async def replace_secret(self, content: SecretContent, resource_version: str) -> SecretMeta:
        """All data, labels and annotations as given, onto exactly this version; keys that are not given go.

        :raises Conflict: the Secret has another version by now
        :raises Vanished: it is gone
        """
        ...

    async def annotate_secret(
        self, namespace: str, name: str, annotations: Mapping[str, str | None], resource_version: str
    ) -> SecretMeta:
        """Set annotations, or remove those that are None. Raises as `replace_secret`."""
        ...

    async def delete_secret(self, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this Secret; gone, or another one of that name, is done."""
        ...

    async def create_exposure(self, exposure: MCPAgentExposure) -> MCPAgentExposure:
        """:raises Conflict: there is one of that name
        :raises Vanished: its namespace is being deleted, or is gone
        """
        ...

    async def replace_exposure(self, exposure: MCPAgentExposure) -> MCPAgentExposure:
        """Write it only onto exactly this uid and resourceVersion. Raises as `put_status`."""
        ...

    async def delete_exposure(self, exposure: MCPAgentExposure) -> None:
        """Delete exactly this version; gone is done.

        :raises Conflict: it has another version by now, or another one has its name
        """
        ...

    async def create_snapshot(self, snapshot: MCPToolSnapshot) -> None:
        """:raises Conflict: there is a snapshot of that name"""
        ...

    async def delete_snapshot(self, name: str) -> None:
        """Delete it; gone is done."""
        ...

    async def snapshot_names(self) -> frozenset[str]:
        """The names of all snapshots, without what is in them."""
        ...

    async def list_revocations(self) -> tuple[RevocationFact, ...]:
        """A consistent list of all revocations; empty where their kind is not installed."""
        ...

    async def emit_event(
        self, regarding: Resource, event_type: EventType, reason: Reason, action: str, message: str
    ) -> None:
        """One Event on an object, for people; nothing ever leans on it."""
        ...


class LeaderLease(Protocol):
    """The one object that says which replica leads."""

    @property
    def clock(self) -> Clock:
        """The API server's time, known from the first answer on."""
        ...

    async def read(self) -> LeaderRecord | None:
        """A consistent read; None only where the server says 404."""
        ...

    async def write(self, claim: LeaderClaim, over: LeaderRecord | None) -> LeaderRecord:
        """Write the claim, only over exactly this record; over None: only where there is none.

        :raises Conflict: there is another record by now, or none at all
        :raises OutcomeUnknown: it may have been written
        """
        ...


class Vault(Protocol):
    """One client for all stores."""

    async def cluster_id(self, store: MCPCredentialStore) -> str:
        """Which Vault answers, from the unauthenticated sys/health.

        :raises TryLater: unreachable, sealed, standby, throttled
        """
        ...

    async def login(self, store: MCPCredentialStore, role: str, jwt: Sealed[str]) -> Login:
        """Log a service account in. Nothing is minted by this but the login token.

        :raises NeedsPerson: refused, or answered with a token that has no accessor (a batch token)
        """
        ...

    async def mint(
        self, store: MCPCredentialStore, token: Sealed[str], recipe: CredentialRecipe
    ) -> MintAnswer:
        """Carry out the recipe under a connection's token. Never cancelled by the caller.

        :raises NeedsPerson: Vault answered that it will not (nothing was minted)
        :raises TryLater: nothing was minted, and it may work later
        :raises OutcomeUnknown: something may have been minted
        """
        ...

    async def revoke_accessor(self, store: MCPCredentialStore, accessor: str) -> AccessorRevocation:
        """Revoke the token and queue the revocation of all that hangs under it."""
        ...

    async def lookup_accessor(self, store: MCPCredentialStore, accessor: str) -> TokenFacts | None:
        """The living token of that accessor; None only where Vault says that there is none."""
        ...

    async def lookup_lease(self, store: MCPCredentialStore, lease_id: str) -> LeaseFacts | None:
        """The lease; None only where Vault says "invalid lease"."""
        ...

    async def revoke_lease(self, store: MCPCredentialStore, lease_id: str) -> None:
        """Revoke one lease by its id, synchronously.

        :raises TryLater: the backend did not let it go (its reason in the message); the lease is still there
        """
        ...

    async def irrevocable_leases(self, store: MCPCredentialStore) -> int:
        """How many leases this Vault has given up revoking, whoever they belong to; asked as the operator."""
        ...


class VaultReader(Protocol):
    """What is asked of Vaults in a person's name: it changes nothing there."""

    async def cluster_id(self, store: MCPCredentialStore) -> str:
        """See `Vault`."""
        ...

    async def lookup_accessor(self, store: MCPCredentialStore, accessor: str) -> TokenFacts | None:
        """See `Vault`."""
        ...

    async def lookup_lease(self, store: MCPCredentialStore, lease_id: str) -> LeaseFacts | None:
        """See `Vault`."""
        ...

    async def leases_below(self, store: MCPCredentialStore, path: str) -> tuple[str, ...]:
        """The ids of all leases right below a path, whoever they belong to; takes `sudo` on `sys/leases/lookup`.

        :raises NeedsPerson: refused
        :raises TryLater: unreachable, or too many for one answer
        """
        ...


class Catalog(Protocol):
    """What MCP servers expose."""

    async def probe(self, target: ProbeTarget) -> Probed:
        """The surface of a server as one principal sees it, read to its end, and who exposed it.

        :raises NeedsPerson: refused, not understood, too large, or at an address that must not be connected
        :raises TryLater: unreachable, slow, throttled, failing, or its session got lost
        """
        ...


class Usage(Protocol):
    """Somebody who sees the traffic of the whole fleet."""

    async def last_uses(self) -> Mapping[str, float]:
        """When each connection `namespace/name` was used last, in unix seconds as told; what is not told of is
        absent.

        :raises NeedsPerson: refused, or the question or its answer is not what it has to be
        :raises TryLater: unreachable, slow, throttled, failing
        """
        ...


class OwnerSource(Protocol):
    """Who is there, as an identity job keeps it."""

    async def read(self) -> OwnerDirectory:
        """The newest owner directory.

        :raises NeedsPerson: there is none, or it cannot be read
        """
        ...


class AuditSink(Protocol):
    """Where audit records go: one JSON line each."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one CloudEvents envelope; never blocks for long, never raises."""
        ...


class Metrics(Protocol):
    """What is counted and measured on the way. Never blocks, never raises."""

    def minted(self, outcome: str, reason: Reason, type: CredentialType) -> None:  # noqa: A002
        """One attempt to mint ended."""
        ...

    def revoked(self, outcome: str, reason: Reason) -> None:
        """One attempt to end a generation ended."""
        ...

    def revocation_lag(self, seconds: float) -> None:
        """From the moment a generation had to end until it was verified dead."""
        ...

    def queue(self, lane: str, depth: int, oldest_age_seconds: float) -> None:
        """How much waits in a lane."""
        ...

    def reconciled(self, seconds: float, outcome: str) -> None:
        """One pass over one connection."""
        ...

    def inventory(self, kind: str, objects: int, age_seconds: float) -> None:
        """How many objects are known, and how old the newest word about them is."""
        ...

    def breakglass(self, active: int, matched: int, outstanding: int, failures: Mapping[str, int]) -> None:
        """Revocations that are not over, what they match, what of that is not dead, and why not, by reason."""
        ...

    def breakglass_reached(self, stage: str, seconds: float) -> None:
        """From a revocation's creation until all was revoked, or verified."""
        ...

    def reviewed(self, decision: str, assurance: str, reason: Reason) -> None:
        """A review was judged; `reason` says whether it counts."""
        ...

    def probed(self, profile: str, outcome: str) -> None:
        """A server was read to its end (`ok`), or was not, by why."""
        ...

    def profile_gone(self, name: str) -> None:
        """A profile is no more, or is not probed any more."""
        ...

    def asked_for_use(self, source: str, outcome: str) -> None:
        """A source of evidence of use was read: `ok`, `absent`, or why it could not be."""
        ...

    def looked_for_shadows(self, outcome: str, found: Mapping[str, tuple[int, datetime]]) -> None:
        """Heartbeats were listed (`ok`), or were not, by why: how many shadows each namespace has, and when the
        newest of them was renewed."""
        ...

    def owner_directory_read(self, outcome: str) -> None:
        """The owner directory was read and believed (`ok`), or not, by why."""
        ...

    def owners(self, active: int, missing: int, as_of: datetime) -> None:
        """How many of those who answer for a connection the newest owner directory has, and has not."""
        ...

    def drifted(self, level: str) -> None:
        """A connection was found to have drifted, or to have drifted further."""
        ...

    def store(self, name: str, ready: bool, reason: Reason, irrevocable_leases: int | None) -> None:
        """Whether a store can be used, and how many leases it has given up revoking; None: nobody knows."""
        ...

    def store_gone(self, name: str) -> None:
        """A store is no more."""
        ...

    def connection(self, connection: MCPConnection) -> None:
        """A connection as it is now."""
        ...

    def connection_gone(self, key: str) -> None:
        """A connection is no more."""
        ...

    def agent(self, exposure: MCPAgentExposure) -> None:
        """What an agent has now."""
        ...

    def agent_gone(self, key: str) -> None:
        """An agent, as namespace/name, has no exposure any more."""
        ...
