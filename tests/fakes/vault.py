"""`ports.Vault` in memory, for tests of the engine: tokens with what hangs under them, leases, and the ways
in which a Vault is not there. Held to the real one by tests/contract.

The state of the world is public. Times come from the cluster's clock: tests age credentials by moving it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import TypeVar

from fakes.cluster import FakeCluster, Trouble
from fakes.vault_world import Claims, DataAt, Engine, FakeLease, FakeRole, FakeToken, LeasedAt, TokenAt
from leasehold.api.names import store_audience
from leasehold.api.profile import CredentialRecipe
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import (
    AccessorRevocation,
    LeaseFacts,
    Login,
    MintAnswer,
    MintedToken,
    TokenFacts,
)
from leasehold.core.faults import NeedsPerson, OutcomeUnknown, TryLater
from leasehold.core.identity import NAMESPACE, SERVICE_ACCOUNT, SERVICE_ACCOUNT_UID
from leasehold.core.sealed import Sealed

T = TypeVar("T")


class FakeVault:
    """One Vault behind every store. Unknown roles and paths are refused, as in a real one."""

    def __init__(self, now: Callable[[], datetime], read_jwt: Callable[[str], Claims | None]) -> None:
        self._now = now
        self._read_jwt = read_jwt
        self._numbers = count(1)
        self._troubles: list[Trouble] = []
        self.cluster = "fake-vault-cluster"
        self.sealed = False
        self.reachable = True
        self.roles: dict[str, FakeRole] = {}
        self.engines: dict[str, Engine] = {}
        self.tokens: dict[str, FakeToken] = {}
        self.leases: dict[str, FakeLease] = {}
        self.stubborn: set[str] = set()
        """Paths whose backend does not let its leases go."""
        self.gates: dict[str, asyncio.Event] = {}
        """Operations (`mint`, `login`, …) that wait until the event is set, before they do anything."""
        self.at_gate: dict[str, asyncio.Event] = {}
        """Set once somebody waits at the gate of that operation."""
        self.irrevocable = 0
        """How many leases of strangers were given up."""
        self.mints = 0
        self._going_on: set[asyncio.Task[object]] = set()

    def fail(self, method: str, fault: Exception, *, times: int = 1, afterwards: bool = False) -> None:
        """The next `times` calls of a method raise; `afterwards`: once they have done their work."""
        self._troubles.append(Trouble(method, fault, times, afterwards))

    def hold(self, method: str) -> asyncio.Event:
        """From now on this operation waits for the event that this returns. A mint has passed Vault's checks
        by then: revoking its token meanwhile does not keep the lease from coming to life."""
        self.gates[method] = asyncio.Event()
        self.at_gate[method] = asyncio.Event()
        return self.gates[method]

    async def cluster_id(self, store: MCPCredentialStore) -> str:
        async with self._called("cluster_id"):
            return self.cluster

    async def login(self, store: MCPCredentialStore, role: str, jwt: Sealed[str]) -> Login:
        async with self._called("login"):
            claims, found = self._read_jwt(jwt.reveal()), self.roles.get(role)
            if found is None:
                raise NeedsPerson(Reason.REFUSED, f'role "{role}" could not be found')
            if claims is None or claims.audience != store_audience(store.metadata.name):
                raise NeedsPerson(Reason.REFUSED, "the token is not for this audience")
            if found.batch:
                raise NeedsPerson(Reason.REFUSED, "a batch token: set token_type=service on the role")
            metadata = {
                "role": role,
                NAMESPACE: claims.namespace,
                SERVICE_ACCOUNT: claims.service_account,
                SERVICE_ACCOUNT_UID: claims.uid,
            }
            made = self._make_token(store.spec.auth.login_path, found.ttl_seconds, metadata, parent=None)
            return Login(Sealed(made.text), made.accessor, found.ttl_seconds)

    async def mint(
        self, store: MCPCredentialStore, token: Sealed[str], recipe: CredentialRecipe
    ) -> MintAnswer:
        return await self._to_its_end(self._mint(token.reveal(), recipe))

    async def revoke_accessor(self, store: MCPCredentialStore, accessor: str) -> AccessorRevocation:
        async with self._called("revoke_accessor"):
            if self._living(accessor) is None:
                return AccessorRevocation.UNKNOWN_ACCESSOR
            self._end_token(accessor)
            return AccessorRevocation.ACCEPTED

    async def lookup_accessor(self, store: MCPCredentialStore, accessor: str) -> TokenFacts | None:
        async with self._called("lookup_accessor"):
            token = self._living(accessor)
            if token is None:
                return None
            return TokenFacts(token.path, dict(token.metadata), self._seconds_left(token.end))

    async def lookup_lease(self, store: MCPCredentialStore, lease_id: str) -> LeaseFacts | None:
        async with self._called("lookup_lease"):
            self._end_what_is_over()
            lease = self.leases.get(lease_id)
            if lease is None:
                return None
            return LeaseFacts(lease_id, 0 if lease.revoking else self._seconds_left(lease.end))

    async def leases_below(self, store: MCPCredentialStore, path: str) -> tuple[str, ...]:
        async with self._called("leases_below"):
            self._end_what_is_over()
            return tuple(each for each in self.leases if each.rpartition("/")[0] == path)

    async def revoke_lease(self, store: MCPCredentialStore, lease_id: str) -> None:
        async with self._called("revoke_lease"):
            if lease_id in self.leases and not self._end_lease(lease_id):
                raise TryLater(Reason.REVOCATION_PENDING, "its backend kept it")

    async def irrevocable_leases(self, store: MCPCredentialStore) -> int:
        async with self._called("irrevocable_leases"):
            return self.irrevocable

    def alive(self, lease_id: str) -> bool:
        """Whether the credential of that lease still works at its backend."""
        self._end_what_is_over()
        return lease_id in self.leases

    def leases_of(self, accessor: str) -> list[str]:
        """The leases under a token, gone or not."""
        return [lease.lease_id for lease in self.leases.values() if lease.accessor == accessor]

    async def _mint(self, token: str, recipe: CredentialRecipe) -> MintAnswer:
        self._end_what_is_over()
        holder = next((held for held in self.tokens.values() if held.text == token), None)
        allowed = self.roles[holder.metadata["role"]].paths if holder is not None else ()
        async with self._called("mint"):
            path = recipe.path or ""
            if holder is None or (path not in allowed and "*" not in allowed):
                raise NeedsPerson(Reason.REFUSED, "permission denied")
            if (engine := self.engines.get(path)) is None:
                raise NeedsPerson(Reason.REFUSED, f"no handler for {path}")
            self.mints += 1
            return self._made(engine, path, holder)

    def _made(self, engine: Engine, path: str, holder: FakeToken) -> MintAnswer:
        match engine:
            case LeasedAt(ttl_seconds, data):
                number = next(self._numbers)
                seconds = min(ttl_seconds, self._seconds_left(holder.end))
                lease_id = f"{path}/{number:024}"
                self.leases[lease_id] = FakeLease(lease_id, holder.accessor, self._after(seconds))
                made = data if data is not None else {"username": f"v-{number}", "password": f"pa55-{number}"}
                return MintAnswer(Sealed(dict(made)), lease_id, seconds)
            case TokenAt(ttl_seconds, service, orphan):
                parent = None if orphan else holder.accessor
                child = self._make_token(path, ttl_seconds, holder.metadata, parent)
                minted = MintedToken(Sealed(child.text), child.accessor, ttl_seconds, service, orphan)
                return MintAnswer(Sealed({}), auth=minted)
            case DataAt(data):
                return MintAnswer(Sealed(dict(data)))

    def _make_token(
        self, path: str, seconds: int, metadata: Mapping[str, str], parent: str | None
    ) -> FakeToken:
        number = next(self._numbers)
        made = FakeToken(
            f"hvs.fake-{number:024}", f"accessor-{number}", path, metadata, parent, self._after(seconds)
        )
        self.tokens[made.accessor] = made
        return made

    def _living(self, accessor: str) -> FakeToken | None:
        self._end_what_is_over()
        return self.tokens.get(accessor)

    def _end_token(self, accessor: str) -> None:
        del self.tokens[accessor]
        for lease_id in self.leases_of(accessor):
            self._end_lease(lease_id)
        for child in [token for token in self.tokens.values() if token.parent == accessor]:
            self._end_token(child.accessor)

    def _end_lease(self, lease_id: str) -> bool:
        if lease_id.rpartition("/")[0] in self.stubborn:
            self.leases[lease_id].revoking = True
            return False
        del self.leases[lease_id]
        return True

    def _end_what_is_over(self) -> None:
        now = self._now()
        for token in [token for token in self.tokens.values() if token.end <= now]:
            if token.accessor in self.tokens:
                self._end_token(token.accessor)
        for lease in [lease for lease in self.leases.values() if lease.end <= now]:
            self._end_lease(lease.lease_id)

    def _after(self, seconds: int) -> datetime:
        return self._now() + timedelta(seconds=seconds)

    def _seconds_left(self, end: datetime) -> int:
        return int((end - self._now()).total_seconds())

    async def _to_its_end(self, work: Coroutine[object, object, T]) -> T:
        task = asyncio.get_running_loop().create_task(work)
        self._going_on.add(task)
        task.add_done_callback(self._going_on.discard)
        return await asyncio.shield(task)

    @asynccontextmanager
    async def _called(self, method: str) -> AsyncIterator[None]:
        if not self.reachable:
            raise TryLater(Reason.UNREACHABLE, "connection refused")
        if self.sealed:
            raise TryLater(Reason.SEALED, "Vault is sealed")
        trouble = next((t for t in self._troubles if t.method == method and t.times > 0), None)
        if trouble is not None:
            trouble.times -= 1
            if not trouble.afterwards:
                raise trouble.fault
        if (gate := self.gates.get(method)) is not None:
            self.at_gate[method].set()
            await gate.wait()
        yield
        if trouble is not None:
            raise trouble.fault


def cut_off() -> OutcomeUnknown:
    """For `fail("mint", cut_off(), afterwards=True)`: minted, and the answer lost."""
    return OutcomeUnknown("the connection was cut")


def claims_of(cluster: FakeCluster) -> Callable[[str], Claims | None]:
    """Reads the tokens that a fake cluster gives out."""

    def read(jwt: str) -> Claims | None:
        number = jwt.rpartition("-")[2]
        if not number.isdigit() or not 0 < int(number) <= len(cluster.tokens):
            return None
        namespace, name, audience = cluster.tokens[int(number) - 1]
        uid = cluster.service_accounts.get((namespace, name), "")
        return Claims(namespace, name, uid, audience)

    return read


def vault_beside(cluster: FakeCluster) -> FakeVault:
    """A Vault that trusts this cluster and shares its clock."""

    def now() -> datetime:
        moment = cluster.clock.now()
        assert moment is not None
        return moment

    return FakeVault(now, claims_of(cluster))
