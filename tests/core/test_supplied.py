"""What somebody supplies for a command is read as strictly as a probe reads."""

import json
from typing import Any

import pytest
from hypothesis import given

from leasehold.api.profile import MAX_SUPPLIED_LENGTH, MCPServerProfile, SurfaceSource
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson
from leasehold.core.snapshot_content import saved_from
from leasehold.core.supplied import supplied_snapshot
from leasehold.core.surface import STDIO_ORIGIN, Identity, Surface, surface_digest
from leasehold.core.surface_saved import to_saved
from mcp_surfaces import SEARCH, a_surface, edited, surfaces
from objects import NOON, a_profile

COMMAND = Identity(STDIO_ORIGIN, None)


def a_command(supplied: str | None) -> MCPServerProfile:
    wire = a_profile().to_wire()
    wire["spec"] |= {
        "transport": "Stdio",
        "command": ["orders-mcp"],
        "url": None,
        "suppliedSurface": supplied,
    }
    return MCPServerProfile.model_validate(wire)


def resaved(surface: Surface, **changes: Any) -> str:
    return json.dumps({**json.loads(to_saved(surface, COMMAND)), **changes})


def refusal(supplied: str) -> NeedsPerson:
    with pytest.raises(NeedsPerson) as refused:
        supplied_snapshot(a_command(supplied), NOON)
    assert refused.value.reason is Reason.INVALID_SPEC
    assert refused.value.message.startswith("spec.suppliedSurface: ")
    return refused.value


def test_what_is_supplied_becomes_a_snapshot_that_says_so() -> None:
    surface = a_surface([edited(SEARCH, description="Finds \u200b orders.")])
    snapshot = supplied_snapshot(a_command(to_saved(surface, COMMAND)), NOON)
    assert snapshot is not None
    assert snapshot.spec.source is SurfaceSource.SUPPLIED
    assert snapshot.spec.surface_digest == surface_digest(surface)
    assert snapshot.spec.captured_time == NOON
    assert (snapshot.spec.identity.origin, snapshot.spec.identity.server_name) == ("stdio:", "orders")
    assert surface_digest(saved_from(snapshot).surface) == surface_digest(surface)


@given(surfaces)
def test_whatever_a_command_exposes_can_be_supplied(surface: Surface) -> None:
    text = to_saved(surface, COMMAND)
    named = all(each.get("name") for each in (*surface.tools, *surface.prompts))
    if named and len(text) <= MAX_SUPPLIED_LENGTH:
        snapshot = supplied_snapshot(a_command(text), NOON)
        assert snapshot is not None
        assert snapshot.spec.surface_digest == surface_digest(surface)
    else:
        assert "item without a name" in refusal(text).message


def test_a_profile_that_supplies_nothing_has_no_snapshot() -> None:
    assert supplied_snapshot(a_command(None), NOON) is None


@pytest.mark.parametrize(
    ("supplied", "words"),
    [
        ("{}{", "no JSON"),
        ('{"tools": [], "tools": []}', "same key twice"),
        ('{"tools": []}', "plain listing"),
        ('{"format": "leasehold.dev/surface/v2"}', "the only one that this version reads"),
        (resaved(a_surface(), digest="sha256:" + "0" * 64), "was edited"),
        (to_saved(a_surface(), Identity("https://orders.example.com", None)), "from a URL"),
        (to_saved(a_surface(), Identity(STDIO_ORIGIN, "Example CA")), "from a URL"),
        (to_saved(a_surface(era=""), COMMAND), "era is empty"),
        (to_saved(a_surface([{"description": "no name"}]), COMMAND), "tools have an item without a name"),
        (to_saved(a_surface(templates=[{"name": "order"}]), COMMAND), "without a uriTemplate"),
    ],
)
def test_what_a_probe_would_not_have_printed_is_refused_with_what_would_be_right(
    supplied: str, words: str
) -> None:
    message = refusal(supplied).message
    assert words in message
    assert message.endswith("supply what `leasehold surface probe --stdio` prints.")
