"""The heartbeat of a connection: a coordination.k8s.io/v1 Lease of its name, which somebody who uses it renews and
the operator reads.

Whoever renews it writes a time. Ours is the API server's, so that a pod whose clock is wrong tells the truth."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from leasehold.adapters.cluster_clock import ServerClock
from leasehold.adapters.cluster_faults import done, is_absent
from leasehold.adapters.cluster_http import JSON, MERGE_PATCH, Answer, Call, Transport
from leasehold.adapters.cluster_login import ConfigException, Connection
from leasehold.api.names import HEARTBEAT_LABEL, HEARTBEAT_LABEL_VALUE, HeartbeatAnnotation
from leasehold.api.reasons import Reason
from leasehold.core.faults import Conflict, NeedsPerson, TryLater


def heartbeat_call(verb: str, namespace: str, name: str, body: Any = None) -> Call:
    """A request for one Lease; to repeat one is harmless, for it says no more than the first."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"
    if verb != "create":
        path += f"/{quote(name, safe='')}"
    content_type = MERGE_PATCH if verb == "patch" else JSON
    return Call(verb, "leases", f"{namespace}/{name}", path, body=body, content_type=content_type)


@dataclass(frozen=True)
class Beat:
    """What is written into the Lease `namespace/name`, besides the time."""

    namespace: str
    name: str
    holder: str
    lasts_seconds: int
    """In how many seconds the next one is to be expected."""
    server_url: str | None = None
    """Nothing of a credential may be in it."""
    agent: str | None = None


class KubernetesHeartbeat:
    """Renews one Lease, as whoever the kubeconfig or the pod's service account says."""

    def __init__(self, connection: Connection, beat: Beat) -> None:
        self._clock = ServerClock()
        self._transport = Transport(connection, self._clock)
        self._beat = beat

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, kubeconfig: str | None, beat: Beat) -> AsyncIterator["KubernetesHeartbeat"]:
        """With a kubeconfig, or in a pod; the session ends with the context.

        :raises NeedsPerson: there is neither
        """
        try:
            connection = (
                await Connection.from_kubeconfig(kubeconfig) if kubeconfig else Connection.in_cluster()
            )
        except (ConfigException, OSError, ValueError) as error:
            what = f"the kubeconfig {kubeconfig}" if kubeconfig else "the pod's service account"
            raise NeedsPerson(Reason.UNAUTHORIZED, f"There is no login: {what} cannot be read.") from error
        heartbeat = cls(connection, beat)
        try:
            yield heartbeat
        finally:
            await heartbeat.close()

    async def close(self) -> None:
        """End the session."""
        await self._transport.close()

    async def beat(self) -> datetime:
        """Renew the Lease, or create it; the time that was written.

        :raises NeedsPerson: refused
        :raises TryLater: nobody answered, or not well
        """
        if self._clock.now() is None:
            await self._send("get")
        now = self._clock.now()
        if now is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "The API server's answer has no Date.")
        if is_absent(await self._send("patch", self._body(now))):
            try:
                await self._send("create", self._new(now))
            except Conflict:  # somebody else was faster, and has just renewed it by that
                return now
        return now

    async def _send(self, verb: str, body: Any = None) -> Answer:
        call = heartbeat_call(verb, self._beat.namespace, self._beat.name, body)
        answer = await self._transport.send(call)
        return answer if is_absent(answer) and verb != "create" else done(call, answer)

    def _body(self, now: datetime) -> dict[str, Any]:
        """What a merge patch changes: what is not said any more goes."""
        beat = self._beat
        said = {HeartbeatAnnotation.SERVER_URL: beat.server_url, HeartbeatAnnotation.AGENT: beat.agent}
        renewed = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "metadata": {"labels": {HEARTBEAT_LABEL: HEARTBEAT_LABEL_VALUE}, "annotations": said},
            "spec": {
                "holderIdentity": beat.holder,
                "leaseDurationSeconds": beat.lasts_seconds,
                "renewTime": renewed,
            },
        }

    def _new(self, now: datetime) -> dict[str, Any]:
        body = self._body(now)
        metadata = body["metadata"]
        said = {key: text for key, text in metadata["annotations"].items() if text is not None}
        names = {"name": self._beat.name, "namespace": self._beat.namespace, "annotations": said}
        kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        return {**kind, **body, "metadata": {**metadata, **names}}
