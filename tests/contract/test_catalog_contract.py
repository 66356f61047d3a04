"""What every `ports.Catalog` does: in memory, and over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from adapters.mcp_stage import CAPABILITIES, HANDSHAKE, IMPATIENT, INFO, LISTS, Stage, handshake
from fakes.catalog import FakeCatalog
from leasehold.adapters.mcp import McpCatalog
from leasehold.adapters.mcp_addresses import AddressPolicy
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater
from leasehold.core.probe import ProbeTarget
from leasehold.core.surface import Surface
from leasehold.ports import Catalog

T = TypeVar("T")
Scenario = Callable[[Catalog, str], Awaitable[T]]

EXPOSED = Surface(
    era=HANDSHAKE,
    server_info=dict(INFO),
    capabilities=dict(CAPABILITIES),
    instructions="Sells things.",
    tools=tuple(LISTS["tools/list"]["tools"]),
    prompts=tuple(LISTS["prompts/list"]["prompts"]),
    resource_templates=tuple(LISTS["resources/templates/list"]["resourceTemplates"]),
)
NOBODY = "http://127.0.0.1:9/mcp"


class InMemory:
    def run(self, scenario: Scenario[T]) -> T:
        catalog = FakeCatalog()
        url = "http://127.0.0.1:8000/mcp"
        catalog.servers[url] = EXPOSED
        return asyncio.run(_awaited(scenario(catalog, url)))


class OverSockets:
    def run(self, scenario: Scenario[T]) -> T:
        async def staged() -> T:
            async with Stage(handshake()).open() as stage:
                return await scenario(McpCatalog(AddressPolicy(allow_loopback=True), IMPATIENT), stage.url)

        return asyncio.run(staged())


async def _awaited(result: Awaitable[T]) -> T:
    return await result


@pytest.fixture(params=[InMemory, OverSockets])
def world(request: pytest.FixtureRequest) -> InMemory | OverSockets:
    made: InMemory | OverSockets = request.param()
    return made


def test_a_surface_comes_as_it_was_exposed(world: InMemory | OverSockets) -> None:
    async def read(catalog: Catalog, url: str) -> tuple[Surface, str, str | None]:
        probed = await catalog.probe(ProbeTarget(url))
        assert url.startswith(probed.identity.origin + "/")
        return probed.surface, probed.identity.origin, probed.identity.tls_issuer

    surface, origin, issuer = world.run(read)
    assert surface == EXPOSED
    assert origin.startswith("http://127.0.0.1:")
    assert issuer is None


def test_whoever_is_not_there_is_unreachable(world: InMemory | OverSockets) -> None:
    async def read(catalog: Catalog, _: str) -> Reason:
        with pytest.raises(TryLater) as fault:
            await catalog.probe(ProbeTarget(NOBODY))
        return fault.value.reason

    assert world.run(read) is Reason.UNREACHABLE
