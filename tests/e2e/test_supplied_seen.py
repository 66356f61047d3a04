"""A server that is a command, on real servers: what it exposes is captured by the shipped command, supplied by a
person with the platform's role, and stands like what was probed."""

import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from bindings import bound
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, condition
from e2e.claims import ORDERS, Claim, message, the_secret, works
from e2e.test_drift_seen import captured, snapshots, wait_drift_free
from e2e.test_reviews import judged, say
from leasehold.api.connection import DriftLevel
from leasehold.api.profile import MAX_SUPPLIED_LENGTH, MCPServerProfile, SurfaceSource
from leasehold.cli.app import app
from leasehold.core.surface import STDIO_ORIGIN, Identity, surface_digest
from leasehold.core.surface_saved import to_patch, to_saved
from mcp_surfaces import SEARCH, a_surface, edited

SERVER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    opening = {"supportedVersions": ["2026-07-28"], "capabilities": {}}
    tool = {"name": "query", "description": sys.argv[1], "inputSchema": {"type": "object"}}
    result = {"tools": [tool], "prompts": [], "resourceTemplates": [], **opening}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def patch_of(folder: Path, description: str) -> str:
    """What `leasehold surface probe --stdio` prints of a server that describes its tool so."""
    program = folder / "stdio-server.py"
    program.write_text(SERVER)
    command = ["--stdio", f"{sys.executable} {program} '{description}'", "-o", "patch"]
    printed = CliRunner().invoke(app, ["surface", "probe", *command])
    assert printed.exit_code == 0, printed.stderr
    return printed.stdout


def supply(deployment: Deployment, profile: str, patch: str, user: str) -> int:
    file = deployment.plane.workdir / f"{profile}.patch.yaml"
    file.write_text(patch)
    asked: list[str] = ["patch", "mcpserverprofile", profile, "--type=merge", f"--patch-file={file}"]
    return deployment.plane.kubectl(*asked, user=user, check=False).returncode


def reachable(deployment: Deployment, name: str) -> tuple[Any, ...]:
    body = deployment.get_json("mcpserverprofile", "", name)
    told = MCPServerProfile.model_validate(body).status.conditions
    return next(((each.status, each.reason) for each in told if each.type == "Reachable"), ())


def test_what_a_command_exposes_is_supplied_approved_and_compared(
    deployment: Deployment, operator: Operator
) -> None:
    plane, namespace = deployment.plane, deployment.namespace()
    profile = deployment.profile(ORDERS, url=None, transport="Stdio", command=["orders-mcp"]).metadata.name
    connection = deployment.wait_for(deployment.connection(namespace, profile), "Active")
    claimed = Claim(connection, the_secret(deployment, connection))
    wait_drift_free(deployment, connection, "NotProbeable")

    with bound(plane, "bob", "leasehold-catalog", proof=("get", "mcpserverprofiles")):
        assert supply(deployment, profile, patch_of(plane.workdir, "Reads orders."), "bob") != 0
    with bound(plane, "bob", "leasehold-platform", proof=("patch", "mcpserverprofiles")):
        assert supply(deployment, profile, patch_of(plane.workdir, "Reads orders."), "bob") == 0
        first = captured(deployment, profile)
        assert (first.source, first.origin, first.tools) == (SurfaceSource.SUPPLIED, "stdio:", 1)
        assert snapshots(deployment, profile)[first.digest].spec.source is SurfaceSource.SUPPLIED
        wait_drift_free(deployment, connection, "NoApprovedSurface")
        said = say(deployment, claimed, "Approve", surfaceDigest=first.digest)
        assert judged(deployment, claimed, said) == ("True", "Counted")
        clean = wait_drift_free(deployment, connection, "Clean")
        assert "supplied since" in message(clean, "DriftFree")

        hiding = patch_of(plane.workdir, "Reads orders.\U000e0041\U000e0042")
        assert hiding.isascii()
        assert supply(deployment, profile, hiding, "bob") == 0
        second = captured(deployment, profile, first.digest)
        stopped = deployment.wait_for(connection, "Drifted", status="False")
        assert stopped.status.drift is not None
        assert stopped.status.drift.level is DriftLevel.HOSTILE
        wait_until(lambda: not works(plane, claimed.secret), 30, "its login is dead")

        said = say(deployment, claimed, "Approve", surfaceDigest=second.digest)
        assert judged(deployment, claimed, said) == ("True", "Counted")
        restored = deployment.wait_for(connection, "Active", status="True")
        assert works(plane, the_secret(deployment, restored))

    assert reachable(deployment, profile) == ("Unknown", "NotProbeable")
    assert condition(restored, "Reachable")["reason"] == "NotProbeable"
    assert operator.metric("leasehold_probe_age_seconds", profile=profile) == 0


def test_a_supplied_surface_that_was_edited_is_said_and_changes_nothing(
    deployment: Deployment, operator: Operator
) -> None:
    patch = patch_of(deployment.plane.workdir, "Reads orders.")
    profile = deployment.profile(url=None, transport="Stdio", command=["orders-mcp"]).metadata.name
    assert supply(deployment, profile, patch, "admin") == 0
    first = captured(deployment, profile)
    assert supply(deployment, profile, patch.replace("Reads orders.", "Writes orders."), "admin") == 0
    wait_until(lambda: reachable(deployment, profile) == ("Unknown", "InvalidSpec"), 30, "it is said")
    assert captured(deployment, profile) == first


def test_the_largest_surface_that_can_be_supplied_is_taken_in(
    deployment: Deployment, operator: Operator
) -> None:
    """Also past the policies, which compare whole objects."""
    surface = a_surface([edited(SEARCH, description="x" * (MAX_SUPPLIED_LENGTH - 8192))])
    patch = to_patch(to_saved(surface, Identity(STDIO_ORIGIN, None)))
    profile = deployment.profile(url=None, transport="Stdio", command=["orders-mcp"]).metadata.name
    assert supply(deployment, profile, patch, "admin") == 0
    assert captured(deployment, profile).digest == surface_digest(surface)
