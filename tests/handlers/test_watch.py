"""The watches against a real API server, with the operator's own rights."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from contract.worlds import RealPeople
from controlplane import Plane
from controlplane.waiting import wait_until
from handlers.cutter import Cutter
from handlers.told import SECONDS, Told
from leasehold.api.connection import MCPConnection
from leasehold.api.store import MCPCredentialStore
from objects import a_connection
from shipped import operator_token, shipped

Started = Callable[..., Told]


@pytest.fixture(scope="module")
def people(plane: Plane) -> Iterator[RealPeople]:
    with shipped(plane):
        yield RealPeople(plane)


@pytest.fixture
def kubeconfig(people: RealPeople, tmp_path: Path) -> str:
    """The operator's, as a file with a token file beside it."""
    return _kubeconfig(people.plane, tmp_path, people.plane.apiserver.url)


@pytest.fixture
def started() -> Iterator[Started]:
    running: list[Told] = []

    def start(kubeconfig: str, *namespaces: str) -> Told:
        running.append(Told(kubeconfig, *namespaces))
        return running[-1]

    yield start
    for told in running:
        told.end()


def _kubeconfig(plane: Plane, directory: Path, server: str) -> str:
    (directory / "token").write_text(operator_token(plane))
    config = {
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": server, "certificate-authority": str(plane.apiserver.ca_path)},
            }
        ],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = directory / "kubeconfig.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def a_store(people: RealPeople, name: str) -> MCPCredentialStore:
    spec = {"address": "https://vault.example.com", "auth": {"mount": "jwt"}}
    people.plane.kubectl("delete", "--ignore-not-found", "mcpcredentialstores", name)
    return people.create(MCPCredentialStore.model_validate({"metadata": {"name": name}, "spec": spec}))


def test_what_was_there_is_told_first_and_then_every_change(
    people: RealPeople, kubeconfig: str, started: Started
) -> None:
    connection = people.create(a_connection(namespace=people.namespace()))
    store = a_store(people, "watched")
    told = started(kubeconfig)
    told.waits_for(connection, None)
    told.waits_for(store, None)
    later = people.create(a_connection(namespace=people.namespace()))
    told.waits_for(later, "ADDED")
    people.edit(connection)
    told.waits_for(connection, "MODIFIED")
    people.delete(later)
    told.waits_for(later, "DELETED")
    assert told.failures == []
    assert told.wrong_thread == []


def test_with_namespaces_what_is_in_others_is_not_told(
    people: RealPeople, kubeconfig: str, started: Started
) -> None:
    inside = people.create(a_connection(namespace=people.namespace()))
    also_inside = people.create(a_connection(namespace=people.namespace()))
    outside = people.create(a_connection(namespace=people.namespace()))
    store = a_store(people, "watched-everywhere")
    given = (inside.metadata.namespace, also_inside.metadata.namespace)
    told = started(kubeconfig, *given)
    for each in (inside, also_inside, store):
        told.waits_for(each, None)
    people.edit(outside)
    for each in (inside, also_inside):
        people.edit(each)
        told.waits_for(each, "MODIFIED")
    assert told.last(outside) == "silence"
    assert told.failures == []


def test_a_namespace_that_is_gone_hides_none_of_the_others(
    people: RealPeople, kubeconfig: str, started: Started
) -> None:
    inside = people.create(a_connection(namespace=people.namespace()))
    going = people.namespace()
    people.terminate(going)
    told = started(kubeconfig, "never-there", inside.metadata.namespace, going)
    told.waits_for(inside, None)
    people.edit(inside)
    told.waits_for(inside, "MODIFIED")
    assert told.failures == []


def test_without_any_of_its_namespaces_it_waits_for_one(
    people: RealPeople, kubeconfig: str, started: Started
) -> None:
    told = started(kubeconfig, "not-there-yet")
    wait_until(lambda: told.failures, SECONDS, "the missing namespaces are reported")
    assert "not-there-yet" in str(told.failures[0])
    people.plane.kubectl("create", "namespace", "not-there-yet")
    connection = people.create(a_connection(namespace="not-there-yet"))
    told.waits_for(connection, None, "ADDED")


def test_nothing_is_written_into_what_is_watched(
    people: RealPeople, kubeconfig: str, started: Started
) -> None:
    connection = people.create(a_connection(namespace=people.namespace()))
    told = started(kubeconfig)
    told.waits_for(connection, None)
    people.edit(connection)
    told.waits_for(connection, "MODIFIED")
    edited = people.find(connection)
    people.edit(connection)
    wait_until(lambda: _count(told, connection) >= 3, SECONDS, "the second edit is told")
    found = people.find(connection)
    assert edited is not None
    assert found is not None
    assert found.metadata.annotations == connection.metadata.annotations
    assert found.metadata.finalizers == ()
    assert found.status == connection.status


def test_nobody_hides_an_object_behind_annotations_of_the_library(
    people: RealPeople, kubeconfig: str, started: Started
) -> None:
    broken = {"kopf.zalando.org/last-handled-configuration": "{"}
    connection = people.create(a_connection(namespace=people.namespace(), metadata={"annotations": broken}))
    told = started(kubeconfig)
    told.waits_for(connection, None)
    people.edit(connection)
    told.waits_for(connection, "MODIFIED")


def test_changes_are_told_after_the_api_server_was_away(
    people: RealPeople, kubeconfig: str, started: Started
) -> None:
    before = people.create(a_connection(namespace=people.namespace()))
    told = started(kubeconfig)
    told.waits_for(before, None)
    people.plane.apiserver.restart()
    people.edit(before)
    told.waits_for(before, "MODIFIED", None)
    wait_until(lambda: told.labelled(before), SECONDS, "the edit itself is told")
    after = people.create(a_connection(namespace=people.namespace()))
    told.waits_for(after, "ADDED", None)


def test_a_watch_that_ends_with_an_error_is_begun_anew_and_reported(
    people: RealPeople, tmp_path: Path, started: Started
) -> None:
    with Cutter(people.plane) as cutter:
        connection = people.create(a_connection(namespace=people.namespace()))
        told = started(_kubeconfig(people.plane, tmp_path, cutter.url))
        told.waits_for(connection, None)
        cutter.end_watches_with_an_error()
        wait_until(lambda: told.failures, SECONDS, "the failure is reported")
        assert told.watcher.alive
        people.edit(connection)
        wait_until(lambda: told.labelled(connection), SECONDS, "the edit is told")


def test_it_stops_while_the_api_server_is_away_and_leaves_no_thread(
    people: RealPeople, tmp_path: Path
) -> None:
    with Cutter(people.plane) as cutter:
        connection = people.create(a_connection(namespace=people.namespace()))
        told = Told(_kubeconfig(people.plane, tmp_path, cutter.url))
        told.waits_for(connection, None)
    told.end()
    assert not told.watcher.alive
    assert set(threading.enumerate()) <= told.threads_before


def test_it_waits_for_kinds_that_are_not_installed_yet(
    people: RealPeople, tmp_path: Path, started: Started
) -> None:
    connection = people.create(a_connection(namespace=people.namespace()))
    with Cutter(people.plane) as cutter:
        cutter.kinds_are_hidden = True
        told = started(_kubeconfig(people.plane, tmp_path, cutter.url))
        wait_until(lambda: told.failures, SECONDS, "the missing kinds are reported")
        assert "mcpconnections" in str(told.failures[0])
        cutter.kinds_are_hidden = False
        told.waits_for(connection, None)


def test_a_token_that_was_replaced_in_its_file_is_used(
    people: RealPeople, tmp_path: Path, started: Started
) -> None:
    connection = people.create(a_connection(namespace=people.namespace()))
    kubeconfig = _kubeconfig(people.plane, tmp_path, people.plane.apiserver.url)
    (tmp_path / "token").write_text("expired")
    told = started(kubeconfig)
    wait_until(lambda: told.failures, SECONDS, "the refused login is reported")
    (tmp_path / "token").write_text(operator_token(people.plane))
    told.waits_for(connection, None)


def _count(told: Told, connection: MCPConnection) -> int:
    return sum(event.body["metadata"]["uid"] == connection.metadata.uid for event in told.events)
