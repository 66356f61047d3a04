"""What runs in a cluster, to whoever may list it. Secrets are not among it: nothing here can ask for one."""

from collections.abc import AsyncIterator
from urllib.parse import quote

from leasehold.adapters.cluster_faults import done
from leasehold.adapters.cluster_http import Call, Transport
from leasehold.adapters.cluster_objects import PAGE_SIZE
from leasehold.core.import_workloads import Workload, WorkloadKind


class WorkloadCalls:
    """The part of a cluster that an import reads."""

    _transport: Transport

    async def list_workloads(self, kind: WorkloadKind, namespace: str = "") -> AsyncIterator[Workload]:
        """Every object of a kind, page by page; of one namespace, where it is given.

        :raises NeedsPerson: the API server refuses the list
        """
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        following = ""
        while True:
            query = f"?limit={PAGE_SIZE}" + (f"&continue={quote(following, safe='')}" if following else "")
            call = Call("list", kind.resource, namespace, f"/{kind.group}{within}/{kind.resource}{query}")
            page = done(call, await self._transport.send(call)).json()
            for item in page.get("items") or ():
                yield Workload(kind, item)
            following = (page.get("metadata") or {}).get("continue") or ""
            if not following:
                return
