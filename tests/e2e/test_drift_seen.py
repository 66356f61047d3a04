"""A real server changes under a real operator: what was approved is compared with what is there, and a person's
word about the new surface is what restores."""

import json
import uuid
from typing import Any

from controlplane.waiting import wait_until
from deployment import Deployment, Operator, condition
from e2e.claims import ORDERS, Claim, message, the_secret, works
from e2e.mcp_shop import WHO, open_shop
from e2e.test_reviews import judged, say
from leasehold.api.connection import DriftLevel, MCPConnection
from leasehold.api.profile import CapturedSurface, MCPServerProfile
from leasehold.api.snapshot import MCPToolSnapshot
from leasehold.core.snapshot_content import saved_from


def a_tool(description: str = "Searches orders.", **hints: bool) -> dict[str, Any]:
    return {
        "name": "search",
        "description": description,
        "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}},
        "annotations": {"readOnlyHint": True, "openWorldHint": False, **hints},
    }


def patch_profile(deployment: Deployment, name: str, spec: dict[str, Any]) -> None:
    patch = json.dumps({"spec": spec})
    deployment.plane.kubectl("patch", "mcpserverprofile", name, "--type=merge", f"--patch={patch}")


def probe_again(deployment: Deployment, name: str) -> None:
    """Another spec is probed soon."""
    patch_profile(
        deployment, name, {"owner": {"runbookURL": f"https://runbooks.example.com/{uuid.uuid4().hex}"}}
    )


def captured(deployment: Deployment, name: str, before: str = "") -> CapturedSurface:
    def arrived() -> CapturedSurface | None:
        body = deployment.get_json("mcpserverprofile", "", name)
        surface = MCPServerProfile.model_validate(body).status.surface
        return surface if surface is not None and surface.digest != before else None

    found = wait_until(arrived, 40, f"another surface of {name} is captured")
    assert found is not None
    return found


def snapshots(deployment: Deployment, profile: str) -> dict[str, MCPToolSnapshot]:
    asked = ["get", "mcptoolsnapshots", f"--field-selector=spec.profile={profile}", "--output=json"]
    listed = json.loads(deployment.plane.kubectl(*asked).stdout)["items"]
    found = [MCPToolSnapshot.model_validate(each) for each in listed]
    return {each.spec.surface_digest: each for each in found}


def drift_free(connection: MCPConnection) -> tuple[str, str]:
    told = condition(connection, "DriftFree")
    return told["status"], told["reason"]


def wait_drift_free(deployment: Deployment, connection: MCPConnection, reason: str) -> MCPConnection:
    def arrived() -> MCPConnection | None:
        found = deployment.find(connection.metadata.namespace, connection.metadata.name)
        return found if found is not None and drift_free(found)[1] == reason else None

    found = wait_until(arrived, 30, f"{connection.key} is {reason}")
    assert found is not None
    return found


def test_a_server_that_changes_is_seen_stopped_and_restored_by_a_person(
    deployment: Deployment, operator: Operator
) -> None:
    with open_shop(deployment.plane.workdir, [a_tool()]) as shop:
        namespace = deployment.namespace()
        profile = deployment.profile(
            ORDERS,
            url=shop.url,
            probe={"connection": f"{namespace}/agent-server", "headers": {WHO: "{{ username }}"}},
            onDrift={"dangerous": "Suspend"},
        ).metadata.name
        connection = deployment.wait_for(deployment.connection(namespace, profile), "Active")
        claimed = Claim(connection, the_secret(deployment, connection))
        first = captured(deployment, profile)
        assert (first.server_name, first.server_version, first.tools) == ("shop", "3.1", 1)
        wait_drift_free(deployment, connection, "NoApprovedSurface")

        judged_so = judged(
            deployment, claimed, say(deployment, claimed, "Approve", surfaceDigest=first.digest)
        )
        assert judged_so == ("True", "Counted")
        wait_drift_free(deployment, connection, "Clean")

        shop.exposes([a_tool("Searches the orders of everybody.")])
        probe_again(deployment, profile)
        second = captured(deployment, profile, first.digest)
        drifting = deployment.wait_for(connection, "Drifted", status="True")
        assert drifting.status.drift is not None
        assert drifting.status.drift.level is DriftLevel.REVIEW
        assert [each.kind for each in drifting.status.drift.findings] == ["DescriptionChanged"]
        assert second.digest in message(drifting, "DriftFree")
        assert works(deployment.plane, claimed.secret)
        kept = snapshots(deployment, profile)
        assert set(kept) == {first.digest, second.digest}
        (tool,) = saved_from(kept[second.digest]).surface.tools
        assert tool["description"] == "Searches the orders of everybody."

        shop.exposes([a_tool(readOnlyHint=False)])
        probe_again(deployment, profile)
        third = captured(deployment, profile, second.digest)
        stopped = deployment.wait_for(connection, "Drifted", status="False")
        assert stopped.status.drift is not None
        assert stopped.status.drift.level is DriftLevel.DANGEROUS
        wait_until(
            lambda: deployment.secret(namespace) is None and not works(deployment.plane, claimed.secret),
            30,
            "the Secret is gone and its login is dead",
        )
        wait_until(
            lambda: set(snapshots(deployment, profile)) == {first.digest, third.digest},
            30,
            "only what is live or approved is kept",
        )

        assert judged(
            deployment, claimed, say(deployment, claimed, "Approve", surfaceDigest=third.digest)
        ) == (
            "True",
            "Counted",
        )
        restored = deployment.wait_for(connection, "Active", status="True")
        assert drift_free(restored) == ("True", "Clean")
        assert works(deployment.plane, the_secret(deployment, restored))

        told = [
            each["data"]["drift"]["level"] for each in operator.audit(connection) if "drift" in each["data"]
        ]
        assert told == ["Review", "Dangerous"]
        assert operator.metric("leasehold_drift_events_total", level="dangerous") == 1
        assert operator.metric("leasehold_probes_total", outcome="ok") >= 3


def test_a_server_that_cannot_be_read_is_said_and_harms_nobody(
    deployment: Deployment, operator: Operator
) -> None:
    with open_shop(deployment.plane.workdir, [a_tool()]) as shop:
        namespace = deployment.namespace()
        profile = deployment.profile(ORDERS, url=shop.url).metadata.name
        connection = deployment.wait_for(deployment.connection(namespace, profile), "Active")

        def refused() -> bool:
            body = deployment.get_json("mcpserverprofile", "", profile)
            told = MCPServerProfile.model_validate(body).status.conditions
            return [each.reason for each in told if each.type == "Reachable"] == ["Unauthorized"]

        wait_until(refused, 30, "the profile says that the server wants a credential")
        found = wait_drift_free(deployment, connection, "NeverProbed")
        assert condition(found, "Ready")["status"] == "True"
        assert works(deployment.plane, the_secret(deployment, found))
