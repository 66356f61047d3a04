"""Two operators lead at once over the same connections, as no election allows: the ledger's compare-and-swap alone
keeps the promises."""

import psycopg

from controlplane.waiting import WaitTimedOut, wait_until
from deployment import Deployment, Operator, condition
from e2e.claims import generations, the_secret, works
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.names import API_VERSION
from replicas.conftest import Start

CONNECTIONS = 20
ROLE = "database/creds/orders-read"


def connections(deployment: Deployment, namespace: str) -> list[MCPConnection]:
    listed = deployment.plane.read(f"/apis/{API_VERSION}/namespaces/{namespace}/{MCPConnection.PLURAL}")
    assert listed is not None
    return [MCPConnection.model_validate(item) for item in listed["items"]]


def unsettled(deployment: Deployment, namespace: str, at_least: int) -> list[str]:
    """What is not yet as it will be: each Ready with one generation, and at Vault what the ledgers name."""
    found = connections(deployment, namespace)
    named, wrong = set(), []
    for each in found:
        states, reason = generations(each), condition(each, "Ready").get("reason")
        if reason != "Active" or list(states.values()) != [EntryState.CURRENT] or min(states) < at_least:
            wrong.append(f"{each.metadata.name} is {reason}: {states}")
        named |= {str(entry.lease_id).removeprefix(f"{ROLE}/") for entry in each.status.ledger}
    alive = set(deployment.leases(f"{ROLE}/"))
    wrong += [f"lease {each} is in no ledger" for each in alive - named]
    wrong += [f"lease {each} is dead" for each in named - alive]
    return wrong if len(found) == CONNECTIONS else ["not all of them are there"]


def wait_settled(deployment: Deployment, namespace: str, at_least: int) -> None:
    found: list[str] = []

    def is_settled() -> bool:
        found[:] = unsettled(deployment, namespace, at_least)
        return not found

    try:
        wait_until(is_settled, 120, f"each has one login of generation {at_least} or later")
    except WaitTimedOut as late:
        raise AssertionError(f"{late}\n" + "\n".join(found)) from late


def logins(deployment: Deployment) -> int:
    """How many of Vault's logins PostgreSQL knows."""
    with psycopg.connect(deployment.plane.postgres.dsn()) as database:
        row = database.execute("select count(*) from pg_roles where rolname like 'v-%'").fetchone()
    assert row is not None
    return int(row[0])


def all_work(deployment: Deployment, namespace: str) -> None:
    for each in connections(deployment, namespace):
        assert works(deployment.plane, the_secret(deployment, each)), each.key
    assert logins(deployment) == CONNECTIONS


def errors(*operators: Operator) -> list[dict[str, object]]:
    return [line for each in operators for line in each.logs() if line.get("level") == "error"]


def test_two_leaders_mint_rotate_and_end_each_credential_once(
    deployment: Deployment, start: Start, second_lease: str
) -> None:
    first, second = start(), start(lease_name=second_lease)
    namespace = deployment.namespace()
    profile = deployment.profile({"path": ROLE, "type": "Lease"})
    for number in range(CONNECTIONS):
        deployment.connection(namespace, profile.metadata.name, f"agent-{number}")
    wait_settled(deployment, namespace, at_least=1)
    all_work(deployment, namespace)
    for each in connections(deployment, namespace):
        deployment.patch(each, {"spec": {"output": {"templates": {"new": "{{ username }}"}}}})
    wait_settled(deployment, namespace, at_least=2)
    all_work(deployment, namespace)
    assert first.leads
    assert second.leads
    assert first.audit()
    assert second.audit()
    deployment.plane.kubectl("delete", "mcpconnections", "--all", f"--namespace={namespace}", seconds=120)
    wait_until(lambda: deployment.leases(f"{ROLE}/") == [], 60, "no login is alive")
    assert logins(deployment) == 0
    assert first.stop() == 0
    assert second.stop() == 0
    assert errors(first, second) == []
