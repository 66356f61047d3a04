"""Connections that nobody uses deprovision themselves. What cannot be seen ends nothing, and looking costs little.

Sources are looked at every minute, and a connection may rest for ten of them: an hour is a long time."""

from datetime import timedelta

from fakes.usage import FakeUsage
from fakes.world import NAMESPACE, World
from leasehold.api.base import whole_seconds
from leasehold.api.connection import MCPConnection, UseRecord
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.core.faults import NeedsPerson, TryLater
from leasehold.engine.usage import SECONDS_PER_CONNECTION, FleetUsage, UseWatch
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.metrics import Telemetry
from objects import a_connection
from virtual_time import in_virtual_time, passing

MINUTE = 60
IDLE = 10 * MINUTE
NAME = "orders"
AWAY = TryLater(Reason.UNREACHABLE, "Prometheus is away")


class Office:
    """A world with a connection that may rest for ten minutes, and somebody who uses it, or not."""

    def __init__(self, kind: str = "Lease") -> None:
        self.world = World(kind)
        self.connection: MCPConnection

    async def opened(self, idle: int = IDLE) -> None:
        self.connection = self.world.claim(NAME, idleSeconds=idle)
        await self.start()
        await passing(5)

    async def start(self) -> None:
        await self.world.start(standing_check_seconds=MINUTE)

    async def restart(self, after: float = 0) -> None:
        """The operator ends, and another one begins."""
        await self.world.engines.pop().stop(1)
        await passing(after)
        await self.start()

    def beats(self) -> None:
        self.world.people.renew(NAMESPACE, NAME, self.world.now)

    async def used_for(self, minutes: float) -> None:
        """A heartbeat every ten seconds."""
        for _ in range(int(minutes * 6)):
            self.beats()
            await passing(10)

    def approve(self) -> None:
        body = {
            "metadata": {"name": f"review-{self.world.cluster.next_version()}", "namespace": NAMESPACE},
            "spec": {
                "connection": NAME,
                "reviewer": "alice@example.com",
                "decision": "Approve",
                "comment": "it is needed again",
            },
        }
        self.world.people.create(MCPConnectionReview.model_validate(body))

    @property
    def ready(self) -> str:
        return self.world.ready(self.connection)

    @property
    def used(self) -> tuple[str, str]:
        told = self.world.find(self.connection).status.conditions
        return next((each.status.value, each.reason.value) for each in told if each.type == "Used")

    @property
    def record(self) -> UseRecord:
        use = self.world.find(self.connection).status.use
        assert use is not None
        return use


@in_virtual_time
async def test_without_a_source_nothing_is_ever_ended_for_being_idle() -> None:
    office = Office()
    await office.opened()
    await passing(6 * IDLE)
    assert office.used == ("Unknown", "NoEvidenceSource")
    assert office.ready == "Active"
    assert office.world.find(office.connection).status.use is None


@in_virtual_time
async def test_what_is_used_stays() -> None:
    office = Office()
    await office.opened()
    await office.used_for(50)
    assert office.used == ("True", "RecentlyUsed")
    assert office.ready == "Active"
    assert office.world.secret_works()


@in_virtual_time
async def test_a_heartbeat_that_stops_is_warned_of_and_then_ends_the_credential() -> None:
    office = Office()
    await office.opened()
    await office.used_for(12)
    last = whole_seconds(office.world.now - timedelta(seconds=10))
    await passing(IDLE * 3 / 4)
    assert office.used == ("False", "IdleSoon")
    assert (office.ready, office.world.secret_works()) == ("Active", True)
    assert office.record.deadline_time == last + timedelta(seconds=IDLE)
    await passing(IDLE / 4)
    assert (office.ready, office.used) == ("Idle", ("False", "Idle"))
    assert office.record.idle_since == last + timedelta(seconds=IDLE)
    assert office.world.leases() == []
    assert office.world.people.secret(NAMESPACE, NAME) is None
    told = [reason for _, reason, _ in office.world.people.events(office.connection)]
    assert told.count("IdleSoon") == 1
    assert told.index("IdleSoon") < told.index("Idle")


@in_virtual_time
async def test_an_approval_brings_it_back_with_a_fresh_credential_and_the_audit_log_tells_both() -> None:
    office = Office()
    await office.opened()
    office.beats()
    await passing(2 * IDLE)
    assert office.ready == "Idle"
    office.beats()
    await passing(2 * MINUTE)
    assert office.ready == "Idle", "a heartbeat is no review"
    mints = office.world.vault.mints
    office.approve()
    await passing(10)
    assert office.ready == "Active"
    assert office.world.secret_works()
    assert office.world.vault.mints == mints + 1
    data = [record["data"] for record in office.world.audit.records]
    (idle,) = [each for each in data if each["action"] == "idle"]
    assert "last used at" in idle["message"]
    (restored,) = [each for each in data if each["action"] == "restore"]
    assert (restored["actor"], restored["reason"]) == ("alice@example.com", "Approved")
    assert restored["message"].startswith("it was Idle")
    await passing(IDLE - MINUTE)
    assert office.ready == "Active", "it may rest anew from the approval on"
    await passing(2 * MINUTE)
    assert office.ready == "Idle"


@in_virtual_time
async def test_a_lease_that_is_deleted_ends_nothing_and_is_told() -> None:
    office = Office()
    await office.opened()
    await office.used_for(2)
    office.world.people.delete_lease(NAMESPACE, NAME)
    await passing(3 * IDLE)
    assert office.used == ("Unknown", "NoEvidenceSource")
    assert office.ready == "Active"
    assert office.record.last_used_time is not None
    office.world.people.renew(NAMESPACE, NAME, office.record.last_used_time)
    await passing(2 * MINUTE)
    assert office.used[0] != "Unknown"
    assert office.ready == "Active", "what nobody watched was no idleness"


@in_virtual_time
async def test_reads_that_fail_end_nothing_and_after_them_there_is_time_to_renew() -> None:
    office = Office()
    await office.opened(idle=2 * MINUTE)
    await office.used_for(3)
    office.world.cluster.fail("heartbeat", TryLater(Reason.CLUSTER_UNAVAILABLE, "no answer"), times=10**6)
    await passing(10 * MINUTE)
    assert office.ready == "Active"
    office.world.cluster.mend()
    await passing(2 * MINUTE)
    assert office.ready == "Active", "it was not watched for two minutes yet"
    await passing(2 * MINUTE)
    assert office.ready == "Idle"


@in_virtual_time
async def test_reads_that_are_refused_are_told_at_once() -> None:
    office = Office()
    await office.opened()
    refused = NeedsPerson(Reason.REFUSED, "get leases is forbidden")
    office.world.cluster.fail("heartbeat", refused, times=10**6)
    await passing(MINUTE + 10)
    assert office.used == ("Unknown", "Refused")
    assert office.ready == "Active"


@in_virtual_time
async def test_a_renewal_in_the_future_is_told_and_is_no_evidence() -> None:
    office = Office()
    await office.opened()
    office.world.people.renew(NAMESPACE, NAME, office.world.now + timedelta(days=300))
    await passing(MINUTE + 10)
    assert office.used == ("Unknown", "Malformed")
    assert office.world.find(office.connection).status.use is None


@in_virtual_time
async def test_a_restart_writes_nothing_and_hurries_nothing() -> None:
    office = Office("Static")
    await office.opened()
    await office.used_for(8)
    before = office.world.find(office.connection).metadata.resource_version
    await office.restart()
    await passing(30)
    assert office.world.find(office.connection).metadata.resource_version == before
    await passing(IDLE + MINUTE)
    assert office.ready == "Idle"


@in_virtual_time
async def test_an_operator_that_was_away_gives_everybody_time_to_tell() -> None:
    office = Office()
    await office.opened()
    await office.used_for(2)
    await office.restart(after=3 * IDLE)
    await passing(MINUTE / 2)
    assert office.ready == "Active"
    office.beats()
    await passing(IDLE - 2 * MINUTE)
    assert office.ready == "Active"


@in_virtual_time
async def test_constant_use_is_not_written_with_every_look() -> None:
    office = Office("Static")
    await office.opened(idle=200 * MINUTE)
    await office.used_for(3)
    versions = set()
    for _ in range(30):  # before the first rotation
        await office.used_for(1)
        versions.add(office.world.find(office.connection).metadata.resource_version)
    assert len(versions) <= 3, "every twenty minutes"
    assert office.record.last_used_time is not None
    assert office.world.now - office.record.last_used_time < timedelta(minutes=22)


# Prometheus


def asked_office() -> tuple[Office, FakeUsage]:
    office, usage = Office(), FakeUsage()
    office.world.usage = usage
    return office, usage


@in_virtual_time
async def test_a_series_is_evidence_of_use_and_of_its_end() -> None:
    office, usage = asked_office()
    await office.opened()
    usage.told["support/orders"] = office.world.now.timestamp()
    await passing(2 * MINUTE)
    assert office.used == ("True", "RecentlyUsed")
    assert office.record.source.value == "Prometheus"
    await passing(IDLE)
    assert office.ready == "Idle"
    assert office.world.leases() == []


@in_virtual_time
async def test_what_was_never_used_becomes_idle_where_the_query_says_so() -> None:
    office, usage = asked_office()
    usage.told["support/orders"] = 0
    await office.opened()
    await passing(2 * MINUTE)
    assert office.used == ("False", "NeverUsed")
    await passing(IDLE)
    assert office.ready == "Idle"


@in_virtual_time
async def test_a_query_that_has_lost_its_series_ends_nobody() -> None:
    office, usage = asked_office()
    await office.opened()
    usage.told["support/orders"] = office.world.now.timestamp()
    await passing(2 * MINUTE)
    usage.told = {"support/somebody-else": office.world.now.timestamp()}
    await passing(5 * IDLE)
    assert office.used == ("Unknown", "NoEvidenceSource")
    assert office.ready == "Active"


@in_virtual_time
async def test_a_prometheus_that_is_away_ends_nobody_not_even_whose_heartbeat_has_stopped() -> None:
    office, usage = asked_office()
    await office.opened()
    await office.used_for(2)
    usage.fault = AWAY
    await passing(3 * IDLE)
    assert office.ready == "Active"
    usage.fault = None
    await passing(2 * MINUTE)
    assert office.ready == "Idle"


@in_virtual_time
async def test_heartbeats_that_cannot_be_read_end_nobody_not_even_who_prometheus_says_rests() -> None:
    office, usage = asked_office()
    usage.told["support/orders"] = 0
    await office.opened()
    await passing(2 * MINUTE)
    office.world.cluster.fail("heartbeat", NeedsPerson(Reason.REFUSED, "forbidden"), times=10**6)
    await passing(3 * IDLE)
    assert (office.ready, office.used) == ("Active", ("False", "IdleSoon"))
    office.world.cluster.mend()
    await passing(3 * MINUTE)
    assert office.ready == "Idle"


@in_virtual_time
async def test_the_newer_of_two_sources_counts() -> None:
    office, usage = asked_office()
    usage.told["support/orders"] = 0
    await office.opened()
    await office.used_for(2 * 10)
    assert office.used == ("True", "RecentlyUsed")
    assert office.record.source.value == "Heartbeat"


@in_virtual_time
async def test_prometheus_is_asked_once_for_all_and_four_times_in_a_period() -> None:
    office, usage = asked_office()
    for number in range(20):
        office.world.claim(f"also-{number}")
    await office.opened()
    asked = usage.asked
    await passing(5 * MINUTE)
    assert usage.asked - asked == 20


# what looking costs


@in_virtual_time
async def test_looks_are_spread_and_no_large_fleet_asks_more_than_twenty_a_second() -> None:
    world = World()
    metrics = Telemetry(FleetMetrics(), "test")
    for fleet in (1000, 100_000):
        period = timedelta(seconds=MINUTE)
        watch = UseWatch(
            world.cluster,
            FleetUsage(None, world.clock, metrics, period),
            metrics,
            fleet_size=lambda fleet=fleet: fleet,  # type: ignore[misc]
            period=period,
        )
        longest = max(period, timedelta(seconds=SECONDS_PER_CONNECTION * fleet))
        dues = [watch.due(a_connection(uid=f"uid-{number}"), world.now) for number in range(1000)]
        assert max(dues) <= world.now + longest
        assert max(dues) - min(dues) > longest * 0.9
        assert len(set(dues)) > 990


@in_virtual_time
async def test_each_read_is_counted_by_source_and_outcome() -> None:
    world = World()
    metrics = Telemetry(FleetMetrics(), "test")
    period = timedelta(seconds=MINUTE)
    usage = FakeUsage()
    fleet = FleetUsage(usage, world.clock, metrics, period)
    watch = UseWatch(world.cluster, fleet, metrics, lambda: 1, period)
    later = [world.now + number * 2 * period for number in range(1, 4)]
    connection = a_connection(namespace=NAMESPACE)
    assert await watch.look(connection, world.now) is None, "its turn comes"
    await watch.look(connection, later[0])
    world.people.renew(NAMESPACE, connection.metadata.name, world.now)
    await watch.look(connection, later[1])
    world.cluster.fail("heartbeat", NeedsPerson(Reason.REFUSED, "forbidden"))
    await watch.look(connection, later[2])
    await fleet.ask(usage, world.now)
    usage.fault = AWAY
    await fleet.ask(usage, world.now)
    text = metrics.render().decode()
    for outcome in ("ok", "Unreachable"):
        assert f'leasehold_use_polls_total{{outcome="{outcome}",source="Prometheus"}} 1.0' in text
    for outcome in ("absent", "ok", "Refused"):
        assert f'leasehold_use_polls_total{{outcome="{outcome}",source="Heartbeat"}} 1.0' in text
