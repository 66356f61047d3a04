"""What the commands of a person ask of the API server, beside what the operator asks: who they are, and writes in
their own name, which the admission policies compare with it."""

from typing import Any, TypeVar

from leasehold.adapters.cluster_faults import done
from leasehold.adapters.cluster_http import MERGE_PATCH, Call, Transport
from leasehold.adapters.cluster_objects import parsed, path_of
from leasehold.api.base import Resource
from leasehold.api.names import API_VERSION
from leasehold.api.revocation import Lift, MCPRevocation

R = TypeVar("R", bound=Resource)


class PersonCalls:
    """The part of an API server that people's commands use."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def user_name(self) -> str:
        """As whom the API server knows us: the name that a review or a revocation has to carry."""
        call = Call(
            verb="create",
            resource="selfsubjectreviews",
            subject="",
            path="/apis/authentication.k8s.io/v1/selfsubjectreviews",
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        )
        told = done(call, await self._transport.send(call)).json()
        return str(told["status"]["userInfo"]["username"])

    async def create(self, resource: R) -> R:
        """Create it, with the labels and annotations that it has; what the server made of it.

        :raises Conflict: the name is taken
        :raises NeedsPerson: refused, by RBAC or by an admission policy, whose sentence the message has
        """
        metadata = resource.metadata
        body: dict[str, Any] = {
            "apiVersion": API_VERSION,
            "kind": resource.KIND,
            "metadata": metadata.model_dump(
                by_alias=True, exclude_defaults=True, include={"name", "namespace", "labels", "annotations"}
            ),
            "spec": resource.to_wire()["spec"],
        }
        call = Call(
            verb="create",
            resource=resource.PLURAL,
            subject=resource.key,
            path=path_of(type(resource), metadata.namespace),
            body=body,
            repeatable=False,
        )
        return parsed(type(resource), call, done(call, await self._transport.send(call)))

    async def lift(self, revocation: MCPRevocation, lift: Lift) -> MCPRevocation:
        """End exactly this revocation, as it was looked at.

        :raises Conflict: it has changed since
        :raises NeedsPerson: refused
        """
        metadata = revocation.metadata
        call = Call(
            verb="patch",
            resource=MCPRevocation.PLURAL,
            subject=revocation.key,
            path=path_of(MCPRevocation, name=metadata.name),
            body={
                "metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version},
                "spec": {"lift": lift.to_wire()},
            },
            content_type=MERGE_PATCH,
            repeatable=False,
        )
        return parsed(MCPRevocation, call, done(call, await self._transport.send(call)))
