"""What a person types to look and to say something, on real servers, in their own name: with our command, and with
kubectl alone."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bindings import bind, may, unbind_everywhere
from commands import Commands, door, write_contexts
from controlplane.child import clean_environment
from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import ORDERS, Claim, the_secret, works
from e2e.test_drift_seen import captured, drift_free, patch_profile, wait_drift_free
from leasehold.api.connection import Assurance, MCPConnection
from leasehold.api.review import MCPConnectionReview
from leasehold.core.surface import STDIO_ORIGIN, Identity, Surface, surface_digest
from leasehold.core.surface_saved import to_saved
from mcp_surfaces import REFUND, SEARCH, a_surface, edited
from shipped import ROOT

FIRST = a_surface()
HIDING = a_surface((edited(SEARCH, description="Searches.\u202e\x1b[2J"), REFUND))
REWORDED = a_surface((edited(SEARCH, description="Searches the orders of everybody."), REFUND))
SAID = ("--comment", "x", "--yes")
PAGE = (ROOT / "docs" / "reviews.md").read_text()


class Team:
    """A team whose agents use one server, which is a command: what it exposes is what was supplied last. Alice
    reviews its connections, and owns them."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.plane = deployment.plane
        self.namespace = deployment.namespace()
        self.profile = deployment.profile(
            ORDERS, url=None, transport="Stdio", command=["orders-mcp"], suppliedSurface=saved(FIRST)
        ).metadata.name
        captured(deployment, self.profile)

    def claims(self, name: str, owner: str = "alice") -> Claim:
        spec = {"user": owner, "team": "support"}
        made = self.deployment.connection(self.namespace, self.profile, name, owner=spec)
        ready = self.deployment.wait_for(made, "Active")
        return Claim(ready, the_secret(self.deployment, ready))

    def exposes(self, surface: Surface) -> None:
        before = captured(self.deployment, self.profile)
        patch_profile(self.deployment, self.profile, {"suppliedSurface": saved(surface)})
        captured(self.deployment, self.profile, before.digest)

    def reviews(self) -> list[MCPConnectionReview]:
        asked = ["get", "mcpconnectionreviews", f"--namespace={self.namespace}", "--output=json"]
        return [
            MCPConnectionReview.model_validate(each)
            for each in json.loads(self.plane.kubectl(*asked).stdout)["items"]
        ]

    def stands(self, connection: MCPConnection) -> MCPConnection:
        found = self.deployment.find(self.namespace, connection.metadata.name)
        assert found is not None
        return found


def saved(surface: Surface) -> str:
    return to_saved(surface, Identity(STDIO_ORIGIN, None))


@pytest.fixture(scope="module")
def catalog(deployment: Deployment) -> Iterator[None]:
    """Alice and Bob may read profiles and snapshots; nobody has bound a reviewer to Bob."""
    bind(deployment.plane, "leasehold-catalog", "alice", "bob")
    for user in ("alice", "bob"):
        wait_until(lambda: may(deployment.plane, user, "get", "mcptoolsnapshots"), 30, "they may read")  # noqa: B023
    yield
    unbind_everywhere(deployment.plane)


@pytest.fixture
def team(deployment: Deployment, operator: Operator, catalog: None) -> Team:
    made = Team(deployment)
    bind(made.plane, "leasehold-reviewer", "alice", namespace=made.namespace)
    bind(made.plane, "view", "bob", namespace=made.namespace)
    for user, verb in (("alice", "attest"), ("bob", "list")):
        wait_until(
            lambda: may(made.plane, user, verb, "mcpconnections", made.namespace),  # noqa: B023
            30,
            f"{user} may {verb}",
        )
    return made


@pytest.fixture
def commands(team: Team, tmp_path: Path) -> Commands:
    """Alice's context comes first; both are in the team's namespace."""
    doors = {user: door(team.plane, user, team.namespace) for user in ("alice", "bob")}
    return Commands(write_contexts(tmp_path / "config", doors))


def rows(out: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_a_team_and_a_vendor_choose_what_is_listed_and_rejected(team: Team, commands: Commands) -> None:
    vendor = f"Example {team.namespace}"
    patch_profile(team.deployment, team.profile, {"vendor": vendor})
    ours, theirs = team.claims("ours"), team.claims("theirs")
    team.deployment.patch(theirs.connection, {"spec": {"owner": {"team": "billing"}}})

    def listed(*options: str) -> set[str]:
        return {each["name"] for each in rows(commands.run("list", *options, "-o", "json").out)}

    assert listed("--vendor", vendor) == {"ours", "theirs"}
    assert listed("--vendor", vendor, "--team", "billing") == {"theirs"}
    unknown = commands.run("reject", "--vendor", "Nobody", *SAID)
    assert unknown.status == 1
    assert "No MCPServerProfile has spec.vendor Nobody" in unknown.err
    both = commands.run("reject", "ours", "--team", "support", *SAID)
    assert both.status == 2
    done = commands.run("reject", "--vendor", vendor, "--team", "billing", *SAID, "-o", "json")
    assert done.status == 0, done.err
    assert [each["connection"] for each in rows(done.out)] == ["theirs"]
    team.deployment.wait_for(theirs.connection, "Rejected", status="False")
    assert team.deployment.wait_for(ours.connection, "Active").status.rejection is None


def wait_approved(operator: Operator, connection: MCPConnection, *said: tuple[str, str]) -> None:
    """Until the audit records tell who approved and with which assurance: they follow the verdict."""

    def told() -> bool:
        data = [each["data"] for each in operator.audit(connection)]
        return [(each["actor"], each["assurance"]) for each in data if each["action"] == "approve"] == list(
            said
        )

    wait_until(told, 15, f"the approval of {connection.key} is recorded")


def test_many_connections_are_approved_with_each_difference_shown_once(
    team: Team, commands: Commands, operator: Operator
) -> None:
    one, two = team.claims("one"), team.claims("two", owner="carol")
    labelled = f"shop={team.namespace}"
    for each in ("one", "two"):
        team.plane.kubectl("label", "mcpconnection", each, labelled, f"--namespace={team.namespace}")
    done = commands.run("approve", "-l", labelled, "--comment", "both are needed", "--yes", "-o", "json")
    assert done.status == 0, done.err
    assert [(each["connection"], each["counts"]) for each in rows(done.out)] == [
        ("one", "yes"),
        ("two", "yes"),
    ]
    assert done.err.count(surface_digest(FIRST)) == 1
    for claimed, assurance in ((one, Assurance.OWNER), (two, Assurance.DELEGATE)):
        standing = wait_drift_free(team.deployment, claimed.connection, "Clean")
        approval = standing.status.approval
        assert approval is not None
        assert (approval.reviewer, approval.assurance) == ("alice", assurance)
        assert standing.status.surface_approval is not None
        assert standing.status.surface_approval.assurance is assurance
        wait_approved(operator, claimed.connection, ("alice", assurance.value))


def test_a_difference_is_looked_at_and_the_printed_review_restores(team: Team, commands: Commands) -> None:
    claimed = team.claims("orders")
    key = claimed.connection.key
    assert commands.run("approve", key, "--comment", "needed", "--yes").status == 0
    clean = commands.run("diff", key)
    assert clean.status == 0, clean.err
    assert "none: Nothing changed." in clean.out
    team.exposes(HIDING)
    team.deployment.wait_for(claimed.connection, "Drifted", status="False")
    looked = commands.run("diff", key)
    assert looked.status == 3
    assert "\u202e" not in looked.out
    assert "\x1b" not in looked.out
    assert "Searches.\\u{202E}\\u{001B}[2J" in looked.out
    assert surface_digest(FIRST) in looked.out
    printed = yaml.safe_load(looked.out.split("---\n")[1])
    assert printed["spec"]["surfaceDigest"] == surface_digest(HIDING)
    assert printed["spec"]["reviewer"] == "alice"
    wait_until(lambda: not works(team.plane, claimed.secret), 30, "its login is dead")

    alone = commands.run("diff", "orders", "--approve", "--comment", "read it to the end")
    assert alone.status == 0, alone.err
    team.plane.kubectl("create", "--filename=-", user="alice", input=alone.out)
    restored = team.deployment.wait_for(claimed.connection, "Active", status="True")
    assert drift_free(restored) == ("True", "Clean")
    assert works(team.plane, the_secret_of(team, "orders"))


def the_secret_of(team: Team, name: str) -> dict[str, str]:
    secret = team.deployment.secret(team.namespace, name)
    assert secret is not None
    return secret


def test_a_rejection_ends_the_credential_and_an_approval_brings_another(
    team: Team, commands: Commands
) -> None:
    claimed = team.claims("orders")
    rejected = commands.run("reject", "orders", "--comment", "not needed", "--ticket", "SUP-1", "--yes")
    assert rejected.status == 0, rejected.err
    team.deployment.wait_for(claimed.connection, "Rejected", status="False")
    wait_until(lambda: not works(team.plane, claimed.secret), 30, "its login is dead")
    (review,) = team.reviews()
    assert (review.spec.ticket, review.spec.surface_digest) == ("SUP-1", surface_digest(FIRST))
    assert commands.run("approve", "orders", "--comment", "needed", "--yes").status == 0
    team.deployment.wait_for(claimed.connection, "Active", status="True")
    assert works(team.plane, the_secret_of(team, "orders"))


def test_who_cannot_see_what_a_server_exposes_may_say_no_and_not_yes(team: Team, tmp_path: Path) -> None:
    claimed = team.claims("orders")
    bind(team.plane, "leasehold-reviewer", "tenant", namespace=team.namespace)
    asked = ("tenant", "attest", "mcpconnections", team.namespace)
    wait_until(lambda: may(team.plane, *asked), 30, "tenant may attest")
    tenant = Commands(
        write_contexts(tmp_path / "tenant", {"tenant": door(team.plane, "tenant", team.namespace)})
    )
    refused = tenant.run("approve", "orders", *SAID)
    assert (refused.status, refused.out) == (1, "")
    assert "mcpserverprofiles" in refused.err
    rejected = tenant.run("reject", "orders", *SAID)
    assert rejected.status == 0, rejected.err
    assert "it could not be read" in rejected.err
    team.deployment.wait_for(claimed.connection, "Rejected", status="False")


def test_nothing_is_written_until_the_word_is_typed_by_somebody_who_may(
    team: Team, commands: Commands
) -> None:
    team.claims("orders")
    for typed in ("because\n\n", "because\nyes\n", "because\n", ""):
        refused = commands.run("approve", "orders", stdin=typed)
        assert (refused.status, refused.out) == (1, "")
        assert "nothing was written" in refused.err
    looked = commands.run("diff", "orders", "--context", "bob")
    assert looked.status == 3, looked.err
    refused = commands.run("approve", "orders", "--comment", "x", "--yes", "--context", "bob", "-o", "json")
    assert refused.status == 1
    (row,) = rows(refused.out)
    assert (row["review"], row["counts"]) == (None, "unknown")
    assert "cannot create resource" in row["message"]
    for words in (("diff", "nobody"), ("approve", "nobody", *SAID), ("reject", "-l", "a=b", *SAID)):
        refused = commands.run(*words)
        assert (refused.status, refused.out) == (1, "")
        assert team.namespace in refused.err
    assert team.reviews() == []


def test_a_surface_that_changes_while_a_person_reads_voids_the_review(team: Team, commands: Commands) -> None:
    claimed = team.claims("orders")
    command = [sys.executable, "-c", "from leasehold.cli.app import main; main()", "approve", "orders"]
    environment = {
        **clean_environment(team.plane.workdir),
        "KUBECONFIG": str(commands.kubeconfig),
        "PYTHONPATH": str(ROOT / "operator"),
    }
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        assert asking.stderr is not None
        shown = ""
        while "live" not in shown and (line := asking.stderr.readline()):
            shown += line
        team.exposes(REWORDED)
        out, err = asking.communicate("looked at it\napprove\n", timeout=60)
    assert asking.returncode == 3, err
    assert "AnotherSurface" in out
    assert drift_free(team.stands(claimed.connection)) == ("Unknown", "NoApprovedSurface")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("approve",), "--selector"),
        (("approve", "a", "-l", "b=c"), "--selector"),
        (("approve", "a", "-A", "--yes", "--comment", "x"), "--all-namespaces"),
        (("reject", "a", "--yes"), "--comment"),
        (("diff",), "name"),
    ],
)
def test_wrong_use_is_refused_before_a_cluster_is_asked(words: tuple[str, ...], said: str) -> None:
    refused = Commands(Path("/nowhere")).run(*words)
    assert (refused.status, refused.out) == (2, "")
    assert said in refused.err


def test_kubectl_alone_is_enough_as_the_page_shows_it(team: Team, commands: Commands) -> None:
    claimed = team.claims("orders")
    assert commands.run("approve", "orders", "--comment", "needed", "--yes").status == 0
    team.exposes(HIDING)
    team.deployment.wait_for(claimed.connection, "Drifted", status="False")
    found = re.search(r"## With kubectl alone\n\n```\nNAMESPACE=\S+ NAME=\S+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    manifest = found[1].split("<<EOF\n")[1].split("EOF")[0]
    assert len(manifest.splitlines()) <= 10
    script = f"NAMESPACE={team.namespace} NAME=orders\n{found[1]}"
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        env={
            **clean_environment(team.plane.workdir),
            "PATH": f"{team.plane.kubectl_program().parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(team.plane.kubeconfig("alice")),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert '"kind":"HiddenCharacters"' in done.stdout
    assert "Searches the orders of a customer." in done.stdout
    assert "\\u202e\\u001b[2J" in done.stdout
    restored = team.deployment.wait_for(claimed.connection, "Active", status="True")
    assert drift_free(restored) == ("True", "Clean")
