"""`leasehold import` on a real API server: by somebody who may list workloads and nothing else, and by those who
may see what is registered."""

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bindings import grant, may
from commands import Commands, door, write_contexts
from contract.worlds import RealPeople
from controlplane import Plane
from controlplane.waiting import wait_until
from import_workloads import a_config_map, a_container, a_variable, a_workload, from_secret, mounted

URL = "https://orders-mcp.example.com/mcp"
CONFIG = json.dumps(
    {
        "mcpServers": {
            "wiki": {"url": "https://wiki.example.com/mcp", "headers": {"X-API-Key": "FAKE-wiki-key"}}
        }
    }
)
LISTS: list[dict[str, Any]] = [
    {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets", "daemonsets"], "verbs": ["list"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["list"]},
]


def workloads(namespace: str) -> list[dict[str, Any]]:
    static = a_container(
        env=[a_variable("ORDERS_MCP_URL", URL), a_variable("ORDERS_MCP_TOKEN", "FAKE-orders")]
    )
    referring = a_container(
        env=[a_variable("ORDERS_MCP_URL", URL), from_secret("ORDERS_MCP_TOKEN", "orders", "token")]
    )
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "orders", "namespace": namespace},
        "stringData": {"token": "FAKE-in-secret"},
    }
    owned = a_workload("Pod", "made", namespace, static)
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": str(uuid.uuid4())}
    ]
    return [
        secret,
        a_config_map("mcp", namespace, **{"mcp.json": CONFIG}),
        a_workload("Deployment", "triage", namespace, static),
        a_workload("StatefulSet", "ledger", namespace, referring),
        a_workload("DaemonSet", "watcher", namespace, a_container(), volumes=[mounted("mcp")]),
        a_workload("CronJob", "month-end", namespace, static),
        a_workload(
            "Job", "once", namespace, a_container(args=["--mcp-url", URL, "--mcp-token", "FAKE-argument"])
        ),
        a_workload("Pod", "alone", namespace, referring),
        owned,
    ]


@pytest.fixture(scope="module")
def support(people: RealPeople) -> str:
    """A namespace with agents of every kind, and the service account that looks for them."""
    namespace = people.namespace()
    plane = people.plane
    plane.kubectl("create", "serviceaccount", "inventory", f"--namespace={namespace}")
    plane.apply({"apiVersion": "v1", "kind": "List", "items": workloads(namespace)})
    return namespace


def lister(plane: Plane, namespace: str, folder: Path, *rules: dict[str, Any]) -> Commands:
    """Somebody with exactly these rights in the namespace; they can be granted once for each folder."""
    user = f"system:serviceaccount:{namespace}:inventory"
    grant(plane, user, namespace, *rules)
    wait_until(lambda: may(plane, user, "list", rules[-1]["resources"][-1], namespace), 30, "the rights act")
    token = plane.service_account_token(namespace, "inventory")
    kubeconfig = folder / "config"
    return Commands(write_contexts(kubeconfig, {"inventory": replace(door(plane), token=token)}))


@pytest.fixture(scope="module")
def inventory(people: RealPeople, support: str, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return lister(people.plane, support, tmp_path_factory.mktemp("inventory"), *LISTS)


def test_every_kind_of_workload_is_read_with_rights_to_list_and_no_secret_is(
    inventory: Commands, support: str
) -> None:
    done = inventory.run("import", "--cluster", "-n", support, "-o", "json")
    assert done.status == 3
    assert "FAKE" not in done.out + done.err
    rows = {(row["client"], row["agent"]): row for row in json.loads(done.out)}
    assert {key: (row["server"], row["credential"]) for key, row in rows.items()} == {
        ("Deployment", "triage"): ("orders-mcp.example.com", "StaticEnvironment"),
        ("StatefulSet", "ledger"): ("orders-mcp.example.com", "SecretReference"),
        ("DaemonSet", "watcher"): ("wiki", "StaticHeader"),
        ("CronJob", "month-end"): ("orders-mcp.example.com", "StaticEnvironment"),
        ("Job", "once"): ("orders-mcp.example.com", "StaticArgument"),
        ("Pod", "alone"): ("orders-mcp.example.com", "SecretReference"),
    }
    assert rows["StatefulSet", "ledger"]["name"] == "secret/orders/token"
    assert rows["Deployment", "triage"]["sameSecret"] == (
        f"month-end/orders-mcp.example.com in cronjob/{support}/month-end"
    )
    *refused, summary = done.err.splitlines()
    assert [line.partition(": The API server")[0] for line in refused] == [
        f"{each} of context inventory: not compared with these; comparing takes the verb list on {each}"
        for each in ("mcpserverprofiles", "mcpconnections")
    ]
    assert {row["registration"] for row in rows.values()} == {"NotCompared"}
    assert summary.startswith("6 servers in ")
    assert "4 with a static credential, 2 with a secret that another one has" in summary


def test_the_stock_role_view_is_enough(commands: Commands, namespace: str) -> None:
    done = commands.run("import", "--cluster", "-n", namespace)
    assert done.status == 0
    assert "refuses" not in done.err


def test_what_may_not_be_listed_is_told_and_the_rest_is_read(
    people: RealPeople, support: str, tmp_path: Path
) -> None:
    namespace = people.namespace()
    people.plane.kubectl("create", "serviceaccount", "inventory", f"--namespace={namespace}")
    static = a_container(env=[a_variable("MCP_URL", URL), a_variable("MCP_TOKEN", "FAKE-orders")])
    people.plane.apply(a_workload("Deployment", "triage", namespace, static))
    commands = lister(people.plane, namespace, tmp_path, {**LISTS[0], "resources": ["deployments"]})
    done = commands.run("import", "--cluster", "-n", namespace, "-o", "json")
    assert done.status == 3
    assert [row["agent"] for row in json.loads(done.out)] == ["triage"]
    refused = [line for line in done.err.splitlines() if "refuses list" in line]
    assert [line.split()[0] for line in refused] == [
        "statefulsets",
        "daemonsets",
        "cronjobs",
        "jobs",
        "pods",
        "configmaps",
        "mcpserverprofiles",
        "mcpconnections",
    ]


def test_whoever_may_list_nothing_is_told_so(people: RealPeople, tmp_path: Path) -> None:
    commands = Commands(write_contexts(tmp_path / "config", {"bob": door(people.plane, "bob")}))
    done = commands.run("import", "--cluster", "-n", "default")
    assert (done.status, done.out.count("\n")) == (1, 1)
    assert done.err.count("refuses list") == 7


def test_a_cluster_that_cannot_be_reached_is_told_before_anything_is_printed(tmp_path: Path) -> None:
    done = Commands(tmp_path / "none").run("import", "--cluster")
    assert (done.status, done.out) == (1, "")
    assert "none" in done.err


def test_the_api_server_takes_the_manifests_where_an_owner_is_named_and_refuses_them_where_none_is(
    people: RealPeople, inventory: Commands, support: str
) -> None:
    said = ("--owner", "alice@example.com", "--team", "support", "--purpose", "found in the cluster")
    named = inventory.run("import", "--cluster", "-n", support, *said, "-o", "yaml").out
    nobody = inventory.run("import", "--cluster", "-n", support, "-o", "yaml").out
    create = ("create", "--dry-run=server", "--filename=-")
    taken = people.plane.kubectl(*create, input=named)
    assert len(taken.stdout.splitlines()) == len(list(yaml.safe_load_all(named))) == 8
    refused = people.plane.kubectl(*create, input=nobody, check=False)
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert "spec.owner.user" in refused.stderr
    assert "spec.purpose.summary" in refused.stderr


def registered(people: RealPeople, namespace: str) -> str:
    """A namespace's agents `triage`, whose use of a server is registered, `ledger`, which uses the same server, and
    `watcher`, which uses one that nobody registered; the name of the profile."""
    url = f"https://{namespace}.example.com/mcp"
    known = a_container(env=[a_variable("ORDERS_MCP_URL", f"{url}/")])
    unknown = a_container(env=[a_variable("WIKI_MCP_URL", f"{url}/wiki")])
    ours = {"apiVersion": "leasehold.dev/v1alpha1"}
    profile = {
        **ours,
        "kind": "MCPServerProfile",
        "metadata": {"name": namespace},
        "spec": {"url": url, "owner": {"team": "orders"}},
    }
    connection = {
        **ours,
        "kind": "MCPConnection",
        "metadata": {"name": "triage", "namespace": namespace},
        "spec": {
            "agent": {"name": "triage", "serviceAccountName": "triage"},
            "profile": namespace,
            "owner": {"user": "alice@example.com", "team": "support"},
            "purpose": {"summary": "triage"},
        },
    }
    agents = [
        a_workload("Deployment", "triage", namespace, known),
        a_workload("Deployment", "ledger", namespace, known),
        a_workload("Deployment", "watcher", namespace, unknown),
    ]
    people.plane.apply({"apiVersion": "v1", "kind": "List", "items": [profile, connection, *agents]})
    return namespace


def test_each_use_is_compared_with_what_is_registered_and_a_shadow_is_a_finding(
    people: RealPeople, commands: Commands
) -> None:
    namespace = people.namespace()
    profile = registered(people, namespace)
    words = ("import", "--cluster", "-n", namespace, "--owner", "alice", "--context", "admin")
    done = commands.run(*words, "-o", "json")
    assert {row["agent"]: (row["registration"], row["profiles"]) for row in json.loads(done.out)} == {
        "triage": ("Registered", profile),
        "ledger": ("ServerRegistered", profile),
        "watcher": ("Shadow", None),
    }
    assert done.status == 3
    assert "1 to a server that nobody registered, 0 not compared" in done.err
    said = ("--team", "support", "--purpose", "found in the cluster")
    manifests = commands.run(*words, *said, "-o", "yaml").out
    people.plane.kubectl("create", "--filename=-", input=manifests)
    assert [each["kind"] for each in yaml.safe_load_all(manifests)] == [
        "MCPServerProfile",
        "MCPConnection",
        "MCPConnection",
    ]
    again = commands.run(*words, "-o", "json")
    assert again.status == 0
    assert {row["registration"] for row in json.loads(again.out)} == {"Registered"}
    assert commands.run(*words, "-o", "yaml").out == ""


def test_files_are_compared_with_a_cluster_where_that_is_asked_for(
    people: RealPeople, commands: Commands, tmp_path: Path
) -> None:
    namespace = people.namespace()
    registered(people, namespace)
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"orders": {"url": f"https://{namespace}.example.com/mcp"}}}))
    asked = ("import", str(file), "--registered", "--owner", "alice", "--agent", "triage", "-o", "json")

    def told(*words: str) -> tuple[int, str]:
        done = commands.run(*asked, *words)
        return done.status, json.loads(done.out)[0]["registration"]

    assert told("--context", "admin", "-n", namespace) == (0, "Registered")
    assert told("--context", "admin") == (0, "ServerRegistered"), (
        "the context's namespace has no such connection"
    )
    assert told("--context", "bob", "-n", namespace) == (1, "NotCompared")
