"""What an agent can do through a server: what the platform states, and what tools declare on top of it."""

from typing import Any

import pytest

from leasehold.api.base import ConditionStatus
from leasehold.api.profile import Capability, MCPServerProfile, ToolHints
from leasehold.api.reasons import Reason
from leasehold.core.capabilities import ALL_CAPABILITIES, capabilities_of, hints_of
from leasehold.core.captured import after_probe
from leasehold.core.probe import Probed
from leasehold.core.snapshot_content import snapshot_of
from leasehold.core.surface import Identity
from mcp_surfaces import SEARCH, a_surface, edited
from objects import NOON, a_profile

READ = (ConditionStatus.TRUE, Reason.CAPTURED, "the server was read to its end")


def hinted(**annotations: Any) -> dict[str, Any]:
    return edited(SEARCH, annotations=annotations)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, (0, 0, 0, 1)),
        ({"title": "Search"}, (0, 0, 0, 1)),
        ({"destructiveHint": "yes"}, (0, 0, 0, 1)),
        ({"readOnlyHint": True}, (0, 0, 0, 0)),
        ({"openWorldHint": True}, (1, 1, 0, 0)),
        ({"openWorldHint": True, "readOnlyHint": True}, (1, 0, 0, 0)),
        ({"destructiveHint": True}, (0, 0, 1, 0)),
        ({"destructiveHint": True, "readOnlyHint": True}, (0, 0, 0, 0)),
        ({"openWorldHint": False, "destructiveHint": False}, (0, 0, 0, 0)),
        ({"openWorldHint": True, "destructiveHint": True, "readOnlyHint": False}, (1, 1, 1, 0)),
    ],
)
def test_a_tool_counts_by_what_it_declares(
    annotations: dict[str, Any], expected: tuple[int, int, int, int]
) -> None:
    hints = hints_of([hinted(**annotations)])
    told = (hints.takes_untrusted_content, hints.writes_outside, hints.destructive, hints.undeclared)
    assert told == expected


def captured(stated: list[str] | None, *tools: dict[str, Any]) -> MCPServerProfile:
    """A profile whose server was read to its end."""
    wire = a_profile().to_wire()
    wire["spec"] |= {} if stated is None else {"capabilities": stated}
    profile = MCPServerProfile.model_validate(wire)
    probed = Probed(a_surface(tools), Identity("https://orders.example.com", None))
    status = after_probe(profile, snapshot_of("orders-read", probed, NOON), READ, NOON)
    return profile.model_copy(update={"status": status})


def test_what_the_tools_declare_is_added_to_what_the_platform_states() -> None:
    profile = captured(["ReadsPrivateData"], hinted(openWorldHint=True, readOnlyHint=True))
    assert capabilities_of(profile) == {Capability.READS_PRIVATE_DATA, Capability.TAKES_UNTRUSTED_CONTENT}


def test_nothing_that_a_server_says_takes_anything_away() -> None:
    profile = captured(["WritesOutside", "Destructive"], hinted(readOnlyHint=True, openWorldHint=False))
    assert capabilities_of(profile) == {Capability.WRITES_OUTSIDE, Capability.DESTRUCTIVE}


def test_tools_that_declare_nothing_add_nothing_to_what_was_judged() -> None:
    profile = captured([], hinted())
    assert capabilities_of(profile) == frozenset()


def test_a_profile_that_nobody_has_judged_can_do_everything() -> None:
    assert capabilities_of(captured(None, hinted(readOnlyHint=True))) == ALL_CAPABILITIES


def test_a_capture_of_an_older_version_adds_nothing_until_the_next_one() -> None:
    profile = captured(["ReadsPrivateData"], hinted(destructiveHint=True))
    assert profile.status.surface is not None
    older = profile.status.surface.model_copy(update={"hints": None})
    before = profile.model_copy(update={"status": profile.status.model_copy(update={"surface": older})})
    assert capabilities_of(before) == {Capability.READS_PRIVATE_DATA}
    probed = Probed(a_surface((hinted(destructiveHint=True),)), Identity("https://orders.example.com", None))
    after = after_probe(before, snapshot_of("orders-read", probed, NOON), READ, NOON)
    assert after.surface is not None
    assert after.surface.hints == ToolHints(
        takes_untrusted_content=0, writes_outside=0, destructive=1, undeclared=0
    )
