"""The store's address is that of a node that stands by, in a real pair of Vaults. It forwards; and when the active
node dies, nothing is lost, nothing is called dead, and the survivor takes over without help."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from controlplane import ControlPlane
from controlplane.child import Household
from controlplane.programs import provide_all
from controlplane.sockets import ReservedPorts
from controlplane.vaultpair import VaultPair
from controlplane.vaultserver import VaultServer
from controlplane.vaultsetup import CREATE_LOGIN, setup_database_engine
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, apply_setup, condition
from e2e.claims import generations, message, the_secret, works
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core.advice import ADVICE
from leasehold.core.bootstrap import vault_setup

STORE = "paired"
CREDENTIALS = "database/creds/orders-read"
SLOW = "database/creds/slow"


@pytest.fixture(scope="module")
def pair(own_plane: ControlPlane) -> Iterator[VaultPair]:
    """Two nodes, whose storage is in the plane's PostgreSQL."""
    workdir, ports = own_plane.workdir / "pair", ReservedPorts()
    workdir.mkdir()
    household = Household(workdir)
    vaults = VaultPair(household, provide_all().vault, ports, own_plane.postgres)
    try:
        vaults.start()
        setup_database_engine(vaults.first.api, own_plane.postgres)
        slow = ["SELECT pg_sleep(3)", CREATE_LOGIN]
        setup_database_engine(vaults.first.api, own_plane.postgres, role="slow", creation_statements=slow)
        yield vaults
    finally:
        household.end()
        ports.release()


@dataclass
class Team:
    """Claims servers whose credentials come from the pair."""

    deployment: Deployment
    store: MCPCredentialStore
    pair: VaultPair

    def profile(self, path: str = CREDENTIALS) -> str:
        """A new server."""
        recipe = {"storeName": STORE, "path": path, "type": "Lease"}
        made = self.deployment.profile(recipe, store=self.store, vault=self.pair.first.api)
        return made.metadata.name

    def claim(self, profile: str) -> MCPConnection:
        """A new team, and a connection to be."""
        return self.deployment.connection(self.deployment.namespace(), profile)

    def now(self, connection: MCPConnection) -> MCPConnection:
        """As it is stored."""
        found = self.deployment.find(connection.metadata.namespace)
        assert found is not None
        return found


@pytest.fixture
def team(deployment: Deployment, pair: VaultPair, operator: Operator) -> Team:
    """The store names the node that stands by."""
    mount = f"jwt-{uuid.uuid4().hex[:6]}"
    body: dict[str, Any] = {
        "metadata": {"name": STORE},
        "spec": {"address": pair.second.address, "auth": {"mount": mount}, "maxRequestSeconds": 5},
    }
    store = MCPCredentialStore.model_validate(body)
    apply_setup(pair.first.api, vault_setup([store], [], deployment.options))
    deployment.plane.apply(store.to_wire())
    return Team(deployment, store, pair)


def leases(vault: VaultServer) -> set[str]:
    """All that are alive, at either role."""
    return {
        f"{path}/{each}"
        for path in (CREDENTIALS, SLOW)
        for each in vault.api.list(f"sys/leases/lookup/{path}/")
    }


def ledgers(team: Team, *connections: MCPConnection) -> set[str]:
    """What is alive as far as their ledgers know."""
    return {str(entry.lease_id) for connection in connections for entry in team.now(connection).status.ledger}


def backoff(connection: MCPConnection) -> Reason | None:
    return connection.status.backoff.reason if connection.status.backoff is not None else None


def test_the_active_node_dies_and_the_one_that_stood_by_takes_over(
    own_plane: ControlPlane, deployment: Deployment, team: Team, pair: VaultPair
) -> None:
    fast, slow = team.profile(), team.profile(SLOW)
    kept, ended = team.claim(fast), team.claim(fast)
    secret = the_secret(deployment, deployment.wait_for(kept, "Active"))
    deployment.wait_for(ended, "Active")
    assert pair.second.health() == 429, "all of that went through a node that stands by"
    lost = team.claim(slow)
    wait_until(lambda: generations(team.now(lost)) == {1: EntryState.INTENT}, 20, "a mint is under way")
    pair.first.kill()
    deployment.patch(ended, {"spec": {"suspend": True}})
    late = team.claim(fast)

    wait_until(lambda: backoff(team.now(late)) is Reason.UNREACHABLE, 20, "a person is told")
    told = message(team.now(late), "Reconciling")
    assert "there is no active node" in told
    assert f"store {STORE}" in told
    assert ADVICE[Reason.UNREACHABLE] in told
    assert condition(team.now(late), "Stalled")["status"] == "False"
    wait_until(lambda: backoff(team.now(ended)) is Reason.UNREACHABLE, 20, "the end is waited for")
    assert generations(team.now(ended)) == {1: EntryState.REVOKING}
    assert generations(team.now(lost))[1] is EntryState.INTENT, "nobody knows what became of that mint"
    assert works(own_plane, secret)

    pair.wait_until_active(pair.second)
    for connection in (kept, late, lost):
        deployment.wait_for(connection, "Active", 60)
    wait_until(lambda: generations(team.now(ended)) == {}, 60, "the suspended one is dead")
    wait_until(lambda: set(generations(team.now(lost))) == {2}, 60, "the lost mint is settled")
    assert works(own_plane, secret), "what was valid before is valid"
    wait_until(lambda: leases(pair.second) == ledgers(team, kept, late, lost), 30, "nothing else is alive")

    pair.first.start()
    assert pair.first.health() == 429
    for connection in (kept, late, lost, ended):
        deployment.plane.kubectl("delete", "namespace", connection.metadata.namespace, "--wait=false")
    wait_until(lambda: leases(pair.second) == set(), 60, "nothing is alive")
