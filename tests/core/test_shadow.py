"""What counts as a shadow connection, and how much of what a heartbeat says is shown."""

from datetime import timedelta
from typing import Any

import pytest

from leasehold.core.facts import LabelledHeartbeat
from leasehold.core.shadow import (
    MAX_NAMESPACES,
    OTHERS,
    Shadow,
    ShadowKind,
    by_namespace,
    registered_urls,
    shadows_among,
    shown_server,
)
from objects import NOON, a_connection

SHOP = "https://shop.example.com/mcp"
ORDERS = "https://orders-mcp.tools.svc/mcp"
MINUTES = timedelta(minutes=1)


def a_beat(name: str = "orders", minutes_ago: float = 1, **fields: Any) -> LabelledHeartbeat:
    """One that says to last for ten minutes."""
    told = {"renewed": NOON - minutes_ago * MINUTES, "duration_seconds": 600, **fields}
    return LabelledHeartbeat(**{"namespace": "support", "name": name, "uid": f"uid-of-{name}", **told})


def shadow(beat: LabelledHeartbeat, *registered: Any, unreadable: tuple[str, ...] = ()) -> Shadow | None:
    found = shadows_among([beat], registered_urls(registered, unreadable), NOON)
    return found[0] if found else None


def to(url: str | None, name: str = "orders") -> Any:
    """A registered connection whose server is at that URL."""
    return a_connection(name, status={"server": {"url": url, "scopes": []}} if url else {})


@pytest.mark.parametrize(
    ("beat", "registered", "kind"),
    [
        (a_beat(), (), ShadowKind.UNREGISTERED),
        (a_beat(server_url=SHOP), (), ShadowKind.UNREGISTERED),
        (a_beat(), (to(ORDERS, "tickets"),), ShadowKind.UNREGISTERED),
        (a_beat(namespace="search"), (to(ORDERS),), ShadowKind.UNREGISTERED),
        (a_beat(server_url=SHOP), (to(ORDERS),), ShadowKind.ANOTHER_SERVER),
        (a_beat(server_url=ORDERS), (to(ORDERS),), None),
        (a_beat(server_url="https://ORDERS-mcp.tools.svc:443/mcp/?key=1"), (to(ORDERS),), None),
        (a_beat(server_url=ORDERS), (to(f"{ORDERS}?tenant=a"),), None),
        (a_beat(), (to(ORDERS),), None),
        (a_beat(server_url="a command"), (to(ORDERS),), None),
        (a_beat(server_url=SHOP), (to(None),), None),
    ],
)
def test_a_shadow_has_no_connection_or_one_to_another_server(
    beat: LabelledHeartbeat, registered: tuple[Any, ...], kind: ShadowKind | None
) -> None:
    found = shadow(beat, *registered)
    assert (found.kind if found else None) is kind


def test_a_connection_that_cannot_be_read_is_registered() -> None:
    assert shadow(a_beat(server_url=SHOP), unreadable=("support/orders",)) is None


@pytest.mark.parametrize(
    ("beat", "counts"),
    [
        (a_beat(minutes_ago=30), True),
        (a_beat(minutes_ago=30.1), False),
        (a_beat(minutes_ago=-5), True),
        (a_beat(duration_seconds=None, minutes_ago=3 * 1440), True),
        (a_beat(duration_seconds=None, minutes_ago=3 * 1440 + 1), False),
        (a_beat(renewed=None), False),
    ],
)
def test_what_was_not_renewed_for_three_times_its_duration_is_no_use(
    beat: LabelledHeartbeat, counts: bool
) -> None:
    assert (shadow(beat) is not None) is counts


def test_a_clock_that_is_ahead_is_taken_for_now() -> None:
    found = shadow(a_beat(minutes_ago=-5))
    assert found is not None
    assert found.renewed == NOON


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (SHOP, SHOP),
        ("https://Shop.example.com:443/mcp/", SHOP),
        ("https://user:hunter2@shop.example.com/mcp?api_key=hunter2#hunter2", SHOP),
        ("https://shop.example.com/mcp?tenant=hunter2", SHOP),
        ("https://shop.example.com/mcp?tenant=orders", SHOP),
        ("ftp://shop.example.com/mcp", None),
        ("hunter2", None),
        ("", None),
        (None, None),
        ("https://shop.example.com/" + "a" * 2048, None),
    ],
)
def test_a_server_is_shown_without_anything_of_a_credential(written: str | None, shown: str | None) -> None:
    assert shown_server(written) == shown
    found = shadow(a_beat(server_url=written))
    assert found is not None
    assert "hunter2" not in found.sentence


def test_a_secret_within_a_path_is_left_out() -> None:
    shown = shown_server("https://shop.example.com/s/sk-live-4eC39HqLyjWDarjtT1zdp7dc8Qx/mcp")
    assert shown is not None
    assert "4eC39HqLyjWDarjtT1zdp7dc" not in shown


def test_a_sentence_says_who_uses_what_and_what_to_do() -> None:
    unregistered = shadow(a_beat(server_url=SHOP, agent="shop-bot"))
    another = shadow(a_beat(server_url=SHOP), to(ORDERS))
    assert unregistered is not None
    assert another is not None
    assert unregistered.sentence == (
        f"agent shop-bot uses {SHOP}, and there is no MCPConnection support/orders: register it, or stop it"
    )
    assert another.sentence == (
        f"whoever renews this heartbeat uses {SHOP}, and MCPConnection support/orders is one to {ORDERS}"
    )


def test_numbers_are_by_namespace_and_bounded() -> None:
    beats = [a_beat(namespace=f"team-{number:03}") for number in range(MAX_NAMESPACES + 2)]
    beats += [a_beat("tickets", namespace="team-101", minutes_ago=0)]
    numbers = by_namespace(shadows_among(beats, {}, NOON))
    assert len(numbers) == MAX_NAMESPACES + 1
    assert numbers["team-101"] == (2, NOON)
    assert numbers["team-000"] == (1, NOON - MINUTES)
    assert numbers[OTHERS] == (2, NOON - MINUTES)
