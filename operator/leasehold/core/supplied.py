"""The surface of a server that nobody probes: a command runs where the agent runs, so somebody captures what it
exposes there, and the profile carries it. It is read as strictly as a probe reads, or not taken at all."""

from datetime import datetime
from typing import Final

from leasehold.api.profile import MCPServerProfile, SurfaceSource
from leasehold.api.reasons import Reason
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core.faults import NeedsPerson
from leasehold.core.probe import Probed
from leasehold.core.snapshot_content import snapshot_of
from leasehold.core.surface import STDIO_ORIGIN, Identity
from leasehold.core.surface_saved import Saved, UnfitFile, from_saved

_OF_A_COMMAND: Final = Identity(STDIO_ORIGIN, None)


def supplied_snapshot(profile: MCPServerProfile, taken: datetime) -> MCPToolSnapshot | None:
    """The snapshot of the surface that a profile supplies; None where it supplies none.

    :raises NeedsPerson: what it supplies is no saved surface of a command, or too large to keep
    """
    text = profile.spec.supplied_surface
    if text is None:
        return None
    try:
        saved = from_saved(text.encode())
        _check(saved)
    except UnfitFile as error:
        raise NeedsPerson(
            Reason.INVALID_SPEC,
            f"spec.suppliedSurface: {error}; supply what `leasehold surface probe --stdio` prints.",
        ) from error
    probed = Probed(saved.surface, _OF_A_COMMAND)
    return snapshot_of(profile.metadata.name, probed, taken, SurfaceSource.SUPPLIED)


def _check(saved: Saved) -> None:
    """What a probe has seen to, and a file need not hold."""
    surface = saved.surface
    if saved.is_listing:
        raise UnfitFile("it is a plain listing of tools, which says nothing of prompts and instructions")
    if saved.identity != _OF_A_COMMAND:
        raise UnfitFile("it was captured from a URL, not from a command")
    if not surface.era:
        raise UnfitFile("its era is empty")
    for field, items, named_by in (
        ("tools", surface.tools, "name"),
        ("prompts", surface.prompts, "name"),
        ("resourceTemplates", surface.resource_templates, "uriTemplate"),
    ):
        if not all(isinstance(name := each.get(named_by), str) and name for each in items):
            raise UnfitFile(f"its {field} have an item without a {named_by}")
