"""One of two replicas leads; whatever becomes of it, the other takes over, and nothing is minted twice."""

import signal

import pytest

from controlplane import ControlPlane
from controlplane.vaultsetup import CREATE_LOGIN, setup_database_engine
from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import claim, generations, the_secret, wait_generation, works
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.names import OPERATOR_NAMESPACE
from leasehold.core.audit_chain import record_hash
from replicas.conftest import TAKEN_OVER_SECONDS, Start

SLOW = "database/creds/slow"


@pytest.fixture
def leader(start: Start) -> Operator:
    return start()


@pytest.fixture
def standby(start: Start, leader: Operator) -> Operator:
    return start()


def takes_over(replica: Operator) -> None:
    wait_until(lambda: replica.leads, TAKEN_OVER_SECONDS, "the standby leads")


def mints(replica: Operator) -> list[str]:
    """The audit records of a replica that say it was about to mint."""
    return [each["id"] for each in replica.audit() if each["type"].endswith("mint.intent")]


def holder(deployment: Deployment) -> str:
    lease = deployment.get_json("lease", OPERATOR_NAMESPACE, "leasehold")
    return str(lease["spec"]["holderIdentity"]) if lease is not None else ""


def logged(replica: Operator, event: str) -> list[dict[str, object]]:
    return [line for line in replica.logs() if line.get("event") == event]


def a_slow_mint(deployment: Deployment) -> MCPConnection:
    """A connection whose first mint takes two seconds in PostgreSQL, and is under way."""
    setup_database_engine(
        deployment.vault,
        deployment.plane.postgres,
        role="slow",
        creation_statements=["SELECT pg_sleep(2)", CREATE_LOGIN],
    )
    namespace = deployment.namespace()
    profile = deployment.profile({"path": SLOW, "type": "Lease"})
    connection = deployment.connection(namespace, profile.metadata.name)

    def under_way() -> bool:
        found = deployment.find(namespace)
        return found is not None and generations(found) == {1: EntryState.INTENT}

    wait_until(under_way, 20, "the mint is under way")
    return connection


def one_login(deployment: Deployment, connection: MCPConnection, path: str) -> None:
    """Until the ledger, Vault and the Secret agree on one living login, and nothing else is left."""
    namespace = connection.metadata.namespace

    def settled() -> bool:
        found = deployment.find(namespace)
        if found is None or list(generations(found).values()) != [EntryState.CURRENT]:
            return False
        named = str(found.status.ledger[0].lease_id).removeprefix(f"{path}/")
        return deployment.leases(f"{path}/") == [named]

    wait_until(settled, 60, "one login is alive")
    assert works(deployment.plane, the_secret(deployment, connection))


def delete(deployment: Deployment, connection: MCPConnection) -> None:
    command = ["delete", "mcpconnection", "agent-server", f"--namespace={connection.metadata.namespace}"]
    deployment.plane.kubectl(*command)


def test_one_leads_and_the_other_stands_by_ready_and_mints_nothing(
    deployment: Deployment, leader: Operator, standby: Operator
) -> None:
    claimed = claim(deployment)
    assert works(deployment.plane, claimed.secret)
    status, said = standby.get("/readyz")
    assert (status, said) == (200, f"standing by: {holder(deployment)} leads\n")
    assert standby.get("/healthz")[0] == 200
    assert (leader.metric("leasehold_leader"), standby.metric("leasehold_leader")) == (1, 0)
    assert mints(leader)
    assert standby.audit() == []
    delete(deployment, claimed.connection)


def test_a_leader_that_is_asked_to_stop_hands_over_and_its_credentials_stay(
    deployment: Deployment, leader: Operator, standby: Operator
) -> None:
    claimed = claim(deployment)
    assert leader.stop() == 0
    assert logged(leader, "the lead is given up")
    takes_over(standby)
    assert generations(deployment.wait_for(claimed.connection, "Active")) == {1: EntryState.CURRENT}
    deployment.patch(claimed.connection, {"spec": {"output": {"templates": {"new": "{{ username }}"}}}})
    rotated = wait_generation(deployment, claimed.connection, 2)
    last, first = leader.audit()[-1], standby.audit()[0]
    assert first["data"]["chain"] == {
        "previousEnd": "Known",
        "source": last["source"],
        "sequence": last["data"]["sequence"],
        "hash": record_hash(last),
    }
    assert works(deployment.plane, the_secret(deployment, rotated))
    delete(deployment, rotated)


def test_a_stop_hands_over_only_after_the_mint_under_way_is_through(
    deployment: Deployment, leader: Operator, standby: Operator
) -> None:
    connection = a_slow_mint(deployment)
    assert leader.stop() == 0
    takes_over(standby)
    one_login(deployment, connection, SLOW)
    assert mints(standby) == []
    delete(deployment, connection)


def test_a_leader_that_is_killed_is_followed_once_its_lease_has_run_out(
    deployment: Deployment, leader: Operator, standby: Operator
) -> None:
    connection = a_slow_mint(deployment)
    leader.kill()
    takes_over(standby)
    ready = deployment.wait_for(connection, "Active", 60)
    assert max(generations(ready)) == 2
    one_login(deployment, connection, SLOW)
    delete(deployment, connection)


def test_a_leader_that_was_paused_in_the_middle_of_a_mint_wakes_up_takes_it_back_and_ends(
    deployment: Deployment, leader: Operator, standby: Operator
) -> None:
    settled = claim(deployment)
    connection = a_slow_mint(deployment)
    leader.send(signal.SIGSTOP)
    takes_over(standby)
    ready = deployment.wait_for(connection, "Active", 60)
    deployment.patch(settled.connection, {"spec": {"output": {"templates": {"new": "{{ username }}"}}}})
    rotated = wait_generation(deployment, settled.connection, 2)
    before = mints(leader)
    leader.send(signal.SIGCONT)
    assert leader.ended() == 1
    assert logged(leader, "the lead is lost, so the process ends")
    assert mints(leader) == before
    assert standby.leads
    one_login(deployment, ready, SLOW)
    assert generations(deployment.wait_for(rotated, "Active"))[2] is EntryState.CURRENT
    assert works(deployment.plane, the_secret(deployment, rotated))
    for each in (ready, rotated):
        delete(deployment, each)


def test_a_leader_that_cannot_reach_the_api_server_ends_and_the_standby_outlives_that(
    own_plane: ControlPlane, deployment: Deployment, leader: Operator, standby: Operator
) -> None:
    claimed = claim(deployment)
    own_plane.apiserver.pause()
    try:
        assert leader.ended(120) == 1
        assert standby.exited is None
        wait_until(lambda: standby.get("/readyz")[0] == 503, 30, "the standby says that it knows nothing")
        assert standby.get("/healthz")[0] == 200
    finally:
        own_plane.apiserver.resume()
    takes_over(standby)
    assert generations(deployment.wait_for(claimed.connection, "Active")) == {1: EntryState.CURRENT}
    assert works(own_plane, claimed.secret)
    delete(deployment, claimed.connection)


def test_a_short_absence_of_the_api_server_changes_nothing(
    own_plane: ControlPlane, deployment: Deployment, leader: Operator, standby: Operator
) -> None:
    before = holder(deployment)
    own_plane.apiserver.pause()
    try:
        wait_until(
            lambda: logged(leader, "the election's lease could not be read or written"), 20, "it is noticed"
        )
    finally:
        own_plane.apiserver.resume()
    claimed = claim(deployment)
    assert leader.exited is None
    assert leader.leads
    assert holder(deployment) == before
    delete(deployment, claimed.connection)
