"""What the engine tells the metrics of its stores, and of how late its revocations are."""

from collections.abc import Callable

import pytest

from fakes import world as fake_world
from fakes.world import World
from leasehold.api.connection import EntryState
from leasehold.api.reasons import Reason
from leasehold.core.faults import Conflict, Fault, TryLater
from leasehold.engine.work import REAPPLICATIONS
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.metrics import Telemetry
from virtual_time import in_virtual_time, passing

Told = Callable[[str], list[str]]
LAG = "leasehold_revocation_lag_seconds_count"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """The samples of a metric, of the engine that is started next."""
    telemetry = Telemetry(FleetMetrics(), "test")
    monkeypatch.setattr(fake_world, "Telemetry", lambda *_: telemetry)

    def samples(name: str) -> list[str]:
        lines = telemetry.render().decode().splitlines()
        return [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]

    return samples


@in_virtual_time
async def test_a_store_is_told_with_why_it_cannot_be_used_and_until_it_is_gone(told: Told) -> None:
    world = World()
    await world.start()
    await passing(1)
    ready = "leasehold_store_ready"
    assert told(ready) == [f'{ready}{{reason="Active",store="default"}} 1.0']
    assert told("leasehold_store_irrevocable_leases") == [
        'leasehold_store_irrevocable_leases{store="default"} 0.0'
    ]
    world.vault.sealed = True
    await passing(120)
    assert told(ready) == [f'{ready}{{reason="Sealed",store="default"}} 0.0']
    world.people.delete(world.store)
    await passing(10)
    assert told(ready) == []


@pytest.mark.parametrize(("kind", "measured"), [("Lease", 1), ("Expiring", 0), ("Static", 0)])
@in_virtual_time
async def test_nobody_is_late_with_what_cannot_be_revoked(told: Told, kind: str, measured: int) -> None:
    world = World(kind)
    await world.start()
    connection = world.claim()
    await passing(5)
    assert told(LAG) == [f"{LAG} 0.0"]
    world.people.delete(connection)
    await passing(4 * 3600)
    assert world.people.find(connection) is None
    assert told(LAG) == [f"{LAG} {measured:.1f}"]


@pytest.mark.parametrize(
    ("trouble", "times"),
    [(Conflict("changed"), 2 * REAPPLICATIONS), (TryLater(Reason.CLUSTER_UNAVAILABLE, "no answer"), 2)],
    ids=["conflicts", "no answer"],
)
@in_virtual_time
async def test_an_end_that_could_not_be_written_down_is_told_once(
    told: Told, trouble: Fault, times: int
) -> None:
    world = World()
    await world.start()
    connection = world.claim()
    await passing(5)
    world.cluster.fail("put_status", trouble, times=times)
    world.people.change(connection, suspend=True)
    await passing(0.5)
    assert world.states(connection) == [(1, EntryState.CURRENT)], "it is dead, and its ledger does not say so"
    await passing(120)
    assert world.states(connection) == []
    ended = 'leasehold_revocations_total{outcome="verified",reason="Suspended"}'
    assert told("leasehold_revocations_total") == [f"{ended} 1.0"]
    assert told(LAG) == [f"{LAG} 1.0"]
    results = [each for each in world.audit.records if each["type"].endswith("suspend.result")]
    assert len(results) == 1
