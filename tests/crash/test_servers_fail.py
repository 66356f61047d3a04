"""Both servers answer what they should not, or nothing, at each request that matters: full recovery comes without
help, nothing is minted twice, and what a person reads says which store it is about."""

from collections.abc import Iterator

import pytest

from adapters.strange_vault import StrangeVault, refusal
from crash.harms import (
    KUBERNETES_HARMS,
    LASTING_KUBERNETES_HARMS,
    VAULT_HARMS,
    kubernetes_troubles,
    lasting_kubernetes_troubles,
    redirect,
    vault_troubles,
)
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
    troubles = kubernetes_troubles(KUBERNETES_HARMS) + lasting_kubernetes_troubles(LASTING_KUBERNETES_HARMS)
    endured = endure(world, troubles, print)
    print(*(f"{trouble}: {said}" for trouble, said in endured.told.items()), sep="\n")
    assert [str(each) for each in endured.report.problems] == []
    assert endured.report.errors == []
