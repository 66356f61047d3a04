"""A cluster as it is shipped, with people in it who hold one role each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bindings import bind, may, unbind_everywhere
from commands import Commands, door, write_contexts
from contract.worlds import RealPeople
from controlplane import Plane
from controlplane.waiting import wait_until
from shipped import shipped

USERS = ("alice", "security", "security-deputy", "bob", "admin")


@pytest.fixture(scope="module")
def people(plane: Plane) -> Iterator[RealPeople]:
    """Security and its deputy may stop and lift; bob may do nothing; whoever else binds roles takes them back."""
    with shipped(plane):
        for role in ("leasehold-breakglass", "leasehold-lift"):
            bind(plane, role, "security", "security-deputy")
        for user, verb in (("security", "breakglass"), ("security-deputy", "lift")):
            wait_until(lambda: may(plane, user, verb, "mcprevocations"), 30, f"{user} may {verb}")  # noqa: B023
        yield RealPeople(plane)
        RealPeople(plane).remove_revocations()
        unbind_everywhere(plane)


@pytest.fixture(scope="module")
def namespace(people: RealPeople) -> str:
    """A team's namespace, which alice may view."""
    name = people.namespace()
    bind(people.plane, "view", "alice", namespace=name)
    wait_until(lambda: may(people.plane, "alice", "list", "mcpconnections", name), 30, "alice may view")
    return name


@pytest.fixture(scope="module")
def commands(people: RealPeople, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A kubeconfig with a context for everybody, of whom alice comes first; all are in the team's namespace."""
    path: Path = tmp_path_factory.mktemp("people") / "config"
    return Commands(write_contexts(path, {user: door(people.plane, user, namespace) for user in USERS}))
