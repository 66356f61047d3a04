"""Exposures: written whole, onto exactly the version that was read, for they remember what nothing else does."""

from leasehold.adapters.cluster_faults import done, is_absent, namespace_is_going
from leasehold.adapters.cluster_http import Call, Transport
from leasehold.adapters.cluster_objects import UID_MISMATCH, identity_of, parsed, path_of
from leasehold.api.exposure import MCPAgentExposure
from leasehold.core.faults import Vanished


class ExposureCalls:
    """The part of `ports.Cluster` that keeps exposures."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create_exposure(self, exposure: MCPAgentExposure) -> MCPAgentExposure:
        """Create it; where it was carried out unseen, the next attempt finds it there."""
        meta = exposure.metadata
        body = {**exposure.to_wire(), "metadata": {"name": meta.name, "namespace": meta.namespace}}
        call = Call(
            "create", exposure.PLURAL, exposure.key, path_of(MCPAgentExposure, meta.namespace), body=body
        )
        answer = await self._transport.send(call)
        if namespace_is_going(answer):
            raise Vanished(f"The namespace of {exposure.PLURAL} {exposure.key} is being deleted.")
        return parsed(MCPAgentExposure, call, done(call, answer))

    async def replace_exposure(self, exposure: MCPAgentExposure) -> MCPAgentExposure:
        """Write it onto exactly this uid and version."""
        body = {**exposure.to_wire(), "metadata": identity_of(exposure)}
        call = Call(
            verb="update",
            resource=exposure.PLURAL,
            subject=exposure.key,
            path=path_of(MCPAgentExposure, exposure.metadata.namespace, exposure.metadata.name),
            body=body,
            repeatable=False,
        )
        answer = await self._transport.send(call)
        if answer.status == 409 and UID_MISMATCH in str(answer.json().get("message")):
            raise Vanished(f"Another exposure has taken the name {exposure.key}.")
        return parsed(MCPAgentExposure, call, done(call, answer))

    async def delete_exposure(self, exposure: MCPAgentExposure) -> None:
        """Delete exactly this version."""
        meta = exposure.metadata
        call = Call(
            verb="delete",
            resource=exposure.PLURAL,
            subject=exposure.key,
            path=path_of(MCPAgentExposure, meta.namespace, meta.name),
            body={
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": {"uid": meta.uid, "resourceVersion": meta.resource_version},
            },
        )
        answer = await self._transport.send(call)
        if not is_absent(answer):
            done(call, answer)
