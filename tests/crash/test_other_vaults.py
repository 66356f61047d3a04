"""Another Vault answers at the store's address: one that was set up anew, or a restored one. Nothing that it says
proves anything about what the first one minted."""

from collections.abc import Iterator

import pytest

from controlplane.child import Household
from controlplane.programs import provide_all
from controlplane.sockets import ReservedPorts
from controlplane.vaultserver import VaultServer
from controlplane.waiting import wait_until
from crash.scenarios import FIRST_MINT, unsettled
from crash.verdict import look
from crash.world import CrashWorld, Subject
from deployment import apply_setup, condition
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.core.bootstrap import vault_setup

SECONDS = 40


@pytest.fixture(scope="module")
def another(world: CrashWorld) -> Iterator[VaultServer]:
    """A Vault that was prepared for the operator like the first one, and has never minted anything."""
    ports, workdir = ReservedPorts(), world.plane.workdir / "another"
    workdir.mkdir()
    household = Household(workdir)
    vault = VaultServer(household, provide_all().vault, ports.take())
    try:
        vault.start()
        for store in world.stores:
            apply_setup(vault.api, vault_setup([store], [], world.deployment.options))
        yield vault
    finally:
        household.end()
        ports.release()


@pytest.fixture
def subject(world: CrashWorld) -> Iterator[Subject]:
    """One connection to be."""
    [subject] = world.subjects("Lease", 1)
    lane = world.lane_of(subject)
    lane.scope = subject.scope
    yield subject
    world.end_operators()
    lane.rest()
    assert world.misconduct() == []


def stored(world: CrashWorld, subject: Subject) -> MCPConnection:
    found = world.find(subject)
    assert found is not None
    return found


def test_another_vault_behind_the_same_address_proves_nothing(
    world: CrashWorld, another: VaultServer, subject: Subject
) -> None:
    lane = world.lane_of(subject)
    operator = world.operator(lane)
    world.claim(subject)
    wait_until(lambda: not unsettled(FIRST_MINT.end, world.find(subject)), SECONDS, "it works")
    [entry] = stored(world, subject).status.ledger
    lane.another_vault = another.address
    world.delete(subject)

    def stalled() -> str:
        found = condition(stored(world, subject), "Stalled")
        return str(found["message"]) if found.get("reason") == "UnknownAtVault" else ""

    said = wait_until(stalled, SECONDS, "a person is told")
    assert "is another Vault" in said
    assert "may work until" in said
    assert "leasehold.dev/abandon-credentials" in said
    assert [each.state for each in stored(world, subject).status.ledger] == [EntryState.REVOKING]
    assert entry.lease_id in look(world).leases, "the first Vault was never asked"
    lane.another_vault = ""
    wait_until(lambda: world.find(subject) is None, 2 * SECONDS, "it is ended where it was minted")
    assert entry.lease_id not in look(world).leases
    operator.stop()
