"""Looking after what was published, in turn: the Secret is touched, the credential is looked up at Vault.

Secrets are not watched, for a watch would show us their data. The period grows with the fleet, so that looking
costs the servers no more at ten thousand connections than at a thousand."""

from collections.abc import Callable
from datetime import datetime, timedelta

from leasehold.api.connection import LedgerEntry, MCPConnection, SecretRecord
from leasehold.api.profile import CredentialType
from leasehold.api.store import MCPCredentialStore
from leasehold.core import deadlines
from leasehold.core.facts import SecretReading, SecretTouch
from leasehold.core.faults import Fault
from leasehold.core.ledger import current
from leasehold.core.observation import Inspection
from leasehold.core.secret_content import data_digest, published_annotations
from leasehold.engine.revoke import Revoker
from leasehold.ports import Cluster, Vault

SECONDS_PER_CONNECTION = 0.05
"""At most twenty looks a second, however large the fleet."""

CONFIRM_AFTER = timedelta(seconds=30)
"""A repair may fail: what needed one is looked at again soon."""

DAMAGED = Inspection(secret_is_damaged=True)


class Inspector:
    """Says when a connection is to be looked after, and what was found."""

    def __init__(
        self,
        cluster: Cluster,
        vault: Vault,
        revoker: Revoker,
        store_of: Callable[[str], MCPCredentialStore | None],
        fleet_size: Callable[[], int],
        period: timedelta,
    ) -> None:
        self._cluster = cluster
        self._vault = vault
        self._revoker = revoker
        self._store_of = store_of
        self._fleet_size = fleet_size
        self._period = period
        self._looked: dict[str, datetime] = {}

    def due(self, connection: MCPConnection, now: datetime) -> datetime:
        """When to look next; first at a moment of its own within one period."""
        period = max(self._period, timedelta(seconds=SECONDS_PER_CONNECTION * self._fleet_size()))
        looked = self._looked.get(connection.metadata.uid)
        if looked is None:
            looked = now - period * deadlines.jitter(f"{connection.metadata.uid}/inspection")
            self._looked[connection.metadata.uid] = looked
        return looked + period

    def forget(self, uid: str) -> None:
        """The connection is gone."""
        self._looked.pop(uid, None)

    async def inspect(self, connection: MCPConnection, now: datetime) -> Inspection | None:
        """What was found; None where nothing is published, or it is not due, or could not be seen."""
        entry, record = current(connection.status.ledger), connection.status.secret
        if entry is None or record is None or now < self.due(connection, now):
            return None
        self._looked[connection.metadata.uid] = now
        try:
            found = await self._look(connection, entry, record)
        except Fault:  # what cannot be seen decides nothing
            return None
        if found is not None and (found.secret_is_damaged or found.gone_at_vault):
            self._looked[connection.metadata.uid] = now - self._period + min(CONFIRM_AFTER, self._period)
        return found

    async def _look(
        self, connection: MCPConnection, entry: LedgerEntry, record: SecretRecord
    ) -> Inspection | None:
        if await self._is_gone_at_vault(entry):
            return Inspection(gone_at_vault=True)
        return await self._secret(connection, entry, record)

    async def _secret(
        self, connection: MCPConnection, entry: LedgerEntry, record: SecretRecord
    ) -> Inspection | None:
        namespace = connection.metadata.namespace
        touched = await self._cluster.touch_secret(namespace, record.name, record.resource_version)
        if touched is SecretTouch.UNTOUCHED:
            return None
        if touched is SecretTouch.GONE:
            return DAMAGED
        reading = await self._cluster.read_secret(namespace, record.name)
        if reading is None or reading.meta.uid != record.uid:
            return DAMAGED
        return self._compared(connection, entry, record, reading)

    def _compared(
        self, connection: MCPConnection, entry: LedgerEntry, record: SecretRecord, reading: SecretReading
    ) -> Inspection:
        digest = data_digest(reading.meta.uid, reading.data)
        if record.digest and digest != record.digest:
            return DAMAGED
        wanted = published_annotations(connection, entry)
        present = {name: reading.meta.annotations.get(name) for name in wanted}
        return Inspection(
            secret_version=reading.meta.resource_version,
            secret_digest=digest,
            annotations_differ=present != wanted,
        )

    async def _is_gone_at_vault(self, entry: LedgerEntry) -> bool:
        store = self._store_of(entry.store_uid)
        if store is None:
            return False
        if entry.type is CredentialType.LEASE and entry.lease_id:
            known = await self._vault.lookup_lease(store, entry.lease_id) is not None
        elif entry.type is CredentialType.TOKEN:
            accessor = entry.token_accessor or entry.accessor
            known = await self._vault.lookup_accessor(store, accessor) is not None
        else:
            return False
        return not known and await self._revoker.cluster_id(store) == entry.cluster_id
