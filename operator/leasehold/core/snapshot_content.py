"""A captured surface on its way into a snapshot and out of it. The canonical form is kept, so that the digest
that people approve can be recomputed from the object; and what comes out is bounded, whoever wrote it."""

import base64
import binascii
import gzip
import zlib
from datetime import datetime
from typing import Final

from leasehold.api.base import ObjectMeta
from leasehold.api.profile import CapturedSurface, SurfaceSource
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import (
    MAX_SURFACE_LENGTH,
    MCPToolSnapshot,
    MCPToolSnapshotSpec,
    SnapshotIdentity,
    snapshot_name,
)
from leasehold.core.canonical_json import as_sent, digest_of
from leasehold.core.capabilities import hints_of
from leasehold.core.faults import NeedsPerson
from leasehold.core.hidden_text import visible
from leasehold.core.probe import Probed
from leasehold.core.surface import Identity, Surface, canonical
from leasehold.core.surface_saved import Saved
from leasehold.core.wire_json import JsonObject, JsonValue, parse

MAX_CANONICAL_BYTES: Final = 16 << 20
"""What a prober accepts, twice over."""

_NAME_CHARS: Final = 256
_ERA_CHARS: Final = 64


class UnfitSnapshot(ValueError):
    """What an object holds is not the surface that its digest names."""


def snapshot_of(
    profile: str, probed: Probed, captured: datetime, source: SurfaceSource = SurfaceSource.PROBED
) -> MCPToolSnapshot:
    """The snapshot of a surface.

    :raises NeedsPerson: it is too large for one object
    """
    surface = probed.surface
    content = canonical(surface)
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    if len(packed) > MAX_SURFACE_LENGTH:
        raise NeedsPerson(
            Reason.TOO_LARGE,
            f"The server's surface takes {len(packed) >> 10} KiB compressed; a snapshot holds at most "
            f"{MAX_SURFACE_LENGTH >> 10} KiB, so it is not kept.",
        )
    digest = digest_of(content)
    return MCPToolSnapshot(
        metadata=ObjectMeta(name=snapshot_name(profile, digest)),
        spec=MCPToolSnapshotSpec(
            profile=profile,
            surface_digest=digest,
            source=source,
            captured_time=captured,
            identity=identity_of(probed),
            tools=len(surface.tools),
            hints=hints_of(surface.tools),
            prompts=len(surface.prompts),
            resource_templates=len(surface.resource_templates),
            surface=packed,
        ),
    )


def identity_of(probed: Probed) -> SnapshotIdentity:
    """Who exposed a surface, in texts that are bounded and safe to show."""
    said, identity = probed.surface.server_info, probed.identity
    return SnapshotIdentity(
        origin=identity.origin,
        tls_issuer=None if identity.tls_issuer is None else visible(identity.tls_issuer, _NAME_CHARS),
        server_name=_text(said, "name"),
        server_version=_text(said, "version"),
        era=visible(probed.surface.era, _ERA_CHARS),
    )


def saved_from(snapshot: MCPToolSnapshot) -> Saved:
    """What a snapshot holds.

    :raises UnfitSnapshot: it is damaged, too large, or not what its digest says
    """
    spec, content = snapshot.spec, _unpacked(snapshot.spec.surface)
    if digest_of(content) != spec.surface_digest:
        raise UnfitSnapshot("its content has another digest")
    try:
        document = as_sent(parse(content))
    except ValueError as error:
        raise UnfitSnapshot(f"its content cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise UnfitSnapshot("its content is no object")
    identity = spec.identity
    surface = Surface(
        era=identity.era,
        server_info=_server_info(identity.server_name, identity.server_version),
        capabilities=_object(document.get("capabilities")),
        instructions=_text_or_none(document.get("instructions")),
        tools=_objects(document.get("tools")),
        prompts=_objects(document.get("prompts")),
        resource_templates=_objects(document.get("resourceTemplates")),
    )
    return Saved(surface, Identity(identity.origin, identity.tls_issuer))


def answering_now(saved: Saved, live: CapturedSurface) -> Saved:
    """The same surface with who answered last, for that may have changed while the surface did not."""
    surface = Surface(
        era=live.era,
        server_info=_server_info(live.server_name, live.server_version),
        capabilities=saved.surface.capabilities,
        instructions=saved.surface.instructions,
        tools=saved.surface.tools,
        prompts=saved.surface.prompts,
        resource_templates=saved.surface.resource_templates,
    )
    return Saved(surface, Identity(live.origin, live.tls_issuer))


def _unpacked(packed: str) -> bytes:
    try:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        content = unpacker.decompress(base64.b64decode(packed, validate=True), MAX_CANONICAL_BYTES)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise UnfitSnapshot("its content is not base64 of gzip") from error
    if not unpacker.eof or unpacker.unused_data:
        raise UnfitSnapshot(f"its content is cut, or more than {MAX_CANONICAL_BYTES >> 20} MiB")
    return content


def _server_info(name: str, version: str) -> JsonObject:
    return {"name": name, "version": version}


def _text(said: JsonObject, field: str) -> str:
    value = said.get(field)
    return visible(value, _NAME_CHARS) if isinstance(value, str) else ""


def _text_or_none(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: JsonValue) -> tuple[JsonObject, ...]:
    return tuple(each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()
