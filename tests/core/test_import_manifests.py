"""The manifests of an import: valid where a person has said who answers for it, refused where nobody has, and the
same names for the same servers."""

import re
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from core.test_import_corpus import FILES, read
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile, Transport
from leasehold.core.import_found import FoundServer, Place, User
from leasehold.core.import_manifests import Declared, as_manifests, connection_name, profile_name

ALICE = Declared(
    owner="alice@example.com", team="support", purpose="found by the inventory", namespace="support"
)
FOUND = [server for name in FILES for server in read(name).servers]
KINDS = {"MCPServerProfile": MCPServerProfile, "MCPConnection": MCPConnection}


def a_server(**changes: Any) -> FoundServer:
    given: dict[str, Any] = {
        "user": User("cursor", "Cursor"),
        "name": "github",
        "transport": Transport.STREAMABLE_HTTP,
        "url": "https://api.example.com/mcp",
        "command": (),
        "credentials": (),
        "place": Place("alice/.cursor/mcp.json", "/mcpServers/github"),
    }
    return FoundServer(**{**given, **changes})


def documents(servers: list[FoundServer], declared: Declared = ALICE) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(as_manifests(servers, declared)))


def test_whatever_was_found_is_valid_where_a_person_answers_for_it() -> None:
    servers = [server for server in FOUND if "${" not in (server.url or "")]
    parsed = [KINDS[each["kind"]].model_validate(each) for each in documents(servers)]
    connections = [each for each in parsed if isinstance(each, MCPConnection)]
    profiles = {each.metadata.name: each for each in parsed if isinstance(each, MCPServerProfile)}
    assert len(connections) == len(servers)
    assert {each.spec.profile for each in connections} == set(profiles)
    assert all(each.spec.credential is None for each in profiles.values())
    assert all(each.spec.output is None for each in connections)
    assert {each.spec.owner.user for each in connections} == {"alice@example.com"}


@pytest.mark.parametrize("missing", ["owner", "team", "purpose"])
def test_what_nobody_has_said_is_refused(missing: str) -> None:
    declared = Declared(**{**ALICE.__dict__, missing: ""})
    text = as_manifests([a_server()], declared)
    assert "# fill in" in text
    refused = 0
    for each in yaml.safe_load_all(text):
        try:
            KINDS[each["kind"]].model_validate(each)
        except ValidationError:
            refused += 1
    assert refused == (2 if missing == "team" else 1)


def test_a_url_with_a_variable_is_marked_and_refused() -> None:
    text = as_manifests([a_server(url="https://${TENANT}.example.com/mcp")], ALICE)
    assert "url: https://${TENANT}.example.com/mcp  # fill in\n" in text
    profile, _ = yaml.safe_load_all(text)
    with pytest.raises(ValidationError):
        MCPServerProfile.model_validate(profile)


def test_names_are_unique_and_fit_for_kubernetes() -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in documents(FOUND)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) for _, name in names)


def test_names_do_not_depend_on_what_else_is_found_nor_on_its_order() -> None:
    alone = {each["metadata"]["name"] for server in FOUND for each in documents([server])}
    together = {each["metadata"]["name"] for each in documents(FOUND[::-1])}
    assert alone == together


def test_one_server_is_one_profile_whoever_uses_it_and_whatever_they_call_it() -> None:
    other = a_server(
        name="gh", user=User("zed", "Zed"), place=Place("zed/settings.json", "/context_servers/gh")
    )
    assert profile_name(a_server()) == profile_name(other)
    assert connection_name(a_server()) != connection_name(other)
    started = a_server(url=None, command=("npx", "-y", "a-mcp"), program="a-mcp", transport=Transport.STDIO)
    called = a_server(
        name="x", url=None, command=("npx", "-y", "a-mcp"), program="a-mcp", transport=Transport.STDIO
    )
    assert profile_name(started) == profile_name(called)


def test_two_uses_by_one_agent_in_two_places_are_two_connections() -> None:
    elsewhere = a_server(place=Place("bob/.cursor/mcp.json", "/mcpServers/github"))
    assert connection_name(a_server()) != connection_name(elsewhere)


def test_a_server_that_is_switched_off_becomes_a_suspended_connection() -> None:
    _, connection = documents([a_server(enabled=False)])
    assert connection["spec"]["suspend"] is True


def test_a_workload_keeps_its_namespace_and_service_account() -> None:
    user = User("triage", "Deployment", "payments", "bot")
    _, connection = documents([a_server(user=user)])
    assert connection["metadata"]["namespace"] == "payments"
    assert connection["spec"]["agent"] == {"name": "triage", "serviceAccountName": "bot"}


def test_hostile_names_stay_text() -> None:
    name = "x\n---\nkind: MCPRevocation\x1b[2J\u202e"
    server = a_server(name=name, place=Place(f"dir\nkind: x/{name}/mcp.json", f"/mcpServers/{name}"))
    text = as_manifests([server], ALICE)
    assert [each["kind"] for each in yaml.safe_load_all(text)] == ["MCPServerProfile", "MCPConnection"]
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
