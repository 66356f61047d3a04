"""What people type, while the operator runs: the real thing is stopped by it, and what is said of it is true."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bindings import bind, may, unbind_everywhere
from commands import Commands, Done, Door, door, second_cluster, write_contexts
from controlplane.httpcall import call
from controlplane.vaultsetup import setup_oidc_tokens
from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import claim, works
from leasehold.api.base import rfc3339
from leasehold.api.revocation import MCPRevocation


@pytest.fixture(scope="module")
def commands(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Contexts for an administrator, and for two of the security team who hold the shipped roles."""
    plane = deployment.plane
    for role in ("leasehold-breakglass", "leasehold-lift"):
        bind(plane, role, "security", "security-deputy")
    for user, verb in (("security", "breakglass"), ("security-deputy", "lift")):
        wait_until(lambda: may(plane, user, verb, "mcprevocations"), 30, f"{user} may {verb}")  # noqa: B023
    doors = {user: door(plane, user) for user in ("admin", "security", "security-deputy")}
    yield Commands(write_contexts(tmp_path_factory.mktemp("commands") / "config", doors))
    unbind_everywhere(plane)


@pytest.fixture
def elsewhere(deployment: Deployment, tmp_path: Path) -> Iterator[Door]:
    """A second cluster, without an operator."""
    with second_cluster(deployment.plane, tmp_path) as opened:
        yield opened


def rows(done: Done) -> dict[str, dict[str, Any]]:
    """The rows of a result by the cluster that they are about."""
    return {each["context"]: each for each in json.loads(done.out)}


def end_of(deployment: Deployment, commands: Commands, name: str) -> None:
    lifted = commands.run("lift", name, "--reason", "the test is over", "--context", "security-deputy")
    assert lifted.status == 0, lifted.out
    deployment.plane.kubectl("delete", "mcprevocation", name)


def test_breakglass_ends_what_matches_and_a_lift_leaves_it_to_a_review(
    deployment: Deployment, operator: Operator, commands: Commands
) -> None:
    claimed, other = claim(deployment), claim(deployment)
    words = [
        "breakglass",
        "-n",
        claimed.namespace,
        "--reason",
        "a leak",
        "--context",
        "security",
        "-o",
        "json",
    ]
    done = commands.run(*words, stdin=f"{claimed.namespace}\n")
    row = rows(done)["security"]
    try:
        assert done.status == 0, done.err
        assert not works(deployment.plane, claimed.secret)
        assert works(deployment.plane, other.secret)
        counted = (row["complete"], row["matched"], row["verified"], row["failed"], row["secretsDeleted"])
        assert counted == ("Verified", 1, 1, 0, 1)
        assert row["residual"] == "none"
        assert claimed.connection.metadata.name in done.err
        assert "not dead" not in done.err
        stopped = commands.run("status", "agent-server", "-n", claimed.namespace)
        assert f"leasehold lift {row['revocation']} --reason" in stopped.out
    finally:
        end_of(deployment, commands, row["revocation"])
    deployment.wait_for(claimed.connection, "Held", status="False")
    held = commands.run("status", "agent-server", "-n", claimed.namespace)
    assert f"{claimed.connection.key}: not Ready, Held" in held.out
    assert f"leasehold approve agent-server -n {claimed.namespace}" in held.out


def test_what_cannot_be_revoked_is_named_with_until_when_it_may_work(
    deployment: Deployment, operator: Operator, commands: Commands
) -> None:
    path = setup_oidc_tokens(deployment.vault, role="cli-agent", ttl_seconds=600)
    claimed = claim(deployment, {"path": path, "type": "Expiring"})
    words = (
        "breakglass",
        "--connection",
        claimed.connection.key,
        "--reason",
        "a leak",
        "--yes",
        "--context",
        "security",
    )
    done = commands.run(*words, "-o", "json")
    row = rows(done)["security"]
    try:
        assert (done.status, row["complete"], row["verified"]) == (3, "ResidualExposure", 0)
        expiry = claimed.connection.status.ledger[0].expiry_time
        assert expiry is not None
        exposed = rfc3339(expiry)
        assert row["residual"] == f"until {exposed}"
        told = done.err.split("not dead:\n")[1]
        assert claimed.connection.key in told
        assert exposed in told
    finally:
        end_of(deployment, commands, row["revocation"])


def take_up_the_first_revocation(there: Door) -> None:
    """Say of it what an operator would say who has no connection."""
    path = f"{there.server}/apis/leasehold.dev/v1alpha1/mcprevocations"
    bearer = {"Authorization": f"Bearer {there.token}"}

    def created() -> Any:
        return call("GET", path, headers=bearer, ca=there.ca).json()["items"]

    revocation = wait_until(created, 60, "a revocation is created there")[0]
    said = {
        "type": "Complete",
        "status": "True",
        "reason": "NothingMatched",
        "message": "no connection matches",
    }
    condition = {**said, "lastTransitionTime": revocation["metadata"]["creationTimestamp"]}
    body = {**revocation, "status": {"conditions": [condition]}}
    url = f"{path}/{revocation['metadata']['name']}/status"
    written = call("PUT", url, headers=bearer, body=body, ca=there.ca)
    assert written.status == 200, written.text


def test_one_command_stops_it_in_every_cluster_that_can_be_told(
    deployment: Deployment, operator: Operator, commands: Commands, elsewhere: Door, tmp_path: Path
) -> None:
    claimed = claim(deployment)
    here = door(deployment.plane, "security")
    nowhere = Door("https://127.0.0.1:9", here.ca, here.token)
    doors = {"here": here, "elsewhere": elsewhere, "nowhere": nowhere}
    both = Commands(write_contexts(tmp_path / "both", doors))
    contexts = [word for name in doors for word in ("--context", name)]
    url = f"https://{claimed.connection.spec.profile}.tools.svc/mcp"
    with ThreadPoolExecutor(1) as pool:
        taken_up = pool.submit(take_up_the_first_revocation, elsewhere)
        done = both.run(
            "breakglass", "--server-url", url, "--reason", "a leak", "--yes", "-o", "json", *contexts
        )
        taken_up.result()
    found = rows(done)
    name = found["here"]["revocation"]
    try:
        assert done.status == 1, "one of them could not be told"
        assert not works(deployment.plane, claimed.secret)
        assert {where: each["complete"] for where, each in found.items()} == {
            "here": "Verified",
            "elsewhere": "NothingMatched",
            "nowhere": "failed",
        }
        assert "cannot be reached" in found["nowhere"]["message"]
        assert found["elsewhere"]["revocation"] == name
        requested = {"here": "security", "elsewhere": "admin"}
        for where, user in requested.items():
            again = both.run("lift", name, "--reason", "x", "--context", where)
            assert f"{user} has requested it" in again.out
    finally:
        end_of(deployment, commands, name)


def test_a_target_that_nobody_matches_is_a_finding(
    deployment: Deployment, operator: Operator, commands: Commands
) -> None:
    words = (
        "breakglass",
        "--profile",
        "nobody-has-it",
        "--reason",
        "a drill",
        "--expires-seconds",
        "60",
        "--yes",
    )
    done = commands.run(*words, "-o", "json", "--context", "security")
    row = rows(done)["security"]
    try:
        assert (done.status, row["complete"], row["matched"]) == (3, "NothingMatched", 0)
        body = deployment.get_json("mcprevocation", "", row["revocation"])
        assert MCPRevocation.model_validate(body).spec.expires_seconds == 60
    finally:
        end_of(deployment, commands, row["revocation"])


def test_a_list_and_a_screen_say_what_the_operator_knows(
    deployment: Deployment, operator: Operator, commands: Commands
) -> None:
    claimed = claim(deployment)
    (row,) = json.loads(commands.run("list", "-n", claimed.namespace, "-o", "json").out)
    status = claimed.connection.to_wire()["status"]
    assert (row["ready"], row["reason"], row["agent"]) == ("True", "Active", "agent")
    assert row["leaseEndTime"] == status["leaseEndTime"]
    assert row["credentialExpiryTime"] == status["credentialExpiryTime"]
    screen = commands.run("status", "agent-server", "-n", claimed.namespace).out
    assert screen.startswith(f"{claimed.connection.key}: Ready, Active")
    assert "What to do" not in screen
    assert "generation 1" in screen
    assert claimed.secret["password"] not in screen


def test_the_doctor_finds_a_running_installation_well(
    deployment: Deployment, operator: Operator, commands: Commands
) -> None:
    def well() -> Done | None:
        done = commands.run("doctor", "--metrics-url", f"{operator.address}/metrics", "-o", "json")
        states = {each["state"] for each in json.loads(done.out) if not each["check"].startswith("store ")}
        return done if states == {"ok"} else None

    done = wait_until(well, 30, "the doctor finds everything well")
    assert done is not None
    found = {each["check"]: each for each in json.loads(done.out)}
    assert found["store main-vault"]["state"] == "ok"
    assert found["metrics"]["words"].endswith("and leads")
    wrong = commands.run("doctor", "--metrics-url", f"{operator.address}/healthz", "-o", "json")
    assert wrong.status == 3
    assert "no Leasehold's" in {each["check"]: each for each in json.loads(wrong.out)}["metrics"]["words"]
