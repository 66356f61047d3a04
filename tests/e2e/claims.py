"""What the end-to-end tests have in common: claims on the sample database, and proof that a login works."""

import contextlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from contract.worlds import RealPeople
from controlplane import Plane
from controlplane.waiting import wait_until
from deployment import Deployment, condition
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.names import API_VERSION
from leasehold.api.review import MCPConnectionReview
from shipped import MANIFESTS

ENDS_OF_A_LOGIN = (
    "authentication failed",
    "does not exist",
    "permission denied",
    "server closed the connection",  # revoked in the middle of a query
)
ORDERS = {"path": "database/creds/orders-read", "type": "Lease"}

Secret = dict[str, str]


@dataclass(frozen=True)
class Claim:
    """A Ready connection to the sample database, and what its Secret held."""

    connection: MCPConnection
    secret: Secret

    @property
    def namespace(self) -> str:
        """The team's namespace."""
        return self.connection.metadata.namespace


def claim(
    deployment: Deployment, recipe: dict[str, Any] | None = None, reason: str = "Active", **spec: Any
) -> Claim:
    """A new team with a new profile and a Ready connection."""
    namespace = deployment.namespace()
    profile = deployment.profile({**ORDERS, **(recipe or {})})
    connection = deployment.connection(namespace, profile.metadata.name, **spec)
    ready = deployment.wait_for(connection, reason)
    return Claim(ready, the_secret(deployment, ready))


def the_secret(deployment: Deployment, connection: MCPConnection) -> Secret:
    """The Secret's data, which has to be there."""
    secret = deployment.secret(connection.metadata.namespace, connection.metadata.name)
    assert secret is not None
    return secret


def rows(plane: Plane, secret: Secret) -> int:
    """How many orders the login of a Secret can read."""
    dsn = plane.postgres.dsn("orders", user=secret["username"], password=secret["password"])
    with psycopg.connect(dsn) as database:
        found = database.execute("select count(*) from orders").fetchone()
    assert found is not None
    return int(found[0])


def works(plane: Plane, secret: Secret) -> bool:
    """Whether PostgreSQL lets the login in, and lets it stay."""
    try:
        return rows(plane, secret) == 3
    except (
        psycopg.errors.AdminShutdown,  # revoked just now: its sessions are ended, too
        psycopg.errors.InsufficientPrivilege,  # let in just before its rights were taken
    ):
        return False
    except psycopg.OperationalError as refused:
        if any(end in str(refused) for end in ENDS_OF_A_LOGIN):
            return False
        raise


def generations(connection: MCPConnection) -> dict[int, EntryState]:
    """The ledger as generation → state."""
    return {entry.generation: entry.state for entry in connection.status.ledger}


def wait_generation(deployment: Deployment, connection: MCPConnection, at_least: int) -> MCPConnection:
    """The connection once that generation is Current."""

    def arrived() -> MCPConnection | None:
        found = deployment.find(connection.metadata.namespace, connection.metadata.name)
        if found is None:
            return None
        current = [number for number, state in generations(found).items() if state is EntryState.CURRENT]
        return found if current and max(current) >= at_least else None

    found = wait_until(arrived, 40, f"generation {at_least} of {connection.key} is Current")
    assert found is not None
    return found


def wait_probed(deployment: Deployment, connection: MCPConnection) -> MCPConnection:
    """The connection once it says what came of the first probe of its server."""

    def said() -> MCPConnection | None:
        found = deployment.find(connection.metadata.namespace, connection.metadata.name)
        reason = condition(found, "Reachable").get("reason") if found is not None else None
        return found if reason not in (None, "NeverProbed") else None

    found = wait_until(said, 30, f"the server of {connection.key} was probed")
    assert found is not None
    return found


def approve(deployment: Deployment, connection: MCPConnection) -> None:
    """A person's word that the connection may go on; times are in whole seconds, and it has to be later than a
    lift."""
    found = deployment.find(connection.metadata.namespace, connection.metadata.name)
    lifted = [hold.lifted_time for hold in found.status.holds if hold.lifted_time] if found else []
    if lifted:
        later = max(lifted) + timedelta(seconds=1)
        wait_until(lambda: datetime.now(UTC) >= later, 10, "the second of the lift is over")
    body = {
        "apiVersion": API_VERSION,
        "kind": MCPConnectionReview.KIND,
        "metadata": {"name": f"said-{uuid.uuid4().hex[:8]}", "namespace": connection.metadata.namespace},
        "spec": {
            "connection": connection.metadata.name,
            "reviewer": RealPeople(deployment.plane).user(),
            "decision": "Approve",
            "comment": "looked at what it does",
        },
    }
    deployment.plane.kubectl("create", "--filename=-", input=json.dumps(body))


def message(connection: MCPConnection, kind: str = "Ready") -> str:
    """What a condition says."""
    return str(condition(connection, kind).get("message", ""))


@contextlib.contextmanager
def ledger_unguarded(deployment: Deployment) -> Iterator[None]:
    """Let an administrator write status, as in a cluster where the policies are not installed."""
    plane = deployment.plane
    plane.kubectl("delete", "validatingadmissionpolicybinding", "leasehold-ledger-status")
    try:
        yield
    finally:
        plane.kubectl("apply", "--filename", str(MANIFESTS / "admission.yaml"))


def clear_status(deployment: Deployment, connection: MCPConnection) -> None:
    """Wipe the status, as a careless restore or a mistaken hand does."""
    with ledger_unguarded(deployment):

        def cleared() -> bool:
            command = [
                "patch",
                "mcpconnection",
                connection.metadata.name,
                "--type=json",
                "--subresource=status",
            ]
            command += [f"--namespace={connection.metadata.namespace}"]
            command += ['--patch=[{"op": "remove", "path": "/status"}]']
            return deployment.plane.kubectl(*command, check=False).returncode == 0

        wait_until(cleared, 15, "the status is cleared")
