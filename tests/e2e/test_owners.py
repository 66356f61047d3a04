"""An owner leaves, and an identity job says so in a file: the connection is warned of, ends, and comes back by the
word of its deputy."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from contract.worlds import RealPeople
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, condition
from e2e.claims import claim, generations, message, the_secret, works
from e2e.test_idle import LONG, dies_at_vault, found, wait_recorded
from e2e.test_reviews import judged, say
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.core.owner_directory import LIST_RESPONSE


@contextmanager
def everybody_but(deployment: Deployment, file: Path, leaver: str) -> Iterator[None]:
    """A directory of all people of all connections but one, as an identity provider answers it; it is gone
    afterwards."""
    listed = json.loads(
        deployment.plane.kubectl("get", "mcpconnections", "--all-namespaces", "--output=json").stdout
    )
    owners = [each["spec"]["owner"] for each in listed["items"]]
    people = {user for owner in owners for user in (owner["user"], owner.get("deputy")) if user}
    resources = [{"userName": each, "active": each != leaver} for each in sorted(people | {leaver})]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    body = {
        "asOf": now,
        "schemas": [LIST_RESPONSE],
        "totalResults": len(resources),
        "Resources": resources,
    }
    other = file.with_suffix(".new")
    other.write_text(json.dumps(body))
    other.replace(file)
    try:
        yield
    finally:
        file.unlink()


def wait_owner(deployment: Deployment, connection: MCPConnection, reason: str) -> MCPConnection:
    def arrived() -> bool:
        return condition(found(deployment, connection), "OwnerActive").get("reason") == reason

    wait_until(arrived, LONG, f"who answers for {connection.key} is {reason}")
    return found(deployment, connection)


def test_a_leavers_connection_is_orphaned_and_its_deputy_brings_it_back(
    deployment: Deployment, operator: Operator, owner_directory: Path
) -> None:
    leaver, deputy = f"leaver-{uuid.uuid4().hex[:8]}", RealPeople(deployment.plane).user()
    stays = claim(deployment)
    claimed = claim(deployment, owner={"user": leaver, "deputy": deputy, "team": "support"})
    assert condition(claimed.connection, "OwnerActive")["reason"] == "UnreadableOwnerDirectory"
    with everybody_but(deployment, owner_directory, leaver):
        left = wait_owner(deployment, claimed.connection, "OwnerLeft")
        assert f"unless its deputy {deputy} approves it" in message(left, "OwnerActive")
        orphan = deployment.wait_for(claimed.connection, "Orphaned", LONG, status="False")
        assert dies_at_vault(deployment, claimed.connection)
        assert not works(deployment.plane, claimed.secret)
        assert deployment.secret(claimed.namespace) is None
        wait_until(lambda: not found(deployment, orphan).status.ledger, LONG, "its ledger is empty")
        wait_recorded(operator, orphan, "orphaned", "Orphaned")
        assert operator.metric("leasehold_owner_directory_reads_total", outcome="ok") > 0
        name = say(deployment, claimed, "Approve")
        assert judged(deployment, claimed, name) == ("True", "Counted")
        back = deployment.wait_for(orphan, "Active", LONG, status="True")
        assert generations(back) == {2: EntryState.CURRENT}
        assert works(deployment.plane, the_secret(deployment, back))
        wait_recorded(operator, orphan, "restore", "Approved")
        wait_owner(deployment, stays.connection, "OwnerListed")
        assert condition(found(deployment, orphan), "OwnerActive")["reason"] == "DeputyAnswers"
    wait_owner(deployment, orphan, "UnreadableOwnerDirectory")
    assert works(deployment.plane, stays.secret)
