"""Two worlds for one contract: a cluster in memory, and a real API server with the operator's shipped rights.

Both have the same people, who act around the operator, and the same way to run a scenario as the operator."""

import asyncio
import base64
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from controlplane import Plane
from fakes.cluster import FakeCluster
from fakes.people import FakePeople, SecretView
from leasehold.api.base import Resource
from leasehold.core.facts import LabelledHeartbeat
from leasehold.ports import Clock, Cluster
from shipped import run_as

DEPUTY = "security-deputy"
"""Lifts what the administrator has revoked."""

T = TypeVar("T")
R = TypeVar("R", bound=Resource)


class ClusterWithClock(Cluster, Protocol):
    """What the engine is given: the port, and the clock that its answers set."""

    @property
    def clock(self) -> Clock: ...


class World:
    """A cluster to be the operator of, and people in it."""

    def __init__(
        self,
        people: "FakePeople | RealPeople",
        run: Callable[[Callable[[ClusterWithClock], Awaitable[Any]]], Any],
    ) -> None:
        self.people = people
        self._run = run

    def run(self, scenario: Callable[[ClusterWithClock], Awaitable[T]]) -> T:
        """Run a scenario as the operator."""
        result: T = self._run(scenario)
        return result


def fake_world() -> World:
    """In memory."""
    cluster = FakeCluster()
    return World(FakePeople(cluster), lambda scenario: asyncio.run(_coroutine(scenario, cluster)))


def real_world(plane: Plane, token: str) -> World:
    """On the control plane, as whoever the token is."""
    return World(RealPeople(plane), lambda scenario: run_as(plane, token, scenario))


async def _coroutine(scenario: Callable[[ClusterWithClock], Awaitable[T]], cluster: ClusterWithClock) -> T:
    return await scenario(cluster)


class RealPeople:
    """An administrator with kubectl."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    def namespace(self, labels: Mapping[str, str] | None = None) -> str:
        """A new namespace; returns its name."""
        name = f"team-{uuid.uuid4().hex[:10]}"
        metadata = {"name": name, "labels": dict(labels or {})}
        self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        return name

    def terminate(self, namespace: str) -> None:
        """Ask for its deletion, and have something in it that holds it up."""
        metadata = {"name": "holds-up", "namespace": namespace, "finalizers": ["example.com/hold"]}
        self._create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        self.plane.kubectl("delete", "namespace", namespace, "--wait=false")

    def create(self, resource: R) -> R:
        """Create an object as declared."""
        wire = resource.to_wire()
        names = {key: wire["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
        names = {key: value for key, value in names.items() if value}
        return type(resource).model_validate(
            self._create({"metadata": names, **{k: wire[k] for k in ("apiVersion", "kind", "spec")}})
        )

    def edit(self, resource: Resource) -> None:
        """Change a label of it."""
        self.plane.kubectl("label", "--overwrite", *_named(resource), f"edited={uuid.uuid4().hex}")

    def delete(self, resource: Resource) -> None:
        """Delete it: at once without finalizers, else as soon as the last one goes."""
        self.plane.kubectl("delete", *_named(resource), "--wait=false")

    def find(self, resource: R) -> R | None:
        """The object of that name as it is stored."""
        found = self._get(*_named(resource))
        return None if found is None else type(resource).model_validate(found)

    def create_service_account(self, namespace: str, name: str) -> str:
        """A new service account; returns its uid."""
        metadata = {"name": name, "namespace": namespace}
        made = self._create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        return str(made["metadata"]["uid"])

    def delete_service_account(self, namespace: str, name: str) -> None:
        """Delete it."""
        self.plane.kubectl("delete", "serviceaccount", name, f"--namespace={namespace}")

    def renew(self, namespace: str, name: str, renewed: datetime | None) -> None:
        """Write a Lease with that renewTime, or with none."""
        lease: dict[str, Any] = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {}}
        if renewed is not None:
            lease["spec"]["renewTime"] = renewed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.plane.apply({**lease, "metadata": {"name": name, "namespace": namespace}})

    def beat(self, beat: LabelledHeartbeat) -> str:
        """Write a Lease that is labelled as a heartbeat; returns its uid."""
        said = {"leasehold.dev/server-url": beat.server_url, "leasehold.dev/agent": beat.agent}
        assert beat.renewed is not None
        renewed = beat.renewed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "renewTime": renewed,
            "leaseDurationSeconds": beat.duration_seconds,
            "holderIdentity": beat.holder,
        }
        made = self._create(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {
                    "name": beat.name,
                    "namespace": beat.namespace,
                    "labels": {"leasehold.dev/heartbeat": "true"},
                    "annotations": {key: text for key, text in said.items() if text is not None},
                },
                "spec": {key: value for key, value in spec.items() if value is not None},
            }
        )
        return str(made["metadata"]["uid"])

    def delete_lease(self, namespace: str, name: str) -> None:
        """Delete it."""
        self.plane.kubectl("delete", "lease", name, f"--namespace={namespace}")

    def create_secret(
        self, namespace: str, name: str, data: Mapping[str, str], labels: Mapping[str, str] | None = None
    ) -> str:
        """A Secret of somebody else's; returns its uid."""
        metadata = {"name": name, "namespace": namespace, "labels": dict(labels or {})}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(data)}
        return str(self._create(secret)["metadata"]["uid"])

    def annotate_secret(self, namespace: str, name: str, key: str, value: str) -> None:
        """Set an annotation."""
        self._secret("annotate", "--overwrite", namespace, name, f"{key}={value}")

    def unlabel_secret(self, namespace: str, name: str, key: str) -> None:
        """Take a label off."""
        self._secret("label", "--overwrite", namespace, name, f"{key}-")

    def put_secret_data(self, namespace: str, name: str, key: str, value: str) -> None:
        """Set one key of its data."""
        patch = json.dumps({"stringData": {key: value}})
        self._secret("patch", "--type=merge", namespace, name, f"--patch={patch}")

    def delete_secret(self, namespace: str, name: str) -> None:
        """Delete it."""
        self.plane.kubectl("delete", "secret", name, f"--namespace={namespace}")

    def secret(self, namespace: str, name: str) -> SecretView | None:
        """What an administrator sees of it."""
        found = self._get("secret", name, f"--namespace={namespace}")
        if found is None:
            return None
        metadata, data = found["metadata"], found.get("data") or {}
        return SecretView(
            uid=metadata["uid"],
            type=found["type"],
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            owner_uids=tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ()),
            data={key: base64.b64decode(value).decode() for key, value in data.items()},
        )

    def remove_revocations(self) -> None:
        """Delete every object of the kind MCPRevocation: each is lifted first, by somebody else."""
        lift = {"spec": {"lift": {"by": DEPUTY, "reason": "the test is over"}}}
        for found in (self._get("mcprevocations") or {"items": []})["items"]:
            name = found["metadata"]["name"]
            if "lift" not in found["spec"]:
                deputy = (f"--as={DEPUTY}", "--as-group=system:masters")
                patch = f"--patch={json.dumps(lift)}"
                self.plane.kubectl("patch", "mcprevocation", name, "--type=merge", patch, *deputy)
            self.plane.kubectl("delete", "mcprevocation", name)

    def user(self) -> str:
        """Who does all this."""
        review = self.plane.kubectl("auth", "whoami", "--output=json").stdout
        return str(json.loads(review)["status"]["userInfo"]["username"])

    def revoke(self, name: str, spec: Mapping[str, Any]) -> None:
        """Create a revocation; who creates it is who requests it."""
        kind = {"apiVersion": "leasehold.dev/v1alpha1", "kind": "MCPRevocation"}
        self._create({**kind, "metadata": {"name": name}, "spec": {**spec, "requestedBy": self.user()}})

    def events(self, resource: Resource) -> list[tuple[str, str, str]]:
        """Type, reason and text of the Events on an object."""
        namespace = resource.metadata.namespace or "default"
        found = self._get("events.events.k8s.io", f"--namespace={namespace}") or {}
        return [
            (event["type"], event["reason"], event["note"])
            for event in found.get("items", ())
            if event["regarding"].get("uid") == resource.metadata.uid
        ]

    def _create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        made = self.plane.kubectl("create", "--filename=-", "--output=json", input=json.dumps(manifest))
        created: dict[str, Any] = json.loads(made.stdout)
        return created

    def _get(self, *what: str) -> dict[str, Any] | None:
        done = self.plane.kubectl("get", *what, "--output=json", check=False)
        if done.returncode != 0:
            if "NotFound" in done.stderr or "doesn't have a resource type" in done.stderr:
                return None
            raise AssertionError(done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _secret(self, verb: str, option: str, namespace: str, name: str, change: str) -> None:
        self.plane.kubectl(verb, option, f"--namespace={namespace}", "secret", name, change)


def _named(resource: Resource) -> list[str]:
    named = [f"{resource.PLURAL}.leasehold.dev", resource.metadata.name]
    return [*named, f"--namespace={resource.metadata.namespace}"] if resource.NAMESPACED else named
