"""The election's lease: a coordination.k8s.io/v1 Lease, read and written in a session of its own, for the
election runs in another event loop than everything else."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from leasehold.adapters.cluster_clock import ServerClock
from leasehold.adapters.cluster_faults import done, is_absent
from leasehold.adapters.cluster_http import Answer, Call, Observe, Transport
from leasehold.adapters.cluster_login import Connection
from leasehold.api.names import GROUP
from leasehold.core.faults import Conflict
from leasehold.core.leader import LeaderClaim, LeaderRecord

AUDIT_END = f"{GROUP}/audit-end"
LABELS = {"app.kubernetes.io/part-of": "leasehold"}


class KubernetesLeaderLease:
    """`ports.LeaderLease` on a real API server."""

    def __init__(
        self, connection: Connection, namespace: str, name: str, observe: Observe | None = None
    ) -> None:
        self.clock = ServerClock()
        self._transport = Transport(connection, self.clock, observe)
        self._namespace, self._name = namespace, name

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, kubeconfig: str | None, namespace: str, name: str, observe: Observe | None = None
    ) -> AsyncIterator["KubernetesLeaderLease"]:
        """With a kubeconfig, or as the pod's service account; the session ends with the context."""
        connection = await Connection.from_kubeconfig(kubeconfig) if kubeconfig else Connection.in_cluster()
        lease = cls(connection, namespace, name, observe)
        try:
            yield lease
        finally:
            await lease.close()

    async def close(self) -> None:
        """End the session."""
        await self._transport.close()

    async def read(self) -> LeaderRecord | None:
        """As of now: without a resourceVersion, the server answers no older state."""
        call = self._call("get")
        answer = await self._transport.send(call)
        return None if is_absent(answer) else record_of(done(call, answer))

    async def write(self, claim: LeaderClaim, over: LeaderRecord | None) -> LeaderRecord:
        """POST where there is none, else PUT onto exactly this version. The API server would create a lease that
        is put where there is none, whatever version that names; only the uid keeps it from that."""
        metadata: dict[str, Any] = {"name": self._name, "namespace": self._namespace, "labels": LABELS}
        if claim.audit_end:
            metadata["annotations"] = {AUDIT_END: claim.audit_end}
        if over is not None:
            metadata |= {"uid": over.uid, "resourceVersion": over.version}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": _spec(claim),
        }
        call = self._call("create" if over is None else "update", body)
        answer = await self._transport.send(call)
        if is_absent(answer):
            raise Conflict(f"The lease {self._namespace}/{self._name} is gone.")
        return record_of(done(call, answer))

    def _call(self, verb: str, body: Any = None) -> Call:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(self._namespace, safe='')}/leases"
        if verb != "create":
            path += f"/{quote(self._name, safe='')}"
        subject = f"{self._namespace}/{self._name}"
        return Call(verb, "leases", subject, path, body=body, repeatable=verb == "get")


def _spec(claim: LeaderClaim) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "holderIdentity": claim.holder,
        "leaseDurationSeconds": claim.lease_seconds,
        "leaseTransitions": claim.transitions,
    }
    if claim.acquired is not None:
        spec["acquireTime"] = _micro_time(claim.acquired)
    if claim.renewed is not None:
        spec["renewTime"] = _micro_time(claim.renewed)
    return spec


def _micro_time(moment: datetime) -> str:
    """MicroTime has exactly six digits behind the point."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record_of(answer: Answer) -> LeaderRecord:
    """Every field of a Lease's spec is optional."""
    stored = answer.json()
    metadata, spec = stored["metadata"], stored.get("spec") or {}
    claim = LeaderClaim(
        holder=spec.get("holderIdentity") or "",
        lease_seconds=spec.get("leaseDurationSeconds") or 0,
        acquired=_moment(spec.get("acquireTime")),
        renewed=_moment(spec.get("renewTime")),
        transitions=spec.get("leaseTransitions") or 0,
        audit_end=(metadata.get("annotations") or {}).get(AUDIT_END) or "",
    )
    return LeaderRecord(claim, metadata["uid"], metadata["resourceVersion"])


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
