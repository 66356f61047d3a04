"""Named checks that each find one fault. The first finding is the Ready condition: nothing translates it again.

Order is precedence (design, Status). Denials come first: they end what is there. Obstacles only stop minting."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from leasehold.api.base import Condition, ConditionStatus, rfc3339
from leasehold.api.names import FINALIZER
from leasehold.api.policy import PolicyEffect
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.api.violation import PolicyViolation
from leasehold.core import deadlines, ledger, revocations
from leasehold.core.drift_standing import DriftStanding
from leasehold.core.former import LOOKED_AT_ANEW, ended_lately
from leasehold.core.observation import Observation
from leasehold.core.templates import validate_template
from leasehold.core.text import shortened


class Effect(Enum):
    """What a finding does to the credential."""

    END = "end"
    """Everything that the ledger names ends now, and the Secret goes."""
    NO_MINT = "no mint"
    """Nothing new; what is there runs out."""
    NONE = "none"


@dataclass(frozen=True)
class Finding:
    """A reason, a sentence for a person, and what follows from it."""

    reason: Reason
    message: str
    effect: Effect
    needs_person: bool = False


Check = Callable[[Observation], Finding | None]


def _ends(reason: Reason, message: str) -> Finding:
    return Finding(reason, message, Effect.END)


def _obstacle(reason: Reason, message: str) -> Finding:
    return Finding(reason, message, Effect.NO_MINT, needs_person=True)


def connection_is_being_deleted(o: Observation) -> Finding | None:
    """Deletion ends the credential before the object goes."""
    if o.connection.metadata.deletion_timestamp is None:
        return None
    return _ends(Reason.DELETED, "being deleted: its credentials are revoked first")


def connection_is_revoked(o: Observation) -> Finding | None:
    """A revocation is the breakglass switch."""
    unreadable = revocations.unreadable(o.revocations)
    if unreadable is not None:
        return _ends(
            Reason.REVOKED,
            f"revocation {unreadable.name} cannot be read by this version, so it denies everything; see its spec",
        )
    denying = revocations.denying(o.revocations, o.connection, o.profile, o.now, o.matched_by)
    if not denying:
        return None
    first = denying[0]
    return _ends(
        Reason.REVOKED,
        f"revocation {first.metadata.name} by {shortened(first.spec.requested_by, 128)} denies this connection "
        f"until it is lifted{_and_others(len(denying) - 1)}",
    )


def _and_others(count: int) -> str:
    return f"; so do {count} more" if count else ""


def connection_is_held(o: Observation) -> Finding | None:
    """A lifted revocation frees nobody by itself, unless it said so."""
    held = next((hold for hold in o.holds if hold.lifted_time is not None), None)
    if held is None or held.lifted_time is None:
        return None
    return _ends(
        Reason.HELD,
        f"revocation {held.revocation} ended at {rfc3339(held.lifted_time)}; this connection is held until "
        "somebody approves it in a review after that",
    )


def connection_is_rejected(o: Observation) -> Finding | None:
    """A person has looked at it and said no."""
    rejection = o.connection.status.rejection
    if rejection is None:
        return None
    return _ends(
        Reason.REJECTED,
        f"{shortened(rejection.reviewer, 128)} rejected it at {rfc3339(rejection.time)} in review "
        f"{rejection.review}; it is denied until somebody approves it in a newer review",
    )


def connection_is_suspended(o: Observation) -> Finding | None:
    """A team stops its own agent, in Git."""
    if not o.connection.spec.suspend:
        return None
    return _ends(Reason.SUSPENDED, "spec.suspend is true; set it to false to go on with a fresh credential")


def lease_is_over(o: Observation) -> Finding | None:
    """Nobody stood up for the connection in time."""
    end = deadlines.lease_end(o.connection)
    if end is None or o.now < end:
        return None
    return _ends(Reason.EXPIRED, f"the lease ended at {rfc3339(end)} without a review")


def namespace_is_not_allowed(o: Observation) -> Finding | None:
    """Profile and store both say which namespaces may use them."""
    if o.namespace_labels is None:
        return None
    for resource in (o.profile, o.store):
        if resource is None or resource.spec.allowed_namespaces is None:
            continue
        if not resource.spec.allowed_namespaces.matches(dict(o.namespace_labels)):
            return _ends(
                Reason.NAMESPACE_NOT_ALLOWED,
                f"{resource.KIND} {resource.metadata.name} does not allow namespace "
                f"{o.connection.metadata.namespace}: its labels do not match spec.allowedNamespaces",
            )
    return None


def service_account_is_gone(o: Observation) -> Finding | None:
    """The connection's principal does not exist, so nothing may act in its name."""
    if o.service_account_exists is not False:
        return None
    name = o.connection.spec.agent.service_account_name
    return _ends(
        Reason.SERVICE_ACCOUNT_GONE,
        f"service account {name} (spec.agent.serviceAccountName) does not exist in namespace "
        f"{o.connection.metadata.namespace}; create it, or delete this connection",
    )


def connection_is_orphaned(o: Observation) -> Finding | None:
    """Who answered for the connection has left, and nobody has taken it over in time."""
    if o.owner is None or o.owner.orphaned_since is None:
        return None
    return _ends(
        Reason.ORPHANED,
        f"who answered for it has left, says the owner directory, and nobody took it over by "
        f"{rfc3339(o.owner.orphaned_since)}; its deputy approves it in a review, or spec.owner.user names somebody "
        "else",
    )


def policy_is_violated(o: Observation) -> Finding | None:
    """The platform does not allow it, and its time to change that is over."""
    over = next((each for each in o.violations if each.deadline_time and o.now >= each.deadline_time), None)
    return _ends(Reason.POLICY_VIOLATED, _what_is_violated(over)) if over is not None else None


def policy_forbids_a_credential(o: Observation) -> Finding | None:
    """The time to change something is for whoever has a credential; nobody gets one in it."""
    if o.recipe is None or _has_a_credential(o):
        return None
    denying = next((each for each in o.violations if each.effect is PolicyEffect.DENY), None)
    if denying is None:
        return None
    return Finding(Reason.POLICY_VIOLATED, _what_is_violated(denying), Effect.NO_MINT)


def policy_cannot_be_read(o: Observation) -> Finding | None:
    """What it would deny nobody knows: whoever has a credential keeps it, and nobody else gets one."""
    if not o.unreadable_policies or o.recipe is None or _has_a_credential(o):
        return None
    return Finding(
        Reason.POLICY_UNREADABLE,
        f"MCPAccessPolicy {o.unreadable_policies[0]} cannot be read by this version, so nothing new is minted; "
        "see its spec",
        Effect.NO_MINT,
    )


def _has_a_credential(o: Observation) -> bool:
    present = ledger.current(o.connection.status.ledger)
    return present is not None and (present.expiry_time is None or o.now < present.expiry_time)


def nobody_looked_at_it_anew(o: Observation) -> Finding | None:
    """Who creates a connection anew does not get rid of a review that way."""
    if o.recipe is None:
        return None
    asked = f"within {LOOKED_AT_ANEW.days} days a person approves the new one in a review before anything is minted"
    status = o.connection.status
    if o.unreadable_exposure is not None and not status.last_generation and status.approval is None:
        return _obstacle(
            Reason.RECREATED,
            f"MCPAgentExposure {o.unreadable_exposure} cannot be read by this version, so nobody knows whether the "
            f"agent had a connection to this server; {asked}",
        )
    former = ended_lately(o.connection, o.predecessors, o.now)
    if former is None:
        return None
    return _obstacle(
        Reason.RECREATED,
        f"connection {former.name} of the same agent to the same server ended at {rfc3339(former.ended_time)} "
        f"({former.reason}); {asked}",
    )


def policy_will_end_it(o: Observation) -> Finding | None:
    """The platform does not allow it; there is time to change that."""
    first = next((each for each in o.violations if each.deadline_time is not None), None)
    if first is None or first.deadline_time is None:
        return None
    until = f"the credential ends at {rfc3339(first.deadline_time)}"
    return Finding(Reason.POLICY_VIOLATED, f"{_what_is_violated(first)}; {until}", Effect.NONE)


def policy_warns(o: Observation) -> Finding | None:
    """The platform would rather not have it so."""
    if not o.violations:
        return None
    return Finding(Reason.POLICY_VIOLATED, f"{_what_is_violated(o.violations[0])}; a warning", Effect.NONE)


def _what_is_violated(violation: PolicyViolation) -> str:
    return (
        f"MCPAccessPolicy {violation.policy} (generation {violation.generation}), {violation.rule}: "
        f"{violation.message}"
    )


def surface_has_drifted(o: Observation) -> Finding | None:
    """The server exposes what nobody approved, and nobody stood up for it in time, or there is no time."""
    if o.drift is None or not o.drift.is_over(o.now):
        return None
    return _ends(
        Reason.DRIFTED,
        f"{_what_differs(o.drift)}; approve the surface that it exposes in a review, or mend it",
    )


def surface_is_drifting(o: Observation) -> Finding | None:
    """The server exposes what nobody approved; a person has time to look at it."""
    if o.drift is None or o.drift.deadline is None:
        return None
    until = f"approve it in a review by {rfc3339(o.drift.deadline)}, or the credential ends"
    return Finding(Reason.DRIFTED, f"{_what_differs(o.drift)}; {until}", Effect.NONE)


def _what_differs(drift: DriftStanding) -> str:
    return (
        f"{str(drift.level).lower()} drift: the server exposes {drift.live_digest}, and approved is "
        f"{drift.approved_digest} (see status.drift)"
    )


def connection_is_idle(o: Observation) -> Finding | None:
    """Nobody used the connection for longer than it asks to be kept."""
    if o.use is None or o.use.idle_since is None:
        return None
    return _ends(
        Reason.IDLE,
        f"it was not used for spec.idleSeconds by {rfc3339(o.use.idle_since)}, says its source ({o.use.source}); a "
        "review that approves it brings a fresh credential",
    )


def profile_is_missing(o: Observation) -> Finding | None:
    """Nobody registered the server, or not any more."""
    if o.profile is not None:
        return None
    return _obstacle(
        Reason.INVALID_SPEC,
        f"spec.profile: there is no MCPServerProfile {o.connection.spec.profile}; "
        "ask the platform team to register the server, or name another profile in a new connection",
    )


def output_is_missing(o: Observation) -> Finding | None:
    """A profile with a credential needs a Secret to put it into."""
    if o.recipe is None or o.connection.spec.output is not None:
        return None
    return _obstacle(
        Reason.INVALID_SPEC,
        f"spec.output.secretName is missing: profile {o.connection.spec.profile} issues a credential; "
        "name the Secret that receives it",
    )


def template_is_refused(o: Observation) -> Finding | None:
    """Templates are an allow-listed subset, so that no expression can run away."""
    if o.connection.spec.output is None:
        return None
    for key, text in o.connection.spec.output.templates.items():
        errors = validate_template(key, text, None)
        if errors:
            return _obstacle(Reason.INVALID_SPEC, errors[0])
    return None


def store_is_missing(o: Observation) -> Finding | None:
    """The profile names a store that is not registered."""
    if o.recipe is None or o.store is not None:
        return None
    return _obstacle(
        Reason.INVALID_SPEC,
        f"MCPServerProfile {o.connection.spec.profile} spec.credential.storeName: there is no "
        f"MCPCredentialStore {o.recipe.store_name}; the platform team registers it or corrects the name",
    )


def secret_belongs_to_another(o: Observation) -> Finding | None:
    """Of two connections that name one Secret, the one that has it wins, else the older, else the smaller UID."""
    output = o.connection.spec.output
    if output is None or o.recipe is None:
        return None

    def claim(status_secret: object, created: object, uid: str) -> tuple[bool, str, str]:
        return (status_secret is None, str(created), uid)

    metadata = o.connection.metadata
    mine = claim(o.connection.status.secret, metadata.creation_timestamp, metadata.uid)
    for rival in o.rivals:
        theirs = claim(rival.status.secret, rival.metadata.creation_timestamp, rival.metadata.uid)
        if theirs < mine:
            return _obstacle(
                Reason.SECRET_CONFLICT,
                f"spec.output.secretName: Secret {output.secret_name} belongs to MCPConnection "
                f"{rival.metadata.name}; a connection needs a Secret of its own, under another name",
            )
    return None


def ledger_is_lost(o: Observation) -> Finding | None:
    """A ledger was written once and is gone: what it named may be alive, so this is never "new"."""
    if not ledger.is_lost(o.connection, FINALIZER):
        return None
    return _obstacle(
        Reason.LEDGER_LOST,
        "status was lost while credentials may be alive, and no Secret tells which; when they have run out or "
        "were revoked at Vault by hand, annotate with leasehold.dev/abandon-credentials: <reason>",
    )


def ledger_is_full(o: Observation) -> Finding | None:
    """Too many generations cannot be proven dead; one more would make it worse."""
    if not ledger.is_full(o.connection.status.ledger):
        return None
    return _obstacle(
        Reason.LEDGER_FULL,
        f"{len(o.connection.status.ledger)} generations are not proven dead; nothing is minted until Vault "
        "confirms some of them (see status.ledger)",
    )


def store_is_being_deleted(o: Observation) -> Finding | None:
    """A store drains before it goes."""
    if o.store is None or o.store.metadata.deletion_timestamp is None:
        return None
    return Finding(
        Reason.STORE_UNAVAILABLE,
        f"MCPCredentialStore {o.store.metadata.name} is being deleted: nothing is minted from it any more",
        Effect.NO_MINT,
    )


def store_is_not_held(o: Observation) -> Finding | None:
    """Our finalizer comes before the first mint, so that no store goes while a ledger names it."""
    if o.recipe is None or o.store is None or FINALIZER in o.store.metadata.finalizers:
        return None
    return Finding(
        Reason.PENDING,
        f"MCPCredentialStore {o.store.metadata.name} is being taken into use",
        Effect.NO_MINT,
    )


def review_is_due(o: Observation) -> Finding | None:
    """The lease ends soon unless somebody stands up for it."""
    due, end = deadlines.review_due(o.connection), deadlines.lease_end(o.connection)
    if due is None or end is None or o.now < due:
        return None
    return Finding(Reason.REVIEW_DUE, f"a review is due: the lease ends at {rfc3339(end)}", Effect.NONE)


DENIALS: tuple[Check, ...] = (
    connection_is_being_deleted,
    connection_is_revoked,
    connection_is_held,
    connection_is_rejected,
    connection_is_suspended,
    lease_is_over,
    namespace_is_not_allowed,
    service_account_is_gone,
    connection_is_orphaned,
    policy_is_violated,
    surface_has_drifted,
    connection_is_idle,
)
OBSTACLES: tuple[Check, ...] = (
    policy_forbids_a_credential,
    policy_cannot_be_read,
    profile_is_missing,
    output_is_missing,
    template_is_refused,
    store_is_missing,
    secret_belongs_to_another,
    ledger_is_lost,
    nobody_looked_at_it_anew,
    ledger_is_full,
    store_is_being_deleted,
    store_is_not_held,
)
REMARKS: tuple[Check, ...] = (surface_is_drifting, policy_will_end_it, review_is_due, policy_warns)


DENYING_REASONS: frozenset[Reason] = frozenset(
    {
        Reason.DELETED,
        Reason.REVOKED,
        Reason.HELD,
        Reason.REJECTED,
        Reason.SUSPENDED,
        Reason.EXPIRED,
        Reason.NAMESPACE_NOT_ALLOWED,
        Reason.SERVICE_ACCOUNT_GONE,
        Reason.ORPHANED,
        Reason.POLICY_VIOLATED,
        Reason.DRIFTED,
        Reason.IDLE,
    }
)
"""What denials find; Drifted and PolicyViolated also in time to be looked at, and then the connection is Ready."""


def denies(ready: Condition) -> bool:
    """Whether this Ready condition is a denial's."""
    return ready.status is ConditionStatus.FALSE and ready.reason in DENYING_REASONS


def first_finding(checks: tuple[Check, ...], o: Observation) -> Finding | None:
    """The first fault found, in order."""
    return next((finding for check in checks if (finding := check(o)) is not None), None)


def revocability(credential_type: CredentialType) -> str:
    """What a revocation can promise for this type, in words for a person."""
    return {
        CredentialType.LEASE: "revocable: dies with its Vault lease",
        CredentialType.TOKEN: "revocable: a Vault token",
        CredentialType.EXPIRING: "not revocable: runs out at its expiry",
        CredentialType.STATIC: "not revocable and without an end",
    }[credential_type]
