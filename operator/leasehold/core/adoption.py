"""What a Secret's own annotations tell after a crash: its generation was published, or it was not.

Anybody with the stock `edit` role can write annotations, so they only ever confirm what the ledger says, shorten
what it would assume, or name an accessor that Vault is asked about before it is believed."""

from collections.abc import Mapping
from datetime import UTC, datetime

from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection
from leasehold.api.names import SecretAnnotation
from leasehold.api.profile import CredentialType
from leasehold.core.facts import SecretMeta, SecretProbe
from leasehold.core.ledger import current, intents

HIGHEST_GENERATION = 2**31 - 1
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Beyond them, arithmetic overflows and RFC 3339 cannot write the year."""


def ours(connection: MCPConnection, probe: SecretProbe | None) -> SecretMeta | None:
    """The Secret's metadata where it is there and belongs to this incarnation of the connection."""
    if probe is None or probe.meta is None or connection.metadata.uid not in probe.meta.owner_uids:
        return None
    return probe.meta


def generation_of(meta: SecretMeta) -> int:
    """The generation that the Secret names; 0 where it names none that can be."""
    text = meta.annotations.get(SecretAnnotation.GENERATION, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return 0
    return generation if (generation := int(text)) <= HIGHEST_GENERATION else 0


def time_of(annotations: Mapping[str, str], name: str) -> datetime | None:
    """A time from an annotation; None where it is absent, cannot be read, or fits no status."""
    try:
        moment = datetime.fromisoformat(annotations.get(name, ""))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment <= LATEST else None


def published_intents(connection: MCPConnection, probe: SecretProbe | None) -> tuple[LedgerEntry, ...]:
    """The open intents of which the Secret shows that they were minted and published, as Current entries."""
    meta, present = ours(connection, probe), current(connection.status.ledger)
    if meta is None or (present is not None and generation_of(meta) < present.generation):
        return ()
    return tuple(
        _adopted(entry, meta)
        for entry in intents(connection.status.ledger)
        if generation_of(meta) == entry.generation
        and meta.annotations.get(SecretAnnotation.ACCESSOR) == entry.accessor
    )


def _adopted(entry: LedgerEntry, meta: SecretMeta) -> LedgerEntry:
    """The expiry may be sooner than the login token's, which the intent recorded, but never later; Expiring
    credentials outlive their login token, so there the annotation is all there is."""
    told = time_of(meta.annotations, SecretAnnotation.CREDENTIAL_EXPIRY_TIME)
    if entry.type is CredentialType.STATIC:
        expiry = None
    elif entry.type is CredentialType.EXPIRING or entry.expiry_time is None:
        expiry = told or entry.expiry_time
    else:
        expiry = min(told or entry.expiry_time, entry.expiry_time)
    return entry.model_copy(
        update={
            "state": EntryState.CURRENT,
            "lease_id": entry.lease_id or lease_id_of(meta),
            "token_accessor": entry.token_accessor or token_accessor_of(meta),
            "expiry_time": expiry,
            "residual_time": residual_of(entry.type, meta),
            "mint_deadline_time": None,
        }
    )


def accessor_of(meta: SecretMeta) -> str | None:
    """The login's accessor that the Secret names, where it can be one."""
    return _bounded(meta.annotations.get(SecretAnnotation.ACCESSOR), 256)


def token_accessor_of(meta: SecretMeta) -> str | None:
    """The minted token's accessor that the Secret names, where it can be one."""
    return _bounded(meta.annotations.get(SecretAnnotation.TOKEN_ACCESSOR), 256)


def lease_id_of(meta: SecretMeta) -> str | None:
    """The lease that the Secret names, where it can be one."""
    return _bounded(meta.annotations.get(SecretAnnotation.LEASE_ID), 1024)


def residual_of(kind: CredentialType, meta: SecretMeta) -> datetime | None:
    """Until when a leased certificate convinces whoever asks nobody; nothing is decided by it, it is only said."""
    if kind is not CredentialType.LEASE:
        return None
    return time_of(meta.annotations, SecretAnnotation.RESIDUAL_EXPOSURE_TIME)


def _bounded(text: str | None, length: int) -> str | None:
    return text if text and len(text) <= length else None
