"""Heartbeats as the operator reads them: one by its name, and all that are labelled, page by page."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from leasehold.adapters.cluster_faults import done, is_absent
from leasehold.adapters.cluster_heartbeat import heartbeat_call
from leasehold.adapters.cluster_http import Answer, Call
from leasehold.adapters.cluster_objects import PAGE_SIZE, ObjectCalls
from leasehold.api.names import HEARTBEAT_LABEL, HEARTBEAT_LABEL_VALUE, HeartbeatAnnotation
from leasehold.api.reasons import Reason
from leasehold.core.facts import Heartbeat, LabelledHeartbeat
from leasehold.core.faults import NeedsPerson

_SELECTED: Final = quote(f"{HEARTBEAT_LABEL}={HEARTBEAT_LABEL_VALUE}", safe="")
LONGEST_WORD: Final = 253
"""Of an agent or a holder; the rest of a longer one is not kept."""


class HeartbeatCalls(ObjectCalls):
    """The part of `ports.Cluster` that reads heartbeats."""

    async def heartbeat(self, namespace: str, name: str) -> Heartbeat | None:
        """The Lease of that name."""
        call = heartbeat_call("get", namespace, name)
        answer = await self._transport.send(call)
        return None if is_absent(answer) else heartbeat_of(call, done(call, answer))

    async def list_heartbeats(self, namespace: str = "") -> tuple[LabelledHeartbeat, ...]:
        """All labelled ones; of one namespace, else of those that the client was made for, one after the other,
        else of all."""
        if namespace or not self._namespaces:
            return tuple(await self._labelled(namespace))
        found: list[LabelledHeartbeat] = []
        for namespace in self._namespaces:
            try:
                found += await self._labelled(namespace)
            except NeedsPerson:
                if not await self._is_going(namespace):
                    raise
        return tuple(found)

    async def _labelled(self, namespace: str) -> list[LabelledHeartbeat]:
        found: list[LabelledHeartbeat] = []
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        following = ""
        while True:
            query = f"?labelSelector={_SELECTED}&limit={PAGE_SIZE}"
            query += f"&continue={quote(following, safe='')}" if following else ""
            call = Call("list", "leases", namespace, f"/apis/coordination.k8s.io/v1{within}/leases{query}")
            page = done(call, await self._transport.send(call)).json()
            found += [_labelled(item) for item in page.get("items") or ()]
            following = page.get("metadata", {}).get("continue") or ""
            if not following:
                return found


def _labelled(item: dict[str, Any]) -> LabelledHeartbeat:
    metadata, spec = item["metadata"], item.get("spec") or {}
    said = metadata.get("annotations") or {}
    agent, holder = said.get(HeartbeatAnnotation.AGENT), spec.get("holderIdentity")
    return LabelledHeartbeat(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        renewed=_time(spec.get("renewTime")),
        duration_seconds=spec.get("leaseDurationSeconds"),
        server_url=said.get(HeartbeatAnnotation.SERVER_URL),
        agent=agent[:LONGEST_WORD] if agent else None,
        holder=holder[:LONGEST_WORD] if holder else None,
    )


def _time(text: str | None) -> datetime | None:
    """None also for a time that no calendar here knows: one such Lease does not hide the others."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


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
