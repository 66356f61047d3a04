"""Our own kinds: reads that say "absent" only when the server does, writes that land on exactly the object
that was looked at."""

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from leasehold.adapters.cluster_faults import done, fault_of, is_absent
from leasehold.adapters.cluster_http import MERGE_PATCH, METADATA_ONLY, Answer, Call, Transport
from leasehold.api.base import Resource
from leasehold.api.names import API_VERSION, FINALIZER
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, Vanished

R = TypeVar("R", bound=Resource)

PAGE_SIZE = 500
"""Objects per page of a list: a page is decoded without the event loop, and blocks it for under 0.1 s."""

UID_MISMATCH = "UID in precondition"
"""How the storage layer words a 409 for another object of that name, in contrast to another version."""


class ObjectCalls:
    """The part of `ports.Cluster` that reads and writes resources of our group."""

    def __init__(self, transport: Transport, namespaces: Sequence[str] = ()) -> None:
        self._transport = transport
        self._namespaces = tuple(namespaces)

    async def get(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        """A consistent read.

        :raises NeedsPerson: it exists, but is no valid object of its kind
        """
        call = Call("get", kind.PLURAL, key_of(namespace, name), path_of(kind, namespace, name))
        answer = await self._transport.send(call)
        if is_absent(answer):
            return None
        return parsed(kind, call, done(call, answer))

    async def list_all(
        self, kind: type[R], namespace: str = "", selector: str = ""
    ) -> tuple[list[R], list[str]]:
        """Every object of the kind, page by page at one version of the collection; of one namespace, or with labels
        that kubectl's `-l` would select, where these are given. Without a namespace, a kind that is in namespaces
        is listed in those that the client was made for, one after the other."""
        if namespace or not kind.NAMESPACED or not self._namespaces:
            return await self._list(kind, namespace, selector)
        readable: list[R] = []
        unreadable: list[str] = []
        for namespace in self._namespaces:
            try:
                listed, others = await self._list(kind, namespace, selector)
            except NeedsPerson:
                if not await self._is_going(namespace):
                    raise
                continue  # our rights in it went before it: that must not hide all other namespaces
            readable += listed
            unreadable += others
        return readable, unreadable

    async def _is_going(self, namespace: str) -> bool:
        """Whether a namespace is gone, or about to be."""
        call = Call(
            verb="get",
            resource="namespaces",
            subject=namespace,
            path=f"/api/v1/namespaces/{quote(namespace, safe='')}",
            accept=METADATA_ONLY,
        )
        answer = await self._transport.send(call)
        return is_absent(answer) or bool(done(call, answer).json()["metadata"].get("deletionTimestamp"))

    async def _list(self, kind: type[R], namespace: str, selector: str) -> tuple[list[R], list[str]]:
        readable: list[R] = []
        unreadable: list[str] = []
        following = ""
        while True:
            query = f"?limit={PAGE_SIZE}" + (f"&continue={quote(following, safe='')}" if following else "")
            query += f"&labelSelector={quote(selector, safe='')}" if selector else ""
            call = Call("list", kind.PLURAL, namespace, path_of(kind, namespace) + query)
            page = done(call, await self._transport.send(call)).json()
            for item in page.get("items") or ():
                try:
                    readable.append(kind.model_validate(item))
                except ValidationError:
                    unreadable.append(key_of(item["metadata"].get("namespace", ""), item["metadata"]["name"]))
            following = page.get("metadata", {}).get("continue") or ""
            if not following:
                return readable, unreadable

    async def put_status(self, resource: R) -> R:
        """Write the status onto exactly this uid and version (a merge patch would ignore a foreign uid)."""
        body = resource.model_dump(mode="json", by_alias=True, exclude_none=True, include={"status"})
        kind, meta = type(resource), resource.metadata
        body |= {"apiVersion": API_VERSION, "kind": kind.KIND, "metadata": identity_of(resource)}
        call = Call(
            verb="update",
            resource=f"{kind.PLURAL}/status",
            subject=resource.key,
            path=path_of(kind, meta.namespace, meta.name) + "/status",
            body=body,
            repeatable=False,
        )
        answer = await self._transport.send(call)
        if answer.status == 409 and UID_MISMATCH in str(answer.json().get("message")):
            raise Vanished(f"Another {kind.KIND} has taken the name {resource.key}.")
        return parsed(kind, call, done(call, answer))

    async def add_finalizer(self, resource: R) -> R:
        """Add our finalizer."""
        call = _finalizers_patch(resource, [*resource.metadata.finalizers, FINALIZER])
        answer = await self._transport.send(call)
        if answer.status in (409, 422):
            raise await self._why_not_patched(resource, fault_of(call, answer))
        return parsed(type(resource), call, done(call, answer))

    async def remove_finalizer(self, resource: R) -> None:
        """Remove our finalizer; the object may be gone with it."""
        others = [finalizer for finalizer in resource.metadata.finalizers if finalizer != FINALIZER]
        call = _finalizers_patch(resource, others)
        answer = await self._transport.send(call)
        if answer.ok or is_absent(answer):
            return
        fault = fault_of(call, answer)
        if answer.status in (409, 422):
            fault = await self._why_not_patched(resource, fault)
        if not isinstance(fault, Vanished):
            raise fault

    async def _why_not_patched(self, resource: R, fault: Fault) -> Fault:
        """The server compares versions before uids, and so answers both with a conflict."""
        meta = resource.metadata
        call = Call(
            verb="get",
            resource=resource.PLURAL,
            subject=resource.key,
            path=path_of(type(resource), meta.namespace, meta.name),
            accept=METADATA_ONLY,
        )
        answer = await self._transport.send(call)
        if is_absent(answer) or done(call, answer).json().get("metadata", {}).get("uid") != meta.uid:
            return Vanished(f"It is gone, or another one has its name: {resource.PLURAL} {resource.key}.")
        return fault


def key_of(namespace: str, name: str) -> str:
    """As people write it."""
    return f"{namespace}/{name}" if namespace else name


def path_of(kind: type[Resource], namespace: str = "", name: str = "") -> str:
    path = f"/apis/{API_VERSION}"
    if namespace:
        path += f"/namespaces/{quote(namespace, safe='')}"
    path += f"/{kind.PLURAL}"
    return f"{path}/{quote(name, safe='')}" if name else path


def identity_of(resource: Resource) -> dict[str, str]:
    """What names exactly this version of an object."""
    meta = resource.metadata
    identity = {"name": meta.name, "uid": meta.uid, "resourceVersion": meta.resource_version}
    return identity | ({"namespace": meta.namespace} if meta.namespace else {})


def _finalizers_patch(resource: Resource, finalizers: list[str]) -> Call:
    meta = resource.metadata
    return Call(
        verb="patch",
        resource=resource.PLURAL,
        subject=resource.key,
        path=path_of(type(resource), meta.namespace, meta.name),
        body={
            "metadata": {
                "finalizers": list(dict.fromkeys(finalizers)),
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            }
        },
        content_type=MERGE_PATCH,
        repeatable=False,
    )


def parsed(kind: type[R], call: Call, answer: Answer) -> R:
    try:
        return kind.model_validate_json(answer.body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, detail["loc"])) for detail in error.errors()[:5])
        raise NeedsPerson(
            Reason.INVALID_SPEC, f"{kind.KIND} {call.subject} cannot be read as we know its kind: {fields}."
        ) from error
