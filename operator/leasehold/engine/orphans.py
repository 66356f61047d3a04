"""What a connection has left alive whose object went without our leave: somebody took our finalizer away.

It is ended from what was last known of the ledger, held in memory: a restart forgets it."""

from datetime import timedelta
from typing import Final

import structlog

from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.faults import TryLater
from leasehold.core.ledger import only_runs_out
from leasehold.engine.inventory import Inventory
from leasehold.engine.revoke import Revoker
from leasehold.ports import Clock

ORPHAN_PREFIX: Final = "orphan:"
RETRY: Final = timedelta(seconds=15)

log = structlog.get_logger(__name__)


class Orphans:
    """Ledgers without an object, by the key under which each is queued."""

    def __init__(self, inventory: Inventory, revoker: Revoker, clock: Clock) -> None:
        self._inventory = inventory
        self._revoker = revoker
        self._clock = clock
        self._left: dict[str, MCPConnection] = {}

    def take(self, gone: MCPConnection) -> str:
        """Remember what is to be ended; the key to queue."""
        key = f"{ORPHAN_PREFIX}{gone.key}/{gone.metadata.uid}"
        self._left[key] = gone
        return key

    async def end(self, key: str) -> timedelta | None:
        """One try at all that is left; after which time to try again, None where nothing is left.

        :raises TryLater: the API server's time is not known yet
        """
        orphan, now = self._left[key], self._clock.now()
        if now is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "the API server's time is not known yet")
        left = []
        for entry in orphan.status.ledger:
            remains = await self._revoker.end(entry, self._inventory.store_by_uid(entry.store_uid), now)
            if remains.state is not None and not only_runs_out(entry):
                log.warning(
                    "a credential without its connection is alive", object=orphan.key, left=remains.state
                )
                left.append(entry.model_copy(update={"state": remains.state}))
        if not left:
            del self._left[key]
            return None
        status = orphan.status.model_copy(update={"ledger": tuple(left)})
        self._left[key] = orphan.model_copy(update={"status": status})
        return RETRY
