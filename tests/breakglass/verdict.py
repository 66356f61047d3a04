"""How it has to end, whatever happened on the way."""

from breakglass.place import Place, Team, said
from controlplane.waiting import wait_until
from leasehold.api.connection import LedgerEntry
from leasehold.api.revocation import MCPRevocationStatus


def counts(status: MCPRevocationStatus) -> tuple[int, int, int, int, int]:
    """Matched, revoked, verified, Secrets deleted, failed."""
    return status.matched, status.revoked, status.verified, status.secrets_deleted, status.failed


def ledgers(place: Place, team: Team) -> list[LedgerEntry]:
    """What the connections still name: a death that the operator has seen is told before each pass writes it."""
    return [entry for connection in place.connections(team) for entry in connection.status.ledger]


def assert_all_is_dead(place: Place, team: Team, name: str) -> None:
    """At the servers, and in the status that says so."""
    assert place.logged_in(team) == set()
    assert place.living_leases(team) == 0
    assert place.secrets(team) == 0
    wait_until(
        lambda: not ledgers(place, team), 15, f"the passes over {team.namespace} have written its ledgers"
    )
    revocation = place.revocation(name)
    status = revocation.status
    assert counts(status) == (team.size, team.size, team.size, team.size, 0)
    assert said(revocation, "Complete") == ("True", "Verified")
    assert said(revocation, "Enforced") == ("True", "Enforced")
    assert (status.failures, status.residual, status.residual_exposure_until) == ((), "none", None)
    assert status.started_time is not None
    assert status.revoked_time is not None
    assert status.verified_time is not None
    assert status.started_time <= status.revoked_time <= status.verified_time
