"""What an import makes of workloads: which servers, by whom, and where their credentials come from."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from import_workloads import (
    a_config_map,
    a_container,
    a_variable,
    a_workload,
    from_config,
    from_secret,
    mounted,
)
from leasehold.api.profile import Transport
from leasehold.core.import_files import Import
from leasehold.core.import_report import rows
from leasehold.core.import_values import keyed
from leasehold.core.import_workloads import WORKLOAD_KINDS, Workload, read_workloads

URL = "https://orders-mcp.example.com/mcp"
KINDS = {kind.name: kind for kind in WORKLOAD_KINDS}


def read(*objects: Mapping[str, Any]) -> Import:
    workloads = [Workload(KINDS[each["kind"]], each) for each in objects if each["kind"] in KINDS]
    maps = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): each["data"]
        for each in objects
        if each["kind"] == "ConfigMap"
    }
    found = read_workloads(workloads, maps, keyed(b"key"))
    assert "FAKE" not in repr(found)
    return found


def credentials(found: Import) -> list[tuple[str, str, str]]:
    return [
        (str(each.kind), each.name, f"{each.source}#{each.pointer}")
        for server in found.servers
        for each in server.credentials
    ]


def an_agent(*env: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return a_workload("Deployment", "triage", "support", a_container(env=list(env), **fields))


POD = "deployment/support/triage#/spec/template/spec"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_workload_is_an_agent_with_its_namespace_and_service_account(kind: str) -> None:
    container = a_container(env=[a_variable("ORDERS_MCP_URL", URL)])
    found = read(a_workload(kind, "triage", "support", container, serviceAccountName="bot"))
    (server,) = found.servers
    assert (server.user.agent, server.user.client) == ("triage", kind)
    assert (server.user.namespace, server.user.service_account) == ("support", "bot")
    assert (server.url, server.transport) == (URL, Transport.STREAMABLE_HTTP)


def test_without_a_service_account_it_is_the_default_one() -> None:
    (server,) = read(an_agent(a_variable("ORDERS_MCP_URL", URL))).servers
    assert server.user.service_account == "default"


@pytest.mark.parametrize(
    ("owner", "count"),
    [("ReplicaSet", 0), ("Job", 0), (None, 1)],
)
def test_a_pod_that_another_object_made_is_not_read_twice(owner: str | None, count: int) -> None:
    pod = a_workload("Pod", "triage-x", "support", a_container(env=[a_variable("MCP_URL", URL)]))
    if owner:
        pod["metadata"]["ownerReferences"] = [{"kind": owner, "name": "triage"}]
    assert len(read(pod).servers) == count


@pytest.mark.parametrize(("owner", "count"), [("CronJob", 0), ("Workflow", 1)])
def test_a_job_is_left_out_only_where_its_cronjob_is_read(owner: str, count: int) -> None:
    job = a_workload("Job", "triage-x", "support", a_container(env=[a_variable("MCP_URL", URL)]))
    job["metadata"]["ownerReferences"] = [{"kind": owner, "name": "triage"}]
    assert len(read(job).servers) == count


def test_the_credential_of_a_url_is_the_variable_beside_it() -> None:
    found = read(
        an_agent(
            a_variable("ORDERS_MCP_URL", URL),
            a_variable("ORDERS_MCP_TOKEN", "FAKE-orders"),
            from_secret("WIKI_MCP_TOKEN", "wiki", "token"),
            a_variable("WIKI_MCP_URL", "https://wiki.example.com/mcp"),
            a_variable("OPENAI_API_KEY", "sk-FAKE0000001"),
        )
    )
    assert [server.name for server in found.servers] == ["orders-mcp.example.com", "wiki.example.com"]
    assert credentials(found) == [
        ("StaticEnvironment", "ORDERS_MCP_TOKEN", f"{POD}/containers/0/env/1"),
        ("SecretReference", "secret/wiki/token", f"{POD}/containers/0/env/2"),
    ]


def test_an_argument_can_name_the_server_and_take_its_token_from_a_variable() -> None:
    found = read(
        an_agent(
            from_secret("TOKEN", "orders", "token"),
            args=["--mcp-server-url", URL, "--mcp-token=$(TOKEN)", "--model", "gpt"],
        )
    )
    assert credentials(found) == [("SecretReference", "secret/orders/token", f"{POD}/containers/0/env/0")]


def test_headers_in_arguments_are_found_and_not_shown() -> None:
    found = read(an_agent(args=["--mcp-url=" + URL, "--header", "Authorization: Bearer FAKE-header"]))
    assert credentials(found) == [("StaticHeader", "Authorization", f"{POD}/containers/0/args")]


def test_a_bridge_leads_to_the_server_behind_it() -> None:
    found = read(
        an_agent(
            a_variable("AUTH", "Bearer FAKE-bridge"),
            command=["npx", "-y", "mcp-remote"],
            args=["https://hub.example.com/sse", "--header", "Authorization:$(AUTH)"],
        )
    )
    (server,) = found.servers
    assert (server.url, server.transport) == ("https://hub.example.com/sse", Transport.SSE)
    assert credentials(found) == [("StaticEnvironment", "AUTH", f"{POD}/containers/0/env/0")]


def test_a_variable_can_hold_a_whole_configuration() -> None:
    config = {"mcpServers": {"orders": {"url": URL, "headers": {"Authorization": "Bearer FAKE-inline"}}}}
    found = read(an_agent(a_variable("MCP_CONFIG", json.dumps(config))))
    where = f"{POD}/containers/0/env/0/mcpServers/orders/headers/Authorization"
    assert credentials(found) == [("StaticHeader", "Authorization", where)]


CONFIG = """{"mcpServers": {
  "orders": {"url": "https://orders-mcp.example.com/mcp", "headers": {"Authorization": "Bearer ${ORDERS_TOKEN}"}},
  "wiki": {"url": "${WIKI_URL}", "headers": {"X-API-Key": "FAKE-in-config-map"}}}}"""


def test_a_mounted_config_map_is_read_with_the_variables_of_the_pod() -> None:
    found = read(
        a_workload(
            "Deployment",
            "triage",
            "support",
            a_container(
                env=[
                    from_secret("ORDERS_TOKEN", "orders", "token"),
                    a_variable("WIKI_URL", "https://wiki.example.com/mcp"),
                ]
            ),
            volumes=[mounted("mcp")],
        ),
        a_config_map("mcp", "support", **{"mcp.json": CONFIG, "notes.txt": "nothing"}),
    )
    by_name = {server.name: server for server in found.servers if server.place.source.startswith("configmap")}
    assert by_name["orders"].credentials[0].name == "secret/orders/token"
    assert by_name["wiki"].url == "https://wiki.example.com/mcp"
    assert by_name["wiki"].is_static
    assert by_name["wiki"].place.source == "configmap/support/mcp"


def test_two_workloads_that_mount_one_config_map_share_its_secret() -> None:
    config = a_config_map("mcp", "support", **{"mcp.json": CONFIG})
    both = [
        a_workload("Deployment", name, "support", a_container(), volumes=[mounted("mcp")])
        for name in ("triage", "month-end")
    ]
    found = rows(read(*both, config).servers, "")
    shared = {row.server.user.agent: str(row.same_secret) for row in found if row.same_secret.count}
    assert shared == {
        "triage": "month-end/wiki in configmap/support/mcp",
        "month-end": "triage/wiki in configmap/support/mcp",
    }


def test_of_a_fleet_that_shares_a_server_and_a_secret_a_few_are_named_and_all_are_counted() -> None:
    env = [a_variable("MCP_URL", URL), a_variable("MCP_TOKEN", "FAKE-of-all")]
    fleet = [a_workload("Deployment", f"agent-{n}", "fleet", a_container(env=env)) for n in range(1000)]
    found = rows(read(*fleet).servers, "")
    assert {(row.same_secret.count, row.same_server.count) for row in found} == {(999, 999)}
    assert str(found[0].same_secret).endswith(
        "agent-5/orders-mcp.example.com in deployment/fleet/agent-5, and 994 more"
    )


def test_a_config_map_that_nobody_mounts_is_found_as_well() -> None:
    found = read(a_config_map("spare", "support", **{"mcp.json": CONFIG}))
    assert {(server.user.agent, server.user.client) for server in found.servers} == {("spare", "ConfigMap")}


def test_variables_come_from_config_maps_and_whole_secrets() -> None:
    config = a_config_map("agent", "support", ORDERS_MCP_URL=URL, ORDERS_MCP_API_KEY="FAKE-config-map")
    one = a_container(envFrom=[{"configMapRef": {"name": "agent"}}])
    other = a_container(
        "other",
        env=[from_config("MCP_URL", "agent", "ORDERS_MCP_URL")],
        envFrom=[{"secretRef": {"name": "keys"}}],
        args=["--mcp-token", "$(MCP_KEY)"],
    )
    found = read(a_workload("StatefulSet", "triage", "support", one, other), config)
    assert credentials(found) == [
        ("StaticEnvironment", "ORDERS_MCP_API_KEY", "configmap/support/agent#/data/ORDERS_MCP_API_KEY"),
        (
            "SecretReference",
            "secret/keys",
            "statefulset/support/triage#/spec/template/spec/containers/1/envFrom/0",
        ),
    ]


def test_a_configuration_in_a_secret_is_named_as_unread() -> None:
    volume = {
        "name": "config",
        "secret": {"secretName": "mcp-config", "items": [{"key": "c", "path": "mcp.json"}]},
    }
    found = read(a_workload("DaemonSet", "triage", "support", a_container(), volumes=[volume]))
    assert [str(each) for each in found.unread] == [
        "daemonset/support/triage#/spec/template/spec/volumes/0: its servers are in Secret mcp-config; Secrets are "
        "not read: look there yourself"
    ]


def test_a_broken_config_map_is_unread_and_the_others_are_read() -> None:
    found = read(
        a_config_map("broken", "support", **{"mcp.json": '{"mcpServers": {"a": {"env": {"K": "FAKE'}),
        a_config_map("good", "support", **{"mcp.json": CONFIG}),
    )
    assert [server.name for server in found.servers] == ["orders", "wiki"]
    (unread,) = found.unread
    assert str(unread).startswith("configmap/support/broken#/data/mcp.json:1: column ")


@pytest.mark.parametrize(
    "env",
    [
        [a_variable("DATABASE_URL", "postgresql://u:FAKE-db@db/orders"), a_variable("API_TOKEN", "FAKE")],
        [a_variable("API_URL", "https://api.example.com/v1")],
        [a_variable("MCP_LISTEN_URL", "http://0.0.0.0:8080/mcp")],
        [a_variable("SETTINGS", '{"servers": ["a", "b"]}')],
    ],
)
def test_what_names_no_mcp_server_is_not_found(env: list[dict[str, Any]]) -> None:
    assert read(an_agent(*env)).servers == ()
