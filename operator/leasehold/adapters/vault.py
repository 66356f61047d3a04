"""All Vaults, behind `ports.Vault`.

Requests run in threads. There are two pools, for Vault may take a minute and a half over one mint, and a
revocation must not wait for a thread behind a fleet of those.

Connections' logins are paced per store; revocations and look-ups go past. A login takes the place of the mint that
follows it, too, because a mint must not wait: it has been written down with a time by which it is over, and one
that left later could meet its own revocation. So a mint that cannot leave at once does not leave.

Whoever awaits a mint may be cancelled; a mint that has begun goes on in its thread to its end, and its answer
is lost with the caller. So callers shield it, and write down beforehand that it may have happened."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from leasehold.adapters.vault_answers import (
    Subject,
    body_of,
    fault_of,
    read_lease_facts,
    read_lease_ids,
    read_login,
    read_mint,
    read_token_facts,
    unusable,
    vaults_own_words,
)
from leasehold.adapters.vault_identity import GivenTokens, OperatorTokens, StoreTokens
from leasehold.adapters.vault_pace import TokenBucket
from leasehold.adapters.vault_threads import VaultThreads
from leasehold.adapters.vault_wire import Answer, BadAddress, Request, Unanswered, Unsent
from leasehold.api.profile import CredentialMethod, CredentialRecipe
from leasehold.api.reasons import Reason
from leasehold.api.store import AuthMethod, MCPCredentialStore
from leasehold.core.facts import (
    AccessorRevocation,
    LeaseFacts,
    Login,
    MintAnswer,
    ServiceAccountToken,
    TokenFacts,
)
from leasehold.core.faults import Fault, NeedsPerson, OutcomeUnknown, TryLater
from leasehold.core.identity import KUBERNETES_METADATA
from leasehold.core.sealed import Sealed

GRACE_SECONDS: Final = 10.0
"""How much longer than Vault's own limit we listen, so that it is Vault that ends a request."""

SEND_WITHIN_SECONDS: Final = 2.0
"""For a mint; well within the margin that callers add to the store's longest request."""

Observe = Callable[[str, str, str, float], None]
"""(store, operation, outcome, seconds); the outcome is `ok`, `cancelled` or a Reason."""


class HvacVault:
    """`ports.Vault` with hvac.

    :param identity: a token of the operator's own service account with the audience `leasehold.dev/operator`
    :param requests_per_second: logins and mints per store, on average; `burst` of them at once
    :param threads: for mints, and as many for revocations: no fewer than mints can be under way, so that
        none of them waits
    """

    def __init__(
        self,
        identity: Callable[[], Awaitable[ServiceAccountToken]],
        *,
        requests_per_second: float = 200.0,
        burst: int = 100,
        threads: int = 16,
        observe: Observe | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        tokens: StoreTokens | None = None,
    ) -> None:
        self._identity = identity
        self._rate, self._burst = requests_per_second, burst
        self._observe = observe
        self._monotonic = monotonic
        self._minting = VaultThreads("vault-mint", threads)
        self._revoking = VaultThreads("vault-revoke", threads)
        self._buckets: dict[str, TokenBucket] = {}
        self._tokens = tokens or OperatorTokens(self._log_operator_in, monotonic)

    @classmethod
    def of_a_person(
        cls, token_of: Callable[[MCPCredentialStore], Sealed[str] | None], threads: int
    ) -> "HvacVault":
        """Asks with tokens that a person has, and logs nobody in; `threads` requests at once."""

        async def nobody() -> ServiceAccountToken:
            raise NeedsPerson(Reason.REFUSED, "a person's command has no service account to log in with")

        return cls(nobody, threads=threads, tokens=GivenTokens(token_of))

    async def cluster_id(self, store: MCPCredentialStore) -> str:
        """See `ports.Vault`. A standby that forwards requests is as good as its active node."""
        subject = Subject(f"{_at(store)}: health")
        with self._watched(store, "health"):
            query = {"standbyok": "true", "perfstandbyok": "true"}
            answer = await self._send(
                self._revoking, store, Request("sys/health", query=query), None, subject
            )
            if answer.status == 503 and (answer.body or {}).get("sealed") is True:
                raise TryLater(Reason.SEALED, f"{subject.words}: it is sealed")
            cluster_id = body_of(answer, subject).get("cluster_id")
            if not isinstance(cluster_id, str) or not cluster_id:
                raise unusable(subject, "its answer holds no cluster id")
            return cluster_id

    async def login(self, store: MCPCredentialStore, role: str, jwt: Sealed[str]) -> Login:
        """See `ports.Vault`."""
        with self._watched(store, "login"):
            await self._pace(store, requests=2)
            return await self._log_in(self._minting, store, role, jwt)

    async def mint(
        self, store: MCPCredentialStore, token: Sealed[str], recipe: CredentialRecipe
    ) -> MintAnswer:
        """See `ports.Vault`. A recipe without a path has nothing to mint."""
        if recipe.path is None:
            raise ValueError("a recipe without a path is never minted")
        subject = Subject(f"{_at(store)}: role {recipe.vault_role}, {recipe.path}", repeatable=False)
        with self._watched(store, "mint"):
            request = _mint_request(store, recipe, recipe.path)
            answer = await self._send(self._minting, store, request, token, subject)
            return read_mint(body_of(answer, subject), subject)

    async def revoke_accessor(self, store: MCPCredentialStore, accessor: str) -> AccessorRevocation:
        """See `ports.Vault`."""
        subject = Subject(f"{_at(store)}: revoking an accessor")
        with self._watched(store, "revoke-accessor"):
            request = Request("auth/token/revoke-accessor", {"accessor": accessor})
            answer = await self._send_with_token(store, request, subject)
            if _says_invalid_accessor(answer):
                return AccessorRevocation.UNKNOWN_ACCESSOR
            if answer.status == 204:
                return AccessorRevocation.ACCEPTED
            if "no token found" in str(body_of(answer, subject).get("warnings")).lower():
                return AccessorRevocation.UNKNOWN_ACCESSOR
            return AccessorRevocation.ACCEPTED

    async def lookup_accessor(self, store: MCPCredentialStore, accessor: str) -> TokenFacts | None:
        """See `ports.Vault`. Metadata has the same names whatever the store's auth method."""
        subject = Subject(f"{_at(store)}: looking up an accessor")
        with self._watched(store, "lookup-accessor"):
            request = Request("auth/token/lookup-accessor", {"accessor": accessor})
            answer = await self._send_with_token(store, request, subject)
            if _says_invalid_accessor(answer):
                return None
            return read_token_facts(body_of(answer, subject), subject, _metadata_names(store))

    async def lookup_lease(self, store: MCPCredentialStore, lease_id: str) -> LeaseFacts | None:
        """See `ports.Vault`."""
        subject = Subject(f"{_at(store)}: looking up a lease")
        with self._watched(store, "lookup-lease"):
            request = Request("sys/leases/lookup", {"lease_id": lease_id})
            answer = await self._send_with_token(store, request, subject)
            if answer.status == 400 and "invalid lease" in vaults_own_words(answer):
                return None
            return read_lease_facts(body_of(answer, subject), subject, lease_id)

    async def leases_below(self, store: MCPCredentialStore, path: str) -> tuple[str, ...]:
        """See `ports.VaultReader`."""
        subject = Subject(f"{_at(store)}: listing leases below {path}")
        with self._watched(store, "list-leases"):
            request = Request(f"sys/leases/lookup/{path}", query={"list": "true"})
            answer = await self._send_with_token(store, request, subject)
            if answer.status == 404 and (answer.body or {}).get("errors") == []:  # none, in Vault's own way
                return ()
            return read_lease_ids(body_of(answer, subject), subject, path)

    async def revoke_lease(self, store: MCPCredentialStore, lease_id: str) -> None:
        """See `ports.Vault`."""
        subject = Subject(f"{_at(store)}: revoking a lease")
        with self._watched(store, "revoke-lease"):
            body = {"lease_id": lease_id, "sync": True}
            request = Request("sys/leases/revoke", body, seconds=_longest(store))
            answer = await self._send_with_token(store, request, subject)
            if answer.status in (400, 500):
                words = vaults_own_words(answer)
                raise TryLater(Reason.REVOCATION_PENDING, f"{subject.words}: its backend kept it: {words}")
            if not 200 <= answer.status < 300:
                raise fault_of(answer, subject)

    async def irrevocable_leases(self, store: MCPCredentialStore) -> int:
        """How many leases this Vault has given up revoking, whoever they belong to."""
        subject = Subject(f"{_at(store)}: counting irrevocable leases")
        with self._watched(store, "count-leases"):
            request = Request("sys/leases/count", query={"type": "irrevocable"})
            data = body_of(await self._send_with_token(store, request, subject), subject).get("data")
            count = data.get("lease_count") if isinstance(data, dict) else None
            if not isinstance(count, int):
                raise unusable(subject, "its answer holds no count")
            return count

    async def close(self) -> None:
        """Wait for what has begun, then let threads and connections go."""
        await self._minting.close()
        await self._revoking.close()

    async def _log_operator_in(self, store: MCPCredentialStore) -> Login:
        account = await self._identity()
        return await self._log_in(self._revoking, store, store.spec.revoker_role, account.token)

    async def _log_in(
        self, pool: VaultThreads, store: MCPCredentialStore, role: str, jwt: Sealed[str]
    ) -> Login:
        subject = Subject(f"{_at(store)}: login at {store.spec.auth.mount} with role {role}")
        request = Request(store.spec.auth.login_path, {"role": role, "jwt": jwt.reveal()})
        return read_login(body_of(await self._send(pool, store, request, None, subject), subject), subject)

    async def _send_with_token(self, store: MCPCredentialStore, request: Request, subject: Subject) -> Answer:
        token = await self._tokens.get(store)
        answer = await self._send(self._revoking, store, request, token, subject)
        if answer.status == 403 and not _says_invalid_accessor(answer):
            self._tokens.drop(store, token)
            if (another := await self._tokens.get(store)) is not token:
                answer = await self._send(self._revoking, store, request, another, subject)
        return answer

    async def _send(
        self,
        pool: VaultThreads,
        store: MCPCredentialStore,
        request: Request,
        token: Sealed[str] | None,
        subject: Subject,
    ) -> Answer:
        try:
            return await pool.exchange(store, request, token)
        except BadAddress as error:
            raise NeedsPerson(Reason.INVALID_SPEC, f"{subject.words}: {error}") from error
        except Unsent as error:
            raise TryLater(Reason.UNREACHABLE, f"{subject.words}: {error}") from error
        except Unanswered as error:
            if subject.repeatable:
                raise TryLater(Reason.UNREACHABLE, f"{subject.words}: {error}") from error
            raise OutcomeUnknown(f"{subject.words}: {error}") from error

    async def _pace(self, store: MCPCredentialStore, requests: int) -> None:
        now = self._monotonic()
        bucket = self._buckets.setdefault(store.metadata.name, TokenBucket(self._rate, self._burst, now))
        if (delay := bucket.reserve(now, requests)) > 0:
            await asyncio.sleep(delay)

    @contextmanager
    def _watched(self, store: MCPCredentialStore, operation: str) -> Iterator[None]:
        started, outcome = self._monotonic(), "cancelled"
        try:
            yield
            outcome = "ok"
        except Fault as fault:
            outcome = fault.reason.value
            raise
        finally:
            if self._observe is not None:
                self._observe(store.metadata.name, operation, outcome, self._monotonic() - started)


def _mint_request(store: MCPCredentialStore, recipe: CredentialRecipe, path: str) -> Request:
    body = dict(recipe.parameters) if recipe.method is CredentialMethod.WRITE else None
    return Request(path, body, seconds=_longest(store), send_within_seconds=SEND_WITHIN_SECONDS)


def _longest(store: MCPCredentialStore) -> float:
    return store.spec.max_request_seconds + GRACE_SECONDS


def _metadata_names(store: MCPCredentialStore) -> Mapping[str, str]:
    return KUBERNETES_METADATA if store.spec.auth.method is AuthMethod.KUBERNETES else {}


def _says_invalid_accessor(answer: Answer) -> bool:
    return answer.status in (400, 403) and "invalid accessor" in vaults_own_words(answer)


def _at(store: MCPCredentialStore) -> str:
    return f"store {store.metadata.name}"
