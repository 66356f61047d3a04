"""A connection that is let go of: what was proven dead is not ended again, and what was given up stays given up,
even where the watch tells of the deletion before our own request is answered."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fakes.world import World
from leasehold.api.names import ABANDON_ANNOTATION
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater
from leasehold.ports import Cluster, Vault
from virtual_time import in_virtual_time, passing


class LateAnswers:
    """The cluster, which answers a release after its watch has told of what came of it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, method: str) -> Any:
        carried_out: Callable[..., Awaitable[Any]] = getattr(self._world.cluster, method)
        if method != "remove_finalizer":
            return carried_out

        async def late(*args: Any) -> None:
            await carried_out(*args)
            await passing(1)

        return late


class Counted:
    """The Vault, and how often each of its methods was called."""

    def __init__(self, world: World) -> None:
        self.calls: Counter[str] = Counter()
        self._world = world

    def __getattr__(self, method: str) -> Any:
        self.calls[method] += 1
        return getattr(self._world.vault, method)


@in_virtual_time
async def test_what_was_proven_dead_is_not_ended_again() -> None:
    world = World()
    vault = Counted(world)
    await world.start(cast(Cluster, LateAnswers(world)), cast(Vault, vault))
    connection = world.claim()
    await passing(2)
    world.people.delete(connection)
    await passing(60)
    assert world.people.find(connection) is None
    assert world.leases() == []
    assert vault.calls["revoke_accessor"] == 1


@in_virtual_time
async def test_what_was_given_up_is_left_alone() -> None:
    world = World()
    vault = Counted(world)
    await world.start(cast(Cluster, LateAnswers(world)), cast(Vault, vault))
    connection = world.claim()
    await passing(2)
    world.vault.fail("revoke_accessor", TryLater(Reason.UNREACHABLE, "it burnt down"), times=1000)
    world.people.delete(connection)
    await passing(2)
    stored = world.find(connection)
    annotations = {ABANDON_ANNOTATION: "that Vault burnt down"}
    world.cluster.store(
        stored.model_copy(
            update={"metadata": stored.metadata.model_copy(update={"annotations": annotations})}
        )
    )
    await passing(60)
    assert world.people.find(connection) is None
    before = vault.calls["revoke_accessor"]
    await passing(600)
    assert vault.calls["revoke_accessor"] == before
