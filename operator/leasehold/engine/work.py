"""A pass's own copy of a connection: the authority that it changes, and the one way to write it."""

from contextlib import AbstractContextManager
from datetime import datetime

from leasehold.api.connection import (
    LedgerEntry,
    MCPConnection,
    MCPConnectionStatus,
    OwnerRecord,
    ReviewRecord,
    SecretRecord,
    UseRecord,
)
from leasehold.api.hold import Hold
from leasehold.api.names import FINALIZER
from leasehold.api.store import MCPCredentialStore
from leasehold.api.violation import PolicyViolation
from leasehold.core import revocations
from leasehold.core.faults import Conflict, Fault, OutcomeUnknown, Vanished
from leasehold.core.ledger import Ledger
from leasehold.engine.inventory import Inventory
from leasehold.ports import Cluster

REAPPLICATIONS = 5


class LostRace(Fault):
    """The ledger is no longer as we left it: somebody else decides about this connection now."""

    def __init__(self, fresh: MCPConnection) -> None:
        conflict = Conflict(f"the ledger of {fresh.key} was changed by somebody else")
        super().__init__(conflict.reason, conflict.message)
        self.ledger = fresh.status.ledger
        """What they have made of it."""


class Work:
    """One connection during one pass."""

    def __init__(self, cluster: Cluster, inventory: Inventory, connection: MCPConnection) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self.connection = connection
        """As the API server last answered it: what the next write has to be based on."""
        self.status = connection.status
        """As it is going to be written."""

    @property
    def ledger(self) -> Ledger:
        """The ledger as this pass has it."""
        return self.status.ledger

    @property
    def as_it_will_be(self) -> MCPConnection:
        """The connection with the status of this pass."""
        return self.connection.model_copy(update={"status": self.status})

    def set_ledger(self, ledger: Ledger, last_generation: int | None = None) -> None:
        """Change the ledger; `commit` writes it."""
        last = self.status.last_generation if last_generation is None else last_generation
        self.status = self.status.model_copy(update={"ledger": ledger, "last_generation": last})

    def set_secret(self, secret: SecretRecord | None) -> None:
        """Change what is known of the Secret."""
        self.status = self.status.model_copy(update={"secret": secret})

    def set_reviews(self, approval: ReviewRecord | None, rejection: ReviewRecord | None) -> None:
        """Change what people have said about the connection."""
        self.status = self.status.model_copy(update={"approval": approval, "rejection": rejection})

    def set_use(self, use: UseRecord | None) -> None:
        """Change what is known of the connection's use."""
        self.status = self.status.model_copy(update={"use": use})

    def set_owner(self, owner: OwnerRecord | None) -> None:
        """Change what is known of who answers for the connection."""
        self.status = self.status.model_copy(update={"owner": owner})

    def set_violations(self, violations: tuple[PolicyViolation, ...]) -> None:
        """Change what access policies have found."""
        self.status = self.status.model_copy(update={"policy_violations": violations})

    def minting_from(self, store: MCPCredentialStore) -> AbstractContextManager[None]:
        """See `Inventory.minting_from`."""
        return self._inventory.minting_from(store)

    def set_holds(self, holds: tuple[Hold, ...]) -> None:
        """Change what revocations leave on the connection."""
        self.status = self.status.model_copy(update={"holds": holds})

    def let_go(self, entry: LedgerEntry | None) -> None:
        """A generation leaves the ledger, or what a lost one named is given up, and nobody has seen it dead: the
        holds remember that."""
        self.set_holds(revocations.let_go(self.status.holds, entry))

    def outlives(self, residual: datetime | None) -> None:
        """A certificate whose lease is revoked still convinces whoever asks nobody."""
        known = self.status.revoked_certificate_until
        if residual is not None and (known is None or residual > known):
            self.status = self.status.model_copy(update={"revoked_certificate_until": residual})

    async def commit(self) -> None:
        """Write the status with the version it was read at: the compare-and-swap of the ledger.

        On a conflict it is reapplied to the fresh object as long as the ledger there is as we left it.

        :raises LostRace: somebody else changed the ledger
        :raises Vanished: the connection is gone
        """
        if self._is_written():
            return
        for _ in range(REAPPLICATIONS):
            try:
                self._took(await self._cluster.put_status(self.as_it_will_be))
            except Conflict:
                await self._read_again()
            except OutcomeUnknown:
                await self._read_again(written=self.status)
                if self._is_written():
                    return
            else:
                return
        raise Conflict(f"{self.connection.key} is being changed faster than it can be written")

    async def hold(self) -> None:
        """Add our finalizer, so that the object stays while its ledger names something.

        :raises LostRace: somebody else changed the ledger
        :raises Vanished: the connection is gone
        """
        for _ in range(REAPPLICATIONS):
            if FINALIZER in self.connection.metadata.finalizers:
                return
            try:
                self._took(await self._cluster.add_finalizer(self.connection))
            except (Conflict, OutcomeUnknown):
                await self._read_again()
        if FINALIZER not in self.connection.metadata.finalizers:
            raise Conflict(f"{self.connection.key} is being changed faster than it can be written")

    async def release(self) -> None:
        """Remove our finalizer: nothing that was minted for this connection is alive."""
        for _ in range(REAPPLICATIONS):
            try:
                await self._cluster.remove_finalizer(self.connection)
            except (Conflict, OutcomeUnknown):
                try:
                    await self._read_again()
                except Vanished:
                    return
                if FINALIZER not in self.connection.metadata.finalizers:
                    return
            else:
                return
        raise Conflict(f"{self.connection.key} is being changed faster than it can be written")

    def _is_written(self) -> bool:
        """Also where only fractions of seconds differ, which the API server does not store."""
        written = self.connection.status
        return self.status == written or self.status.to_wire() == written.to_wire()

    def _took(self, answered: MCPConnection) -> None:
        self.connection = answered
        self._inventory.put(answered)

    async def _read_again(self, written: MCPConnectionStatus | None = None) -> None:
        """Go on from the fresh object, as long as its ledger is as we left it, or as the write whose outcome
        is not known would have left it."""
        left = self.connection
        fresh = await self._fresh()
        expected = [_authority(status) for status in (left.status, written) if status is not None]
        if _authority(fresh.status) not in expected:
            self._inventory.put(fresh)
            raise LostRace(fresh)
        self._took(fresh)

    async def _fresh(self) -> MCPConnection:
        uid = self.connection.metadata.uid
        fresh = await self._cluster.get(
            MCPConnection, self.connection.metadata.name, self.connection.metadata.namespace
        )
        if fresh is None or fresh.metadata.uid != uid:
            raise Vanished(f"MCPConnection {self.connection.key} is gone")
        return fresh


def _authority(status: MCPConnectionStatus) -> tuple[object, ...]:
    entries = [tuple(sorted(entry.to_wire().items())) for entry in status.ledger]
    holds = [hold.to_wire() for hold in status.holds]
    return status.last_generation, tuple(entries), status.secret.to_wire() if status.secret else None, holds
