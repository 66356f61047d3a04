"""The prober and the official SDK's client read the same from servers that nobody here wrote, and two published
versions of a server differ as they really did."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError

from controlplane.child import Household, Server, clean_environment
from controlplane.sockets import ReservedPorts
from engine.test_supplied_surfaces import Local
from leasehold.adapters.mcp import McpCatalog
from leasehold.adapters.mcp_addresses import AddressPolicy
from leasehold.adapters.mcp_messages import METHOD_NOT_FOUND
from leasehold.adapters.mcp_stdio import capture
from leasehold.api.profile import Transport
from leasehold.core.drift import DriftClass, worst
from leasehold.core.probe import Probed, ProbeTarget
from leasehold.core.surface import Surface, surface_digest
from leasehold.core.surface_compare import compare
from leasehold.core.surface_saved import from_saved, to_saved
from leasehold.core.wire_json import JsonObject
from mcpservers.provision import PINS, Servers, provide_servers
from virtual_time import in_virtual_time

SHOP, BRIDGE = PINS / "shop.py", PINS / "bridge.py"


class Listening(Server):
    """A published server that listens on a port of 127.0.0.1."""

    def __init__(self, name: str, household: Household, port: int, command: Sequence[str]) -> None:
        super().__init__(name, household)
        self.port = port
        self._command = command

    def command(self) -> Sequence[str | Path]:
        return ["env", f"PORT={self.port}", *self._command]

    def ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@dataclass(frozen=True)
class World:
    """Every server: where it listens, or how it is started."""

    urls: Mapping[str, str]
    commands: Mapping[str, Sequence[str]]

    def probe(self, name: str, era_hint: str | None = None) -> Probed:
        """As we read it."""
        if name in self.commands:
            return asyncio.run(capture(self.commands[name]))
        transport = Transport.SSE if name.endswith("-sse") else Transport.STREAMABLE_HTTP
        target = ProbeTarget(self.urls[name], transport, era_hint=era_hint)
        return asyncio.run(McpCatalog(AddressPolicy(allow_loopback=True)).probe(target))

    def oracle(self, name: str) -> Surface:
        """As the official client reads it."""
        if name in self.commands:
            program, *arguments = self.commands[name]
            return asyncio.run(_oracle(StdioServerParameters(command=program, args=arguments)))
        if name.endswith("-sse"):
            return asyncio.run(_oracle(sse_client(self.urls[name])))
        return asyncio.run(_oracle(self.urls[name]))


async def _oracle(server: Any) -> Surface:
    async with Client(server, read_timeout_seconds=60) as client:
        return Surface(
            era=client.protocol_version,
            server_info=_wire(client.server_info),
            capabilities=_wire(client.server_capabilities),
            instructions=client.instructions,
            tools=await _all(client.list_tools, "tools"),
            prompts=await _all(client.list_prompts, "prompts") if client.server_capabilities.prompts else (),
            resource_templates=(
                await _all(client.list_resource_templates, "resource_templates")
                if client.server_capabilities.resources
                else ()
            ),
        )


async def _all(listing: Callable[..., Any], member: str) -> tuple[JsonObject, ...]:
    items: list[JsonObject] = []
    cursor: str | None = None
    while True:
        try:
            page = await listing(cursor=cursor)
        except MCPError as error:
            if error.code == METHOD_NOT_FOUND:  # resources were declared, and there are no templates
                return ()
            raise
        items += [_wire(item) for item in getattr(page, member)]
        cursor = page.next_cursor
        if cursor is None:
            return tuple(items)


def _wire(model: Any) -> JsonObject:
    """The fields that came over the wire and that the SDK knows."""
    dumped: JsonObject = model.model_dump(by_alias=True, mode="json", exclude_unset=True)
    return dumped


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Servers:
    """What is published, installed once; never a skip."""
    capture_manager = request.config.pluginmanager.getplugin("capturemanager")

    def visibly(line: str) -> None:
        with capture_manager.global_and_fixture_disabled():
            print(line, file=sys.stderr, flush=True)

    return provide_servers(progress=visibly)


@pytest.fixture(scope="module")
def world(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("mcpservers")
    ports, household = ReservedPorts(), Household(home)
    listening = {
        "everything-2025": (*servers.script("everything-2025"), "streamableHttp"),
        "everything-2026": (*servers.script("everything-2026"), "streamableHttp"),
        "everything-2026-sse": (*servers.script("everything-2026"), "sse"),
    }
    started = [Listening(name, household, ports.take(), command) for name, command in listening.items()]
    for kind in ("json", "stream"):
        port = ports.take()
        started.append(
            Listening(f"shop-{kind}", household, port, [sys.executable, str(SHOP), str(port), kind])
        )
    commands = _commands(servers, home)
    for name in ("git-2025", "git-2026", "sqlite-2025"):
        port = ports.take()
        bridge = (sys.executable, str(BRIDGE), str(port), *commands[name])
        started.append(Listening(f"{name}-bridge", household, port, bridge))
    try:
        for server in started:
            server.start()
        paths = {server.name: "/sse" if server.name.endswith("-sse") else "/mcp" for server in started}
        yield World(
            {server.name: f"http://127.0.0.1:{server.port}{paths[server.name]}" for server in started},
            commands,
        )
    finally:
        household.end()
        ports.release()


def _commands(servers: Servers, home: Path) -> Mapping[str, Sequence[str]]:
    repository = home / "repository"
    environment = clean_environment(home)
    subprocess.run(["git", "init", "-q", repository], env=environment, check=True, timeout=60)

    def python(packages: Path, module: str, *arguments: str) -> Sequence[str]:
        start = f"import {module}; {module}.main()"  # not all of them can be started with -m
        return "env", f"PYTHONPATH={packages}", sys.executable, "-c", start, *arguments

    def node(package: str) -> Sequence[str]:
        return "env", f"MEMORY_FILE_PATH={home / package}", *servers.script(package)

    return {
        "memory-2025": node("memory-2025"),
        "memory-2026": node("memory-2026"),
        "git-2025": python(servers.python_2025, "mcp_server_git", "--repository", str(repository)),
        "git-2026": python(servers.python_2026, "mcp_server_git", "--repository", str(repository)),
        "sqlite-2025": python(servers.python_2025, "mcp_server_sqlite", "--db-path", str(home / "orders.db")),
    }


def ordered(items: Sequence[JsonObject], name: str) -> list[JsonObject]:
    return sorted(items, key=lambda item: str(item[name]))


@pytest.mark.parametrize(
    ("name", "era"),
    [
        ("everything-2025", "2025-11-25"),
        ("everything-2026", "2025-11-25"),
        ("everything-2026-sse", "2025-11-25"),
        ("shop-json", "2026-07-28"),
        ("shop-stream", "2026-07-28"),
        ("memory-2025", "2024-11-05"),
        ("memory-2026", "2025-11-25"),
        ("git-2025", "2025-11-25"),
        ("git-2026", "2026-07-28"),
        ("sqlite-2025", "2025-11-25"),
        ("git-2025-bridge", "2025-11-25"),
        ("git-2026-bridge", "2026-07-28"),
        ("sqlite-2025-bridge", "2025-11-25"),
    ],
)
def test_the_prober_reads_what_the_official_client_reads(world: World, name: str, era: str) -> None:
    ours, theirs = world.probe(name).surface, world.oracle(name)
    assert (ours.era, theirs.era) == (era, era)
    assert ours.tools
    assert ordered(ours.tools, "name") == ordered(theirs.tools, "name")
    assert ordered(ours.prompts, "name") == ordered(theirs.prompts, "name")
    assert ordered(ours.resource_templates, "uriTemplate") == ordered(
        theirs.resource_templates, "uriTemplate"
    )
    assert ours.instructions == theirs.instructions
    assert ours.server_info == theirs.server_info
    assert ours.capabilities.keys() >= theirs.capabilities.keys()


def test_every_page_is_read(world: World) -> None:
    assert len(world.probe("shop-json").surface.tools) == 25


@pytest.mark.parametrize("name", ["shop-json", "shop-stream"])
def test_a_server_of_both_eras_is_read_in_the_one_that_was_remembered(world: World, name: str) -> None:
    newest, remembered = world.probe(name).surface, world.probe(name, era_hint="2025-11-25").surface
    assert (newest.era, remembered.era) == ("2026-07-28", "2025-11-25")
    assert newest.tools == remembered.tools
    assert newest.instructions == remembered.instructions


@pytest.mark.parametrize("name", ["everything-2026", "shop-json", "git-2026"])
def test_a_server_that_did_not_change_has_the_same_digest(world: World, name: str) -> None:
    assert surface_digest(world.probe(name).surface) == surface_digest(world.probe(name).surface)


def test_the_transport_is_not_part_of_a_surface(world: World) -> None:
    assert surface_digest(world.probe("everything-2026").surface) == surface_digest(
        world.probe("everything-2026-sse").surface
    )


@pytest.mark.parametrize("name", ["git-2025", "git-2026", "sqlite-2025"])
def test_a_bridge_is_not_part_of_a_surface(world: World, name: str) -> None:
    assert surface_digest(world.probe(name).surface) == surface_digest(world.probe(f"{name}-bridge").surface)


@pytest.mark.parametrize(("older", "newer"), [("git-2025", "git-2026"), ("memory-2025", "memory-2026")])
def test_a_new_version_of_a_command_is_supplied_and_drifts(world: World, older: str, newer: str) -> None:
    before, after = world.probe(older), world.probe(newer)

    @in_virtual_time
    async def lived() -> None:
        local = Local(to_saved(before.surface, before.identity))
        claimed = await local.claimed()
        await local.approve(claimed, before.surface)
        assert local.condition(claimed, "DriftFree") == ("True", "Clean")
        await local.supplies(to_saved(after.surface, after.identity))
        assert local.condition(claimed, "DriftFree") == ("False", "Drifted")
        drift = local.world.find(claimed).status.drift
        assert drift is not None
        assert (drift.live_digest, drift.approved_digest) == (
            surface_digest(after.surface),
            surface_digest(before.surface),
        )
        await local.approve(claimed, after.surface)
        assert local.condition(claimed, "Ready") == ("True", "Active")

    lived()


@pytest.mark.parametrize(
    ("older", "newer", "gone", "come"),
    [
        ("everything-2025", "everything-2026", "longRunningOperation", "trigger-long-running-operation"),
        ("git-2025", "git-2026", None, None),
        ("memory-2025", "memory-2026", None, None),
    ],
)
def test_two_published_versions_of_a_server_differ_as_they_did(
    world: World, older: str, newer: str, gone: str | None, come: str | None
) -> None:
    before, after = world.probe(older), world.probe(newer)
    old = {str(tool["name"]) for tool in before.surface.tools}
    new = {str(tool["name"]) for tool in after.surface.tools}
    assert surface_digest(before.surface) != surface_digest(after.surface)
    assert gone is None or gone in old - new
    assert come is None or come in new - old
    saved = [from_saved(to_saved(probed.surface, probed.identity).encode()) for probed in (before, after)]
    assert worst(compare(*saved)).rank > DriftClass.BENIGN.rank
