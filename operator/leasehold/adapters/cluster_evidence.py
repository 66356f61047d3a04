"""What evidence asks of the API server beside the objects: which cluster it is, and as of when it was read."""

from leasehold.adapters.cluster_faults import done
from leasehold.adapters.cluster_http import METADATA_ONLY, Call, Transport
from leasehold.adapters.cluster_objects import path_of
from leasehold.api.base import Resource


class EvidenceCalls:
    """The part of an API server that `leasehold evidence` uses."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def cluster_uid(self) -> str:
        """The uid of the namespace kube-system, which is as old as the cluster, and no other cluster's.

        :raises NeedsPerson: RBAC does not allow it
        """
        name = "kube-system"
        call = Call("get", "namespaces", name, f"/api/v1/namespaces/{name}", accept=METADATA_ONLY)
        return str(done(call, await self._transport.send(call)).json()["metadata"]["uid"])

    async def collection_version(self, kind: type[Resource]) -> str:
        """The resourceVersion of all objects of a kind, as of now."""
        call = Call("list", kind.PLURAL, "", f"{path_of(kind)}?limit=1")
        return str(done(call, await self._transport.send(call)).json()["metadata"]["resourceVersion"])
