"""Snapshots of surfaces: written once, read one at a time, and counted by their names alone, for each of them may
be as large as an object can be."""

from typing import Final
from urllib.parse import quote

from leasehold.adapters.cluster_faults import done, is_absent
from leasehold.adapters.cluster_http import Call, Transport
from leasehold.api.names import API_VERSION
from leasehold.api.snapshot import MCPToolSnapshot

NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PAGE_SIZE: Final = 500

_PATH: Final = f"/apis/{API_VERSION}/{MCPToolSnapshot.PLURAL}"


class SnapshotCalls:
    """The part of `ports.Cluster` that keeps snapshots."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create_snapshot(self, snapshot: MCPToolSnapshot) -> None:
        """Create it; where it was carried out unseen, the next attempt finds it there."""
        wire = snapshot.to_wire()
        body = {**wire, "metadata": {"name": snapshot.metadata.name}}
        call = Call("create", MCPToolSnapshot.PLURAL, snapshot.key, _PATH, body=body)
        done(call, await self._transport.send(call))

    async def delete_snapshot(self, name: str) -> None:
        """Delete it."""
        call = Call("delete", MCPToolSnapshot.PLURAL, name, f"{_PATH}/{quote(name, safe='')}")
        answer = await self._transport.send(call)
        if not is_absent(answer):
            done(call, answer)

    async def snapshot_names(self) -> frozenset[str]:
        """All names, page by page at one version of the collection."""
        names: set[str] = set()
        following = ""
        while True:
            query = f"?limit={PAGE_SIZE}" + (f"&continue={quote(following, safe='')}" if following else "")
            call = Call("list", MCPToolSnapshot.PLURAL, "", _PATH + query, accept=NAMES_ONLY)
            page = done(call, await self._transport.send(call)).json()
            names |= {item["metadata"]["name"] for item in page.get("items") or ()}
            following = page.get("metadata", {}).get("continue") or ""
            if not following:
                return frozenset(names)
