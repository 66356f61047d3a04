"""A connection whose owner has left goes on for a while, and then ends, unless somebody takes it over. A directory
that cannot be believed does nothing of that.

The directory is read every minute, connections are looked at every minute, and a deputy has ten of them."""

from datetime import timedelta
from typing import Any

from fakes.owners import FakeOwners
from fakes.world import NAMESPACE, World
from leasehold.api.base import ConditionStatus
from leasehold.api.connection import MCPConnection, OwnerRecord
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.core.conditions import condition_of
from leasehold.core.faults import NeedsPerson
from leasehold.telemetry.fleet import FleetMetrics
from objects import a_connection
from virtual_time import in_virtual_time, passing

MINUTE = 60
GRACE = 10 * MINUTE
ALICE, BOB = "alice@example.com", "bob@example.com"
AWAY = NeedsPerson(Reason.UNREADABLE_OWNER_DIRECTORY, "line 3: it is no YAML from here on")


class Office:
    """Alice's connection, for whom Bob stands in, and the directory that has them both."""

    def __init__(self, kind: str = "Lease") -> None:
        self.world = World(kind)
        self.directory = FakeOwners(lambda: self.world.now, "Alice@Example.com", BOB, "carol@example.com")
        self.world.owners = self.directory
        self.connection: MCPConnection

    async def opened(self, **spec: Any) -> None:
        self.connection = self.world.claim(**spec)
        await self.start()
        await passing(5)

    async def start(self) -> None:
        await self.world.start(
            standing_check_seconds=MINUTE, owner_grace_seconds=GRACE, owner_directory_max_age_seconds=3600
        )

    async def restart(self, after: float = 0) -> None:
        await self.world.engines.pop().stop(1)
        await passing(after)
        await self.start()

    def leaves(self, *users: str) -> None:
        self.directory.active -= {*users, *(("Alice@Example.com",) if ALICE in users else ())}

    def approve(self, reviewer: str) -> None:
        body = {
            "metadata": {"name": f"review-{self.world.cluster.next_version()}", "namespace": NAMESPACE},
            "spec": {
                "connection": "orders",
                "reviewer": reviewer,
                "decision": "Approve",
                "comment": "we answer for it now",
            },
        }
        self.world.people.create(MCPConnectionReview.model_validate(body))

    def names(self, owner: str) -> None:
        now = self.world.find(self.connection)
        self.world.people.change(now, owner={"user": owner, "deputy": BOB, "team": "support-platform"})

    def audited(self, action: str) -> list[str]:
        """Why, in each audit record of that action."""
        data = [record["data"] for record in self.world.audit.records]
        return [each["reason"] for each in data if each["action"] == action]

    @property
    def ready(self) -> str:
        return self.world.ready(self.connection)

    @property
    def owner(self) -> tuple[ConditionStatus, str]:
        told = condition_of(self.world.find(self.connection).status.conditions, "OwnerActive")
        assert told is not None
        return told.status, told.reason.value

    @property
    def record(self) -> OwnerRecord | None:
        return self.world.find(self.connection).status.owner


LISTED = (ConditionStatus.TRUE, "OwnerListed")
LEFT = (ConditionStatus.FALSE, "OwnerLeft")


@in_virtual_time
async def test_without_a_directory_nobody_can_say_and_nothing_ends() -> None:
    office = Office()
    office.world.owners = None
    await office.opened()
    await passing(3 * GRACE)
    assert office.owner == (ConditionStatus.UNKNOWN, "NoOwnerDirectory")
    assert (office.ready, office.record) == ("Active", None)


@in_virtual_time
async def test_an_owner_who_is_there_in_other_letters_stays() -> None:
    office = Office()
    await office.opened()
    await passing(3 * GRACE)
    assert (office.owner, office.ready, office.record) == (LISTED, "Active", None)


@in_virtual_time
async def test_a_leaver_is_told_and_then_the_connection_is_orphaned_and_its_credential_dead() -> None:
    office = Office()
    await office.opened()
    office.leaves(ALICE)
    await passing(2 * MINUTE + 5)
    assert (office.owner, office.ready) == (LEFT, "Active")
    assert office.record is not None
    assert office.record.left_since is not None
    assert office.record.deadline_time == office.record.left_since + timedelta(seconds=GRACE)
    told = [
        message
        for _, reason, message in office.world.people.events(office.connection)
        if reason == "OwnerLeft"
    ]
    assert len(told) == 1
    assert f"its deputy {BOB} approves it" in told[0]
    assert office.world.secret_works()
    await passing(GRACE)
    assert (office.owner, office.ready) == ((ConditionStatus.FALSE, "Orphaned"), "Orphaned")
    assert office.world.leases() == []
    assert office.world.people.secret(NAMESPACE, "orders") is None
    assert office.audited("orphaned") == ["Orphaned"]


@in_virtual_time
async def test_a_deputys_approval_ends_the_deadline_and_from_then_on_the_deputy_is_looked_for() -> None:
    office = Office()
    await office.opened()
    office.leaves(ALICE)
    await passing(3 * MINUTE)
    office.approve(BOB)
    await passing(2 * GRACE)
    assert (office.owner, office.ready) == ((ConditionStatus.FALSE, "DeputyAnswers"), "Active")
    office.leaves(BOB)
    await passing(3 * MINUTE)
    assert (office.owner, office.ready) == (LEFT, "Active")
    await passing(GRACE)
    assert office.ready == "Orphaned"


@in_virtual_time
async def test_a_deputys_approval_brings_an_orphan_back_and_somebody_elses_does_not() -> None:
    office = Office()
    await office.opened()
    office.leaves(ALICE)
    await passing(GRACE + 3 * MINUTE)
    assert office.ready == "Orphaned"
    office.approve("carol@example.com")
    await passing(2 * MINUTE)
    assert office.ready == "Orphaned"
    office.approve(BOB)
    await passing(2 * MINUTE)
    assert office.ready == "Active"
    assert office.world.secret_works()
    assert office.audited("restore") == ["Approved"]


@in_virtual_time
async def test_another_owner_ends_it() -> None:
    office = Office()
    await office.opened()
    office.leaves(ALICE)
    await passing(GRACE + 3 * MINUTE)
    assert office.ready == "Orphaned"
    office.names("carol@example.com")
    await passing(2 * MINUTE)
    assert (office.owner, office.ready, office.record) == (LISTED, "Active", None)


@in_virtual_time
async def test_who_is_back_in_time_has_never_left_and_who_is_back_too_late_has_to_say_so() -> None:
    office = Office()
    await office.opened()
    office.leaves(ALICE)
    await passing(5 * MINUTE)
    office.directory.active.add(ALICE)
    await passing(2 * GRACE)
    assert (office.owner, office.ready) == (LISTED, "Active")
    office.leaves(ALICE)
    await passing(GRACE + 3 * MINUTE)
    office.directory.active.add(ALICE)
    await passing(3 * MINUTE)
    assert office.ready == "Orphaned"
    office.approve(ALICE)
    await passing(2 * MINUTE)
    assert (office.owner, office.ready, office.record) == (LISTED, "Active", None)


@in_virtual_time
async def test_a_directory_that_fails_when_the_deadline_comes_ends_nobody_until_it_is_back() -> None:
    office = Office()
    await office.opened()
    office.leaves(ALICE)
    await passing(3 * MINUTE)
    found = office.record
    office.directory.fault = AWAY
    await passing(3 * GRACE)
    assert (office.owner, office.ready) == ((ConditionStatus.UNKNOWN, "UnreadableOwnerDirectory"), "Active")
    assert office.record == found
    office.directory.fault = None
    await passing(3 * MINUTE)
    assert office.ready == "Orphaned"


@in_virtual_time
async def test_a_directory_that_nobody_renews_is_stale() -> None:
    office = Office()
    await office.opened()
    office.leaves(ALICE)
    office.directory.as_of = office.world.now - timedelta(hours=2)
    await passing(2 * GRACE)
    assert (office.owner, office.ready) == ((ConditionStatus.UNKNOWN, "StaleOwnerDirectory"), "Active")
    assert office.record is None


@in_virtual_time
async def test_a_directory_that_suddenly_lacks_most_owners_ends_nobody() -> None:
    office = Office()
    people = [f"person-{number}" for number in range(5)]
    for user in people:
        owner = {"user": user, "team": "support"}
        office.world.people.create(a_connection(user, namespace=NAMESPACE, uid=user, spec={"owner": owner}))
    office.directory.active |= set(people)
    await office.opened()
    assert office.owner == LISTED
    office.leaves(ALICE, *people[:3])
    await passing(2 * GRACE)
    assert (office.owner, office.ready) == ((ConditionStatus.UNKNOWN, "SuspectOwnerDirectory"), "Active")
    office.directory.active |= set(people)
    await passing(3 * MINUTE)
    assert office.owner == LEFT


@in_virtual_time
async def test_an_empty_directory_ends_nobody() -> None:
    office = Office()
    await office.opened()
    office.directory.active.clear()
    await passing(2 * GRACE)
    assert (office.owner, office.ready) == ((ConditionStatus.UNKNOWN, "SuspectOwnerDirectory"), "Active")


@in_virtual_time
async def test_a_restart_neither_writes_nor_moves_the_deadline() -> None:
    office = Office("Static")
    await office.opened()
    office.leaves(ALICE)
    await passing(3 * MINUTE)
    before, record = office.world.find(office.connection).metadata.resource_version, office.record
    await office.restart()
    await passing(MINUTE)
    assert office.world.find(office.connection).metadata.resource_version == before
    await office.restart(after=2 * GRACE)
    await passing(3 * MINUTE)
    assert office.ready == "Orphaned"
    assert record is not None
    assert office.record is not None
    assert office.record.orphaned_since == record.deadline_time


@in_virtual_time
async def test_who_has_left_is_counted_by_team_and_never_by_name() -> None:
    office = Office()
    await office.opened()
    office.leaves(ALICE)
    await passing(3 * MINUTE)
    fleet = FleetMetrics()
    fleet.update(office.world.find(office.connection))
    text = fleet.render()
    assert (
        'leasehold_fleet_owner_gone{profile="orders-read",team="support-platform",state="leaving"} 1' in text
    )
    assert ALICE not in text
