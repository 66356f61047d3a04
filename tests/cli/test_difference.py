"""How a difference and a review look to the person who reads them."""

from typing import Any

import pytest
import yaml

from leasehold.api.base import ConditionStatus
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import CapturedSurface, MCPServerProfile, SurfaceSource
from leasehold.api.reasons import Reason
from leasehold.api.review import Decision, MCPConnectionReview
from leasehold.cli.difference import compared, needs_a_person, shown
from leasehold.cli.review_manifest import UnfitReview, a_review, manifest
from leasehold.cli.review_subjects import Difference, Subject, by_difference
from leasehold.core.captured import after_probe
from leasehold.core.probe import Probed
from leasehold.core.snapshot_content import snapshot_of
from leasehold.core.surface import Identity, Surface, surface_digest
from mcp_surfaces import REFUND, SEARCH, a_surface, edited, saved
from objects import NOON, a_connection, a_profile

READ = (ConditionStatus.TRUE, Reason.CAPTURED, "the server was read to its end")
FIRST = a_surface()
HIDING = a_surface((edited(SEARCH, description="Searches.\u202e\x1b[2J", title="Orders"), REFUND))


def captured(surface: Surface) -> MCPServerProfile:
    """The profile, once this was captured."""
    profile = a_profile()
    snapshot = snapshot_of(profile.metadata.name, Probed(surface, Identity("https://a.example", None)), NOON)
    return profile.model_copy(update={"status": after_probe(profile, snapshot, READ, NOON)})


def a_difference(live: Surface = HIDING, approved: Surface | None = FIRST) -> Difference:
    digest = surface_digest(approved) if approved is not None else None
    was = saved(approved) if approved is not None else None
    return Difference(captured(live), digest, was, saved(live))


def page(difference: Difference, *connections: MCPConnection, full: bool = False) -> str:
    return shown(difference, compared(difference, full=full), connections or (a_connection(),), full=full)


def test_a_page_names_the_connection_both_digests_and_the_worst_class() -> None:
    text = page(a_difference())
    assert "connection  support/support-bot-orders, agent support-bot, owner alice@example.com" in text
    assert surface_digest(FIRST) in text
    assert surface_digest(HIDING) in text
    assert "hostile: No honest server sends this. HiddenCharacters search" in text
    assert "the same as approved: 1 tool, 1 prompt, 1 resource template" in text


def test_both_sides_stand_side_by_side() -> None:
    (line,) = [line for line in page(a_difference()).splitlines() if line.startswith("  title")]
    assert line.split() == ["title", '"Search"', '"Orders"']


@pytest.mark.parametrize("width", ["80", "100", "200"])
def test_nothing_of_a_server_steers_the_terminal(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    text = page(a_difference())
    assert all(line.isprintable() for line in text.splitlines())
    flat = "".join(text.split())
    assert "\\u{202E}" in flat
    assert "\\u{001B}" in flat
    assert all(len(line) <= int(width) for line in text.splitlines() if line.startswith("  "))


def test_many_things_are_collapsed_unless_all_are_asked_for() -> None:
    tools = [edited(SEARCH, name=f"tool-{number}") for number in range(80)]
    difference = a_difference(a_surface(tools))
    assert "more that differ are not shown; --full shows them" in page(difference)
    assert "ToolAdded (80)" in page(difference)
    assert "tool-79" in page(difference, full=True)
    wide = edited(SEARCH, **{f"field-{number}": number for number in range(100)})
    assert "more places are not shown; --full shows them" in page(a_difference(a_surface((wide, REFUND))))


def test_connections_that_share_a_difference_are_shown_with_it_once() -> None:
    shared = a_difference()
    one, two = (a_connection(name) for name in ("one", "two"))
    other = Subject(a_connection("three"), a_difference(FIRST))
    groups = by_difference([Subject(one, shared), other, Subject(two, shared)])
    assert [[each.metadata.name for each in members] for _, members in groups] == [["one", "two"], ["three"]]
    assert page(shared, one, two).count("HiddenCharacters search") == 1


@pytest.mark.parametrize(
    ("difference", "needed", "words"),
    [
        (a_difference(FIRST), False, "none: Nothing changed."),
        (a_difference(a_surface((edited(SEARCH, title="Orders"), REFUND))), False, "benign"),
        (a_difference(), True, "hostile"),
        (a_difference(FIRST, None), True, "nothing, so all that is exposed is shown"),
        (Difference(a_profile(), None, None, None), True, "never captured"),
        (Difference(None, None, None, None), True, "it does not exist"),
        (Difference(None, None, None, None, "forbidden"), True, "it could not be read"),
    ],
)
def test_whether_a_person_has_to_look(difference: Difference, needed: bool, words: str) -> None:
    assert needs_a_person(difference, compared(difference)) is needed
    assert words in page(difference)


def surface_of(profile: MCPServerProfile) -> CapturedSurface:
    assert profile.status.surface is not None
    return profile.status.surface


def test_the_manifest_is_a_review_of_a_dozen_lines() -> None:
    surface = surface_of(captured(FIRST))
    review = a_review(a_connection(), Decision.APPROVE, "alice@example.com", surface, "still needed", "SUP-1")
    text = manifest(review)
    assert text.isascii()
    assert len(text.splitlines()) <= 12
    read = MCPConnectionReview.model_validate(yaml.safe_load(text))
    assert read.spec == review.spec
    assert read.spec.surface_digest == surface_digest(FIRST)
    assert read.metadata.name.startswith("support-bot-orders-approve-")


def test_a_manifest_of_what_was_never_captured_has_no_digest() -> None:
    review = a_review(a_connection(), Decision.REJECT, "alice@example.com", None, "not needed", None)
    assert "surfaceDigest" not in manifest(review)
    assert "ticket" not in manifest(review)


def test_the_name_of_a_review_fits_whatever_the_name_of_the_connection() -> None:
    long = a_connection("a" * 252 + "b")
    names = {a_review(long, Decision.REJECT, "alice", None, "no", None).metadata.name for _ in range(20)}
    assert len(names) == 20
    assert max(map(len, names)) == 253


@pytest.mark.parametrize(
    ("wrong", "words"), [({"comment": ""}, "--comment"), ({"ticket": "x" * 129}, "--ticket")]
)
def test_what_cannot_be_said_names_the_option(wrong: dict[str, Any], words: str) -> None:
    given = {"comment": "still needed", "ticket": None, **wrong}
    with pytest.raises(UnfitReview, match=words):
        a_review(a_connection(), Decision.APPROVE, "alice", None, given["comment"], given["ticket"])


def test_what_is_supplied_is_said_to_be() -> None:
    assert ", probed" in page(a_difference())
    profile = captured(HIDING)
    live = surface_of(profile).model_copy(update={"source": SurfaceSource.SUPPLIED})
    supplied = profile.model_copy(update={"status": profile.status.model_copy(update={"surface": live})})
    assert ", supplied, not probed" in page(Difference(supplied, None, saved(FIRST), saved(HIDING)))
