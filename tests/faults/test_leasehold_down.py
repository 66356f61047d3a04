"""Leasehold is down when a server has to be stopped: the commands that were printed beforehand do it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contract.worlds import RealPeople
from controlplane import ControlPlane
from controlplane.vaultsetup import setup_token_role
from deployment import Deployment, Operator, operator_kubeconfig
from e2e.claims import claim, the_secret, works
from leasehold.cli.app import app
from vaultcommands import run_script


@pytest.fixture
def operator(deployment: Deployment) -> Iterator[Operator]:
    """An operator that soon sees that a credential was ended behind its back."""
    plane = deployment.plane
    running = Operator(
        operator_kubeconfig(plane), plane.workdir, resync_seconds=5, inspection_seconds=3
    ).start()
    yield running
    running.stop()
    assert running.complaints() == []


def printed(deployment: Deployment, folder: Path, *profiles: str) -> list[str]:
    """What ends each of these profiles' servers, the manifests being what the cluster has."""
    found = [deployment.get_json("mcpserverprofile", "", name) for name in profiles]
    file = folder / "profiles.json"
    file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": found}))
    store = folder / "store.json"
    store.write_text(json.dumps(deployment.get_json("mcpcredentialstore", "", "main-vault")))
    arguments = ["bootstrap", "vault", "--breakglass", "-f", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    _, *parts = result.stdout.split("# ==== ")
    return ["# " + next(part for part in parts if f"profile {name} " in part) for name in profiles]


def way_back(part: str) -> str:
    """What stands as a comment at its end."""
    return "\n".join(
        line.removeprefix("#   ") for line in part.splitlines() if line.startswith("#   vault write")
    )


def test_one_server_is_ended_without_leasehold_and_comes_back(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator, tmp_path: Path
) -> None:
    stopped, spared = claim(deployment), claim(deployment)
    (part,) = printed(deployment, tmp_path, stopped.connection.spec.profile)
    operator.kill()
    said = run_script(own_plane, part)
    assert "NOT PROVEN DEAD" not in said
    assert said.count("dead: ") == 2, "its login and its lease"
    assert not works(own_plane, stopped.secret)
    assert works(own_plane, spared.secret)
    operator.start()
    waiting = deployment.wait_for(stopped.connection, "StoreUnavailable", 60, status="False")
    assert waiting.status.last_generation == 1
    assert not works(own_plane, stopped.secret)
    run_script(own_plane, way_back(part))
    fresh = deployment.wait_for(stopped.connection, "Active", 90)
    assert works(own_plane, the_secret(deployment, fresh))


def test_what_is_still_alive_is_not_called_dead(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator, tmp_path: Path
) -> None:
    claimed = claim(deployment)
    (part,) = printed(deployment, tmp_path, claimed.connection.spec.profile)
    look = part[part.index("# Dead is") : part.index("# This reaches further")]
    said = run_script(own_plane, look)
    assert said.count("NOT PROVEN DEAD: ") == 2
    assert said.count("dead: ") == 0


def test_a_minted_token_is_ended_with_its_login(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator, tmp_path: Path
) -> None:
    path = setup_token_role(own_plane.vault.api, role="down", policies=["nothing"])
    claimed = claim(deployment, {"path": path, "type": "Token", "method": "Write"})
    (part,) = printed(deployment, tmp_path, claimed.connection.spec.profile)
    operator.kill()
    said = run_script(own_plane, part)
    assert "NOT PROVEN DEAD" not in said
    assert said.count("dead: ") == 2, "its login and the token that was minted"


def test_a_revocation_that_was_created_meanwhile_denies_when_leasehold_is_back(
    own_plane: ControlPlane, deployment: Deployment, operator: Operator, tmp_path: Path
) -> None:
    claimed = claim(deployment)
    profile = claimed.connection.spec.profile
    (part,) = printed(deployment, tmp_path, profile)
    operator.kill()
    people = RealPeople(own_plane)
    people.revoke("while-down", {"target": {"profile": profile}, "reason": "leaked"})
    try:
        run_script(own_plane, part + "\n" + way_back(part))
        operator.start()
        revoked = deployment.wait_for(claimed.connection, "Revoked", 60)
        assert revoked.status.last_generation == 1
        complete = "--for=jsonpath={.status.conditions[?(@.type=='Complete')].reason}=Verified"
        own_plane.kubectl("wait", complete, "--timeout=60s", "mcpkill/while-down")
    finally:
        people.remove_revocations()
