"""What happens to a connection while the operator dies over it, and how it has to end whatever was done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from controlplane.waiting import wait_until
from crash.world import CrashWorld, Subject
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.names import FINALIZER
from leasehold.core.ledger import only_runs_out

SHORTEST_LEASE_SECONDS = 10


class End(Enum):
    """How a connection is once everything is settled."""

    WORKS = "Active"
    SUSPENDED = "Suspended"
    EXPIRED = "Expired"
    REVOKED = "Revoked"
    GONE = "gone"


@dataclass(frozen=True)
class Scenario:
    """`act` begins it; `prepared` ones begin with a connection that works."""

    name: str
    prepared: bool
    act: Callable[[CrashWorld, Subject], None]
    end: End


def _rotate(world: CrashWorld, subject: Subject) -> None:
    world.change(subject, output={"templates": {"url": "{{ server_url }}"}})


def _expire(world: CrashWorld, subject: Subject) -> None:
    """Lower the lease to what is over already."""
    world.change(subject, leaseDurationSeconds=SHORTEST_LEASE_SECONDS)
    found = world.find(subject)
    assert found is not None
    assert found.metadata.creation_timestamp is not None
    end = found.metadata.creation_timestamp + timedelta(seconds=SHORTEST_LEASE_SECONDS)
    wait_until(lambda: datetime.now(UTC) > end, SHORTEST_LEASE_SECONDS + 2, "the lease is over")


FIRST_MINT = Scenario("first mint", False, lambda world, subject: world.claim(subject), End.WORKS)
ROTATION = Scenario("rotation", True, _rotate, End.WORKS)
SUSPENSION = Scenario(
    "suspension", True, lambda world, subject: world.change(subject, suspend=True), End.SUSPENDED
)
EXPIRY = Scenario("expiry", True, _expire, End.EXPIRED)
DELETION = Scenario("deletion", True, lambda world, subject: world.delete(subject), End.GONE)
BREAKGLASS = Scenario("breakglass", True, lambda world, subject: world.revoke(subject), End.REVOKED)

ALL = (FIRST_MINT, ROTATION, SUSPENSION, EXPIRY, DELETION, BREAKGLASS)


def unsettled(end: End, found: MCPConnection | None) -> str:
    """What is not yet as it has to be, as far as the connection itself tells; empty where nothing is."""
    if end is End.GONE or found is None:
        return "" if found is None and end is End.GONE else f"it should be {end.value}: {_told(found)}"
    ready = next((each for each in found.status.conditions if each.type == "Ready"), None)
    if ready is None or ready.reason != end.value or ready.observed_generation != found.metadata.generation:
        return f"Ready should be {end.value}: {_told(found)}"
    states = [
        entry.state
        for entry in found.status.ledger
        if end is not End.WORKS or entry.state is EntryState.CURRENT or not only_runs_out(entry)
    ]
    wanted = [EntryState.CURRENT] if end is End.WORKS else []
    if end is not End.WORKS and found.status.secret is not None:
        return f"the Secret should be gone: {_told(found)}"
    return "" if states == wanted else f"the ledger should be {wanted}: {_told(found)}"


def _told(found: MCPConnection | None) -> str:
    if found is None:
        return "it is gone"
    ready = next((each for each in found.status.conditions if each.type == "Ready"), None)
    ledger = [f"{entry.generation} {entry.state} ({entry.reason})" for entry in found.status.ledger]
    said = f"{ready.reason}: {ready.message}" if ready else "nothing is said"
    held = "held by our finalizer, " if FINALIZER in found.metadata.finalizers else ""
    going = "being deleted, " if found.metadata.deletion_timestamp else ""
    return f"{going}{held}{said}; ledger {ledger}"
