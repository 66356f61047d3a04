"""What was found, next to profiles and connections: what counts as registered, and what nobody can tell."""

from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from core.test_import_corpus import FILES, read
from core.test_import_manifests import ALICE, documents
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile, Transport
from leasehold.core.import_entry import read_entry
from leasehold.core.import_found import FoundServer, Place, User
from leasehold.core.import_manifests import as_manifests
from leasehold.core.import_registered import Comparison, Registered, Registration, Standing
from leasehold.core.import_report import rows, totals
from leasehold.core.import_values import keyed
from objects import a_connection

ORDERS = "https://orders-mcp.example.com/mcp"
TRIAGE = User("triage", "Deployment", "support", "triage-bot")
FOUND = [server for name in FILES for server in read(name).servers]


def a_profile(name: str, url: str | None, *command: str, transport: str | None = None) -> MCPServerProfile:
    reached = {"url": url, "transport": transport or "StreamableHTTP"}
    started = {"command": command, "transport": "Stdio"}
    spec = {**(started if url is None else reached), "owner": {"team": "orders"}}
    return MCPServerProfile.model_validate({"metadata": {"name": name}, "spec": spec})


def a_use(
    profile: str, agent: str = "triage", account: str = "x", namespace: str = "support"
) -> MCPConnection:
    agent_of_it = {"name": agent, "serviceAccountName": account}
    return a_connection(
        f"{agent}-{profile}", namespace=namespace, spec={"agent": agent_of_it, "profile": profile}
    )


def known(
    *profiles: MCPServerProfile, connections: Sequence[MCPConnection] = (), **unknown: bool
) -> Registered:
    """All there is, unless it is said that some of it could not be read."""
    complete = {"are_all_profiles": True, "are_all_connections": True, **unknown}
    return Registered(profiles, connections, **complete, namespace="developers")


def found(entry: dict[str, Any], user: User = TRIAGE) -> FoundServer:
    server = read_entry("orders", entry, user, Place("mcp.json"), keyed(b"key"), {})
    assert server is not None
    return server


def registration(entry: dict[str, Any], registered: Registered, user: User = TRIAGE) -> str:
    return str(Comparison(registered).standing(found(entry, user)).registration)


@pytest.mark.parametrize(
    ("written", "registered", "expected"),
    [
        (ORDERS, ORDERS, "ServerRegistered"),
        ("HTTPS://Orders-MCP.example.com:443/mcp/#x", ORDERS, "ServerRegistered"),
        ("https://orders-mcp.example.com/v1/../mcp", ORDERS, "ServerRegistered"),
        ("https://bot:FAKE-pw@orders-mcp.example.com/mcp?api_key=FAKE-key", ORDERS, "ServerRegistered"),
        (f"{ORDERS}?limit=5", f"{ORDERS}?limit=5", "ServerRegistered"),
        (f"{ORDERS}?limit=5", ORDERS, "Shadow"),
        (ORDERS, f"{ORDERS}/v2", "Shadow"),
        (ORDERS, "http://orders-mcp.example.com/mcp", "Shadow"),
        (ORDERS, "https://orders-mcp.example.com:8443/mcp", "Shadow"),
        (ORDERS, "https://orders-mcp.example.com/MCP", "Shadow"),
        ("https://[2001:DB8:0::1]/mcp", "https://[2001:db8::1]/mcp", "ServerRegistered"),
        ("https://${TENANT}.example.com/mcp", ORDERS, "NotCompared"),
        (f"{ORDERS}?tenant=Acme", f"{ORDERS}?tenant=Other", "NotCompared"),
        (f"{ORDERS}?tenant=Acme", f"{ORDERS}/v2?tenant=Acme", "Shadow"),
        (f"{ORDERS}/f4k3f4k3f4k3f4k3f4k3", f"{ORDERS}/0123456789abcdef0123", "NotCompared"),
        (f"{ORDERS}/f4k3f4k3f4k3f4k3f4k3", f"{ORDERS}/REDACTED", "ServerRegistered"),
        (f"{ORDERS}/f4k3f4k3f4k3f4k3f4k3", ORDERS, "Shadow"),
    ],
)
def test_urls_are_compared_in_the_spelling_of_a_profile(written: str, registered: str, expected: str) -> None:
    assert registration({"url": written}, known(a_profile("orders", registered))) == expected


@pytest.mark.parametrize(
    ("started", "registered", "expected"),
    [
        ("npx -y orders-mcp", ("npx", "-y", "orders-mcp"), "ServerRegistered"),
        (
            "npx -y orders-mcp --token FAKE-0",
            ("npx", "-y", "orders-mcp", "--token", "REDACTED"),
            "ServerRegistered",
        ),
        ("npx -y orders-mcp --shop acme", ("npx", "-y", "orders-mcp", "--shop", "other"), "NotCompared"),
        ("npx -y orders-mcp@2.0.0", ("npx", "-y", "orders-mcp@1.0.0"), "NotCompared"),
        ("npx -y orders-mcp", ("docker", "run", "-i", "acme/orders-mcp"), "NotCompared"),
        ("npx -y orders-mcp", ("npx", "-y", "tickets-mcp"), "Shadow"),
        (f"npx mcp-remote {ORDERS}", ("npx", "-y", "mcp-remote", ORDERS), "ServerRegistered"),
        (f"npx mcp-remote {ORDERS}/v2", ("npx", "-y", "mcp-remote", ORDERS), "Shadow"),
    ],
)
def test_a_command_is_compared_with_what_profiles_start(
    started: str, registered: tuple[str, ...], expected: str
) -> None:
    command, *arguments = started.split()
    entry = {"command": command, "args": arguments}
    assert registration(entry, known(a_profile("orders", None, *registered))) == expected


def test_a_bridge_and_the_server_behind_it_are_one() -> None:
    bridge = {"command": "npx", "args": ["mcp-remote", ORDERS]}
    assert registration(bridge, known(a_profile("orders", ORDERS))) == "ServerRegistered"


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (a_use("orders"), "Registered"),
        (a_use("orders", agent="another", account="triage-bot"), "Registered"),
        (a_use("orders", agent="another"), "ServerRegistered"),
        (a_use("orders", namespace="payments"), "ServerRegistered"),
        (a_use("tickets"), "ServerRegistered"),
    ],
)
def test_a_use_is_registered_by_a_connection_of_its_agent(connection: MCPConnection, expected: str) -> None:
    profiles = (a_profile("orders", ORDERS), a_profile("tickets", "https://tickets.example.com/mcp"))
    assert registration({"url": ORDERS}, known(*profiles, connections=[connection])) == expected


def test_the_service_account_that_all_share_makes_nobody_the_agent_of_a_connection() -> None:
    connection = a_use("orders", agent="another", account="default")
    user = User("triage", "Deployment", "support", "default")
    registered = known(a_profile("orders", ORDERS), connections=[connection])
    assert registration({"url": ORDERS}, registered, user) == "ServerRegistered"


def test_what_is_in_files_is_compared_with_connections_where_it_would_be_applied() -> None:
    user = User("cursor", "Cursor")
    for namespace, expected in (("developers", "Registered"), ("support", "ServerRegistered")):
        connection = a_use("orders", agent="cursor", namespace=namespace)
        registered = known(a_profile("orders", ORDERS), connections=[connection])
        assert registration({"url": ORDERS}, registered, user) == expected


def test_any_of_several_profiles_of_a_server_will_do() -> None:
    profiles = (a_profile("orders-read", ORDERS), a_profile("orders-write", ORDERS))
    standing = Comparison(known(*profiles, connections=[a_use("orders-write")])).standing(
        found({"url": ORDERS})
    )
    assert (standing.registration, standing.names) == (
        Registration.REGISTERED,
        ("orders-read", "orders-write"),
    )


OTHER = a_profile("other", "https://other.example.com/mcp")


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        (Registered(), "NotCompared"),
        (known(), "Shadow"),
        (known(OTHER), "Shadow"),
        (known(OTHER, are_all_profiles=False), "NotCompared"),
        (known(OTHER, are_all_connections=False), "Shadow"),
        (known(a_profile("orders", ORDERS), are_all_profiles=False), "ServerRegistered"),
        (known(a_profile("orders", ORDERS), are_all_connections=False), "NotCompared"),
        (
            known(
                a_profile("orders", ORDERS),
                connections=[a_use("orders")],
                are_all_profiles=False,
                are_all_connections=False,
            ),
            "Registered",
        ),
    ],
)
def test_what_could_not_be_read_is_taken_neither_for_registered_nor_for_a_shadow(
    registered: Registered, expected: str
) -> None:
    assert registration({"url": ORDERS}, registered) == expected


def test_a_shadow_is_something_that_a_person_has_to_look_at() -> None:
    server = found({"url": ORDERS})
    counted = {}
    for each in Registration:
        told = totals(rows([server], "alice", {server: Standing(each)}), 1)
        counted[str(each)] = (told.shadow, told.not_compared, told.is_clean)
    assert counted == {
        "Registered": (0, 0, True),
        "ServerRegistered": (0, 0, True),
        "Shadow": (1, 0, False),
        "NotCompared": (0, 1, True),
    }


def printed(servers: list[FoundServer], registered: Registered) -> list[dict[str, Any]]:
    comparison = Comparison(registered)
    text = as_manifests(servers, ALICE, {each: comparison.standing(each) for each in servers})
    return list(yaml.safe_load_all(text))


def test_only_what_is_not_registered_yet_is_printed() -> None:
    server = found({"url": ORDERS})
    profile = a_profile("orders", ORDERS)
    assert [each["kind"] for each in printed([server], known())] == ["MCPServerProfile", "MCPConnection"]
    (connection,) = printed([server], known(profile))
    assert (connection["kind"], connection["spec"]["profile"]) == ("MCPConnection", "orders")
    assert printed([server], known(profile, connections=[a_use("orders")])) == []


def test_among_several_profiles_that_fit_a_person_chooses() -> None:
    server = found({"url": ORDERS})
    registered = known(a_profile("orders-read", ORDERS), a_profile("orders-write", ORDERS))
    text = as_manifests([server], ALICE, {server: Comparison(registered).standing(server)})
    assert "# registered as orders-read or orders-write\n" in text
    assert "  profile: ''  # fill in\n" in text


def test_of_two_profiles_the_one_of_its_transport_fits() -> None:
    registered = known(a_profile("orders", ORDERS), a_profile("orders-sse", ORDERS, transport="SSE"))
    (connection,) = printed([found({"url": ORDERS, "type": "sse"})], registered)
    assert connection["spec"]["profile"] == "orders-sse"


def test_whatever_was_found_is_registered_once_its_manifests_are_applied() -> None:
    servers = [each for each in FOUND if "${" not in (each.url or "")]
    applied = documents(servers)
    profiles = [
        MCPServerProfile.model_validate(each) for each in applied if each["kind"] == "MCPServerProfile"
    ]
    connections = [MCPConnection.model_validate(each) for each in applied if each["kind"] == "MCPConnection"]
    comparison = Comparison(Registered(profiles, connections, True, True, ALICE.namespace))
    assert {comparison.standing(each).registration for each in servers} == {Registration.REGISTERED}
    assert printed(servers, Registered(profiles, connections, True, True, ALICE.namespace)) == []


def test_whatever_was_found_is_a_shadow_where_nothing_is_registered_unless_its_url_is_not_known() -> None:
    comparison = Comparison(known())
    told = {each: comparison.standing(each).registration for each in FOUND}
    assert {each for each, said in told.items() if said is not Registration.SHADOW} == {
        each for each in FOUND if "${" in (each.url or "")
    }
    assert Transport.STDIO in {each.transport for each in FOUND}
