"""What Vaults said of each generation in a ledger, as a table, and where the two differ, both ways."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from leasehold.core.evidence_lookups import Holds, Judged, Listing, VaultAnswers, judged
from leasehold.core.evidence_sources import Sources
from leasehold.core.evidence_table import Row, Table

COLUMNS: Final = (
    "namespace",
    "connection",
    "connectionUID",
    "generation",
    "credentialType",
    "ledgerState",
    "store",
    "thing",
    "found",
    "ttlSeconds",
    "time",
    "holds",
    "words",
)
ABOUT: Final = (
    "One row for each thing that was looked up at a Vault, for this evidence, of a generation in a ledger: its "
    "login token, its token, its lease; and one for each generation of which nothing was. Dead is only what Vault "
    "said it does not know. What could not be asked is Unknown."
)
CHECK: Final = "ledger = Vault"
STRANGERS: Final = "Vault = ledger"
NOT_GIVEN: Final = "no Vault token was given: give --vault, or set VAULT_ADDR and VAULT_TOKEN"


def look_ups(sources: Sources) -> Table:
    """The table."""
    found = () if sources.vault is None else judged(sources.connections, sources.vault)
    rows = [row for each in found for row in _rows(each)]
    return Table("lookups", "Look-ups at Vault", ABOUT, COLUMNS, rows)


def _rows(one: Judged) -> Iterator[Row]:
    metadata, entry = one.connection.metadata, one.entry
    row: Row = {
        "namespace": metadata.namespace,
        "connection": metadata.name,
        "connectionUID": metadata.uid,
        "generation": entry.generation,
        "credentialType": entry.type.value,
        "ledgerState": entry.state.value,
        "store": one.store.name if one.store else None,
        "holds": one.holds.value,
        "words": one.words,
    }
    if not one.look_ups:
        yield {**row, "found": "NotAsked"}
    for thing, answer in one.look_ups.items():
        yield {
            **row,
            "thing": thing.value,
            "found": answer.found,
            "ttlSeconds": answer.ttl_seconds,
            "time": answer.time,
        }


def vault_comparison(sources: Sources) -> Iterator[Row]:
    """Both ways, for the reconciliation."""
    answers = sources.vault
    if answers is None:
        for check in (CHECK, STRANGERS):
            yield {"check": check, "holds": Holds.NOT_COMPARED.value, "words": NOT_GIVEN}
        return
    found = list(judged(sources.connections, answers))
    yield from _summaries(answers, found)
    yield from (_difference(each) for each in found if each.holds is Holds.NO)
    yield from _not_compared(found)
    yield from (_listing(each) for each in answers.listings)


def _summaries(answers: VaultAnswers, found: Sequence[Judged]) -> Iterator[Row]:
    for store in answers.stores:
        if store.words is not None:
            words = store.words
            yield {"check": CHECK, "subject": f"store {store.name}", "holds": "NotCompared", "words": words}
            continue
        said = Counter(each.holds for each in found if each.store == store)
        compared = said[Holds.YES] + said[Holds.NO]
        yield {
            "check": CHECK,
            "subject": f"store {store.name}",
            "one": compared,
            "other": said[Holds.YES],
            "holds": (Holds.NO if said[Holds.NO] else Holds.YES).value,
            "words": "generations in ledgers that were looked up, and that Vault has as the ledger says",
        }


def _difference(one: Judged) -> Row:
    return {
        "check": CHECK,
        "subject": f"{one.connection.key} generation {one.entry.generation}",
        "one": one.entry.state.value,
        "other": one.found,
        "holds": Holds.NO.value,
        "words": one.words,
    }


def _not_compared(found: Sequence[Judged]) -> Iterator[Row]:
    """By why, with how many there are; a store that was not asked at all has said so."""
    left = [each for each in found if each.holds is Holds.NOT_COMPARED]
    counted = Counter(each.words for each in left if each.store is None or each.store.words is None)
    for words, count in sorted(counted.items()):
        subject = f"{count} generations"
        yield {"check": CHECK, "subject": subject, "one": count, "holds": "NotCompared", "words": words}


def _listing(listing: Listing) -> Row:
    row: Row = {"check": STRANGERS, "subject": f"store {listing.store}: {listing.path}"}
    if listing.leases is None:
        return {**row, "holds": Holds.NOT_COMPARED.value, "words": listing.words}
    return {
        **row,
        "one": listing.leases,
        "other": listing.leases - len(listing.strangers),
        "holds": (Holds.NO if listing.strangers else Holds.YES).value,
        "words": "leases at Vault below this path, and those of them that are in ledgers, or over by now; one that "
        "somebody else has made there is in no ledger, too",
    }
