"""What a person does next about a connection: for every reason of Ready the one thing that changes it, and who can.

The condition's message says what holds; this says what to type."""

from collections.abc import Callable, Mapping
from typing import Final

from leasehold.api.base import ConditionStatus, rfc3339
from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.conditions import condition_of


def next_step(connection: MCPConnection) -> str | None:
    """A sentence, with the command where one helps; None where there is nothing to do."""
    ready = condition_of(connection.status.conditions, "Ready")
    if ready is None:
        return "the operator has not looked at it yet; if that lasts, see whether it runs: leasehold doctor"
    if ready.observed_generation < connection.metadata.generation:
        return "the operator has not seen the newest edit yet; if that lasts, see whether it runs: leasehold doctor"
    step = STEPS.get(ready.reason)
    return step(connection) if step is not None else None


def _named(connection: MCPConnection) -> str:
    return f"{connection.metadata.name} -n {connection.metadata.namespace}"


def _always(sentence: str) -> Callable[[MCPConnection], str]:
    return lambda _: sentence


def _approve(what: str) -> Callable[[MCPConnection], str]:
    return lambda connection: f"{what}: leasehold approve {_named(connection)}"


def _lift(connection: MCPConnection) -> str:
    names = [hold.revocation for hold in connection.status.holds if hold.lifted_time is None]
    commands = "; ".join(f"leasehold lift {name} --reason '…'" for name in names)
    told = f": {commands}" if commands else "; kubectl get mcprevocations lists them"
    return f"once it is safe again, somebody else than who stopped it lifts the revocation{told}"


def _look_then_approve(connection: MCPConnection) -> str:
    return (
        f"look at what differs: leasehold diff {_named(connection)}; then approve it: leasehold approve "
        f"{_named(connection)}; or have the server go back to what was approved"
    )


def _take_over(connection: MCPConnection) -> str:
    owner, record = connection.spec.owner, connection.status.owner
    anew = "its team names somebody else in spec.owner.user, where the connection is declared"
    if owner.deputy is None or (record is not None and record.answering == owner.deputy):
        return anew
    return f"its deputy {owner.deputy} approves it: leasehold approve {_named(connection)}; or {anew}"


def _wait_or_mend(connection: MCPConnection) -> str:
    stalled = condition_of(connection.status.conditions, "Stalled")
    backoff = connection.status.backoff
    retried = (
        f"it is tried again at {rfc3339(backoff.retry_time)}" if backoff else "it is tried again by itself"
    )
    if stalled is not None and stalled.status is ConditionStatus.TRUE:
        return f"somebody has to mend what the message names, at Vault or in the profile; {retried}"
    return f"{retried}; if it lasts, see how the stores are: leasehold doctor"


STEPS: Final[Mapping[Reason, Callable[[MCPConnection], str]]] = {
    Reason.DELETED: _always("wait: it goes once everything that it was given is proven dead"),
    Reason.REVOKED: _lift,
    Reason.HELD: _approve("look at it, then approve it"),
    Reason.REJECTED: _approve("settle with the reviewer what was wrong, then have somebody approve it"),
    Reason.SUSPENDED: _always("its team sets spec.suspend to false, where the connection is declared"),
    Reason.EXPIRED: _approve("if it is still needed, approve it, and the next lease begins"),
    Reason.NAMESPACE_NOT_ALLOWED: _always(
        "label the namespace as the message says, or ask the platform team to allow it in spec.allowedNamespaces"
    ),
    Reason.SERVICE_ACCOUNT_GONE: _always(
        "create the service account that the message names; it is looked for by itself"
    ),
    Reason.ORPHANED: _take_over,
    Reason.POLICY_VIOLATED: _always(
        "change what the message names, or have the approval given that it misses; else ask the platform team"
    ),
    Reason.POLICY_UNREADABLE: _always(
        "the platform team mends the policy that the message names, or upgrades the operator: leasehold doctor"
    ),
    Reason.DRIFTED: _look_then_approve,
    Reason.IDLE: _approve("if it is still needed, approve it"),
    Reason.INVALID_SPEC: _always("change the field that the message names; it is looked at again at once"),
    Reason.SECRET_CONFLICT: _always("remove that Secret, or claim anew with another spec.output.secretName"),
    Reason.LEDGER_LOST: _always(
        "find what may still be alive in the audit log, end it at Vault, and then say so with the annotation "
        "that the message names (needs the verb abandon)"
    ),
    Reason.RECREATED: _approve("look at why the one before ended, then approve it"),
    Reason.LEDGER_FULL: _always(
        "see why revocations do not get through: leasehold doctor, and that Vault's own log"
    ),
    Reason.STORE_UNAVAILABLE: _wait_or_mend,
    Reason.PENDING: _always("wait; if it lasts, see whether the operator runs: leasehold doctor"),
    Reason.REVIEW_DUE: _approve("look at it, then approve it, and the next lease begins"),
}
"""For every reason of Ready but Active."""
