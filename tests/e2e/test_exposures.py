"""What one agent can reach through everything that it has, on the real servers; and that deleting a connection and
creating it anew gets rid of nothing."""

import json
from pathlib import Path

import pytest

from commands import Commands, door, write_contexts
from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import Claim, claim, generations, message, the_secret, works
from e2e.test_policies import policed
from e2e.test_reviews import say
from leasehold.api.connection import EntryState
from leasehold.api.exposure import MCPAgentExposureSpec


@pytest.fixture(scope="module")
def commands(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    config = tmp_path_factory.mktemp("exposures") / "config"
    return Commands(write_contexts(config, {"admin": door(deployment.plane, "admin")}))


def exposure(deployment: Deployment, namespace: str) -> MCPAgentExposureSpec | None:
    body = deployment.get_json("mcpagentexposure", namespace, "agent")
    return MCPAgentExposureSpec.model_validate(body["spec"]) if body is not None else None


def wait_exposure(deployment: Deployment, claimed: Claim, connections: int) -> MCPAgentExposureSpec:
    def seen() -> MCPAgentExposureSpec | None:
        spec = exposure(deployment, claimed.namespace)
        return spec if spec is not None and spec.connection_count == connections else None

    spec = wait_until(seen, 20, f"the agent in {claimed.namespace} has {connections} connections")
    assert spec is not None
    return spec


def test_an_agent_is_one_surface_for_whoever_looks(
    deployment: Deployment, operator: Operator, commands: Commands, tmp_path: Path
) -> None:
    claimed = claim(deployment)
    profile = claimed.connection.spec.profile
    records = deployment.profile()
    deployment.connection(claimed.namespace, records.metadata.name, "agent-records", output=None)
    spec = wait_exposure(deployment, claimed, 2)
    assert [each.name for each in spec.connections] == ["agent-server", "agent-records"]
    wait_until(
        lambda: (
            {each.name for each in wait_exposure(deployment, claimed, 2).profiles}
            == {profile, records.metadata.name}
        ),
        20,
        "both servers are reached",
    )
    before = deployment.get_json("mcpagentexposure", claimed.namespace, "agent")
    where = ("-n", claimed.namespace)
    (row,) = json.loads(commands.run("agents", *where, "-o", "json").out)
    assert (row["agent"], row["connections"], row["denied"]) == ("agent", 2, 0)
    assert set(row["servers"].split(", ")) == {profile, records.metadata.name}
    assert "agent-server: Lease" in commands.run("agents", *where, "--graph").out
    labels = {"namespace": claimed.namespace, "agent": "agent"}
    assert operator.metric("leasehold_agent_connections", **labels) == 2
    deployment.patch(claimed.connection, {"metadata": {"labels": {"looked-at": "yes"}}})
    wait_until(lambda: operator.metric("leasehold_agent_servers", **labels) == 2, 15, "it is counted")
    after = deployment.get_json("mcpagentexposure", claimed.namespace, "agent")
    assert before is not None
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_what_an_agent_can_do_with_all_of_it_is_judged_and_said(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    trifecta = {"capabilities": ["ReadsPrivateData", "TakesUntrustedContent", "WritesOutside"]}
    labels = {"namespace": claimed.namespace, "agent": "agent"}
    name = f"for-{claimed.namespace}"
    with policed(deployment, name, claimed.namespace, forbiddenCombinations=[trifecta], effect="Warn"):
        warned = deployment.wait_for(claimed.connection, "PolicyViolated", 30, status="True")
        assert "which states no capabilities" in message(warned)
        wait_until(
            lambda: [each.policy for each in wait_exposure(deployment, claimed, 1).forbidden] == [name],
            20,
            "the exposure names the policy",
        )
        wait_until(
            lambda: operator.metric("leasehold_agent_forbidden_combinations", **labels) == 1,
            15,
            "it is counted",
        )
    wait_until(
        lambda: not wait_exposure(deployment, claimed, 1).forbidden,
        20,
        "a policy that is gone forbids nothing",
    )


def test_a_connection_created_anew_waits_until_a_person_has_looked(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    deployment.plane.kubectl("delete", "mcpconnection", "agent-server", f"--namespace={claimed.namespace}")
    spec = exposure(deployment, claimed.namespace)
    assert spec is not None
    assert [(each.uid, each.last_generation) for each in spec.former] == [
        (claimed.connection.metadata.uid, 1)
    ]
    again = deployment.connection(claimed.namespace, claimed.connection.spec.profile, "under-another-name")
    waiting = deployment.wait_for(again, "Recreated", status="False")
    assert "agent-server" in message(waiting)
    assert generations(waiting) == {}
    say(deployment, Claim(waiting, {}), "Approve")
    active = deployment.wait_for(again, "Active")
    assert generations(active) == {1: EntryState.CURRENT}
    assert works(deployment.plane, the_secret(deployment, active))
