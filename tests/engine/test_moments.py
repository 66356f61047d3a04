"""A pass may take long, and a moment that it should have acted on may come meanwhile: nothing is told again, so it
has to be remembered."""

from fakes.world import World
from virtual_time import in_virtual_time, passing


@in_virtual_time
async def test_a_lease_that_ends_during_a_pass_is_over() -> None:
    world = World()
    world.delays["create_secret"] = [15.0]
    await world.start()
    connection = world.claim(leaseDurationSeconds=10)
    await passing(30)
    assert world.ready(connection) == "Expired"
    assert world.leases() == []
    assert world.states(connection) == []
