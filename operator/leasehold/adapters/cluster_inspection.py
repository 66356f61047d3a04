"""What a person asks the API server about an installation of Leasehold: its definitions, policies, rights, and who
leads. Nothing is written; what is tried is a dry run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from leasehold.adapters.cluster_faults import done, fault_of, is_absent
from leasehold.adapters.cluster_http import Call, Transport
from leasehold.adapters.cluster_lease import record_of
from leasehold.adapters.cluster_objects import path_of
from leasehold.api.base import Resource
from leasehold.api.names import API_VERSION, GROUP
from leasehold.api.revocation import MCPRevocation
from leasehold.core.installation import Right
from leasehold.core.leader import LeaderRecord

DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
REFUSED_BY_POLICY: Final = "ValidatingAdmissionPolicy"
"""How the API server begins to say that a policy has refused something."""


class InspectionCalls:
    """The part of an API server that `leasehold doctor` asks."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def definition(self, kind: type[Resource]) -> Mapping[str, Any] | None:
        """The resource definition; None where it is not installed."""
        name = f"{kind.PLURAL}.{GROUP}"
        call = Call("get", "customresourcedefinitions", name, f"{DEFINITIONS}/{name}")
        answer = await self._transport.send(call)
        return None if is_absent(answer) else done(call, answer).json()

    async def admission_policies(self) -> Sequence[Mapping[str, Any]]:
        """All of them, whosever they are."""
        return await self._listed("validatingadmissionpolicies")

    async def admission_bindings(self) -> Sequence[Mapping[str, Any]]:
        """All of them."""
        return await self._listed("validatingadmissionpolicybindings")

    async def _listed(self, resource: str) -> Sequence[Mapping[str, Any]]:
        call = Call("list", resource, "", f"{ADMISSION}/{resource}")
        items: Sequence[Mapping[str, Any]] = (
            done(call, await self._transport.send(call)).json().get("items") or ()
        )
        return items

    async def refuses_false_names(self) -> bool | None:
        """Whether a revocation in a name that is not ours is refused by a policy, as a dry run; None: we may not
        create any, so it cannot be tried."""
        body = {
            "apiVersion": API_VERSION,
            "kind": MCPRevocation.KIND,
            "metadata": {"name": "leasehold-doctor"},
            "spec": {
                "target": {"connection": "leasehold-doctor/nobody"},
                "reason": "leasehold doctor tries whether the policies act; this is a dry run",
                "requestedBy": "leasehold doctor: a false name",
            },
        }
        path = path_of(MCPRevocation) + "?dryRun=All"
        call = Call("create", MCPRevocation.PLURAL, "leasehold-doctor", path, body=body)
        answer = await self._transport.send(call)
        if answer.ok:
            return False
        if answer.status not in (403, 422):
            raise fault_of(call, answer)
        return True if REFUSED_BY_POLICY in str(answer.json().get("message")) else None

    async def may(self, user: str, groups: Sequence[str], right: Right, namespace: str) -> bool:
        """Whether RBAC lets somebody do something; without a namespace, in all of them."""
        resource, _, subresource = right.resource.partition("/")
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "name": right.name,
            "namespace": namespace,
        }
        call = Call(
            verb="create",
            resource="subjectaccessreviews",
            subject=user,
            path="/apis/authorization.k8s.io/v1/subjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {"user": user, "groups": list(groups), "resourceAttributes": attributes},
            },
        )
        return bool(done(call, await self._transport.send(call)).json()["status"]["allowed"])

    async def leader(self, namespace: str, name: str) -> LeaderRecord | None:
        """The election's Lease; None where there is none."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases/{quote(name, safe='')}"
        call = Call("get", "leases", f"{namespace}/{name}", path)
        answer = await self._transport.send(call)
        return None if is_absent(answer) else record_of(done(call, answer))
