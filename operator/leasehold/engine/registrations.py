"""Stores and profiles: what the platform registers. A store is held by our finalizer until no ledger names it,
and says whether it can be used; a profile says whether it can be used at all."""

from collections.abc import Callable
from datetime import datetime, timedelta

from leasehold.api.base import Condition, ConditionStatus
from leasehold.api.names import FINALIZER
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core.advice import advised
from leasehold.core.faults import Conflict, Fault, OutcomeUnknown, Vanished
from leasehold.engine.inventory import Inventory
from leasehold.engine.revoke import Revoker
from leasehold.ports import Clock, Cluster, Metrics, Vault

STORE_CHECK_PERIOD = timedelta(seconds=60)

Verdict = tuple[ConditionStatus, Reason, str]


class Registrations:
    """Keeps the finalizer and the Ready condition of stores, and the Ready condition of profiles."""

    def __init__(
        self,
        cluster: Cluster,
        vault: Vault,
        inventory: Inventory,
        revoker: Revoker,
        clock: Clock,
        requeue: Callable[[MCPCredentialStore], None],
        metrics: Metrics,
    ) -> None:
        self._cluster = cluster
        self._vault = vault
        self._inventory = inventory
        self._revoker = revoker
        self._clock = clock
        self._requeue = requeue
        self._metrics = metrics

    async def reconcile_store(self, store: MCPCredentialStore) -> timedelta | None:
        """One pass; when to look again, None where it is gone.

        :raises Fault: nothing could be written
        """
        try:
            if store.metadata.deletion_timestamp is not None:
                return await self._let_go(store)
            store = await self._hold(store)
            verdict, cluster_id = await self._can_be_used(store)
            await self._say(store, verdict, cluster_id)
        except (Conflict, OutcomeUnknown):
            fresh = await self._cluster.get(MCPCredentialStore, store.metadata.name)
            if fresh is not None:
                self._inventory.put(fresh)
            return timedelta(seconds=1)
        except Vanished:
            return None
        return STORE_CHECK_PERIOD

    async def reconcile_profile(self, profile: MCPServerProfile) -> None:
        """Whether the profile's store is there.

        :raises Fault: nothing could be written; the prober writes to the same status, and may have been first
        """
        credential = profile.spec.credential
        verdict: Verdict = (
            ConditionStatus.TRUE,
            Reason.RECORD_ONLY,
            "connections are recorded; nothing is minted",
        )
        if credential is not None:
            verdict = (ConditionStatus.TRUE, Reason.ACTIVE, "connections may be made")
            if self._inventory.stores.get(credential.store_name) is None:
                verdict = (
                    ConditionStatus.FALSE,
                    Reason.INVALID_SPEC,
                    f"spec.credential.storeName: there is no MCPCredentialStore {credential.store_name}; "
                    "register it or correct the name",
                )
        held = self._inventory.profiles.get(profile.key) or profile
        conditions = self._conditions(held.status.conditions, held.metadata.generation, verdict)
        status = held.status.model_copy(
            update={"conditions": conditions, "observed_generation": held.metadata.generation}
        )
        if status.to_wire() != held.status.to_wire():
            try:
                answered = await self._cluster.put_status(held.model_copy(update={"status": status}))
            except Vanished:
                return
            self._inventory.put(answered)

    async def _hold(self, store: MCPCredentialStore) -> MCPCredentialStore:
        if FINALIZER in store.metadata.finalizers:
            return store
        held = await self._cluster.add_finalizer(store)
        self._inventory.put(held)
        self._requeue(held)
        return held

    async def _let_go(self, store: MCPCredentialStore) -> timedelta | None:
        if FINALIZER not in store.metadata.finalizers:
            return None
        users = self._inventory.ledgers_naming(store)
        if self._inventory.is_minted_from(store):
            return timedelta(seconds=1)
        if not users:
            await self._cluster.remove_finalizer(store)
            return None
        names = ", ".join(user.key for user in users[:5])
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""
        message = f"being deleted; it waits for the ledgers of {names}{more}"
        self._metrics.store(store.metadata.name, False, Reason.IN_USE, None)
        await self._say(store, (ConditionStatus.FALSE, Reason.IN_USE, message))
        return timedelta(seconds=5)

    async def _can_be_used(self, store: MCPCredentialStore) -> tuple[Verdict, str | None]:
        try:
            cluster_id = await self._revoker.cluster_id(store)
            irrevocable = await self._vault.irrevocable_leases(store)
        except Fault as fault:
            self._metrics.store(store.metadata.name, False, fault.reason, None)
            return (ConditionStatus.FALSE, fault.reason, advised(fault)), None
        self._metrics.store(store.metadata.name, True, Reason.ACTIVE, irrevocable)
        return (
            ConditionStatus.TRUE,
            Reason.ACTIVE,
            "it answers, and the operator may end credentials there",
        ), cluster_id

    async def _say(self, store: MCPCredentialStore, verdict: Verdict, cluster_id: str | None = None) -> None:
        conditions = self._conditions(store.status.conditions, store.metadata.generation, verdict)
        status = store.status.model_copy(
            update={
                "conditions": conditions,
                "observed_generation": store.metadata.generation,
                "cluster_id": cluster_id or store.status.cluster_id,
            }
        )
        if status.to_wire() != store.status.to_wire():
            self._inventory.put(await self._cluster.put_status(store.model_copy(update={"status": status})))

    def _conditions(
        self, before: tuple[Condition, ...], generation: int, verdict: Verdict
    ) -> tuple[Condition, ...]:
        status, reason, message = verdict
        was = next((condition for condition in before if condition.type == "Ready"), None)
        now: datetime | None = self._clock.now()
        if was is not None and was.status is status:
            now = was.last_transition_time
        if now is None:
            return before
        ready = Condition(
            type="Ready",
            status=status,
            reason=reason,
            message=message[:1024],
            last_transition_time=now,
            observed_generation=generation,
        )
        return (ready, *(condition for condition in before if condition.type != "Ready"))
