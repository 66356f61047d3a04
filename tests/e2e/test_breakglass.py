"""One `kubectl create` stops a server, and everything that it stopped is really dead."""

import json
from typing import Any

from contract.worlds import RealPeople
from controlplane.waiting import wait_until
from deployment import Deployment, Operator
from e2e.claims import Claim, claim, generations, message, the_secret, works
from e2e.test_drift_seen import patch_profile
from leasehold.api.connection import EntryState
from leasehold.api.revocation import MCPRevocation

DEPUTY = ("--as=deputy", "--as-group=system:masters")


def throw(deployment: Deployment, name: str, target: dict[str, Any], **fields: Any) -> None:
    people = RealPeople(deployment.plane)
    people.revoke(name, {"target": target, "reason": "the token was seen in a public log", **fields})


def lift(deployment: Deployment, name: str) -> None:
    patch = json.dumps({"spec": {"lift": {"by": "deputy", "reason": "the token was rotated"}}})
    deployment.plane.kubectl("patch", "mcpkill", name, "--type=merge", f"--patch={patch}", *DEPUTY)


def complete(deployment: Deployment, name: str) -> MCPRevocation:
    deployment.plane.kubectl(
        "wait", f"mcprevocation/{name}", "--for=condition=Complete", "--timeout=30s", seconds=40
    )
    body = deployment.get_json("mcprevocation", "", name)
    assert body is not None
    return MCPRevocation.model_validate(body)


def columns(deployment: Deployment, name: str) -> dict[str, str]:
    header, row = deployment.plane.kubectl("get", "mcpkill", name).stdout.splitlines()
    places = [header.index(word) for word in header.split()]
    ends = [*places[1:], len(row)]
    return {
        header[begin:end].strip(): row[begin:end].strip() for begin, end in zip(places, ends, strict=True)
    }


def end_of(deployment: Deployment, name: str) -> None:
    """Lifted, and deleted once that was seen: of one that is just gone nobody knows that it was to resume."""
    lift(deployment, name)

    def seen() -> bool:
        body = deployment.get_json("mcprevocation", "", name)
        return body is not None and "liftedTime" in body.get("status", {})

    wait_until(seen, 30, "the lift is seen")
    deployment.plane.kubectl("delete", "mcpkill", name)


def server_of(deployment: Deployment, claimed: Claim) -> str:
    profile = deployment.get_json("mcpserverprofile", "", claimed.connection.spec.profile)
    assert profile is not None
    return str(profile["spec"]["url"])


def test_one_switch_ends_every_connection_to_a_server_and_a_lift_holds_them(
    deployment: Deployment, operator: Operator
) -> None:
    first, other = claim(deployment), claim(deployment)
    again = deployment.connection(first.namespace, first.connection.spec.profile, "second")
    second = the_secret(deployment, deployment.wait_for(again, "Active"))
    throw(deployment, "stop-orders", {"serverURL": server_of(deployment, first)}, incident="INC-7")
    try:
        status = complete(deployment, "stop-orders").status
        assert not works(deployment.plane, first.secret)
        assert not works(deployment.plane, second)
        assert deployment.secret(first.namespace) is None
        assert works(deployment.plane, other.secret), "another server's connection goes on"
        assert (status.matched, status.revoked, status.verified, status.secrets_deleted) == (2, 2, 2, 2)
        shown = columns(deployment, "stop-orders")
        assert server_of(deployment, first) in shown["TARGET"]
        assert (shown["MATCHED"], shown["VERIFIED"], shown["FAILED"], shown["RESIDUAL"]) == (
            "2",
            "2",
            "0",
            "none",
        )
        revoked = deployment.wait_for(first.connection, "Revoked", status="False")
        assert "stop-orders" in message(revoked)
        late = deployment.connection(first.namespace, first.connection.spec.profile, "third")
        assert generations(deployment.wait_for(late, "Revoked", status="False")) == {}
    finally:
        end_of(deployment, "stop-orders")
    held = deployment.wait_for(first.connection, "Held", status="False")
    assert "approves it in a review" in message(held)
    assert deployment.secret(first.namespace) is None


def test_leaving_the_target_frees_nobody_and_resuming_gives_a_fresh_credential(
    deployment: Deployment, operator: Operator
) -> None:
    claimed = claim(deployment)
    key = claimed.connection.key
    label = ["label", "mcpconnection", claimed.connection.metadata.name, f"--namespace={claimed.namespace}"]
    deployment.plane.kubectl(*label, "tier=suspect")
    profile, vendor = claimed.connection.spec.profile, f"Example {claimed.namespace}"
    patch_profile(deployment, profile, {"vendor": vendor})

    def remembered() -> bool:
        body = deployment.get_json("mcpconnection", claimed.namespace, claimed.connection.metadata.name)
        return body is not None and body["status"]["server"].get("vendor") == vendor

    wait_until(remembered, 15, "the connection remembers whose its server is")
    target = {"vendor": vendor, "labelSelector": {"matchLabels": {"tier": "suspect"}}}
    throw(deployment, "stop-suspects", target, onLift="Resume")
    try:
        assert complete(deployment, "stop-suspects").status.verified == 1, key
        assert not works(deployment.plane, claimed.secret)
        deployment.plane.kubectl(*label, "tier-")
        patch_profile(deployment, profile, {"vendor": "Another Inc"})
        wait_until(lambda: operator.metric("leasehold_breakglass_matched") == 1, 15, "the match is measured")
        still = deployment.wait_for(claimed.connection, "Revoked", status="False")
        assert [hold.revocation for hold in still.status.holds] == ["stop-suspects"]
    finally:
        end_of(deployment, "stop-suspects")
    resumed = deployment.wait_for(claimed.connection, "Active")
    assert generations(resumed) == {2: EntryState.CURRENT}
    assert works(deployment.plane, the_secret(deployment, resumed))


def test_a_target_that_nobody_matches_is_said(deployment: Deployment, operator: Operator) -> None:
    throw(deployment, "stop-nobody", {"profile": "nobody-has-this-one"})
    try:
        status = complete(deployment, "stop-nobody").status
        assert status.matched == 0
        assert [each.reason for each in status.conditions if each.type == "Complete"] == ["NothingMatched"]

        def told() -> bool:
            selected = ["--namespace=default", "--field-selector=reason=NothingMatched", "--output=name"]
            return bool(deployment.plane.kubectl("get", "events", *selected).stdout.strip())

        wait_until(told, 15, "an Event says that nothing matched")
    finally:
        end_of(deployment, "stop-nobody")
