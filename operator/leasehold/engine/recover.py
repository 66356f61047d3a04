"""A ledger that is gone, while our finalizer says that there was one: what can still be learned without minting.

The Secret names an accessor. Anybody who may edit Secrets may have written it, so Vault is asked whose it is."""

from datetime import datetime, timedelta

from leasehold.api.base import whole_seconds
from leasehold.api.connection import EntryState, LedgerEntry
from leasehold.api.names import SecretAnnotation
from leasehold.api.profile import CredentialRecipe, CredentialType
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core import ledger
from leasehold.core.adoption import (
    accessor_of,
    generation_of,
    lease_id_of,
    ours,
    residual_of,
    time_of,
    token_accessor_of,
)
from leasehold.core.facts import SecretMeta, TokenFacts
from leasehold.core.faults import Fault, NeedsPerson
from leasehold.core.identity import belongs_to
from leasehold.core.observation import Observation
from leasehold.engine.inventory import Inventory
from leasehold.engine.report import Reporter
from leasehold.engine.revoke import Revoker
from leasehold.engine.secrets import Secrets
from leasehold.engine.work import Work
from leasehold.ports import Cluster, Vault

GIVEN_BACK = frozenset({CredentialType.EXPIRING, CredentialType.STATIC})


def owes_login(entry: LedgerEntry) -> bool:
    """A credential that nothing can revoke is published, and the login above it is alive for nothing."""
    published = entry.state in (EntryState.CURRENT, EntryState.RETIRING)
    return published and entry.type in GIVEN_BACK and bool(entry.accessor)


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
        """Put the Secret's generation back into the ledger.

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
        entry = await self._entry(o, o.store, o.recipe, meta, generation)
        work.set_ledger((entry,), generation)
        self._secrets.remember(work, o, entry)
        if entry.state is EntryState.CURRENT:
            self._reporter.adopted(work.connection, entry)

    async def _entry(
        self,
        o: Observation,
        store: MCPCredentialStore,
        recipe: CredentialRecipe,
        meta: SecretMeta,
        generation: int,
    ) -> LedgerEntry:
        """A login that is gone proves only itself: what was minted under it has yet to be proven dead."""
        accessor, given_back = accessor_of(meta), recipe.type in GIVEN_BACK
        facts = await self._login(o, store, accessor, given_back)
        expiry = time_of(meta.annotations, SecretAnnotation.CREDENTIAL_EXPIRY_TIME)
        if facts is not None and not given_back:
            expiry = _earliest(expiry, o.now + timedelta(seconds=facts.ttl_seconds))
        issued = time_of(meta.annotations, SecretAnnotation.ISSUED_TIME)
        alive = facts is not None or given_back
        return LedgerEntry(
            generation=generation,
            state=EntryState.CURRENT if alive else EntryState.REVOKING,
            type=recipe.type,
            store_uid=store.metadata.uid,
            cluster_id=await self._revoker.cluster_id(store),
            accessor=accessor if accessor and (facts is not None or not given_back) else "",
            token_accessor=token_accessor_of(meta),
            lease_id=lease_id_of(meta),
            mint_hash=o.mint_hash or "",
            secret_name=o.connection.spec.output.secret_name if o.connection.spec.output else "",
            residual_time=residual_of(recipe.type, meta),
            reason=Reason.ADOPTED if alive else Reason.GONE_EARLY,
            issued_time=whole_seconds(_earliest(issued, o.now)),
            expiry_time=(
                whole_seconds(expiry) if expiry and recipe.type is not CredentialType.STATIC else None
            ),
        )

    async def _login(
        self, o: Observation, store: MCPCredentialStore, accessor: str | None, given_back: bool
    ) -> TokenFacts | None:
        """The login that the Secret names, where it is alive; it has to be this connection's."""
        if accessor is None:
            if given_back:
                return None
            raise NeedsPerson(
                Reason.LEDGER_LOST,
                "status was lost, and the Secret does not tell which login its credential hangs under: somebody "
                "changed its annotations; annotate this connection with "
                "leasehold.dev/abandon-credentials: <reason> once its credentials have run out",
            )
        facts = await self._vault.lookup_accessor(store, accessor)
        if facts is not None:
            await self._must_be_ours(o, store, facts)
        return facts

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

    async def give_logins_back(self, work: Work) -> None:
        """Try again what failed right after a mint."""
        for entry in work.ledger:
            if owes_login(entry):
                work.set_ledger(ledger.with_entry(work.ledger, await self.without_login(entry)))

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
