"""A ledger that is gone, while our finalizer says that there was one: what can still be learned without minting.

The Secret names an accessor. Anybody who may edit Secrets may have written it, so Vault is asked whose it is."""

from datetime import datetime, timedelta

from leasehold.api.connection import EntryState, LedgerEntry
from leasehold.api.names import SecretAnnotation
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core.adoption import generation_of, ours, time_of
from leasehold.core.facts import SecretMeta, TokenFacts
from leasehold.core.faults import Fault, NeedsPerson
from leasehold.core.identity import belongs_to
from leasehold.core.observation import Observation
from leasehold.engine.inventory import Inventory
from leasehold.engine.report import Reporter
from leasehold.engine.revoke import Revoker
from leasehold.engine.secrets import Secrets
from leasehold.engine.work import Work, whole_seconds
from leasehold.ports import Cluster, Vault

GIVEN_BACK = frozenset({CredentialType.EXPIRING, CredentialType.STATIC})


class Recovery:
    """Rebuilds the entry of the published generation."""

    def __init__(
        self,
        cluster: Cluster,
        vault: Vault,
        inventory: Inventory,
        revoker: Revoker,
        secrets: Secrets,
        reporter: Reporter,
    ) -> None:
        self._cluster = cluster
        self._vault = vault
        self._inventory = inventory
        self._revoker = revoker
        self._secrets = secrets
        self._reporter = reporter

    async def recover(self, work: Work, o: Observation) -> None:
        """Put the Secret's generation back into the ledger, or find it dead.

        :raises NeedsPerson: the Secret does not tell enough, or names somebody else's accessor
        """
        meta = ours(o.connection, o.secret)
        if meta is None:
            return
        if o.store is None or o.recipe is None:
            raise NeedsPerson(
                Reason.LEDGER_LOST,
                "status was lost, and without its profile and store nothing can be looked up",
            )
        generation = max(generation_of(meta), 1)
        accessor = meta.annotations.get(SecretAnnotation.ACCESSOR, "")
        entry = await self._entry(o, o.store, meta, generation, accessor)
        work.set_ledger((entry,) if entry is not None else (), generation)
        if entry is not None:
            self._secrets.remember(work, o, entry)
            self._reporter.adopted(work.connection, entry)

    async def _entry(
        self, o: Observation, store: MCPCredentialStore, meta: SecretMeta, generation: int, accessor: str
    ) -> LedgerEntry | None:
        expiry = time_of(meta.annotations, SecretAnnotation.CREDENTIAL_EXPIRY_TIME)
        if accessor:
            facts = await self._vault.lookup_accessor(store, accessor)
            if facts is None:
                return None
            await self._must_be_ours(o, store, facts)
            expiry = _earliest(expiry, o.now + timedelta(seconds=facts.ttl_seconds))
        assert o.recipe is not None  # noqa: S101  recover() has looked
        return LedgerEntry(
            generation=generation,
            state=EntryState.CURRENT,
            type=o.recipe.type,
            store_uid=store.metadata.uid,
            cluster_id=await self._revoker.cluster_id(store),
            accessor=accessor[:256],
            token_accessor=meta.annotations.get(SecretAnnotation.TOKEN_ACCESSOR),
            lease_id=meta.annotations.get(SecretAnnotation.LEASE_ID),
            mint_hash=o.mint_hash or "",
            secret_name=o.connection.spec.output.secret_name if o.connection.spec.output else "",
            reason=Reason.ADOPTED,
            issued_time=time_of(meta.annotations, SecretAnnotation.ISSUED_TIME),
            expiry_time=whole_seconds(expiry) if expiry else None,
        )

    async def _must_be_ours(self, o: Observation, store: MCPCredentialStore, facts: TokenFacts) -> None:
        metadata = o.connection.metadata
        name = o.connection.spec.agent.service_account_name
        account = await self._cluster.service_account(metadata.namespace, name)
        if account is not None and belongs_to(facts, store, metadata.namespace, name, account.uid):
            return
        raise NeedsPerson(
            Reason.LEDGER_LOST,
            f"status was lost, and the accessor that the Secret names is not one of service account {name}: "
            "somebody changed the Secret's annotations; annotate this connection with "
            "leasehold.dev/abandon-credentials: <reason> once its credentials have run out",
        )

    async def without_login(self, entry: LedgerEntry) -> LedgerEntry:
        """A credential that nothing can revoke needs no login token above it."""
        store = self._inventory.store_by_uid(entry.store_uid)
        if entry.type not in GIVEN_BACK or store is None or not entry.accessor:
            return entry
        try:
            await self._revoker.give_back(store, entry.accessor)
        except Fault:
            return entry
        return entry.model_copy(update={"accessor": ""})


def _earliest(first: datetime | None, second: datetime) -> datetime:
    return second if first is None else min(first, second)
