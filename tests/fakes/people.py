"""What other people do to a `FakeCluster`: teams, administrators, the garbage collector."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from fakes.cluster import FakeCluster, FakeNamespace, FakeSecret, key_of, with_metadata
from leasehold.api.base import Resource, whole_seconds
from leasehold.api.revocation import MCPRevocation
from leasehold.core.facts import LabelledHeartbeat, RevocationFact, SecretMeta

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True)
class SecretView:
    """A Secret as an administrator sees it."""

    uid: str
    type: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owner_uids: tuple[str, ...]
    data: Mapping[str, str]


class FakePeople:
    """Acts on the cluster without its faults and without the operator's limits."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster

    def namespace(self, labels: Mapping[str, str] | None = None, name: str = "") -> str:
        """A new namespace; returns its name."""
        name = name or f"team-{len(self.cluster.namespaces) + 1}"
        self.cluster.namespaces[name] = FakeNamespace(dict(labels or {}))
        return name

    def terminate(self, namespace: str) -> None:
        """Ask for its deletion, and have something in it that holds it up."""
        self.cluster.namespaces[namespace].terminating = True

    def create(self, resource: R) -> R:
        """Create an object as declared, with a new uid."""
        now = self.cluster.clock.now()
        metadata = {
            "uid": self.cluster.new_uid(),
            "generation": 1,
            "creation_timestamp": whole_seconds(now) if now is not None else None,
        }
        return self.cluster.store(with_metadata(resource, **metadata))

    def edit(self, resource: Resource) -> None:
        """Change a label of it."""
        held = self._held(resource)
        labels = {**held.metadata.labels, "edited": self.cluster.next_version()}
        self.cluster.store(with_metadata(held, labels=labels))

    def change(self, resource: R, **spec: Any) -> R:
        """Change fields of its spec, in the wire's words."""
        held = self._held(resource)
        wire = held.to_wire()
        wire["spec"] |= spec
        changed = type(resource).model_validate(wire)
        return self.cluster.store(with_metadata(changed, generation=held.metadata.generation + 1))

    def delete(self, resource: Resource) -> None:
        """Delete it: at once without finalizers, else as soon as the last one goes."""
        held = self._held(resource)
        if held.metadata.finalizers:
            self.cluster.store(with_metadata(held, deletion_timestamp=self.cluster.clock.now()))
        else:
            del self.cluster.objects[key_of(held)]

    def find(self, resource: R) -> R | None:
        """The object of that name as it is stored."""
        held = self.cluster.objects.get(key_of(resource))
        return None if held is None else type(resource).model_validate(held.to_wire())

    def collect_garbage(self) -> None:
        """Delete every Secret whose owner does not exist any more."""
        alive = {held.metadata.uid for held in self.cluster.objects.values()}
        for key, secret in list(self.cluster.secrets.items()):
            if secret.meta.owner_uids and not alive.intersection(secret.meta.owner_uids):
                del self.cluster.secrets[key]

    def create_service_account(self, namespace: str, name: str) -> str:
        """A new service account; returns its uid."""
        uid = self.cluster.new_uid()
        self.cluster.service_accounts[namespace, name] = uid
        return uid

    def delete_service_account(self, namespace: str, name: str) -> None:
        """Delete it; its tokens are not looked after."""
        del self.cluster.service_accounts[namespace, name]

    def renew(self, namespace: str, name: str, renewed: datetime | None) -> None:
        """Write a Lease with that renewTime, or with none."""
        self.cluster.heartbeats[namespace, name] = renewed

    def beat(self, beat: LabelledHeartbeat) -> str:
        """Write a Lease that is labelled as a heartbeat; returns its uid."""
        key = (beat.namespace, beat.name)
        uid = self.cluster.labelled[key].uid if key in self.cluster.labelled else self.cluster.new_uid()
        self.cluster.labelled[key] = replace(beat, uid=uid)
        self.cluster.heartbeats[key] = beat.renewed
        return uid

    def delete_lease(self, namespace: str, name: str) -> None:
        """Delete it."""
        del self.cluster.heartbeats[namespace, name]
        self.cluster.labelled.pop((namespace, name), None)

    def create_secret(
        self, namespace: str, name: str, data: Mapping[str, str], labels: Mapping[str, str] | None = None
    ) -> str:
        """A Secret of somebody else's; returns its uid."""
        meta = SecretMeta(self.cluster.new_uid(), self.cluster.next_version(), (), dict(labels or {}), {})
        self.cluster.secrets[namespace, name] = FakeSecret(meta, dict(data))
        return meta.uid

    def annotate_secret(self, namespace: str, name: str, key: str, value: str) -> None:
        """Set an annotation."""
        secret = self.cluster.secrets[namespace, name]
        annotations = {**secret.meta.annotations, key: value}
        self._remember(secret, annotations=annotations)

    def unlabel_secret(self, namespace: str, name: str, key: str) -> None:
        """Take a label off."""
        secret = self.cluster.secrets[namespace, name]
        self._remember(secret, labels={k: v for k, v in secret.meta.labels.items() if k != key})

    def put_secret_data(self, namespace: str, name: str, key: str, value: str) -> None:
        """Set one key of its data."""
        secret = self.cluster.secrets[namespace, name]
        secret.data[key] = value
        self._remember(secret)

    def delete_secret(self, namespace: str, name: str) -> None:
        """Delete it."""
        del self.cluster.secrets[namespace, name]

    def secret(self, namespace: str, name: str) -> SecretView | None:
        """What an administrator sees of it."""
        secret = self.cluster.secrets.get((namespace, name))
        if secret is None:
            return None
        meta = secret.meta
        owners, data = meta.owner_uids, dict(secret.data)
        return SecretView(meta.uid, secret.type, meta.labels, meta.annotations, owners, data)

    def remove_revocations(self) -> None:
        """Delete every object of the kind MCPRevocation."""
        self.cluster.unreadable_revocations.clear()
        for key in [key for key in self.cluster.objects if key[0] == MCPRevocation.PLURAL]:
            del self.cluster.objects[key]

    def revoke(self, name: str, spec: Mapping[str, Any]) -> None:
        """Create a revocation; one that this version cannot read is stored as it is."""
        try:
            self.create(MCPRevocation.model_validate({"metadata": {"name": name}, "spec": dict(spec)}))
        except ValidationError:
            self.cluster.unreadable_revocations.append(RevocationFact(name, f"uid-of-{name}", None))

    def lift(self, name: str, by: str = "bob@example.com") -> None:
        """Lift a revocation."""
        held = self.cluster.objects[MCPRevocation.PLURAL, "", name]
        assert isinstance(held, MCPRevocation)
        self.change(held, lift={"by": by, "reason": "it is safe again"})

    def events(self, resource: Resource) -> list[tuple[str, str, str]]:
        """Type, reason and text of the Events on an object."""
        found = [event for event in self.cluster.events if event.regarding == resource.key]
        return [(event.type.value, event.reason.value, event.message) for event in found]

    def _held(self, resource: R) -> R:
        held = self.find(resource)
        assert held is not None, f"{resource.key} does not exist"
        return held

    def _remember(self, secret: FakeSecret, **changes: Any) -> None:
        secret.meta = replace(secret.meta, resource_version=self.cluster.next_version(), **changes)
