"""`ports.Cluster` in memory, for tests of the engine: versions, uids, conflicts, finalizers and owner
references as on a real API server. Held to that by tests/contract.

What other people do to the cluster is in `fakes.people`; faults are ordered with `fail`."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from leasehold.api.base import Resource
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.names import FINALIZER, SecretAnnotation, SecretLabel
from leasehold.api.reasons import Reason
from leasehold.api.revocation import MCPRevocation
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core.facts import (
    EventType,
    Heartbeat,
    LabelledHeartbeat,
    RevocationFact,
    SecretContent,
    SecretMeta,
    SecretProbe,
    SecretReading,
    SecretState,
    SecretTouch,
    ServiceAccountFact,
    ServiceAccountToken,
)
from leasehold.core.faults import Conflict, NeedsPerson, TryLater, Vanished
from leasehold.core.sealed import Sealed

R = TypeVar("R", bound=Resource)
Key = tuple[str, str, str]

OUR_ANNOTATIONS = frozenset(v for k, v in vars(SecretAnnotation).items() if k.isupper())


class FakeClock:
    """The server's time, moved by hand."""

    def __init__(self, moment: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)) -> None:
        self.moment: datetime | None = moment

    def now(self) -> datetime | None:
        return self.moment

    def advance(self, seconds: float) -> None:
        assert self.moment is not None
        self.moment += timedelta(seconds=seconds)


@dataclass
class FakeNamespace:
    labels: dict[str, str] = field(default_factory=dict)
    terminating: bool = False


@dataclass
class FakeSecret:
    meta: SecretMeta
    data: dict[str, str]
    type: str = "Opaque"

    @property
    def ours(self) -> bool:
        return self.meta.labels.get(SecretLabel.MANAGED_BY) == SecretLabel.MANAGED_BY_VALUE


@dataclass(frozen=True)
class FakeEvent:
    regarding: str
    type: EventType
    reason: Reason
    action: str
    message: str


@dataclass
class Trouble:
    """A fault that a method raises, before it does anything or after it has done it."""

    method: str
    fault: Exception
    times: int
    afterwards: bool


class FakeCluster:
    """The state of the world is public: tests look at it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.objects: dict[Key, Resource] = {}
        self.unreadable: set[tuple[str, str]] = set()
        self.namespaces: dict[str, FakeNamespace] = {}
        self.service_accounts: dict[tuple[str, str], str] = {}
        self.heartbeats: dict[tuple[str, str], datetime | None] = {}
        """The Leases of that name, by when they were renewed."""
        self.labelled: dict[tuple[str, str], LabelledHeartbeat] = {}
        """Those of them that have the label of a heartbeat."""
        self.secrets: dict[tuple[str, str], FakeSecret] = {}
        self.unreadable_revocations: list[RevocationFact] = []
        self.events: list[FakeEvent] = []
        self.tokens: list[tuple[str, str, str]] = []
        self._troubles: list[Trouble] = []
        self._version = 100
        self._uids = 0

    def fail(self, method: str, fault: Exception, *, times: int = 1, afterwards: bool = False) -> None:
        """The next `times` calls of a method raise; `afterwards`: once they have done their work."""
        self._troubles.append(Trouble(method, fault, times, afterwards))

    def mend(self) -> None:
        """Whatever was ordered to fail works again."""
        self._troubles.clear()

    def next_version(self) -> str:
        self._version += 1
        return str(self._version)

    def new_uid(self) -> str:
        """The same ones in each run: what is planned is spread by them."""
        self._uids += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(self._uids)))

    async def get(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        with self._called("get"):
            if (kind.PLURAL, _joined(namespace, name)) in self.unreadable:
                raise NeedsPerson(Reason.INVALID_SPEC, f"{name} cannot be read")
            found = self.objects.get((kind.PLURAL, namespace, name))
            return None if found is None else kind.model_validate(found.to_wire())

    async def list_all(self, kind: type[R]) -> tuple[list[R], list[str]]:
        with self._called("list_all"):
            unreadable = sorted(key for plural, key in self.unreadable if plural == kind.PLURAL)
            found = [
                held
                for (plural, _, _), held in self.objects.items()
                if plural == kind.PLURAL and held.key not in unreadable
            ]
            return [kind.model_validate(held.to_wire()) for held in found], unreadable

    async def put_status(self, resource: R) -> R:
        with self._called("put_status"):
            held = self._held(resource)
            wire = held.to_wire() | {"status": resource.to_wire().get("status", {})}
            return self.store(type(resource).model_validate(wire))

    async def add_finalizer(self, resource: R) -> R:
        with self._called("add_finalizer"):
            held = self._held(resource)
            finalizers = tuple(dict.fromkeys((*held.metadata.finalizers, FINALIZER)))
            return self.store(with_metadata(held, finalizers=finalizers))

    async def remove_finalizer(self, resource: R) -> None:
        with self._called("remove_finalizer"):
            try:
                held = self._held(resource)
            except Vanished:
                return
            others = tuple(f for f in held.metadata.finalizers if f != FINALIZER)
            left = self.store(with_metadata(held, finalizers=others))
            if left.metadata.deletion_timestamp is not None and not others:
                del self.objects[key_of(left)]

    async def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        with self._called("namespace_labels"):
            namespace = self.namespaces.get(name)
            return None if namespace is None else dict(namespace.labels)

    async def service_account(self, namespace: str, name: str) -> ServiceAccountFact | None:
        with self._called("service_account"):
            uid = self.service_accounts.get((namespace, name))
            return None if uid is None else ServiceAccountFact(uid)

    async def heartbeat(self, namespace: str, name: str) -> Heartbeat | None:
        with self._called("heartbeat"):
            known = (namespace, name) in self.heartbeats
            return Heartbeat(self.heartbeats[namespace, name]) if known else None

    async def list_heartbeats(self) -> tuple[LabelledHeartbeat, ...]:
        with self._called("list_heartbeats"):
            return tuple(self.labelled.values())

    async def request_token(
        self, namespace: str, name: str, audience: str, seconds: int
    ) -> ServiceAccountToken:
        with self._called("request_token"):
            if not audience.startswith("leasehold.dev/") or seconds > 3600:
                raise NeedsPerson(Reason.REFUSED, "the admission policy refuses this token")
            uid = self.service_accounts.get((namespace, name))
            if uid is None:
                raise Vanished(f"no service account {namespace}/{name}")
            self._refuse_while_terminating(namespace)
            now = self._now()
            self.tokens.append((namespace, name, audience))
            token = f"jwt-{namespace}-{name}-{len(self.tokens)}"
            return ServiceAccountToken(Sealed(token), now + timedelta(seconds=seconds), uid)

    async def probe_secret(self, namespace: str, name: str) -> SecretProbe:
        with self._called("probe_secret"):
            secret = self.secrets.get((namespace, name))
            if secret is None:
                return SecretProbe(SecretState.FREE)
            if not secret.ours:
                return SecretProbe(SecretState.FOREIGN)
            return SecretProbe(SecretState.MANAGED, secret.meta)

    async def touch_secret(self, namespace: str, name: str, resource_version: str) -> SecretTouch:
        with self._called("touch_secret"):
            secret = self.secrets.get((namespace, name))
            if secret is None:
                return SecretTouch.GONE
            same = secret.ours and secret.meta.resource_version == resource_version
            return SecretTouch.UNTOUCHED if same else SecretTouch.CHANGED

    async def read_secret(self, namespace: str, name: str) -> SecretReading | None:
        with self._called("read_secret"):
            secret = self.secrets.get((namespace, name))
            if secret is None or not secret.ours:
                return None
            return SecretReading(secret.meta, Sealed(dict(secret.data)))

    async def create_secret(self, content: SecretContent) -> SecretMeta:
        with self._called("create_secret"):
            if content.namespace not in self.namespaces:
                raise Vanished(f"no namespace {content.namespace}")
            self._refuse_while_terminating(content.namespace)
            if content.labels.get(SecretLabel.MANAGED_BY) != SecretLabel.MANAGED_BY_VALUE:
                raise NeedsPerson(Reason.SECRET_CONFLICT, "the admission policy wants our label")
            if (content.namespace, content.name) in self.secrets:
                raise Conflict("the name is taken")
            meta = SecretMeta(
                uid=self.new_uid(),
                resource_version=self.next_version(),
                owner_uids=(content.owner.metadata.uid,),
                labels=dict(content.labels),
                annotations=dict(content.annotations),
            )
            self.secrets[content.namespace, content.name] = FakeSecret(meta, dict(content.data.reveal()))
            return meta

    async def replace_secret(self, content: SecretContent, resource_version: str) -> SecretMeta:
        with self._called("replace_secret"):
            secret = self._our_secret(content.namespace, content.name, resource_version)
            theirs = {k: v for k, v in secret.meta.annotations.items() if k not in OUR_ANNOTATIONS}
            secret.data = dict(content.data.reveal())
            secret.meta = replace(
                secret.meta,
                resource_version=self.next_version(),
                owner_uids=(content.owner.metadata.uid,),
                labels={**secret.meta.labels, **content.labels},
                annotations={**theirs, **content.annotations},
            )
            return secret.meta

    async def annotate_secret(
        self, namespace: str, name: str, annotations: Mapping[str, str | None], resource_version: str
    ) -> SecretMeta:
        with self._called("annotate_secret"):
            secret = self._our_secret(namespace, name, resource_version)
            merged = {**secret.meta.annotations, **annotations}
            kept = {key: value for key, value in merged.items() if value is not None}
            if kept != secret.meta.annotations:
                secret.meta = replace(secret.meta, resource_version=self.next_version(), annotations=kept)
            return secret.meta

    async def delete_secret(self, namespace: str, name: str, uid: str) -> None:
        with self._called("delete_secret"):
            secret = self.secrets.get((namespace, name))
            if secret is None or secret.meta.uid != uid:
                return
            if not secret.ours:
                raise NeedsPerson(Reason.SECRET_CONFLICT, "it has lost our label")
            del self.secrets[namespace, name]

    async def create_exposure(self, exposure: MCPAgentExposure) -> MCPAgentExposure:
        with self._called("create_exposure"):
            namespace = exposure.metadata.namespace
            if namespace not in self.namespaces or self.namespaces[namespace].terminating:
                raise Vanished(f"the namespace {namespace} is being deleted")
            if key_of(exposure) in self.objects:
                raise Conflict("the name is taken")
            uid, created = self.new_uid(), self._now()
            return self.store(with_metadata(exposure, uid=uid, creation_timestamp=created, generation=1))

    async def replace_exposure(self, exposure: MCPAgentExposure) -> MCPAgentExposure:
        with self._called("replace_exposure"):
            held = self._held(exposure)
            generation = held.metadata.generation + 1
            return self.store(with_metadata(exposure, generation=generation))

    async def delete_exposure(self, exposure: MCPAgentExposure) -> None:
        with self._called("delete_exposure"):
            held = self.objects.get(key_of(exposure))
            if held is None:
                return
            if held.metadata.resource_version != exposure.metadata.resource_version:
                raise Conflict(f"{exposure.key} has changed")
            del self.objects[key_of(held)]

    async def create_snapshot(self, snapshot: MCPToolSnapshot) -> None:
        with self._called("create_snapshot"):
            if key_of(snapshot) in self.objects:
                raise Conflict("the name is taken")
            uid, created = self.new_uid(), self._now()
            self.store(with_metadata(snapshot, uid=uid, creation_timestamp=created, generation=1))

    async def delete_snapshot(self, name: str) -> None:
        with self._called("delete_snapshot"):
            self.objects.pop((MCPToolSnapshot.PLURAL, "", name), None)

    async def snapshot_names(self) -> frozenset[str]:
        with self._called("snapshot_names"):
            return frozenset(name for plural, _, name in self.objects if plural == MCPToolSnapshot.PLURAL)

    async def list_revocations(self) -> tuple[RevocationFact, ...]:
        with self._called("list_revocations"):
            held = [each for (plural, _, _), each in self.objects.items() if plural == MCPRevocation.PLURAL]
            return (*(RevocationFact.read(each.to_wire()) for each in held), *self.unreadable_revocations)

    async def emit_event(
        self, regarding: Resource, event_type: EventType, reason: Reason, action: str, message: str
    ) -> None:
        with self._called("emit_event"):
            self._refuse_while_terminating(regarding.metadata.namespace)
            self.events.append(FakeEvent(regarding.key, event_type, reason, action, message))

    @contextmanager
    def _called(self, method: str) -> Iterator[None]:
        trouble = next((t for t in self._troubles if t.method == method and t.times > 0), None)
        if trouble is not None:
            trouble.times -= 1
            if not trouble.afterwards:
                raise trouble.fault
        yield
        if trouble is not None:
            raise trouble.fault

    def _now(self) -> datetime:
        if self.clock.moment is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "no answer yet")
        return self.clock.moment

    def _held(self, resource: R) -> R:
        held = self.objects.get(key_of(resource))
        if held is None or held.metadata.uid != resource.metadata.uid:
            raise Vanished(f"{resource.key} is gone")
        if held.metadata.resource_version != resource.metadata.resource_version:
            raise Conflict(f"{resource.key} has changed")
        return type(resource).model_validate(held.to_wire())

    def store(self, resource: R) -> R:
        """Keep it under a new version, unless nothing has changed."""
        held = self.objects.get(key_of(resource))
        if held is not None and held.to_wire() == resource.to_wire():
            return resource
        stored = with_metadata(resource, resource_version=self.next_version())
        self.objects[key_of(stored)] = stored
        return stored

    def _our_secret(self, namespace: str, name: str, resource_version: str) -> FakeSecret:
        secret = self.secrets.get((namespace, name))
        if secret is None:
            raise Vanished("the Secret is gone")
        if secret.meta.resource_version != resource_version:
            raise Conflict("the Secret has changed")
        if not secret.ours:
            raise NeedsPerson(Reason.SECRET_CONFLICT, "it is not ours")
        return secret

    def _refuse_while_terminating(self, namespace: str) -> None:
        if namespace in self.namespaces and self.namespaces[namespace].terminating:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "the namespace is being deleted")


def _joined(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def key_of(resource: Resource) -> Key:
    """Where `FakeCluster.objects` keeps it."""
    return (resource.PLURAL, resource.metadata.namespace, resource.metadata.name)


def with_metadata(resource: R, **changes: object) -> R:
    """The same object with other metadata."""
    return resource.model_copy(update={"metadata": resource.metadata.model_copy(update=changes)})
