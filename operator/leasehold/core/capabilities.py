"""What an agent can do through a server. The platform states it on the profile, and what the tools declare of
themselves is added; nothing that a server says takes anything away, and what nobody has judged can do everything.

Only a hint that is there counts: the protocol takes a tool without hints for destructive and open to the world,
which would tell a server that says nothing from one that says the worst no more."""

from collections.abc import Iterable
from typing import Final

from leasehold.api.profile import Capability, MCPServerProfile, ToolHints
from leasehold.core.surface_facets import members
from leasehold.core.wire_json import JsonObject

ALL_CAPABILITIES: Final = frozenset(Capability)
_HINTS: Final = ("readOnlyHint", "destructiveHint", "openWorldHint")


def capabilities_of(profile: MCPServerProfile) -> frozenset[Capability]:
    """What an agent can do with it; all that there is where the platform has not said."""
    stated, surface = profile.spec.capabilities, profile.status.surface
    if stated is None:
        return ALL_CAPABILITIES
    shown = declared(surface.hints) if surface is not None and surface.hints is not None else frozenset()
    return frozenset(stated) | shown


def declared(hints: ToolHints) -> frozenset[Capability]:
    """The classes of which there is a tool, by its own word."""
    counts = {
        Capability.TAKES_UNTRUSTED_CONTENT: hints.takes_untrusted_content,
        Capability.WRITES_OUTSIDE: hints.writes_outside,
        Capability.DESTRUCTIVE: hints.destructive,
    }
    return frozenset(capability for capability, count in counts.items() if count)


def hints_of(tools: Iterable[JsonObject]) -> ToolHints:
    """What these tools, as they came over the wire, declare."""
    given = [members(tool, "annotations") for tool in tools]
    writing = [each for each in given if each.get("readOnlyHint") is not True]
    return ToolHints(
        takes_untrusted_content=sum(each.get("openWorldHint") is True for each in given),
        writes_outside=sum(each.get("openWorldHint") is True for each in writing),
        destructive=sum(each.get("destructiveHint") is True for each in writing),
        undeclared=sum(not any(isinstance(each.get(hint), bool) for hint in _HINTS) for each in given),
    )
