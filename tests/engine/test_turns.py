"""A fleet that needs nothing takes no time of the servers, but it must not take the event loop either: probes and
revocations would wait for all of it."""

import asyncio

from fakes.world import World
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.metrics import Telemetry
from virtual_time import in_virtual_time, passing

FLEET = 60
WORKERS = 4


class Passes(Telemetry):
    """Counts passes."""

    def __init__(self) -> None:
        super().__init__(FleetMetrics(), "test")
        self.made = 0

    def reconciled(self, seconds: float, outcome: str) -> None:
        self.made += 1
        super().reconciled(seconds, outcome)


@in_virtual_time
async def test_between_the_passes_of_a_fleet_others_have_their_turn() -> None:
    world = World()
    first = await world.start()
    for number in range(FLEET):
        world.claim(f"orders-{number}")
    await passing(60)
    await first.stop(5)
    passes = Passes()
    world.telemetry = passes
    engine = await world.start()
    most_in_one_turn = before = 0
    while passes.made < FLEET:
        await asyncio.sleep(0)
        most_in_one_turn, before = max(most_in_one_turn, passes.made - before), passes.made
    assert most_in_one_turn <= WORKERS + 1  # one more is kept for endings
    await engine.stop(5)
