"""`ports.Cluster` on a real API server: how its parts are put together, and what is neither one of our kinds
nor a Secret."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from leasehold.adapters.cluster_clock import ServerClock
from leasehold.adapters.cluster_evidence import EvidenceCalls
from leasehold.adapters.cluster_exposures import ExposureCalls
from leasehold.adapters.cluster_faults import done, is_absent, kind_is_not_installed
from leasehold.adapters.cluster_heartbeats import HeartbeatCalls
from leasehold.adapters.cluster_http import METADATA_ONLY, Call, Observe, Transport
from leasehold.adapters.cluster_inspection import InspectionCalls
from leasehold.adapters.cluster_kubeconfig import KubeContext
from leasehold.adapters.cluster_login import Connection
from leasehold.adapters.cluster_objects import identity_of, key_of
from leasehold.adapters.cluster_people import PersonCalls
from leasehold.adapters.cluster_secrets import SecretCalls
from leasehold.adapters.cluster_snapshots import SnapshotCalls
from leasehold.adapters.cluster_workloads import WorkloadCalls
from leasehold.api.base import Resource
from leasehold.api.names import API_VERSION, GROUP
from leasehold.api.reasons import Reason
from leasehold.core.facts import EventType, RevocationFact, ServiceAccountFact, ServiceAccountToken
from leasehold.core.faults import TryLater
from leasehold.core.sealed import Sealed

REVOCATIONS = "mcprevocations"
MAX_NOTE_LENGTH = 1024
"""The events.k8s.io/v1 bound on `note`."""


class KubernetesCluster(
    HeartbeatCalls,
    SecretCalls,
    SnapshotCalls,
    PersonCalls,
    InspectionCalls,
    WorkloadCalls,
    EvidenceCalls,
    ExposureCalls,
):
    """One API server, and its clock. With `namespaces`, lists are of these alone."""

    def __init__(
        self, connection: Connection, observe: Observe | None = None, namespaces: Sequence[str] = ()
    ) -> None:
        self.clock = ServerClock()
        super().__init__(Transport(connection, self.clock, observe), namespaces)

    @classmethod
    async def from_kubeconfig(
        cls,
        path: str,
        context: str | None = None,
        observe: Observe | None = None,
        namespaces: Sequence[str] = (),
    ) -> "KubernetesCluster":
        """As kubectl would connect with this file."""
        return cls(await Connection.from_kubeconfig(path, context), observe, namespaces)

    @classmethod
    async def from_context(cls, context: KubeContext) -> "KubernetesCluster":
        """As kubectl would connect with this context."""
        return cls(await Connection.from_context(context))

    @classmethod
    def in_cluster(
        cls, observe: Observe | None = None, namespaces: Sequence[str] = ()
    ) -> "KubernetesCluster":
        """As the pod's service account."""
        return cls(Connection.in_cluster(), observe, namespaces)

    @classmethod
    def explicit(
        cls,
        host: str,
        token: str,
        ca_file: str | None = None,
        observe: Observe | None = None,
        namespaces: Sequence[str] = (),
    ) -> "KubernetesCluster":
        """With a bearer token."""
        return cls(Connection.explicit(host, token, ca_file), observe, namespaces)

    async def close(self) -> None:
        """End the session."""
        await self._transport.close()

    async def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a namespace."""
        path = f"/api/v1/namespaces/{quote(name, safe='')}"
        metadata = await self._metadata(Call("get", "namespaces", name, path, accept=METADATA_ONLY))
        return None if metadata is None else metadata.get("labels") or {}

    async def service_account(self, namespace: str, name: str) -> ServiceAccountFact | None:
        """The service account."""
        call = Call(
            verb="get",
            resource="serviceaccounts",
            subject=key_of(namespace, name),
            path=_service_account_path(namespace, name),
            accept=METADATA_ONLY,
        )
        metadata = await self._metadata(call)
        return None if metadata is None else ServiceAccountFact(uid=metadata["uid"])

    async def _metadata(self, call: Call) -> dict[str, Any] | None:
        answer = await self._transport.send(call)
        if is_absent(answer):
            return None
        metadata: dict[str, Any] = done(call, answer).json().get("metadata") or {}
        return metadata

    async def request_token(
        self, namespace: str, name: str, audience: str, seconds: int
    ) -> ServiceAccountToken:
        """A token for one audience; repeating the request is harmless, for nobody has the first one."""
        call = Call(
            verb="create",
            resource="serviceaccounts/token",
            subject=key_of(namespace, name),
            path=_service_account_path(namespace, name) + "/token",
            body={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"audiences": [audience], "expirationSeconds": seconds},
            },
        )
        before = self.clock.now()
        granted = done(call, await self._transport.send(call)).json()
        token = granted["status"]["token"]
        expiry = datetime.fromisoformat(granted["status"]["expirationTimestamp"])
        if before is not None:
            expiry = min(expiry, before + timedelta(seconds=granted["spec"]["expirationSeconds"]))
        return ServiceAccountToken(Sealed(token), expiry, _service_account_uid(token))

    async def list_revocations(self) -> tuple[RevocationFact, ...]:
        """All revocations as of now: without a resourceVersion, the server answers no older state."""
        call = Call("list", REVOCATIONS, "", f"/apis/{API_VERSION}/{REVOCATIONS}")
        answer = await self._transport.send(call)
        if kind_is_not_installed(answer):
            return ()
        items = done(call, answer).json()["items"]
        return tuple(RevocationFact.read(item) for item in items)

    async def emit_event(
        self, regarding: Resource, event_type: EventType, reason: Reason, action: str, message: str
    ) -> None:
        """One Event; for a cluster-scoped object in the namespace `default`, where kubectl looks for it."""
        now = self.clock.now()
        if now is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "No time is known yet to put on an Event.")
        namespace = regarding.metadata.namespace or "default"
        call = Call(
            verb="create",
            resource="events",
            subject=regarding.key,
            path=f"/apis/events.k8s.io/v1/namespaces/{quote(namespace, safe='')}/events",
            body={
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"generateName": "leasehold-", "namespace": namespace},
                "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "type": event_type.value,
                "reason": reason.value,
                "action": action,
                "note": message[:MAX_NOTE_LENGTH],
                "reportingController": GROUP,
                "reportingInstance": "leasehold",
                "regarding": {
                    "apiVersion": regarding.GROUP_VERSION,
                    "kind": regarding.KIND,
                    **identity_of(regarding),
                },
            },
        )
        done(call, await self._transport.send(call))


def _service_account_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(name, safe='')}"


def _service_account_uid(token: str) -> str:
    """From the token itself: the account may have been replaced since it was looked up."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["kubernetes.io"]["serviceaccount"]["uid"])
