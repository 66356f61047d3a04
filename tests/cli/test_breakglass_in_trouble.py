"""What `leasehold breakglass` does when the API server is played by somebody who loses answers, comes late, or
tells of connections that cannot be ended."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import Commands, Done
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.profile import CredentialType
from objects import NOON, a_connection, a_profile, an_entry

OURS = "/apis/leasehold.dev/v1alpha1"
REVOCATIONS = f"{OURS}/mcprevocations"
ANOTHER = {"user": "bob@example.com", "team": "another"}
Body = dict[str, Any]


class Stage:
    """An API server that holds one revocation; its attributes say how it misbehaves."""

    def __init__(self) -> None:
        self.created: list[Body] = []
        self.connections: list[MCPConnection] = []
        self.profiles: list[Body] = []
        self.loses_answers = 0
        self.refuses_to_know = 0
        self.complete: Body = {
            "status": "True",
            "reason": "Verified",
            "message": "everything is verified dead",
        }

    def answer(self, method: str, path: str, body: Body | None) -> tuple[int, Body]:
        if path.endswith("selfsubjectreviews"):
            if self.refuses_to_know:
                self.refuses_to_know -= 1
                return 503, {}
            return 201, {"status": {"userInfo": {"username": "security"}}}
        if method == "POST":
            assert body is not None
            if self.created:
                return 409, {"kind": "Status", "reason": "AlreadyExists"}
            self.created.append(
                {**body, "metadata": {**body["metadata"], "uid": "u1", "resourceVersion": "1"}}
            )
            return 201, self.created[0]
        if path.startswith(f"{REVOCATIONS}/"):
            condition = {"type": "Complete", "lastTransitionTime": "2026-11-20T12:00:00Z", **self.complete}
            return 200, {
                **self.created[0],
                "status": {"conditions": [condition], "matched": len(self.connections)},
            }
        kinds = {
            "mcpconnections": [each.to_wire() for each in self.connections],
            "mcpserverprofiles": self.profiles,
        }
        items = kinds.get(path.rpartition("/")[2], [])
        return 200, {"items": items}

    def handler(self) -> type[BaseHTTPRequestHandler]:
        stage = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Silent."""

            def _serve(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                status, body = stage.answer(self.command, path, json.loads(text) if text else None)
                if self.command == "POST" and path == REVOCATIONS and stage.loses_answers:
                    stage.loses_answers -= 1
                    self.close_connection = True
                    self.connection.close()
                    return
                encoded = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            do_GET = do_POST = _serve  # noqa: N815

        return Handler


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def commands(stage: Stage, tmp_path: Path) -> Iterator[Commands]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), stage.handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c"}}],
        "current-context": "prod",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    yield Commands(tmp_path / "config")
    server.shutdown()
    server.server_close()


def thrown(commands: Commands, *words: str) -> tuple[Done, Body]:
    done = commands.run(
        "breakglass", "--profile", "orders-read", "--reason", "a leak", "--yes", "-o", "json", *words
    )
    (row,) = json.loads(done.out)
    return done, row


@pytest.mark.parametrize(
    ("typed", "created"), [("orders-read\n", 1), (" orders-read \n", 1), ("yes\n", 0), ("\n", 0), ("", 0)]
)
def test_nothing_is_created_unless_the_target_is_typed(
    stage: Stage, commands: Commands, typed: str, created: int
) -> None:
    stage.connections = [a_connection("meant"), a_connection("not-meant", spec={"profile": "another"})]
    done = commands.run("breakglass", "--profile", "orders-read", "--reason", "a leak", stdin=typed)
    assert len(stage.created) == created
    assert (done.status == 0) is bool(created), done.err
    assert "prod: 1 connection matches now" in done.err
    assert "not-meant" not in done.err


def test_a_vendor_means_who_remembers_it_and_who_may_match_unseen_is_counted(
    stage: Stage, commands: Commands
) -> None:
    def of(name: str, profile: str, vendor: str | None = None) -> MCPConnection:
        return a_connection(name, spec={"profile": profile}, status={"server": {"vendor": vendor}})

    registered = a_profile().to_wire()
    registered["spec"]["vendor"] = "Example Inc"
    newer = {"metadata": {"name": "newer", "uid": "u2", "resourceVersion": "2"}, "spec": {"url": 7}}
    stage.profiles = [registered, {**registered, **newer}]
    stage.connections = [
        of("by-profile", "orders-read"),
        of("by-memory", "deleted", "Example Inc"),
        of("by-memory-unread", "newer", "Example Inc"),
        of("perhaps", "newer"),
        of("another-word", "newer", "Another Inc"),
        of("not-meant", "deleted", "Another Inc"),
    ]
    done = commands.run("breakglass", "--vendor", "Example Inc", "--reason", "a leak", stdin="Example Inc\n")
    assert [each["spec"]["target"] for each in stage.created] == [{"vendor": "Example Inc"}], done.err
    assert "prod: 3 connections match now" in done.err
    assert "prod: 2 more may match as well: this version cannot read their profiles" in done.err
    shown = [name for each in stage.connections if f" {(name := each.metadata.name)} " in done.err]
    assert shown == ["by-profile", "by-memory", "by-memory-unread"]


def test_who_may_match_is_not_counted_where_the_target_is_known_without_a_profile(
    stage: Stage, commands: Commands
) -> None:
    stage.profiles = [{**a_profile().to_wire(), "spec": {"url": 7}}]
    stage.connections = [a_connection("meant"), a_connection("not-meant", spec={"owner": ANOTHER})]
    done = commands.run("breakglass", "--team", "support-platform", "--reason", "a leak", stdin="")
    assert "prod: 1 connection matches now" in done.err
    assert "may match" not in done.err


@pytest.mark.parametrize("lost", [0, 1])
def test_a_revocation_whose_answer_was_lost_is_found_and_is_not_created_twice(
    stage: Stage, commands: Commands, lost: int
) -> None:
    stage.loses_answers = lost
    stage.connections = [a_connection()]
    done, row = thrown(commands)
    assert (done.status, row["complete"]) == (0, "Verified"), done.err
    assert [each["metadata"]["name"] for each in stage.created] == [row["revocation"]]
    assert stage.created[0]["spec"]["requestedBy"] == "security"


def test_a_name_that_somebody_else_has_taken_is_a_failure(stage: Stage, commands: Commands) -> None:
    other = {"target": {"profile": "another"}, "reason": "theirs", "requestedBy": "bob"}
    metadata = {"name": "stop", "uid": "u0", "resourceVersion": "1"}
    stage.created = [
        {"apiVersion": "leasehold.dev/v1alpha1", "kind": "MCPRevocation", "metadata": metadata, "spec": other}
    ]
    done, row = thrown(commands, "--name", "stop")
    assert (done.status, row["complete"]) == (1, "failed")
    assert "the name is taken" in row["message"]


def test_a_cluster_that_comes_late_is_told_all_the_same(stage: Stage, commands: Commands) -> None:
    stage.refuses_to_know = 1
    second = yaml.safe_load(commands.kubeconfig.read_text())
    second["contexts"].append({"name": "again", "context": {"cluster": "c"}})
    commands.kubeconfig.write_text(yaml.safe_dump(second))
    words = ("breakglass", "--profile", "orders-read", "--reason", "a leak", "--yes", "-o", "json")
    done = commands.run(*words, "--context", "prod", "--context", "again")
    assert done.err.count("not known what matches") == 1
    assert {each["complete"] for each in json.loads(done.out)} == {"Verified"}


def test_what_is_not_dead_is_named_with_until_when(stage: Stage, commands: Commands) -> None:
    soon, later = NOON + timedelta(days=3000), NOON + timedelta(days=4000)
    hold = {"uid": "u1", "revocation": "r", "sinceTime": NOON, "onLift": "RequireReview"}

    def left(name: str, profile: str = "orders-read", **status: Any) -> MCPConnection:
        return a_connection(name, spec={"profile": profile}, status=status)

    revoking = an_entry(1, EntryState.REVOKING, expiry_time=soon).to_wire()
    static = an_entry(2, EntryState.REVOKING, type=CredentialType.STATIC).to_wire()
    stage.connections = [
        left("dead"),
        left("revoking", ledger=[revoking]),
        left("static", ledger=[revoking, static]),
        left("certificate", residualExposureUntil=later),
        left("over", residualExposureUntil=NOON - timedelta(days=3000)),
        left("let-go", holds=[{**hold, "withoutEnd": True}]),
        left("edited-since", profile="another", holds=[hold], ledger=[revoking]),
        left("not-meant", profile="another", ledger=[revoking]),
    ]
    stage.complete = {"status": "True", "reason": "ResidualExposure", "message": "something may still work"}
    done, row = thrown(commands)
    assert (done.status, row["complete"]) == (3, "ResidualExposure")
    header, *lines = done.err.split("not dead:\n")[1].splitlines()
    assert header.split() == ["CLUSTER", "CONNECTION", "MAY-WORK-UNTIL", "WHY"]
    assert {line.split()[1]: " ".join(line.split()[2:-1]) for line in lines} == {
        "support/revoking": "2035-02-06T12:00:00Z",
        "support/static": "nobody can say",
        "support/certificate": "2037-11-02T12:00:00Z",
        "support/let-go": "nobody can say",
        "support/edited-since": "2035-02-06T12:00:00Z",
    }


def test_what_takes_longer_than_the_bound_is_said_and_is_a_finding(stage: Stage, commands: Commands) -> None:
    stage.connections = [a_connection()]
    stage.complete = {
        "status": "False",
        "reason": "Sealed",
        "message": "1 cannot be ended yet: Vault is sealed",
    }
    done, row = thrown(commands, "--timeout", "0.1")
    assert (done.status, row["complete"]) == (3, "Sealed")
    assert row["message"] == "1 cannot be ended yet: Vault is sealed"
    assert done.err.count("Vault is sealed") == 1
