"""The heartbeat of a connection: a coordination.k8s.io/v1 Lease of its name, which somebody who uses it renews and
the operator reads.

Whoever renews it writes a time. Ours is the API server's, so that a pod whose clock is wrong tells the truth."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from leasehold.adapters.cluster_clock import ServerClock
from leasehold.adapters.cluster_faults import done, is_absent
from leasehold.adapters.cluster_http import JSON, MERGE_PATCH, Answer, Call, Transport
from leasehold.adapters.cluster_login import ConfigException, Connection
from leasehold.api.reasons import Reason
from leasehold.core.facts import Heartbeat
from leasehold.core.faults import Conflict, NeedsPerson, TryLater


def heartbeat_call(verb: str, namespace: str, name: str, body: Any = None) -> Call:
    """A request for one Lease; to repeat one is harmless, for it says no more than the first."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"
    if verb != "create":
        path += f"/{quote(name, safe='')}"
    content_type = MERGE_PATCH if verb == "patch" else JSON
    return Call(verb, "leases", f"{namespace}/{name}", path, body=body, content_type=content_type)


def heartbeat_of(call: Call, answer: Answer) -> Heartbeat:
    """What a Lease says; every field of its spec is optional.

    :raises NeedsPerson: its renewTime is none that a calendar here knows
    """
    text = (answer.json().get("spec") or {}).get("renewTime")
    try:
        return Heartbeat(datetime.fromisoformat(text) if text else None)
    except ValueError as error:
        raise NeedsPerson(
            Reason.MALFORMED, f"spec.renewTime of Lease {call.subject} cannot be read as a time."
        ) from error


class KubernetesHeartbeat:
    """Renews one Lease, as whoever the kubeconfig or the pod's service account says."""

    def __init__(self, connection: Connection, namespace: str, name: str, holder: str) -> None:
        self._clock = ServerClock()
        self._transport = Transport(connection, self._clock)
        self._namespace, self._name, self._holder = namespace, name, holder

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, kubeconfig: str | None, namespace: str, name: str, holder: str
    ) -> AsyncIterator["KubernetesHeartbeat"]:
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
        heartbeat = cls(connection, namespace, name, holder)
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
                await self._send("create", {**self._body(now), **self._named()})
            except Conflict:  # somebody else was faster, and has just renewed it by that
                return now
        return now

    async def _send(self, verb: str, body: Any = None) -> Answer:
        call = heartbeat_call(verb, self._namespace, self._name, body)
        answer = await self._transport.send(call)
        return answer if is_absent(answer) and verb != "create" else done(call, answer)

    def _body(self, now: datetime) -> dict[str, Any]:
        renewed = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"spec": {"holderIdentity": self._holder, "renewTime": renewed}}

    def _named(self) -> dict[str, Any]:
        metadata = {"name": self._name, "namespace": self._namespace}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
