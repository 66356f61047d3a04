"""What Vaults say of the generations in ledgers, asked for the evidence in a person's name, and whether it is what
the ledgers say. Accessors and lease ids are no part of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.core.audit_part import Hashed, Part
from leasehold.core.evidence_times import told


class Thing(StrEnum):
    """What can be looked up of a generation."""

    LOGIN = "Login"
    """The login token under which it was minted."""
    TOKEN = "Token"  # noqa: S105  # the kind of thing
    """The minted token."""
    LEASE = "Lease"
    """The lease of what was minted."""


class Found(StrEnum):
    """What Vault said; nobody was dead whom it did not call so."""

    ALIVE = "Alive"
    DEAD = "Dead"
    UNKNOWN = "Unknown"


class Holds(StrEnum):
    """Whether two sides agree."""

    YES = "Yes"
    NO = "No"
    NOT_COMPARED = "NotCompared"


class StoreAsked(Part):
    """A store, with the cluster id of the Vault that answered, or why it was not asked."""

    name: str
    uid: str
    cluster_id: Annotated[str | None, Field(alias="clusterID")] = None
    words: str | None = None


class LookUp(Part):
    """One answer, at that time. `ttlSeconds` is there where it is alive: 0 or less means that its revocation waits.
    `changed` is there where the ledger has changed since it was read."""

    connection_uid: Annotated[str, Field(alias="connectionUID")]
    generation: int
    thing: Thing
    found: Found
    time: str
    ttl_seconds: int | None = None
    words: str | None = None
    changed: bool | None = None


class Listing(Part):
    """The leases below a path; `strangers` are alive, and in no ledger. `words` say why they were not listed."""

    store: str
    path: str
    leases: int | None = None
    strangers: tuple[Hashed, ...] = ()
    words: str | None = None


class VaultAnswers(Part):
    """All of it."""

    stores: tuple[StoreAsked, ...] = ()
    look_ups: tuple[LookUp, ...] = ()
    listings: tuple[Listing, ...] = ()


def things_of(entry: LedgerEntry) -> dict[Thing, str]:
    """What can be looked up of it, by accessor or lease id; nothing where nothing can be revoked."""
    found = {Thing.LOGIN: entry.accessor, Thing.TOKEN: entry.token_accessor, Thing.LEASE: entry.lease_id}
    return {thing: identifier for thing, identifier in found.items() if identifier}


@dataclass(frozen=True)
class Judged:
    """A generation, what was found of it, and whether that is what its ledger says."""

    connection: MCPConnection
    entry: LedgerEntry
    store: StoreAsked | None
    look_ups: Mapping[Thing, LookUp]
    holds: Holds
    words: str

    @property
    def found(self) -> str:
        """In short, as in `Login Alive, Lease Dead`."""
        return ", ".join(f"{thing} {each.found}" for thing, each in self.look_ups.items())


def judged(connections: Sequence[MCPConnection], answers: VaultAnswers) -> Iterator[Judged]:
    """Every generation in a ledger."""
    stores = {each.uid: each for each in answers.stores}
    by_entry: dict[tuple[str, int], dict[Thing, LookUp]] = {}
    for each in answers.look_ups:
        by_entry.setdefault((each.connection_uid, each.generation), {})[Thing(each.thing)] = each
    for connection in connections:
        for entry in connection.status.ledger:
            found = by_entry.get((connection.metadata.uid, entry.generation), {})
            store = stores.get(entry.store_uid)
            holds, words = _judgement(entry, store, found)
            yield Judged(connection, entry, store, found, holds, words)


def _judgement(
    entry: LedgerEntry, store: StoreAsked | None, found: Mapping[Thing, LookUp]
) -> tuple[Holds, str]:
    if store is None:
        return Holds.NOT_COMPARED, "its store is not registered any more"
    if store.words is not None:
        return Holds.NOT_COMPARED, store.words
    if store.cluster_id != entry.cluster_id:
        return (
            Holds.NOT_COMPARED,
            "another Vault answers at the address of its store than the one that minted it",
        )
    if not things_of(entry):
        return Holds.NOT_COMPARED, "nothing at Vault stands for it: it only runs out, or never ends"
    if not found:
        return Holds.NOT_COMPARED, "it was not asked about"
    if any(each.changed for each in found.values()):
        return Holds.NOT_COMPARED, "its ledger has changed since it was read"
    return (
        _alive_past_its_end(entry, found)
        or _dead_before_its_end(entry, found)
        or _not_told(found)
        or (Holds.YES, "as the ledger has it")
    )


Verdict = tuple[Holds, str] | None


def _alive_past_its_end(entry: LedgerEntry, found: Mapping[Thing, LookUp]) -> Verdict:
    end = _end_of(entry)
    alive = [each for each in found.values() if each.found == Found.ALIVE and end is not None]
    late = [each for each in alive if end is not None and each.time > end]
    if not late:
        return None
    still = ", ".join(f"{each.thing} for {each.ttl_seconds} s" for each in late)
    return Holds.NO, f"it had to be over by {end}, and is alive at Vault: {still}"


def _dead_before_its_end(entry: LedgerEntry, found: Mapping[Thing, LookUp]) -> Verdict:
    """What is being ended may be dead before the ledger says so; what is in use may not."""
    if entry.state not in (EntryState.CURRENT, EntryState.RETIRING) or entry.type not in REVOCABLE:
        return None
    end = _end_of(entry)
    dead = [each for each in found.values() if each.found == Found.DEAD and (end is None or each.time <= end)]
    if not dead:
        return None
    return (
        Holds.NO,
        f"it is {entry.state} in its ledger, and dead at Vault: {', '.join(e.thing for e in dead)}",
    )


def _not_told(found: Mapping[Thing, LookUp]) -> Verdict:
    unknown = next((each for each in found.values() if each.found == Found.UNKNOWN), None)
    return None if unknown is None else (Holds.NOT_COMPARED, unknown.words or "Vault does not say")


def _end_of(entry: LedgerEntry) -> str | None:
    """When it has to be over, as far as the ledger knows."""
    ends = [each for each in (told(entry.end_time), told(entry.expiry_time)) if each is not None]
    return min(ends, default=None)


REVOCABLE: Final = (CredentialType.LEASE, CredentialType.TOKEN)
