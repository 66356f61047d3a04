"""The commands at a real API server, in the hands of people with the shipped roles and of those without. Nobody
runs an operator here."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import Commands, Done
from contract.worlds import RealPeople
from controlplane.child import clean_environment
from controlplane.waiting import wait_until
from leasehold.api.base import ObjectMeta
from leasehold.api.revocation import MCPRevocation
from objects import a_connection, a_profile
from shipped import MANIFESTS

QUICK = ("--timeout", "1")
PROFILE = "cli-orders-read"


@pytest.fixture(scope="module")
def claimed(people: RealPeople, namespace: str) -> Iterator[str]:
    """Two connections of the team, one of them labelled; the name of the namespace."""
    people.create(
        a_connection("cli-orders", namespace=namespace, labels={"tier": "gold"}, spec={"profile": PROFILE})
    )
    people.create(
        a_connection("cli-wiki", namespace=namespace, spec={"owner": {"user": "carol", "team": "wiki"}})
    )
    yield namespace
    people.plane.kubectl("delete", "mcpconnections", "--all", f"--namespace={namespace}")


@pytest.fixture
def revocation(people: RealPeople, commands: Commands) -> str:
    """A revocation that security has created; its name."""
    target = ("--connection", "cli-nobody/none", "--context", "security", "--yes", *QUICK)
    done = commands.run("breakglass", "--reason", "for a test", "-o", "json", *target)
    (row,) = json.loads(done.out)
    return str(row["revocation"])


def stored(people: RealPeople, name: str) -> MCPRevocation:
    body = people.plane.kubectl("get", "mcprevocation", name, "--output=json").stdout
    return MCPRevocation.model_validate_json(body)


def revocations(people: RealPeople) -> set[str]:
    return set(people.plane.kubectl("get", "mcprevocations", "--output=name").stdout.split())


def names(done: Done) -> list[str]:
    assert done.status == 0, done.err
    return [each["name"] for each in json.loads(done.out)]


def test_a_team_lists_its_connections_in_the_namespace_of_its_context(
    commands: Commands, claimed: str
) -> None:
    assert names(commands.run("list", "-o", "json")) == ["cli-orders", "cli-wiki"]
    assert names(commands.run("list", "-o", "json", "-l", "tier=gold")) == ["cli-orders"]
    assert names(commands.run("list", "-o", "json", "-l", "tier!=gold")) == ["cli-wiki"]


def test_every_format_has_the_same_rows(commands: Commands, claimed: str) -> None:
    rows = json.loads(commands.run("list", "-o", "json").out)
    assert yaml.safe_load(commands.run("list", "-o", "yaml").out) == rows
    table = commands.run("list").out.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [[claimed, "cli-orders"], [claimed, "cli-wiki"]]
    wide = commands.run("list", "-o", "wide").out.splitlines()
    assert wide[0].split()[: len(table[0].split())] == table[0].split()
    written = list(csv.DictReader(io.StringIO(commands.run("list", "-o", "csv").out)))
    assert [{key: value or None for key, value in row.items()} for row in written] == rows


def test_the_whole_cluster_is_for_those_who_may(commands: Commands, claimed: str) -> None:
    refused = commands.run("list", "-A")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.count("\n") == 1
    assert 'User "alice" cannot list resource "mcpconnections"' in refused.err
    found = json.loads(commands.run("list", "-A", "-o", "json", "--context", "admin").out)
    assert {claimed} <= {each["namespace"] for each in found}


def test_no_connection_is_said_and_is_no_failure(commands: Commands, people: RealPeople) -> None:
    empty = people.namespace()
    done = commands.run("list", "-n", empty, "--context", "admin")
    assert (done.status, done.out) == (0, "")
    assert f"no connection in namespace {empty}" in done.err
    assert names(commands.run("list", "-n", empty, "--context", "admin", "-o", "json")) == []


def test_a_selector_that_is_none_is_one_sentence(commands: Commands) -> None:
    done = commands.run("list", "-l", "a b")
    assert (done.status, done.out) == (1, "")
    assert "400" in done.err


def test_a_team_sees_one_connection_on_one_screen(commands: Commands, claimed: str) -> None:
    done = commands.run("status", "cli-wiki")
    assert done.status == 0, done.err
    assert done.out.startswith(f"{claimed}/cli-wiki: not known to the operator")
    assert "carol" in done.out
    named = commands.run("status", f"{claimed}/cli-wiki", "-n", "default")
    assert named.out.startswith(f"{claimed}/cli-wiki: not known to the operator")
    on_call = commands.run("status", "cli-wiki", "--context", "security")
    assert on_call.status == 0, on_call.err
    assert 'User "security" cannot list resource "mcpconnectionreviews"' in on_call.out
    gone = commands.run("status", "cli-none")
    assert (gone.status, gone.out) == (1, "")
    assert gone.err == f"There is no MCPConnection cli-none in namespace {claimed}.\n"


@pytest.mark.parametrize("words", [("list",), ("status", "x"), ("doctor",)])
def test_a_server_that_is_not_there_and_a_token_that_is_not_known_are_one_sentence(
    commands: Commands, tmp_path: Path, words: tuple[str, ...]
) -> None:
    config = yaml.safe_load(commands.kubeconfig.read_text())
    for user in config["users"]:
        user["user"]["token"] = "nobody's"
    (tmp_path / "stranger").write_text(yaml.safe_dump(config))
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "away").write_text(yaml.safe_dump(config))
    for name, said in (("stranger", "does not know us"), ("away", "cannot be reached")):
        done = commands.run(*words, "--kubeconfig", str(tmp_path / name))
        assert (done.status, done.out) == (1, "")
        assert said in done.err
        assert done.err.count("\n") == 1


def test_breakglass_shows_what_matches_and_does_nothing_until_the_target_is_typed(
    commands: Commands, people: RealPeople, claimed: str
) -> None:
    before = revocations(people)
    words = ("breakglass", "--reason", "a leak", "--context", "security", "-n", claimed, *QUICK)
    for typed in ("yes\n", "\n", ""):
        refused = commands.run(*words, stdin=typed)
        assert (refused.status, refused.out) == (1, "")
        assert "nothing was stopped" in refused.err
    assert revocations(people) == before
    assert "security: 2 connections match now" in refused.err
    for name in ("cli-orders", "cli-wiki"):
        assert name in refused.err


def test_breakglass_records_who_why_and_which_incident_and_says_that_nobody_took_it_up(
    commands: Commands, people: RealPeople, claimed: str
) -> None:
    words = [
        "breakglass",
        "--connection",
        f"{claimed}/cli-orders",
        "--reason",
        "a leak",
        "--incident",
        "INC 4711",
    ]
    done = commands.run(
        *words,
        "-o",
        "json",
        "--on-lift",
        "Resume",
        "--context",
        "security",
        *QUICK,
        stdin=f"{claimed}/cli-orders\n",
    )
    (row,) = json.loads(done.out)
    assert (done.status, row["complete"], row["context"]) == (3, "not taken up", "security")
    assert row["revocation"].startswith("inc-4711-")
    spec = stored(people, row["revocation"]).spec
    assert spec.to_wire() == {
        "target": {"connection": f"{claimed}/cli-orders"},
        "reason": "a leak",
        "requestedBy": "security",
        "incident": "INC 4711",
        "onLift": "Resume",
    }


def test_who_may_not_break_glass_is_told_so_in_the_servers_words(
    commands: Commands, people: RealPeople, claimed: str
) -> None:
    before = revocations(people)
    done = commands.run(
        "breakglass", "--reason", "mischief", "-n", claimed, "--context", "bob", "--yes", *QUICK
    )
    assert done.status == 1
    assert "bob: not known what matches" in done.err
    assert "cannot create resource" in done.out
    assert revocations(people) == before


def test_a_target_is_matched_by_the_url_of_the_registered_profile(
    commands: Commands, people: RealPeople, claimed: str
) -> None:
    people.create(a_profile().model_copy(update={"metadata": ObjectMeta(name=PROFILE)}))
    words = ("breakglass", "--reason", "a leak", "--context", "security", *QUICK)
    try:
        for url, said in (
            ("https://orders-mcp.tools.svc/*", "1 connection matches"),
            ("https://other.example/mcp", "0 connections match"),
        ):
            shown = commands.run(*words, "--server-url", url, "-n", claimed, "-l", "tier", stdin="no\n")
            assert f"security: {said} now" in shown.err
    finally:
        people.plane.kubectl("delete", "mcpserverprofile", PROFILE)


def test_another_person_lifts_and_whoever_requested_it_does_not(
    commands: Commands, people: RealPeople, revocation: str
) -> None:
    own = commands.run("lift", revocation, "--reason", "all is well", "--context", "security")
    assert own.status == 1
    assert "security has requested it: somebody else has to lift it" in own.out
    assert stored(people, revocation).spec.lift is None
    done = commands.run(
        "lift", revocation, "--reason", "the token was rotated", "--context", "security-deputy"
    )
    assert done.status == 0, done.out
    lift = stored(people, revocation).spec.lift
    assert lift is not None
    assert (lift.by, lift.reason) == ("security-deputy", "the token was rotated")
    again = commands.run("lift", revocation, "--reason", "again", "--context", "security-deputy")
    assert again.status == 0
    assert "it was lifted before, by security-deputy" in again.out


def test_a_lift_needs_a_reason_a_right_and_a_revocation(commands: Commands, revocation: str) -> None:
    assert commands.run("lift", revocation).status == 2
    assert "--reason" in commands.run("lift", revocation, "--reason", "").err
    bob = commands.run("lift", revocation, "--reason", "mischief", "--context", "bob")
    assert bob.status == 1
    assert "cannot get resource" in bob.out
    none = commands.run("lift", "cli-none", "--reason", "x", "--context", "security-deputy")
    assert none.status == 1
    assert "There is no MCPRevocation cli-none." in none.out


def checks(done: Done) -> dict[str, dict[str, Any]]:
    return {each["check"]: each for each in json.loads(done.out)}


def test_the_doctor_finds_what_is_shipped_well_and_that_nobody_leads(
    commands: Commands, people: RealPeople
) -> None:
    done = commands.run("doctor", "-o", "json", "--context", "admin", "--lease-name", "cli-nobody-leads")
    found = checks(done)
    assert done.status == 3
    for name in ("kinds", "rights", "policies", "policies in force", "clock"):
        expected = "finding" if name == "rights" else "ok"  # it may not write that lease
        assert found[name]["state"] == expected, found[name]
    assert "update leases.coordination.k8s.io cli-nobody-leads" in found["rights"]["words"]
    assert "no Lease leasehold-system/cli-nobody-leads" in found["leader"]["words"]


def test_the_doctor_finds_a_policy_that_was_unbound_and_a_role_that_reads_secrets(
    commands: Commands, people: RealPeople
) -> None:
    operator = "system:serviceaccount:leasehold-system:leasehold"
    people.plane.kubectl("delete", "validatingadmissionpolicybinding", "leasehold-revocation-request")
    people.plane.kubectl("create", "clusterrole", "cli-secrets", "--verb=get", "--resource=secrets")
    people.plane.kubectl(
        "create", "clusterrolebinding", "cli-secrets", "--clusterrole=cli-secrets", f"--user={operator}"
    )
    try:
        found = checks(wait_for_findings(commands, "policies in force", "rights"))
        assert found["policies"]["state"] == "finding"
        assert "leasehold-revocation-request is bound by nothing" in found["policies"]["words"]
        assert "get secrets" in found["rights"]["words"]
        for name in ("policies", "policies in force", "rights"):
            assert found[name]["advice"]
    finally:
        people.plane.kubectl("delete", "clusterrole,clusterrolebinding", "cli-secrets")
        people.plane.kubectl("apply", "--filename", str(MANIFESTS / "admission.yaml"))
        wait_until(lambda: _refuses_again(commands), 30, "the policies act again")


def wait_for_findings(commands: Commands, *names: str) -> Done:
    """What the doctor says once all of these are findings: the API server takes a change up after a while."""

    def found() -> Done | None:
        done = commands.run("doctor", "-o", "json", "--context", "admin")
        return done if all(checks(done)[name]["state"] == "finding" for name in names) else None

    done = wait_until(found, 30, "the doctor finds it")
    assert done is not None
    return done


def _refuses_again(commands: Commands) -> bool:
    found = checks(commands.run("doctor", "-o", "json", "--context", "admin"))
    return bool(found["policies in force"]["state"] == "ok")


def test_who_may_not_look_learns_that_it_is_not_known(commands: Commands) -> None:
    done = commands.run("doctor", "-o", "json", "--context", "bob")
    assert done.status == 3
    found = checks(done)
    assert {
        found[name]["state"] for name in ("kinds", "rights", "policies", "policies in force", "leader")
    } == {"unknown"}


def test_kubectl_finds_the_plugin_runs_it_and_completes_it(
    commands: Commands, people: RealPeople, claimed: str
) -> None:
    def kubectl(*words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {
            **clean_environment(people.plane.workdir),
            "PATH": path,
            "KUBECONFIG": str(commands.kubeconfig),
        }
        program = people.plane.kubectl_program()
        return subprocess.run(
            [program, *words], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    assert "kubectl-leasehold" in kubectl("plugin", "list").stdout
    listed = kubectl("leasehold", "list", "-o", "json")
    assert (listed.returncode, [each["name"] for each in json.loads(listed.stdout)]) == (
        0,
        ["cli-orders", "cli-wiki"],
    )
    assert kubectl("leasehold", "status", "cli-none").returncode == 1
    assert kubectl("leasehold", "surface", "diff").returncode == 2

    def completed(*words: str) -> list[str]:
        lines = kubectl("__complete", "leasehold", *words).stdout.splitlines()
        assert lines[-1] == ":4"
        return [line.split("\t")[0] for line in lines[:-1]]

    assert completed("st") == ["status"]
    assert completed("breakglass", "--on-lift", "") == ["RequireReview", "Resume"]
    assert completed("list", "--context", "secur") == ["security", "security-deputy"]
