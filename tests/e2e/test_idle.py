"""A connection that nobody uses loses its credential, and a person's word brings it back: with a heartbeat that a
process renews under the rights of the example, and with what a Prometheus tells."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from adapters.prometheus_stage import PrometheusStage
from commands import Commands, door, write_contexts
from controlplane.child import spawn
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, condition
from discretion import tell
from e2e.claims import Claim, claim, generations, message, the_secret, works
from e2e.test_reviews import judged, say
from leasehold.api.connection import EntryState, MCPConnection
from shipped import ROOT

IDLE_SECONDS = 15
LONG = 90
"""Far longer than it takes on a machine that does much else."""


class Agent:
    """Who uses a connection, with the rights of the example and nothing else."""

    def __init__(self, deployment: Deployment, claimed: Claim) -> None:
        self.key = claimed.connection.key
        text = (ROOT / "examples" / "heartbeat.yaml").read_text()
        text = text.replace("support-bot-orders", "agent-server").replace("support-bot", "agent")
        text = text.replace("namespace: support", f"namespace: {claimed.namespace}")
        deployment.plane.apply({"apiVersion": "v1", "kind": "List", "items": list(yaml.safe_load_all(text))})
        self.kubeconfig = self._kubeconfig(deployment, claimed.namespace)
        self.log = self.kubeconfig.with_suffix(".log")
        wait_until(lambda: self.beats_once().returncode == 0, 30, "the agent may renew its heartbeat")

    def _kubeconfig(self, deployment: Deployment, namespace: str) -> Path:
        config = yaml.safe_load(deployment.plane.kubeconfig("admin").read_text())
        token = deployment.plane.service_account_token(namespace, "agent")
        tell([token])
        for user in config["users"]:
            user["user"] = {"token": token}
        path = deployment.plane.workdir / f"{namespace}-agent.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def _command(self, key: str, *options: str) -> list[str]:
        program = [sys.executable, "-c", "from leasehold.cli.app import main; main()"]
        return [*program, "heartbeat", key, f"--kubeconfig={self.kubeconfig}", *options]

    def beats_once(self, key: str = "") -> subprocess.CompletedProcess[str]:
        command = self._command(key or self.key, "--once")
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def beats(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return spawn(self._command(self.key, "--interval=1"), env=os.environ, stdout=log, stderr=log)


def renewed(deployment: Deployment, claimed: Claim) -> str:
    body = deployment.get_json("lease", claimed.namespace, "agent-server")
    return "" if body is None else str(body["spec"].get("renewTime"))


def wait_used(deployment: Deployment, connection: MCPConnection, reason: str) -> MCPConnection:
    def arrived() -> bool:
        return condition(found(deployment, connection), "Used").get("reason") == reason

    wait_until(arrived, LONG, f"{connection.key} is {reason}")
    return found(deployment, connection)


def found(deployment: Deployment, connection: MCPConnection) -> MCPConnection:
    there = deployment.find(connection.metadata.namespace, connection.metadata.name)
    assert there is not None
    return there


def recorded(operator: Operator, connection: MCPConnection, action: str) -> list[str]:
    """Why, in each audit record of that action."""
    data = [each["data"] for each in operator.audit(connection)]
    return [each["reason"] for each in data if each["action"] == action]


def wait_recorded(operator: Operator, connection: MCPConnection, action: str, *reasons: str) -> None:
    """Until the audit records of that action give these reasons: they follow the status that they tell of."""
    wait_until(
        lambda: recorded(operator, connection, action) == list(reasons),
        15,
        f"{action} of {connection.key} is recorded with {reasons}",
    )


def dies_at_vault(deployment: Deployment, connection: MCPConnection) -> bool:
    [entry] = connection.status.ledger
    assert entry.lease_id is not None
    prefix, _, lease = entry.lease_id.rpartition("/")
    return wait_until(lambda: lease not in deployment.leases(prefix), LONG, "its lease is dead") is not None


def test_who_stops_renewing_loses_the_credential_and_an_approval_brings_a_fresh_one(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment, idleSeconds=IDLE_SECONDS)
    assert condition(claimed.connection, "Used")["reason"] == "NoEvidenceSource"
    agent = Agent(deployment, claimed)
    beating = agent.beats()
    try:
        first = renewed(deployment, claimed)
        used = wait_used(deployment, claimed.connection, "RecentlyUsed")
        assert used.status.use is not None
        assert used.status.use.last_used_time is not None
        assert "(Heartbeat)" in message(used, "Used")
        wait_until(lambda: renewed(deployment, claimed) > first, LONG, "the heartbeat is renewed again")
        labels = {"namespace": claimed.namespace, "name": "agent-server"}
        last_use = "leasehold_connection_last_use_timestamp_seconds"
        wait_until(lambda: operator.metric(last_use, **labels) > 0, 15, "its last use is measured")
        beating.send_signal(signal.SIGTERM)
        assert beating.wait(30) == 0
    finally:
        beating.kill()
    idle = deployment.wait_for(claimed.connection, "Idle", LONG, status="False")
    assert dies_at_vault(deployment, claimed.connection)
    assert not works(deployment.plane, claimed.secret)
    assert deployment.secret(claimed.namespace) is None
    wait_until(lambda: not found(deployment, idle).status.ledger, LONG, "its ledger is empty")
    wait_recorded(operator, idle, "idle", "Idle")
    name = say(deployment, claimed, "Approve")
    assert judged(deployment, claimed, name) == ("True", "Counted")
    back = deployment.wait_for(idle, "Active", LONG, status="True")
    assert generations(back) == {2: EntryState.CURRENT}
    assert works(deployment.plane, the_secret(deployment, back))
    wait_recorded(operator, idle, "restore", "Approved")


def test_what_a_prometheus_has_never_seen_used_becomes_idle_and_what_it_does_not_know_stays(
    deployment: Deployment, operator: Operator, prometheus: PrometheusStage
) -> None:
    unknown = claim(deployment, idleSeconds=10)
    watched = claim(deployment, idleSeconds=10)
    prometheus.told[watched.connection.key] = 0
    wait_used(deployment, watched.connection, "NeverUsed")
    idle = deployment.wait_for(watched.connection, "Idle", LONG, status="False")
    assert "(Prometheus)" in message(idle)
    assert not works(deployment.plane, watched.secret)
    assert works(deployment.plane, unknown.secret)
    assert operator.metric("leasehold_use_polls_total", source="Prometheus", outcome="ok") > 0


def test_a_heartbeat_is_renewed_for_ones_own_connection_only(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    agent = Agent(deployment, claimed)
    refused = agent.beats_once(f"{claimed.namespace}/somebody-else")
    assert refused.returncode == 1
    assert "forbidden" in refused.stderr


def shadow_notes(deployment: Deployment, namespace: str) -> list[str]:
    """Of the Events on Leases of that namespace."""
    command = ["get", "events.events.k8s.io", f"--namespace={namespace}", "--output=json"]
    items = json.loads(deployment.plane.kubectl(*command).stdout)["items"]
    return [
        each["note"] for each in items if (each["regarding"]["kind"], each["reason"]) == ("Lease", "Shadow")
    ]


def test_a_use_that_nobody_has_registered_is_told_until_somebody_registers_it(
    deployment: Deployment, operator: Operator, tmp_path: Path
) -> None:
    namespace = deployment.namespace()
    admin = Commands(
        write_contexts(tmp_path / "config", {"admin": door(deployment.plane, "admin", namespace)})
    )
    written = "https://bob:hunter2@Shop.example.com/mcp?api_key=hunter2"
    beat = ["heartbeat", f"{namespace}/agent-server", "--once", f"--server={written}", "--agent=shop-bot"]
    assert admin.run(*beat, f"--kubeconfig={admin.kubeconfig}").status == 0
    shadows = "leasehold_shadow_connections"
    wait_until(lambda: operator.metric(shadows, namespace=namespace) == 1, LONG, "the shadow is counted")
    listed = admin.run("list", "--shadow", "--output=json")
    (row,) = json.loads(listed.out)
    assert (row["name"], row["kind"], row["agent"], row["serverURL"]) == (
        "agent-server",
        "Unregistered",
        "shop-bot",
        "https://shop.example.com/mcp",
    )
    [note] = wait_until(lambda: shadow_notes(deployment, namespace), LONG, "an Event tells of it") or []
    assert note.startswith("agent shop-bot uses https://shop.example.com/mcp, and there is no MCPConnection")
    lease = deployment.get_json("lease", namespace, "agent-server")
    everything = f"{lease} {note} {listed.out} {operator.log_path.read_text()} {operator.get('/metrics')[1]}"
    assert "hunter2" not in everything
    profile = deployment.profile(url="https://shop.example.com/mcp")
    deployment.wait_for(deployment.connection(namespace, profile.metadata.name), "Active")
    wait_until(lambda: operator.metric(shadows, namespace=namespace) == 0, LONG, "it is none any more")
    assert json.loads(admin.run("list", "--shadow", "--output=json").out) == []
