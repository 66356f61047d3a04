"""A kubeconfig means here what it means to kubectl."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from leasehold.adapters.cluster_kubeconfig import context_names, kubeconfig_files, read_context
from leasehold.adapters.cluster_login import Connection
from leasehold.core.faults import NeedsPerson


def written(path: Path, *contexts: str, current: str | None = None, **user: Any) -> Path:
    """A kubeconfig with a cluster and a user for each context, named like it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "clusters": [
            {"name": each, "cluster": {"server": f"https://{path.stem}-{each}.example/"}} for each in contexts
        ],
        "users": [{"name": each, "user": user or {"token": f"t-{each}"}} for each in contexts],
        "contexts": [
            {"name": each, "context": {"cluster": each, "user": each, "namespace": f"ns-{each}"}}
            for each in contexts
        ],
    }
    path.write_text(yaml.safe_dump(config if current is None else {**config, "current-context": current}))
    return path


def connected(path: Path, context: str | None = None) -> tuple[str, str | None]:
    """The server, and what is said to it of who we are."""

    async def connect() -> tuple[str, str | None]:
        connection = await Connection.from_context(read_context([path], context))
        return connection.host, await connection.authorization()

    return asyncio.run(connect())


def test_the_option_wins_over_the_variable_and_that_over_home(tmp_path: Path) -> None:
    variable = {"KUBECONFIG": os.pathsep.join(["/a", "", "/b"])}
    assert kubeconfig_files(tmp_path, variable) == [tmp_path]
    assert kubeconfig_files(None, variable) == [Path("/a"), Path("/b")]
    assert kubeconfig_files(None, {}) == [Path.home() / ".kube" / "config"]


def test_of_several_files_the_first_that_says_something_is_believed(tmp_path: Path) -> None:
    first = written(tmp_path / "first", "a", "both")
    second = written(tmp_path / "second", "b", "both", current="b")
    third = written(tmp_path / "third", "c", current="c")
    files = [first, tmp_path / "missing", second, third]
    assert read_context(files).name == "b"
    both = read_context(files, "both")
    assert both.namespace == "ns-both"
    assert both.config["clusters"][0]["cluster"]["server"] == "https://first-both.example/"
    assert context_names(files) == ["a", "b", "both", "c"]


def test_a_context_without_a_namespace_means_default(tmp_path: Path) -> None:
    config = yaml.safe_load(written(tmp_path / "one", "a").read_text())
    del config["contexts"][0]["context"]["namespace"]
    (tmp_path / "one").write_text(yaml.safe_dump(config))
    assert read_context([tmp_path / "one"], "a").namespace == "default"


def test_a_context_is_connected_as_its_own_user(tmp_path: Path) -> None:
    path = written(tmp_path / "one", "a", "b", current="a")
    assert connected(path) == ("https://one-a.example", "Bearer t-a")
    assert connected(path, "b") == ("https://one-b.example", "Bearer t-b")


def test_paths_are_relative_to_the_file_in_which_they_stand(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    path = written(folder / "one", "a", current="a", tokenFile="token")
    (folder / "token").write_text("from-a-file")
    assert connected(path)[1] == "Bearer from-a-file"


def test_a_login_program_is_run(tmp_path: Path) -> None:
    login = tmp_path / "login"
    login.write_text(
        "#!/bin/sh\n"
        'echo \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
        ' "status": {"token": "\'"$WHO"\'"}}\'\n'
    )
    login.chmod(0o755)
    program = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./login",
        "env": [{"name": "WHO", "value": "alice"}],
    }
    path = written(tmp_path / "one", "a", current="a", exec=program)
    assert connected(path)[1] == "Bearer alice"


@pytest.mark.parametrize("command", ["false", "leasehold-no-such-program"])
def test_a_login_program_that_fails_is_a_fault_and_not_nobody(
    tmp_path: Path, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": command}
    path = written(tmp_path / "one", "a", current="a", exec=program)
    with pytest.raises(NeedsPerson, match=r"context a of the kubeconfig: .*(returned 1|No such file)"):
        connected(path)
    assert caplog.messages == []


def test_contexts_that_log_in_at_once_do_not_take_each_others_failure(tmp_path: Path) -> None:
    def of(name: str, command: str, *arguments: str) -> Path:
        program = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": command,
            "args": list(arguments),
        }
        return written(tmp_path / name, name, current=name, exec=program)

    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "alice"},
    }
    paths = [
        of("a", "false"),
        of("b", "sh", "-c", f"echo '{json.dumps(credential)}'"),
        of("c", "sh", "-c", "exit 3"),
    ]

    async def all_at_once() -> list[Any]:
        attempts = (Connection.from_context(read_context([path])) for path in paths)
        return await asyncio.gather(*attempts, return_exceptions=True)

    first, second, third = asyncio.run(all_at_once())
    assert isinstance(first, NeedsPerson)
    assert "context a of the kubeconfig: exec: process returned 1" in first.message
    assert isinstance(second, Connection)
    assert isinstance(third, NeedsPerson)
    assert "context c of the kubeconfig: exec: process returned 3" in third.message


@pytest.mark.parametrize(
    ("text", "context", "words"),
    [
        ("a: [", None, "cannot be read"),
        ("[]", None, "no kubeconfig"),
        ("", None, "no context is in there"),
        ("contexts: [{name: a, context: {cluster: c}}]", None, "no current context"),
        ("contexts: [{name: a, context: {cluster: c}}]", "b", "there is no context b; there are a"),
        ("contexts: [{name: a, context: {cluster: c}}]", "a", "names a cluster that is not there: c"),
        ("contexts: {a: b}", "a", "not a list of entries"),
        (
            "{clusters: [{name: c, cluster: {server: https://x}}], users: [{name: u, user: {as: bob}}],"
            " contexts: [{name: a, context: {cluster: c, user: u}}]}",
            "a",
            "impersonates",
        ),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, text: str, context: str | None, words: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(NeedsPerson, match=words):
        read_context([tmp_path / "config"], context)


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(NeedsPerson, match=r"no such file; name a kubeconfig with --kubeconfig or KUBECONFIG"):
        read_context([tmp_path / "none"])


def test_a_file_that_is_missing_for_a_certificate_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "one", "a", current="a", **{"client-certificate": "none.pem"})
    with pytest.raises(NeedsPerson, match=r"none\.pem"):
        connected(path)
