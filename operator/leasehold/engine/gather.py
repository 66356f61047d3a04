"""Everything that a decision looks at, read once. What fails to be read is a fault, never "absent"."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import datetime
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.names import FINALIZER
from leasehold.api.reasons import Reason
from leasehold.core import ledger
from leasehold.core.checks import DENIALS, first_finding
from leasehold.core.drift_standing import DriftStanding
from leasehold.core.faults import Fault, TryLater
from leasehold.core.former import inherited
from leasehold.core.observation import Observation
from leasehold.core.reviews import reviewed
from leasehold.engine.inspect import Inspector
from leasehold.engine.inventory import Inventory
from leasehold.engine.owners import OwnerBook
from leasehold.engine.revocations import RevocationBook
from leasehold.engine.service_accounts import Namespaces, ServiceAccounts
from leasehold.engine.surfaces import Surfaces
from leasehold.engine.usage import UseWatch
from leasehold.ports import Clock, Cluster

PATIENCE_SECONDS: Final = 1.0


class Gatherer:
    """Builds observations from the inventory and from the few reads that it cannot answer."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        inventory: Inventory,
        accounts: ServiceAccounts,
        namespaces: Namespaces,
        inspector: Inspector,
        book: RevocationBook,
        surfaces: Surfaces,
        uses: UseWatch,
        owners: OwnerBook,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._inventory = inventory
        self._accounts = accounts
        self._namespaces = namespaces
        self._inspector = inspector
        self._book = book
        self._surfaces = surfaces
        self._uses = uses
        self._owners = owners

    def now(self) -> datetime:
        """The API server's time.

        :raises TryLater: it was never heard of
        """
        now = self._clock.now()
        if now is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "the API server's time is not known yet")
        return now

    async def observe(self, connection: MCPConnection) -> Observation:
        """One connection as it stands now, with the reviews that count."""
        now = self.now()
        inventory = self._inventory
        predecessors = inventory.predecessors(connection, now)
        connection = inherited(connection, predecessors, self._book.uids)
        connection = reviewed(connection, inventory.reviews_of(connection))
        profile = inventory.profiles.get(connection.spec.profile)
        recipe = profile.spec.credential if profile else None
        store = inventory.stores.get(recipe.store_name) if recipe else None
        status = connection.status
        policies = tuple(inventory.policies)
        selects = any(
            each is not None and each.spec.allowed_namespaces is not None for each in (profile, store)
        ) or any(policy.spec.namespaces is not None for policy in policies)
        probe_for = self._secret_in_question(connection)
        observed = Observation(
            now=now,
            connection=connection,
            profile=profile,
            store=store,
            namespace_labels=(
                await self._namespaces.labels(connection.metadata.namespace, now) if selects else None
            ),
            service_account_exists=(
                await self._accounts.exists(connection, now) if status.ledger or status.conditions else None
            ),
            secret=(
                await self._cluster.probe_secret(connection.metadata.namespace, probe_for)
                if probe_for
                else None
            ),
            inspection=await self._inspector.inspect(connection, now),
            rivals=inventory.rivals(connection),
            revocations=self._book.known,
            matched_by=self._book.matched_by(connection),
            recorded_by=self._book.recording(connection),
            policies=policies,
            unreadable_policies=tuple(sorted(inventory.policies.unreadable)),
            peers=inventory.peers(connection),
            predecessors=predecessors,
            unreadable_exposure=inventory.unreadable_exposure(connection),
            look=await self._uses.look(connection, now),
            owner_look=self._owners.look(connection, now),
        )
        return replace(observed, drift=await self._drift(observed))

    async def observe_for_fence(self, connection: MCPConnection) -> Observation:
        """The newest that is known of a connection, with a list of revocations begun after this call."""
        revocations = await self._book.refresh()
        newest = self._inventory.connections.get(connection.key)
        if newest is None or newest.metadata.uid != connection.metadata.uid:
            newest = connection
        predecessors = self._inventory.predecessors(newest, self.now())
        newest = inherited(newest, predecessors, self._book.uids)
        newest = reviewed(newest, self._inventory.reviews_of(newest))
        profile = self._inventory.profiles.get(newest.spec.profile)
        recipe = profile.spec.credential if profile else None
        drift = await self._surfaces.standing(newest, profile)
        now, policies = self.now(), tuple(self._inventory.policies)
        selects = any(policy.spec.namespaces is not None for policy in policies)
        namespace = newest.metadata.namespace
        return Observation(
            now=now,
            connection=newest,
            profile=profile,
            store=self._inventory.stores.get(recipe.store_name) if recipe else None,
            revocations=revocations,
            matched_by=self._book.matched_by(newest),
            rivals=self._inventory.rivals(newest),
            namespace_labels=await self._namespaces.labels(namespace, now) if selects else None,
            policies=policies,
            unreadable_policies=tuple(sorted(self._inventory.policies.unreadable)),
            peers=self._inventory.peers(newest),
            predecessors=predecessors,
            unreadable_exposure=self._inventory.unreadable_exposure(newest),
            drift=drift,
            owner_look=self._owners.look(newest, self.now()),
        )

    async def _drift(self, o: Observation) -> DriftStanding | None:
        """What ends for another reason anyway does not wait for two surfaces to be read and compared."""
        standing = self._surfaces.standing(o.connection, o.profile)
        if first_finding(DENIALS, o) is None:
            return await standing
        with contextlib.suppress(Fault, TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):  # wait_for can swallow the end of the process
                return await standing
        return None

    def _secret_in_question(self, connection: MCPConnection) -> str | None:
        """The Secret to look at: of an open intent, or of a ledger that is lost."""
        open_intents = ledger.intents(connection.status.ledger)
        if open_intents:
            return open_intents[-1].secret_name
        if ledger.is_lost(connection, FINALIZER) and connection.spec.output is not None:
            return connection.spec.output.secret_name
        return None
