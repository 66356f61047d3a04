"""A server that is a command: nobody probes it, and what somebody supplies of it is approved and drifts like
anything else, and never counts as seen."""

from typing import Any

from engine.test_drift import FIRST, HIDING, REWORDED, SOON, Shop
from fakes.world import NAMESPACE
from leasehold.api.connection import DriftLevel, MCPConnection
from leasehold.api.profile import MCPServerProfile, SurfaceSource
from leasehold.core.surface import STDIO_ORIGIN, Identity, Surface, surface_digest
from leasehold.core.surface_saved import to_saved
from objects import a_connection
from virtual_time import in_virtual_time, passing


def saved(surface: Surface) -> str:
    return to_saved(surface, Identity(STDIO_ORIGIN, None))


class Local(Shop):
    """A world whose profile `local` is a command, and a connection to it."""

    def __init__(self, supplied: str | None, **spec: Any) -> None:
        super().__init__()
        wire = self.world.profile.to_wire()
        wire["metadata"] = {"name": "local"}
        wire["spec"] |= {"transport": "Stdio", "command": ["orders-mcp"], "url": None, "probe": None}
        wire["spec"] |= {"suppliedSurface": supplied, **spec}
        self.profile = self.world.people.create(MCPServerProfile.model_validate(wire))

    async def claimed(self) -> MCPConnection:
        await self.world.start()
        spec = {"profile": "local", "output": {"secretName": "local"}}
        claimed = self.world.people.create(a_connection("local", namespace=NAMESPACE, spec=spec))
        await passing(SOON)
        return claimed

    async def supplies(self, text: str | None) -> None:
        self.world.people.change(self.stored, suppliedSurface=text)
        await passing(SOON)

    def says(self, of: MCPConnection | MCPServerProfile, kind: str) -> str:
        found = self.world.people.find(of)
        assert found is not None
        return next(each.message for each in found.status.conditions if each.type == kind)


@in_virtual_time
async def test_what_is_supplied_can_be_approved_and_is_said_to_be_supplied() -> None:
    local = Local(saved(FIRST))
    claimed = await local.claimed()
    assert local.surface.source is SurfaceSource.SUPPLIED
    assert local.surface.digest == surface_digest(FIRST)
    assert local.condition(claimed, "DriftFree") == ("Unknown", "NoApprovedSurface")
    await local.approve(claimed, FIRST)
    assert local.condition(claimed, "DriftFree") == ("True", "Clean")
    assert "supplied since 2026-11-20T12:0" in local.says(claimed, "DriftFree")


@in_virtual_time
async def test_what_is_supplied_never_counts_as_seen() -> None:
    local = Local(saved(FIRST))
    claimed = await local.claimed()
    await local.approve(claimed, FIRST)
    assert local.condition(local.profile, "Reachable") == ("Unknown", "NotProbeable")
    assert local.condition(claimed, "Reachable") == ("Unknown", "NotProbeable")
    assert [each for each in local.catalog.asked if each.url != local.url] == []


@in_virtual_time
async def test_another_supplied_surface_drifts_and_is_restored_by_an_approval() -> None:
    local = Local(saved(FIRST))
    claimed = await local.claimed()
    await local.approve(claimed, FIRST)
    await local.supplies(saved(HIDING))
    drift = local.world.find(claimed).status.drift
    assert drift is not None
    assert drift.level is DriftLevel.HOSTILE
    assert local.condition(claimed, "Ready") == ("False", "Drifted")
    assert not local.world.secret_works("local")
    await local.approve(claimed, HIDING)
    assert local.condition(claimed, "Ready") == ("True", "Active")
    assert local.world.secret_works("local")


@in_virtual_time
async def test_a_supplied_surface_that_goes_back_is_clean_again() -> None:
    local = Local(saved(FIRST))
    claimed = await local.claimed()
    await local.approve(claimed, FIRST)
    await local.supplies(saved(REWORDED))
    assert local.condition(claimed, "DriftFree") == ("False", "Drifted")
    await local.supplies(saved(FIRST))
    assert local.condition(claimed, "DriftFree") == ("True", "Clean")


@in_virtual_time
async def test_an_unfit_one_and_none_are_neither_drift_nor_its_end() -> None:
    local = Local(saved(FIRST))
    claimed = await local.claimed()
    await local.approve(claimed, FIRST)
    await local.supplies(saved(REWORDED))
    drifted = local.world.find(claimed).status.drift
    assert drifted is not None
    await local.supplies(saved(FIRST).replace("Refunds an order.", "Refunds two orders."))
    assert local.condition(local.profile, "Reachable") == ("Unknown", "InvalidSpec")
    assert "was edited" in local.says(local.profile, "Reachable")
    assert local.world.find(claimed).status.drift == drifted
    await local.supplies(None)
    assert local.condition(local.profile, "Reachable") == ("Unknown", "NotProbeable")
    assert local.surface.digest == surface_digest(REWORDED)
    assert local.world.find(claimed).status.drift == drifted


@in_virtual_time
async def test_git_approves_what_is_supplied() -> None:
    local = Local(saved(FIRST), approvedSurface=surface_digest(FIRST))
    claimed = await local.claimed()
    assert local.condition(claimed, "DriftFree") == ("True", "Clean")


@in_virtual_time
async def test_an_event_says_that_a_surface_was_supplied() -> None:
    local = Local(saved(FIRST))
    await local.claimed()
    told = [(reason, text) for _, reason, text in local.world.people.events(local.profile)]
    (text,) = [text for reason, text in told if reason == "Supplied"]
    assert surface_digest(FIRST) in text
