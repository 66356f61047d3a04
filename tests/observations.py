"""Observations by intent. States that cannot be are refused: a test about one proves nothing."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from leasehold.api.base import Resource, rfc3339
from leasehold.api.connection import MAX_LEDGER_ENTRIES, EntryState, LedgerEntry, MCPConnection
from leasehold.api.names import FINALIZER
from leasehold.api.profile import CredentialType, MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import SecretMeta, SecretProbe, SecretState
from leasehold.core.ledger import Ledger
from leasehold.core.mint_hash import mint_hash
from leasehold.core.observation import Observation
from objects import NOON, a_connection, a_profile, a_store, an_entry

R = TypeVar("R", bound=Resource)

CREATED = NOON - timedelta(days=1)
PROFILE, STORE = a_profile(), a_store()
EMPTY = SecretProbe(SecretState.FREE)


class Impossible(AssertionError):
    """No sequence of steps and crashes leads there."""


def a_claim(
    ledger: Iterable[LedgerEntry] = (),
    *,
    created: datetime = CREATED,
    held: bool | None = None,
    deleted: bool = False,
    secret: bool | None = None,
    last_generation: int | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> MCPConnection:
    """A connection with that ledger, and with what the ledger implies unless told otherwise."""
    ledger = tuple(ledger)
    held = bool(ledger) or deleted if held is None else held
    secret = any(entry.state is EntryState.CURRENT for entry in ledger) if secret is None else secret
    metadata: dict[str, Any] = {
        "creationTimestamp": rfc3339(created),
        "finalizers": [FINALIZER] if held else [],
        "annotations": dict(annotations or {}),
    }
    if deleted:
        metadata["deletionTimestamp"] = rfc3339(NOON)
    status: dict[str, Any] = {
        "lastGeneration": max((entry.generation for entry in ledger), default=0),
        "ledger": [entry.to_wire() for entry in ledger],
        **fields.pop("status", {}),
    }
    if last_generation is not None:
        status["lastGeneration"] = last_generation
    if secret:
        status["secret"] = {
            "name": "support-bot-orders",
            "uid": "secret-uid",
            "resourceVersion": "7",
            "digest": "",
        }
    return a_connection(metadata=metadata, status=status, **fields)


def an_edit_of(resource: R) -> R:
    """The same object after somebody changed its spec."""
    metadata = resource.metadata.model_copy(update={"generation": resource.metadata.generation + 1})
    return resource.model_copy(update={"metadata": metadata})


def an_observation(
    connection: MCPConnection | None = None,
    *,
    now: datetime = NOON,
    profile: MCPServerProfile | None = PROFILE,
    store: MCPCredentialStore | None = STORE,
    **facts: Any,
) -> Observation:
    """A connection and its surroundings; refuses what cannot be.

    :raises Impossible: naming what is wrong
    """
    connection = connection or a_claim()
    for problem in _problems(connection, now):
        raise Impossible(problem)
    for rival in facts.get("rivals", ()):
        if rival.metadata.uid == connection.metadata.uid:
            raise Impossible("nobody is their own rival")
    return Observation(now=now, connection=connection, profile=profile, store=store, **facts)


def a_current(generation: int = 1, **fields: Any) -> LedgerEntry:
    """A generation as this operator minted it a minute ago, from what the profile says now."""
    times = {"issued_time": NOON - timedelta(minutes=1), "expiry_time": NOON + timedelta(minutes=59)}
    return an_entry(generation, EntryState.CURRENT, **{"mint_hash": hash_now(), **times, **fields})


def a_retiring(generation: int = 1, **fields: Any) -> LedgerEntry:
    """A replaced generation within its overlap."""
    end = NOON + timedelta(minutes=4)
    return a_current(generation, **{"end_time": end, **fields}).model_copy(
        update={"state": EntryState.RETIRING}
    )


def an_intent(generation: int = 1, **fields: Any) -> LedgerEntry:
    """A mint that nobody knows the outcome of."""
    return an_entry(
        generation,
        EntryState.INTENT,
        **{
            "lease_id": None,
            "mint_hash": hash_now(),
            "expiry_time": NOON + timedelta(hours=2),
            "mint_deadline_time": NOON + timedelta(seconds=10),
            **fields,
        },
    )


def hash_now(profile: MCPServerProfile = PROFILE, connection: MCPConnection | None = None) -> str:
    """What a mint would carry now."""
    spec = (connection or a_connection()).spec
    assert profile.spec.credential is not None
    assert spec.output is not None
    return mint_hash(profile.spec.credential, spec.agent.service_account_name, spec.output)


def a_secret(
    annotations: Mapping[str, str], *, owner: str = "7d5e1c1e-0000-4000-8000-000000000001"
) -> SecretProbe:
    """A Secret that carries our label."""
    return SecretProbe(SecretState.MANAGED, SecretMeta("secret-uid", "9", (owner,), {}, dict(annotations)))


def _problems(connection: MCPConnection, now: datetime) -> Iterable[str]:
    metadata, status = connection.metadata, connection.status
    if metadata.creation_timestamp is None or metadata.creation_timestamp > now:
        yield "nothing is observed before it is created"
    if metadata.deletion_timestamp is not None and not metadata.finalizers:
        yield "what is deleted without a finalizer is gone"
    if FINALIZER not in metadata.finalizers and any(e.state is not EntryState.INTENT for e in status.ledger):
        yield "nothing is minted before our finalizer holds the object"
    yield from _problems_of_ledger(status.ledger)
    if status.ledger and status.ledger[-1].generation > status.last_generation:
        yield "lastGeneration is written with the entry"
    for entry in status.ledger:
        yield from _problems_of_entry(entry, now)


def _problems_of_ledger(ledger: Ledger) -> Iterable[str]:
    generations = [entry.generation for entry in ledger]
    if sorted(set(generations)) != generations:
        yield "generations are unique and in order"
    if len(ledger) > MAX_LEDGER_ENTRIES:
        yield "the schema allows no more entries"
    currents = [entry.generation for entry in ledger if entry.state is EntryState.CURRENT]
    if len(currents) > 1:
        yield "one Secret holds one generation"
    if any(
        e.state is EntryState.RETIRING and e.generation > min(currents, default=e.generation) for e in ledger
    ):
        yield "only what was replaced retires"


def _problems_of_entry(entry: LedgerEntry, now: datetime) -> Iterable[str]:
    published = entry.state in (EntryState.CURRENT, EntryState.RETIRING)
    if entry.issued_time is not None and entry.issued_time > now:
        yield "nothing is issued in the future"
    if entry.state is EntryState.INTENT and entry.mint_deadline_time is None:
        yield "an intent has a deadline"
    if entry.state is EntryState.RETIRING and entry.end_time is None:
        yield "a generation retires until a moment"
    if entry.type in (CredentialType.LEASE, CredentialType.TOKEN) and not entry.accessor:
        yield "what can be revoked keeps its accessor"
    if entry.type is CredentialType.LEASE and published and entry.lease_id is None:
        yield "a published lease is known"
