"""Secrets, without the right to read one.

The operator may create, patch and delete Secrets that carry its label and may get, list or watch none. So what
it has to know of a name it learns from an empty patch, and every answer is cut down to metadata by the server.
Data comes back only for a Secret of our own that somebody else has written to."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from leasehold.adapters.cluster_faults import fault_of, is_absent
from leasehold.adapters.cluster_http import JSON, MERGE_PATCH, METADATA_ONLY, Answer, Call, Transport
from leasehold.api.names import SecretAnnotation, SecretLabel
from leasehold.api.reasons import Reason
from leasehold.core.facts import (
    SecretContent,
    SecretMeta,
    SecretProbe,
    SecretReading,
    SecretState,
    SecretTouch,
)
from leasehold.core.faults import NeedsPerson
from leasehold.core.sealed import Sealed

OUR_ANNOTATIONS = tuple(
    value for name, value in vars(SecretAnnotation).items() if name.isupper() and isinstance(value, str)
)


class SecretCalls:
    """The Secret part of `ports.Cluster`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def probe_secret(self, namespace: str, name: str) -> SecretProbe:
        """Free, ours or foreign. The policy answers 422 for a foreign one; without the policy it is patched
        with nothing, and told by its label."""
        answer = await self._transport.send(_call("patch", namespace, name, body={}, looks=True))
        if is_absent(answer):
            return SecretProbe(SecretState.FREE)
        if answer.status == 422:
            return SecretProbe(SecretState.FOREIGN)
        if not answer.ok:
            raise fault_of(_call("patch", namespace, name), answer)
        meta = _meta(answer)
        if meta.labels.get(SecretLabel.MANAGED_BY) != SecretLabel.MANAGED_BY_VALUE:
            return SecretProbe(SecretState.FOREIGN)
        return SecretProbe(SecretState.MANAGED, meta)

    async def touch_secret(self, namespace: str, name: str, resource_version: str) -> SecretTouch:
        """A merge patch that holds nothing but the version: 409 where it has another one by now."""
        expected = {"metadata": {"resourceVersion": resource_version}}
        call = _call("patch", namespace, name, body=expected, looks=True)
        answer = await self._transport.send(call)
        if is_absent(answer):
            return SecretTouch.GONE
        if answer.status in (409, 422):
            return SecretTouch.CHANGED
        if not answer.ok:
            raise fault_of(call, answer)
        return SecretTouch.UNTOUCHED

    async def read_secret(self, namespace: str, name: str) -> SecretReading | None:
        """The answer to an empty patch, in full. A Secret without our label is refused by the policy."""
        call = _call("patch", namespace, name, body={}, accept=JSON, carries_secrets=True, looks=True)
        answer = await self._transport.send(call)
        if is_absent(answer) or answer.status == 422:
            return None
        if not answer.ok:
            raise fault_of(call, answer)
        meta = _meta(answer)
        if meta.labels.get(SecretLabel.MANAGED_BY) != SecretLabel.MANAGED_BY_VALUE:
            return None
        return SecretReading(meta, Sealed(_decoded(answer.json().get("data") or {})))

    async def create_secret(self, content: SecretContent) -> SecretMeta:
        """Create it, owned by the connection."""
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": content.name, **_metadata(content)},
            "stringData": dict(content.data.reveal()),
        }
        return await self._write("create", content.namespace, content.name, manifest, secret=True)

    async def replace_secret(self, content: SecretContent, resource_version: str) -> SecretMeta:
        """One merge patch: `data: null` empties the Secret and `stringData` fills it, in the same write. An
        update would do the same, but would take away what others wrote on it, finalizers included."""
        metadata = _metadata(content)
        metadata["annotations"] = dict.fromkeys(OUR_ANNOTATIONS) | metadata["annotations"]
        metadata["resourceVersion"] = resource_version
        patch = {"metadata": metadata, "data": None, "stringData": dict(content.data.reveal())}
        return await self._write("patch", content.namespace, content.name, patch, secret=True)

    async def annotate_secret(
        self, namespace: str, name: str, annotations: Mapping[str, str | None], resource_version: str
    ) -> SecretMeta:
        """Set or remove annotations."""
        patch = {"metadata": {"annotations": dict(annotations), "resourceVersion": resource_version}}
        return await self._write("patch", namespace, name, patch)

    async def delete_secret(self, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this one: the server compares the uid before it asks anybody else. Its 409 says that
        another one has the name, or only that somebody wrote meanwhile, so then we look."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        call = _call("delete", namespace, name, body=options)
        answer = await self._transport.send(call)
        if answer.status == 422:
            raise NeedsPerson(
                Reason.SECRET_CONFLICT,
                f"Secret {namespace}/{name} has lost our label, so we may not delete it: delete it by hand.",
            )
        if answer.ok or is_absent(answer):
            return
        if answer.status != 409 or await self._is_still_there(namespace, name, uid):
            raise fault_of(call, answer)

    async def _is_still_there(self, namespace: str, name: str, uid: str) -> bool:
        seen = (await self.probe_secret(namespace, name)).meta
        return seen is not None and seen.uid == uid

    async def _write(
        self, verb: str, namespace: str, name: str, body: dict[str, Any], secret: bool = False
    ) -> SecretMeta:
        call = _call(verb, namespace, name, body=body, repeatable=False, carries_secrets=secret)
        answer = await self._transport.send(call)
        if answer.status == 422:
            raise NeedsPerson(Reason.SECRET_CONFLICT, fault_of(call, answer).message)
        if not answer.ok:
            raise fault_of(call, answer)
        return _meta(answer)


def _call(verb: str, namespace: str, name: str, **details: Any) -> Call:
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets"
    if verb != "create":
        path += f"/{quote(name, safe='')}"
    return Call(
        verb=verb,
        resource="secrets",
        subject=f"{namespace}/{name}",
        path=path,
        content_type=MERGE_PATCH if verb == "patch" else JSON,
        **{"accept": METADATA_ONLY, **details},
    )


def _decoded(data: Mapping[str, str]) -> dict[str, str]:
    """As we wrote it; bytes that are no text of ours become something that no digest of ours fits."""
    decoded = {}
    for key, value in data.items():
        try:
            decoded[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            decoded[key] = f"not text: {value}"
    return decoded


def _metadata(content: SecretContent) -> dict[str, Any]:
    owner = content.owner
    return {
        "labels": dict(content.labels),
        "annotations": dict(content.annotations),
        # without blockOwnerDeletion, which would need rights on the connection's finalizers
        "ownerReferences": [
            {
                "apiVersion": owner.api_version,
                "kind": owner.kind,
                "name": owner.metadata.name,
                "uid": owner.metadata.uid,
                "controller": True,
            }
        ],
    }


def _meta(answer: Answer) -> SecretMeta:
    metadata = answer.json().get("metadata") or {}
    return SecretMeta(
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        owner_uids=tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ()),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
    )
