"""What is in use and not registered is told once and counted for as long as it goes on; a look that fails tells
nothing."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from fakes.world import NAMESPACE, World
from leasehold.api.reasons import Reason
from leasehold.core.facts import LabelledHeartbeat
from leasehold.core.faults import NeedsPerson
from leasehold.engine.shadows import TOLD_AT_ONCE
from objects import a_connection
from virtual_time import in_virtual_time, passing

SHOP = "https://shop.example.com/mcp"
RESYNC = 60
COUNT, SEEN = "leasehold_shadow_connections", "leasehold_shadow_last_seen_timestamp_seconds"


class Watched:
    """A world whose operator looks for shadows every minute."""

    def __init__(self) -> None:
        self.world = World()

    async def start(self) -> None:
        await self.world.start(resync_seconds=RESYNC)
        await passing(5)

    def beat(self, name: str = "shop", **fields: str) -> None:
        """One that lasts for a minute."""
        self.world.people.beat(LabelledHeartbeat(NAMESPACE, name, "", self.world.now, 60, **fields))

    def told(self) -> list[tuple[str, str]]:
        """Every Event about a shadow."""
        events = self.world.cluster.events
        return [(each.regarding, each.message) for each in events if each.reason is Reason.SHADOW]

    def numbers(self, name: str = COUNT) -> dict[str, float]:
        """By namespace."""
        text = self.world.telemetry.render().decode()
        return {
            sample.labels["namespace"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }


@in_virtual_time
async def test_a_heartbeat_without_a_connection_is_told_once_and_counted_until_it_ends() -> None:
    watched = Watched()
    watched.beat(server_url=SHOP, agent="shop-bot")
    await watched.start()
    ((regarding, message),) = watched.told()
    assert regarding == f"{NAMESPACE}/shop"
    assert message.startswith(f"agent shop-bot uses {SHOP}")
    assert watched.numbers() == {NAMESPACE: 1}
    for _ in range(30):
        watched.beat(server_url=SHOP, agent="shop-bot")
        await passing(RESYNC)
    seen = watched.world.now - timedelta(seconds=2 * RESYNC)
    assert len(watched.told()) == 1
    assert watched.numbers(SEEN)[NAMESPACE] >= seen.timestamp()
    await passing(5 * RESYNC)
    assert watched.numbers() == {}


@in_virtual_time
async def test_what_is_registered_is_no_shadow_any_more_and_is_one_again_when_its_connection_goes() -> None:
    watched = Watched()
    watched.beat("orders")
    await watched.start()
    assert watched.numbers() == {NAMESPACE: 1}
    connection = watched.world.claim("orders")
    for _ in range(11):  # the same thing is said once in ten minutes
        watched.beat("orders")
        await passing(RESYNC)
        assert watched.numbers() == {}
    watched.world.people.delete(connection)
    for _ in range(2):
        watched.beat("orders")
        await passing(RESYNC)
    assert watched.numbers() == {NAMESPACE: 1}
    assert len(watched.told()) == 2


@in_virtual_time
async def test_a_heartbeat_of_another_server_than_the_registered_one_is_a_shadow() -> None:
    watched = Watched()
    connection = watched.world.claim("orders")
    watched.beat("orders", server_url="https://orders-mcp.tools.svc/mcp/?key=1")
    await watched.start()
    await passing(RESYNC)
    assert watched.told() == []
    watched.beat("orders", server_url=SHOP)
    await passing(RESYNC)
    ((_, message),) = watched.told()
    assert message.endswith(f"MCPConnection {connection.key} is one to https://orders-mcp.tools.svc/mcp")


@in_virtual_time
async def test_a_connection_that_cannot_be_read_is_no_shadow() -> None:
    watched = Watched()
    connection = a_connection("from-tomorrow", namespace=NAMESPACE)
    watched.world.cluster.unreadable.add((connection.PLURAL, connection.key))
    watched.beat("from-tomorrow")
    await watched.start()
    assert watched.told() == []


@in_virtual_time
async def test_of_many_at_once_each_is_told_in_its_turn() -> None:
    watched = Watched()
    for number in range(TOLD_AT_ONCE + 5):
        watched.beat(f"shop-{number:02}")
    await watched.start()
    assert len(watched.told()) == TOLD_AT_ONCE
    assert watched.numbers() == {NAMESPACE: TOLD_AT_ONCE + 5}
    await passing(RESYNC)
    assert len({regarding for regarding, _ in watched.told()}) == len(watched.told()) == TOLD_AT_ONCE + 5


@in_virtual_time
async def test_a_look_that_fails_shows_no_numbers_and_the_next_one_tells_nothing_twice() -> None:
    watched = Watched()
    watched.beat()
    await watched.start()
    refused = NeedsPerson(Reason.REFUSED, "leases is forbidden")
    watched.world.cluster.fail("list_heartbeats", refused, times=11)
    for _ in range(11):  # the same thing would be said again after ten minutes
        await passing(RESYNC)
        assert watched.numbers() == {}
    watched.beat()
    await passing(RESYNC)
    assert watched.numbers() == {NAMESPACE: 1}
    assert len(watched.told()) == 1
