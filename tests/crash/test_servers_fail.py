"""Both servers answer what they should not, or nothing, at each request that matters: full recovery comes without
help, nothing is minted twice, and what a person reads says which store it is about."""

from collections.abc import Iterator

import pytest

from adapters.strange_vault import StrangeVault, refusal
from controlplane.waiting import wait_until
from crash.harms import KUBERNETES_HARMS, VAULT_HARMS, kubernetes_troubles, redirect, vault_troubles
from crash.scenarios import FIRST_MINT, unsettled
from crash.troubles import endure
from crash.world import CrashWorld


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[StrangeVault]:
    """Somewhere that no request may ever go."""
    with StrangeVault(lambda seen: refusal(500, "nobody asked you")).serving() as server:
        yield server


def test_whatever_vault_answers_is_told_and_recovered_from(
    world: CrashWorld, elsewhere: StrangeVault
) -> None:
    endured = endure(world, vault_troubles([*VAULT_HARMS, redirect(elsewhere.address)]), print)
    print(*(f"{trouble}: {said}" for trouble, said in endured.told.items()), sep="\n")
    assert [str(each) for each in endured.report.problems] == []
    assert endured.report.errors == []
    assert elsewhere.seen == []


def test_whatever_the_api_server_answers_is_recovered_from(world: CrashWorld) -> None:
    report = endure(world, kubernetes_troubles(KUBERNETES_HARMS), print).report
    assert [str(each) for each in report.problems] == []
    assert report.errors == []


def test_a_watch_that_falls_silent_hides_nothing_for_long(world: CrashWorld) -> None:
    lane = world.lanes[0]
    [subject] = world.subjects("Lease", 1)
    lane.scope, lane.watches_are_silent = subject.scope, True
    operator = world.operator(lane, resync_seconds=2)
    world.claim(subject)
    wait_until(lambda: not unsettled(FIRST_MINT.end, world.find(subject)), 30, "the claim is seen")
    world.delete(subject)
    wait_until(lambda: world.find(subject) is None, 30, "the deletion is seen")
    operator.stop()
    lane.rest()
