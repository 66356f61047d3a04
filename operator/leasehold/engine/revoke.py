"""The end of one generation: revoked at Vault, and looked up until it is gone.

Dead means that Vault, being the Vault that minted it, knows neither token nor lease any more; its 204 means
nothing. What cannot be proven stays in the ledger, with the reason."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, LedgerEntry
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core import ledger
from leasehold.core.facts import LeaseFacts
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.engine.shared_call import SharedCall
from leasehold.ports import Vault

LATELY_SECONDS = 1.0
SETTLING_SECONDS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Vault revokes leases in a queue of its own: pauses between look-ups before the pass gives up for now."""


@dataclass(frozen=True)
class Remains:
    """What is left of a generation: nothing (`state` is None), or an entry in this state."""

    state: EntryState | None = None
    fault: Fault | None = None


DEAD = Remains()


class Revoker:
    """Ends generations; used for rotations, ends, breakglass and for what a mint has to take back."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._cluster_ids: dict[str, SharedCall[str]] = {}
        self._answered: dict[str, tuple[float, str]] = {}
        self._struck: set[str] = set()
        self._to_prove: set[str] = set()
        self._dead: set[str] = set()

    async def cluster_id(self, store: MCPCredentialStore) -> str:
        """Which Vault answers now."""
        version = f"{store.metadata.uid}/{store.metadata.resource_version}"
        if version not in self._cluster_ids:
            self._cluster_ids[version] = SharedCall(lambda: self._vault.cluster_id(store))
        return await self._cluster_ids[version]()

    async def cluster_id_lately(self, store: MCPCredentialStore) -> str:
        """Which Vault has answered within the last second: for a login that comes after.

        If another Vault has taken its place meanwhile, the entry names the one before, and its end stays unknown.
        Asked after the login it could name one that never had the token, whose "not there" would pass for dead.
        """
        now = asyncio.get_running_loop().time()
        version = f"{store.metadata.uid}/{store.metadata.resource_version}"
        asked_at, cluster_id = self._answered.get(version, (None, ""))
        if asked_at is None or now - asked_at > LATELY_SECONDS:
            cluster_id = await self.cluster_id(store)
            self._answered[version] = now, cluster_id
        return cluster_id

    async def strike(self, entry: LedgerEntry, store: MCPCredentialStore) -> None:
        """Revoke a generation's token, without waiting for what hangs under it; `end` has to follow.

        :raises Fault: it may not have been revoked
        """
        await self._vault.revoke_accessor(store, entry.accessor)
        self._struck.add(entry.accessor)
        self._to_prove.add(entry.accessor)

    def is_struck(self, entry: LedgerEntry) -> bool:
        """Whether the store has accepted its revocation, as far as this process saw it."""
        return entry.accessor in self._struck

    def is_known_dead(self, entry: LedgerEntry) -> bool:
        """Whether this process has proven its death, and the ledger may still name it."""
        return entry.accessor in self._dead

    def forget(self, entries: Iterable[LedgerEntry]) -> None:
        """No ledger names them any more."""
        for entry in entries:
            for remembered in (self._struck, self._to_prove, self._dead):
                remembered.discard(entry.accessor)

    async def is_dead(self, entry: LedgerEntry, store: MCPCredentialStore) -> bool:
        """Look once whether Vault, being the one that minted it, knows neither token nor lease any more.

        :raises Fault: nobody knows
        """
        alive, lease = await self._look(store, entry.accessor, entry.token_accessor, entry.lease_id)
        dead = not alive and lease is None and await self.cluster_id(store) == entry.cluster_id
        if dead:
            self._dead.add(entry.accessor)
        return dead

    async def end(self, entry: LedgerEntry, store: MCPCredentialStore | None, now: datetime) -> Remains:
        """Revoke a generation and prove it dead; never raises a fault, but returns it."""
        expired = entry.expiry_time is not None and now >= entry.expiry_time
        try:
            if (entry.accessor or entry.lease_id) and not self.is_known_dead(entry):
                await self._end_at_vault(entry, store)
        except Fault as fault:
            if expired and fault.reason is Reason.UNKNOWN_AT_VAULT:
                return DEAD
            irrevocable = fault.reason is Reason.IRREVOCABLE or entry.state is EntryState.IRREVOCABLE
            return Remains(EntryState.IRREVOCABLE if irrevocable else EntryState.REVOKING, fault)
        if ledger.only_runs_out(entry) and not expired:
            return Remains(EntryState.REVOKING)
        return DEAD

    async def give_back(self, store: MCPCredentialStore, accessor: str) -> None:
        """Revoke a login token that nothing depends on, and see that it is gone.

        :raises Fault: it may still be alive
        """
        await self._vault.revoke_accessor(store, accessor)
        await self._until_gone(store, accessor, None, None)

    async def take_back(
        self, store: MCPCredentialStore, accessor: str, lease_id: str | None, token_accessor: str | None
    ) -> None:
        """Revoke what this process has just minted and given to nobody: its lease by id, synchronously, the token
        that came (an orphan outlives its parent), then the login.

        :raises Fault: it may still be alive
        """
        try:
            if lease_id is not None:
                await self._vault.revoke_lease(store, lease_id)
        finally:
            try:
                if token_accessor:
                    await self._vault.revoke_accessor(store, token_accessor)
            finally:
                await self._vault.revoke_accessor(store, accessor)
        await self._until_gone(store, accessor, token_accessor, lease_id)

    async def _end_at_vault(self, entry: LedgerEntry, store: MCPCredentialStore | None) -> None:
        if store is None:
            raise NeedsPerson(Reason.UNKNOWN_AT_VAULT, _unknown(entry, "its MCPCredentialStore is gone"))
        if entry.token_accessor and entry.reason is Reason.UNPUBLISHED:
            # Vault's own answer, and no annotation that somebody may have written
            await self._vault.revoke_accessor(store, entry.token_accessor)
        if entry.accessor in self._to_prove:
            self._to_prove.discard(entry.accessor)
        elif entry.accessor:
            await self._vault.revoke_accessor(store, entry.accessor)
        await self._until_gone(store, entry.accessor, entry.token_accessor, entry.lease_id, entry.state)
        answering = await self.cluster_id(store)
        if answering != entry.cluster_id:
            raise NeedsPerson(
                Reason.UNKNOWN_AT_VAULT,
                _unknown(entry, f"store {store.metadata.name} is another Vault (cluster {answering}) by now"),
            )

    async def _until_gone(
        self,
        store: MCPCredentialStore,
        accessor: str,
        token_accessor: str | None,
        lease_id: str | None,
        state: EntryState = EntryState.CURRENT,
    ) -> None:
        pending = "its token is still alive after the revocation"
        for pause in SETTLING_SECONDS:
            await asyncio.sleep(pause)
            alive, lease = await self._look(store, accessor, token_accessor, lease_id)
            if not alive and lease is None:
                return
            if lease is not None:
                pending = "its lease is still being revoked by Vault"
                if lease.ttl_seconds <= 0 and state in (EntryState.REVOKING, EntryState.IRREVOCABLE):
                    await self._insist(store, lease.lease_id)
        raise TryLater(Reason.REVOCATION_PENDING, pending)

    async def _look(
        self, store: MCPCredentialStore, accessor: str, token_accessor: str | None, lease_id: str | None
    ) -> tuple[bool, LeaseFacts | None]:
        for each in (accessor, token_accessor):
            if each and await self._vault.lookup_accessor(store, each) is not None:
                return True, None
        return False, await self._vault.lookup_lease(store, lease_id) if lease_id else None

    async def _insist(self, store: MCPCredentialStore, lease_id: str) -> None:
        """A lease that is overdue is forced by id: after six failures of its own Vault never tries again."""
        try:
            await self._vault.revoke_lease(store, lease_id)
        except TryLater as fault:
            if fault.reason is not Reason.REVOCATION_PENDING:
                raise
            raise TryLater(Reason.IRREVOCABLE, fault.message, fault.retry_after_seconds) from fault


def _unknown(entry: LedgerEntry, why: str) -> str:
    until = f"may work until {rfc3339(entry.expiry_time)}" if entry.expiry_time else "has no known end"
    return (
        f"generation {entry.generation} cannot be proven dead: {why}; it {until}. To release the object "
        "anyway, annotate it with leasehold.dev/abandon-credentials: <reason>"
    )
