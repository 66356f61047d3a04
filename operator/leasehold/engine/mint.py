"""One mint, in the numbered steps of the design. A crash after any of them leaves a ledger that says what to do:

0  preflight          nothing yet
1  token and login    a login token that nobody knows; nothing is minted under it
2  Intent             the accessor is in the ledger; then our finalizer holds the object
3  fence              as 2
4  mint               the credential hangs under the ledger's accessor, given to nobody
5  fence, Secret      published: the Secret's annotations say so, and a restart adopts it
6  Current            the pass writes the ledger
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from leasehold.api.base import whole_seconds
from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection, SecretRecord
from leasehold.api.profile import CredentialRecipe, CredentialType, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core import deadlines, ledger
from leasehold.core.credential import read_credential
from leasehold.core.facts import Login, MintAnswer, SecretContent, SecretMeta
from leasehold.core.faults import Conflict, Fault, NeedsPerson, OutcomeUnknown, TryLater, Vanished
from leasehold.core.observation import Observation
from leasehold.core.preflight import SecretTarget, target
from leasehold.core.secret_content import data_digest, secret_annotations, secret_content
from leasehold.engine.fence import Fence
from leasehold.engine.gather import Gatherer
from leasehold.engine.report import Reporter
from leasehold.engine.revoke import Revoker
from leasehold.engine.service_accounts import ServiceAccounts
from leasehold.engine.work import Work
from leasehold.ports import Cluster, Vault

FENCE_BUDGET = timedelta(seconds=10)
"""Between the intent and its mint request; later than that, the request is not sent any more."""
SECRET_WRITES = 3


class Denied(Fault):
    """A fence said no. Nothing is left of the attempt, and the next pass acts on the denial."""


@dataclass(frozen=True)
class Order:
    """What is to be minted, for whom, and why."""

    connection: MCPConnection
    profile: MCPServerProfile
    store: MCPCredentialStore
    recipe: CredentialRecipe
    secret_name: str
    mint_hash: str
    reason: Reason


def order_for(o: Observation, reason: Reason) -> Order:
    """The order that an observation gives; it is complete wherever `decide` plans a mint."""
    output = o.connection.spec.output
    if o.profile is None or o.store is None or o.recipe is None or output is None or o.mint_hash is None:
        raise NeedsPerson(Reason.INVALID_SPEC, "profile, store, recipe and output are needed for a mint")
    return Order(o.connection, o.profile, o.store, o.recipe, output.secret_name, o.mint_hash, reason)


class Minter:
    """Mints one generation and writes it to its Secret; the caller commits the ledger."""

    def __init__(
        self,
        cluster: Cluster,
        vault: Vault,
        gatherer: Gatherer,
        accounts: ServiceAccounts,
        fence: Fence,
        revoker: Revoker,
        reporter: Reporter,
    ) -> None:
        self._cluster = cluster
        self._vault = vault
        self._gatherer = gatherer
        self._accounts = accounts
        self._fence = fence
        self._revoker = revoker
        self._reporter = reporter

    async def mint(self, work: Work, order: Order) -> None:
        """Carry the order out. Whatever happens, `work` holds a ledger that is true.

        :raises Fault: it did not work; `LostRace`: and nothing about this connection may be written any more
        """
        asked_at = self._gatherer.now()
        if self._fence.is_closing:
            raise Denied(Reason.LOST_RACE, "the operator stops: nothing is started any more")
        with work.minting_from(order.store):
            place, cluster_id, login = await self._prepare(order, asked_at)
            entry = await self._declare(work, order, place, cluster_id, login, asked_at)
        await self._stop_if_denied(work, order, entry)
        answer = await self._ask_vault(work, order, entry, login)
        content, entry = await self._read(work, order, entry, login, answer, asked_at)
        await self._stop_if_denied(work, order, entry)
        meta = await self._publish(work, order, entry, content, place)
        entry = await self._give_login_back(order, entry)
        exposed = order.reason is Reason.SECRET_DAMAGED
        overlap = timedelta(seconds=0 if exposed else order.recipe.overlap_seconds)
        work.set_ledger(ledger.published(work.ledger, entry, self._gatherer.now(), overlap))
        work.set_secret(
            SecretRecord(
                name=content.name,
                uid=meta.uid,
                resource_version=meta.resource_version,
                digest=data_digest(meta.uid, content.data),
            )
        )
        self._reporter.minted(work.connection, entry, order.reason)

    async def _prepare(self, order: Order, asked_at: datetime) -> tuple[SecretTarget, str, Login]:
        """Steps 0 and 1: the place, which Vault it is, and the login there."""
        try:
            place = await self._preflight(order)
            cluster_id = await self._revoker.cluster_id_lately(order.store)
            return place, cluster_id, await self._log_in(order, asked_at)
        except Fault as fault:
            self._reporter.metrics.minted("not begun", fault.reason, order.recipe.type)
            raise

    async def _preflight(self, order: Order) -> SecretTarget:
        """Step 0."""
        namespace = order.connection.metadata.namespace
        probe = await self._cluster.probe_secret(namespace, order.secret_name)
        return target(order.connection, order.secret_name, probe)

    async def _log_in(self, order: Order, now: datetime) -> Login:
        """Step 1. The token must outlive the mint and the overlap, for all that is minted dies with it."""
        try:
            jwt = await self._accounts.token(order.connection, order.store.metadata.name, now)
        except Vanished as gone:
            name = order.connection.spec.agent.service_account_name
            raise NeedsPerson(
                Reason.SERVICE_ACCOUNT_GONE,
                f"service account {name} (spec.agent.serviceAccountName) does not exist",
            ) from gone
        login = await self._vault.login(order.store, order.recipe.vault_role, jwt)
        needed = order.recipe.overlap_seconds + order.store.spec.max_request_seconds
        if login.ttl_seconds <= needed:
            await self._revoker.give_back(order.store, login.accessor)
            raise NeedsPerson(
                Reason.INVALID_SPEC,
                f"Vault role {order.recipe.vault_role} gives tokens of {login.ttl_seconds} s, and every lease dies "
                f"with its token: set its token_ttl to at least ttlSeconds + overlapSeconds + "
                f"{order.store.spec.max_request_seconds} s",
            )
        return login

    async def _declare(
        self,
        work: Work,
        order: Order,
        place: SecretTarget,
        cluster_id: str,
        login: Login,
        asked_at: datetime,
    ) -> LedgerEntry:
        """Step 2: the compare-and-swap. Until it is through, nothing is minted, so the token is just dropped."""
        budget = timedelta(seconds=order.store.spec.max_request_seconds) + FENCE_BUDGET
        try:
            entry = LedgerEntry(
                generation=place.generation,
                state=EntryState.INTENT,
                type=order.recipe.type,
                store_uid=order.store.metadata.uid,
                cluster_id=cluster_id,
                accessor=login.accessor,
                mint_hash=order.mint_hash,
                secret_name=order.secret_name,
                reason=order.reason,
                issued_time=whole_seconds(asked_at),
                expiry_time=whole_seconds(asked_at + timedelta(seconds=login.ttl_seconds)),
                mint_deadline_time=whole_seconds(
                    self._gatherer.now() + budget + deadlines.MINT_SETTLE_MARGIN + timedelta(seconds=1)
                ),
            )
            work.set_ledger(ledger.with_entry(work.ledger, entry), entry.generation)
            await work.commit()
            await work.hold()
        except Fault:
            await self._drop_login(order, login)
            raise
        self._reporter.minting(work.connection, entry)
        return entry

    async def _drop_login(self, order: Order, login: Login) -> None:
        try:
            await self._revoker.give_back(order.store, login.accessor)
        except Fault:  # it runs out by itself, and nothing hangs under it
            return

    async def _stop_if_denied(self, work: Work, order: Order, entry: LedgerEntry) -> None:
        """Steps 3 and 5: deny wins, and what is not known is not a yes."""
        try:
            denial = await self._fence.denies(work.connection, order.mint_hash)
        except Fault as fault:
            await self._take_back(work, order, entry, fault)
            raise
        if denial is not None:
            denied = Denied(denial.reason, f"not minted: {denial.message}")
            await self._take_back(work, order, entry, denied)
            raise denied

    async def _ask_vault(
        self, work: Work, order: Order, entry: LedgerEntry, login: Login
    ) -> MintAnswer | None:
        """Step 4. An unknown outcome leaves the intent open: it is settled after its deadline."""
        if order.recipe.path is None:
            return None
        longest = timedelta(seconds=order.store.spec.max_request_seconds) + deadlines.MINT_SETTLE_MARGIN
        if entry.mint_deadline_time is None or self._gatherer.now() + longest > entry.mint_deadline_time:
            late = TryLater(Reason.TIMEOUT, "the fence took too long, so nothing was minted")
            await self._take_back(work, order, entry, late)
            raise late
        try:
            return await self._vault.mint(order.store, login.token, order.recipe)
        except OutcomeUnknown as fault:
            self._reporter.mint_failed(work.connection, entry, fault)
            raise
        except Fault as fault:
            await self._take_back(work, order, entry, fault)
            raise

    async def _read(
        self,
        work: Work,
        order: Order,
        entry: LedgerEntry,
        login: Login,
        answer: MintAnswer | None,
        asked_at: datetime,
    ) -> tuple[SecretContent, LedgerEntry]:
        """What came must fit its type and the templates; else it is revoked before anybody has seen it."""
        if answer is not None:
            token_accessor = answer.auth.accessor if answer.auth else None
            entry = entry.model_copy(update={"lease_id": answer.lease_id, "token_accessor": token_accessor})
        try:
            credential = read_credential(order.recipe, login, answer, asked_at)
            entry = entry.model_copy(
                update={
                    "issued_time": whole_seconds(asked_at),
                    "expiry_time": whole_seconds(credential.expiry) if credential.expiry else None,
                    "residual_time": (
                        whole_seconds(credential.residual_until) if credential.residual_until else None
                    ),
                    "mint_deadline_time": None,
                }
            )
            annotations = secret_annotations(
                order.connection, lease_end_time=deadlines.lease_end(order.connection), entry=entry
            )
            content = secret_content(order.connection, order.profile, credential.fields, annotations)
        except Fault as fault:
            await self._take_back(work, order, entry, fault)
            raise
        return content, entry

    async def _publish(
        self, work: Work, order: Order, entry: LedgerEntry, content: SecretContent, place: SecretTarget
    ) -> SecretMeta:
        """Step 5. A write that may have arrived leaves the intent open: the next pass looks at the Secret."""
        try:
            return await self._write_secret(order, content, place, entry)
        except OutcomeUnknown as fault:
            self._keep_what_is_known(work, entry)
            self._reporter.mint_failed(work.connection, entry, fault)
            raise
        except Fault as fault:
            await self._take_back(work, order, entry, fault)
            raise

    def _keep_what_is_known(self, work: Work, entry: LedgerEntry) -> None:
        """The intent stays open, but its end can be proven: Vault has told what to look up."""
        known = {"lease_id": entry.lease_id, "token_accessor": entry.token_accessor}
        for intent in ledger.intents(work.ledger):
            if intent.generation == entry.generation:
                work.set_ledger(ledger.with_entry(work.ledger, intent.model_copy(update=known)))

    async def _write_secret(
        self, order: Order, content: SecretContent, place: SecretTarget, entry: LedgerEntry
    ) -> SecretMeta:
        """Never over a Secret whose generation is ours or higher."""
        existing = place.existing
        for _ in range(SECRET_WRITES):
            try:
                if existing is None:
                    return await self._cluster.create_secret(content)
                return await self._cluster.replace_secret(content, existing.resource_version)
            except (Conflict, Vanished):
                again = await self._preflight(order)
                if again.generation > entry.generation and again.existing is not None:
                    raise Conflict(f"Secret {content.name} was written by somebody else meanwhile") from None
                existing = again.existing
        raise Conflict(f"Secret {content.name} is being changed faster than it can be written")

    async def _give_login_back(self, order: Order, entry: LedgerEntry) -> LedgerEntry:
        """A credential that nothing can revoke needs no token above it. Where that fails the entry keeps the
        accessor, and its end comes back to it."""
        if entry.type not in (CredentialType.EXPIRING, CredentialType.STATIC):
            return entry
        try:
            await self._revoker.give_back(order.store, entry.accessor)
        except Fault:
            return entry
        return entry.model_copy(update={"accessor": ""})

    async def _take_back(self, work: Work, order: Order, entry: LedgerEntry, because: Fault) -> None:
        """The mint is over and was given to nobody: revoke it now, or leave it to the ledger as Revoking."""
        self._reporter.mint_failed(work.connection, entry, because)
        try:
            await self._revoker.take_back(order.store, entry.accessor, entry.lease_id, entry.token_accessor)
        except Fault as fault:
            left = entry.model_copy(
                update={
                    "state": EntryState.REVOKING,
                    "reason": Reason.UNPUBLISHED,
                    "mint_deadline_time": None,
                    "end_time": whole_seconds(self._gatherer.now()),
                }
            )
            work.set_ledger(ledger.with_entry(work.ledger, left))
            self._reporter.not_ended(work.connection, left, fault)
            return
        work.set_ledger(ledger.without(work.ledger, [entry.generation]))
        self._reporter.ended(work.connection, entry, Reason.UNPUBLISHED)
