"""Observation in, plan out. No clock, no randomness, no input or output."""

from datetime import datetime, timedelta

from leasehold.api.connection import EntryState, LedgerEntry
from leasehold.api.names import ABANDON_ANNOTATION, FINALIZER
from leasehold.api.reasons import Reason
from leasehold.core import deadlines, ledger
from leasehold.core.adoption import ours, published_intents
from leasehold.core.checks import DENIALS, OBSTACLES, REMARKS, Effect, Finding, first_finding
from leasehold.core.former import LOOKED_AT_ANEW, ended_lately
from leasehold.core.ledger import Ledger
from leasehold.core.observation import Observation
from leasehold.core.plan import Ending, Plan

ACTIVE = Finding(Reason.ACTIVE, "", Effect.NONE)


def standing(o: Observation) -> Finding:
    """What holds of the connection itself, whatever happens at Vault: the first denial, obstacle or remark.

    The fences ask this again, with fresh objects, before a mint and before its Secret is written.
    """
    return first_finding(DENIALS + OBSTACLES + REMARKS, o) or ACTIVE


def decide(o: Observation) -> Plan:
    """The plan for one pass: the same observation always gives the same one."""
    finding = standing(o)
    abandon = abandoned_because(o)
    adoptions = published_intents(o.connection, o.secret)
    entries = o.connection.status.ledger
    for entry in adoptions:
        entries = ledger.published(entries, entry, o.now, _overlap(o))
    recover = ledger.is_lost(o.connection, FINALIZER) and ours(o.connection, o.secret) is not None
    endings = () if recover else tuple(_endings(o, entries, finding))
    mint = None if recover else _mint_reason(o, entries, finding)
    left = ledger.current(ledger.without(entries, (ending.entry.generation for ending in endings)))
    has_secret = o.connection.status.secret is not None or bool(adoptions)
    return Plan(
        finding=finding,
        recover=recover,
        abandon=None if recover else abandon,
        adoptions=adoptions,
        endings=endings,
        mint=mint,
        annotate=left is not None and mint is None and _annotations_are_old(o),
        delete_secret=has_secret and left is None and mint is None and not recover,
    )


def abandoned_because(o: Observation) -> str | None:
    """The reason of a person who gives the ledger up; it counts only where there is something to give up."""
    reason = o.connection.metadata.annotations.get(ABANDON_ANNOTATION)
    going = o.connection.metadata.deletion_timestamp is not None
    return reason if reason and (going or ledger.is_lost(o.connection, FINALIZER)) else None


def is_waiting(o: Observation) -> bool:
    """Work failed lately and is not due again yet."""
    return o.backoff is not None and o.now < o.backoff.retry_time


def _repair_is_due(o: Observation, present: LedgerEntry) -> bool:
    """Damage is repaired at once, but a repair that does not last is not repeated at once."""
    if o.inspection is None or not o.inspection.secret_is_damaged:
        return False
    repaired, since = present.reason is Reason.SECRET_DAMAGED, present.issued_time
    return not repaired or since is None or o.now >= since + deadlines.REPAIR_PERIOD


def _overlap(o: Observation) -> timedelta:
    return timedelta(seconds=o.recipe.overlap_seconds if o.recipe else 0)


def _annotations_are_old(o: Observation) -> bool:
    edited = o.connection.status.observed_generation != o.connection.metadata.generation
    stated = o.connection.status.lease_end_time
    renewed = stated is not None and stated != deadlines.lease_end(o.connection)
    differ = o.inspection is not None and o.inspection.annotations_differ
    return (edited or renewed or differ) and not is_waiting(o)


def _endings(o: Observation, entries: Ledger, finding: Finding) -> list[Ending]:
    endings = [(entry, _ending_reason(o, entry, finding)) for entry in entries]
    return [Ending(entry, reason) for entry, reason in endings if reason is not None]


def _ending_reason(o: Observation, entry: LedgerEntry, finding: Finding) -> Reason | None:
    """Why this generation has to end now; None while it may live, or while nothing can be done."""
    match entry.state:
        case EntryState.INTENT:
            return Reason.UNPUBLISHED if _reached(entry.mint_deadline_time, o.now) else None
        case EntryState.CURRENT | EntryState.RETIRING if finding.effect is Effect.END:
            return finding.reason
        case EntryState.CURRENT if o.inspection is not None and o.inspection.gone_at_vault:
            return Reason.GONE_EARLY
        case EntryState.CURRENT:
            return Reason.CREDENTIAL_EXPIRED if _expired(entry, o.now) else None
        case EntryState.RETIRING:
            return Reason.OVERLAP_OVER if _reached(entry.end_time, o.now) else None
        case EntryState.REVOKING | EntryState.IRREVOCABLE if ledger.only_runs_out(entry):
            return entry.reason if _expired(entry, o.now) else None
        case EntryState.REVOKING | EntryState.IRREVOCABLE:
            return None if is_waiting(o) else entry.reason


def _reached(moment: datetime | None, now: datetime) -> bool:
    return moment is None or now >= moment


def _expired(entry: LedgerEntry, now: datetime) -> bool:
    return entry.expiry_time is not None and now >= entry.expiry_time


def _mint_reason(o: Observation, entries: Ledger, finding: Finding) -> Reason | None:
    """Why a generation is to be minted now; None where it is not due or must not be."""
    if finding.effect is not Effect.NONE or o.recipe is None or is_waiting(o) or ledger.is_full(entries):
        return None
    present = ledger.current(entries)
    if present is None or _expired(present, o.now):
        return Reason.REISSUE if o.connection.status.last_generation else Reason.FIRST_MINT
    if present.mint_hash != o.mint_hash:
        return Reason.RECIPE_CHANGED
    if o.inspection is not None and o.inspection.gone_at_vault:
        return Reason.GONE_EARLY
    if _repair_is_due(o, present):
        return Reason.SECRET_DAMAGED
    due = deadlines.rotation_due(o.connection, present, o.recipe)
    return Reason.ROTATION if due is not None and o.now >= due else None


def next_wake(o: Observation) -> datetime | None:
    """When to look again if nothing happens before; None: only an event changes anything."""
    status = o.connection.status
    moments: list[datetime | None] = [deadlines.lease_end(o.connection), deadlines.review_due(o.connection)]
    moments += [deadlines.idle_warning(o.connection, o.use), deadlines.idle_end(o.connection, o.use)]
    moments.append(deadlines.owner_end(o.owner))
    if o.drift is not None:
        moments.append(o.drift.deadline)
    moments += [each.deadline_time for each in o.violations]
    former = ended_lately(o.connection, o.predecessors, o.now)
    if former is not None:
        moments.append(former.ended_time + LOOKED_AT_ANEW)
    if status.backoff is not None:
        moments.append(status.backoff.retry_time)
    for entry in status.ledger:
        moments += [entry.mint_deadline_time, entry.end_time, entry.expiry_time]
        if entry.state is EntryState.RETIRING and _reached(entry.end_time, o.now):
            return o.now
        if entry.state is EntryState.CURRENT and o.recipe is not None:
            moments.append(deadlines.rotation_due(o.connection, entry, o.recipe))
    return min((moment for moment in moments if moment is not None and moment > o.now), default=None)
