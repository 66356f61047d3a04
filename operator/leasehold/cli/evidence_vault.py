"""Asks Vaults, in the name of a person and with a token of theirs, what has become of the generations in ledgers.
Nothing is changed there. What is not told is not dead."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from leasehold.api.connection import LedgerEntry, MCPConnection
from leasehold.api.profile import CredentialType, MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.cli.evidence_tokens import Tokens
from leasehold.core.evidence_lookups import (
    Found,
    Holds,
    Listing,
    LookUp,
    StoreAsked,
    Thing,
    VaultAnswers,
    judged,
    things_of,
)
from leasehold.core.evidence_sources import hashed
from leasehold.core.faults import Fault
from leasehold.ports import VaultReader

AT_ONCE: Final = 8
"""Requests: an audit must not be what a Vault is busy with."""
FAILURES: Final = 3
"""After so many in a row a store is left in peace."""
MOST_STRANGERS: Final = 1000
"""Leases in no ledger that are looked up below one path."""


@dataclass
class _Patience:
    """With one store, over one kind of question."""

    failures: int = 0
    last: str = ""

    @property
    def is_over(self) -> bool:
        return self.failures >= FAILURES


@dataclass(frozen=True)
class _Answer:
    found: Found
    time: str
    ttl_seconds: int | None = None
    words: str | None = None


@dataclass
class _Asking:
    """Whoever asks, and how it went so far."""

    vault: VaultReader
    now: Callable[[], str]
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    patience: dict[tuple[str, bool], _Patience] = field(default_factory=dict)

    async def look_up(self, store: MCPCredentialStore, thing: Thing, identifier: str) -> _Answer:
        """What Vault says of one thing."""
        patience = self.patience.setdefault((store.metadata.name, thing is Thing.LEASE), _Patience())
        async with self.places:
            if patience.is_over:
                return _Answer(Found.UNKNOWN, self.now(), words=f"not asked any more: {patience.last}")
            try:
                found = await (
                    self.vault.lookup_lease(store, identifier)
                    if thing is Thing.LEASE
                    else self.vault.lookup_accessor(store, identifier)
                )
            except Fault as fault:
                patience.failures, patience.last = patience.failures + 1, fault.message
                return _Answer(Found.UNKNOWN, self.now(), words=fault.message)
            patience.failures = 0
            if found is None:
                return _Answer(Found.DEAD, self.now())
            return _Answer(Found.ALIVE, self.now(), found.ttl_seconds)


async def ask_vaults(
    vault: VaultReader,
    tokens: Tokens,
    stores: Sequence[MCPCredentialStore],
    profiles: Sequence[MCPServerProfile],
    connections: Sequence[MCPConnection],
    read_again: Callable[[], Awaitable[Sequence[MCPConnection]]],
    now: Callable[[], str],
) -> VaultAnswers:
    """What Vaults say of all ledgers. Where that is not what a ledger says, the ledgers are read again, for they
    may have gone on."""
    asking = _Asking(vault, now)
    asked = [(store, await _store(vault, tokens, store)) for store in stores]
    open_stores = {store.metadata.uid: store for store, answer in asked if answer.words is None}
    clusters = {answer.uid: answer.cluster_id for _, answer in asked if answer.words is None}
    entries = [
        (connection, entry, open_stores[entry.store_uid])
        for connection in connections
        for entry in connection.status.ledger
        if clusters.get(entry.store_uid) == entry.cluster_id
    ]
    found = await asyncio.gather(*(_entry(asking, *each) for each in entries))
    answers = VaultAnswers(
        stores=tuple(answer for _, answer in asked), look_ups=tuple(each for one in found for each in one)
    )
    listed = [(*each, await _listed(vault, *each)) for each in _paths(open_stores, profiles, connections)]
    known = _lease_ids(connections)
    differs = any(each.holds is Holds.NO for each in judged(connections, answers))
    if differs or any(set(ids) - known for _, _, ids in listed if not isinstance(ids, str)):
        again = await read_again()
        known |= _lease_ids(again)
        answers = answers.model_copy(update={"look_ups": _changed(answers.look_ups, connections, again)})
    listings = [await _listing(asking, store, path, ids, known) for store, path, ids in listed]
    return answers.model_copy(update={"listings": tuple(listings)})


async def _store(vault: VaultReader, tokens: Tokens, store: MCPCredentialStore) -> StoreAsked:
    about = {"name": store.metadata.name, "uid": store.metadata.uid}
    if store.spec.address not in tokens:
        return StoreAsked(**about, words=f"no Vault token was given for {store.spec.address}")
    try:
        cluster = await vault.cluster_id(store)
    except Fault as fault:
        return StoreAsked(**about, words=fault.message)
    return StoreAsked(**about, cluster_id=cluster)


async def _entry(
    asking: _Asking, connection: MCPConnection, entry: LedgerEntry, store: MCPCredentialStore
) -> list[LookUp]:
    """One after the other: the lease of a login that has just ended would seem to outlive it."""
    found = []
    for thing, identifier in things_of(entry).items():
        answer = await asking.look_up(store, thing, identifier)
        found.append(
            LookUp(
                connection_uid=connection.metadata.uid,
                generation=entry.generation,
                thing=thing,
                found=answer.found,
                time=answer.time,
                ttl_seconds=answer.ttl_seconds,
                words=answer.words,
            )
        )
    return found


def _changed(
    look_ups: Iterable[LookUp], before: Sequence[MCPConnection], again: Sequence[MCPConnection]
) -> tuple[LookUp, ...]:
    """Those whose ledger entry is another one by now say so."""
    was, is_now = _entries(before), _entries(again)
    return tuple(
        each if was[key] == is_now.get(key) else each.model_copy(update={"changed": True})
        for each in look_ups
        for key in [(each.connection_uid, each.generation)]
    )


def _entries(connections: Sequence[MCPConnection]) -> dict[tuple[str, int], LedgerEntry]:
    return {
        (each.metadata.uid, entry.generation): entry for each in connections for entry in each.status.ledger
    }


def _lease_ids(connections: Sequence[MCPConnection]) -> set[str]:
    return {
        entry.lease_id for each in connections for entry in each.status.ledger if entry.lease_id is not None
    }


def _paths(
    stores: Mapping[str, MCPCredentialStore],
    profiles: Sequence[MCPServerProfile],
    connections: Sequence[MCPConnection],
) -> list[tuple[MCPCredentialStore, str]]:
    """Below which leases of ours are: by the recipes of today, and by the leases in ledgers."""
    by_name = {store.metadata.name: store for store in stores.values()}
    found = {
        (profile.spec.credential.store_name, profile.spec.credential.path)
        for profile in profiles
        if profile.spec.credential is not None and profile.spec.credential.type is CredentialType.LEASE
    }
    found |= {
        (stores[entry.store_uid].metadata.name, entry.lease_id.rpartition("/")[0])
        for connection in connections
        for entry in connection.status.ledger
        if entry.lease_id is not None and entry.store_uid in stores
    }
    return [(by_name[name], path) for name, path in sorted(found, key=str) if path and name in by_name]


async def _listed(vault: VaultReader, store: MCPCredentialStore, path: str) -> tuple[str, ...] | str:
    """The ids of the leases there, or why they cannot be listed."""
    try:
        return await vault.leases_below(store, path)
    except Fault as fault:
        return f"{fault.message} (listing takes sudo on sys/leases/lookup/{path})"


async def _listing(
    asking: _Asking, store: MCPCredentialStore, path: str, ids: tuple[str, ...] | str, known: set[str]
) -> Listing:
    name = store.metadata.name
    if isinstance(ids, str):
        return Listing(store=name, path=path, words=ids)
    unknown = sorted(set(ids) - known)
    if len(unknown) > MOST_STRANGERS:
        return Listing(
            store=name, path=path, words=f"{len(unknown)} leases are in no ledger: too many to ask about"
        )
    found = await asyncio.gather(*(asking.look_up(store, Thing.LEASE, each) for each in unknown))
    untold = next((each for each in found if each.found is Found.UNKNOWN), None)
    if untold is not None:
        return Listing(
            store=name, path=path, words=f"a lease in no ledger cannot be looked up: {untold.words}"
        )
    strangers = [
        hashed(each) for each, answer in zip(unknown, found, strict=True) if answer.found is Found.ALIVE
    ]
    return Listing(store=name, path=path, leases=len(ids), strangers=tuple(strangers))
