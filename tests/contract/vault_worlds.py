"""Two worlds for one contract: a Vault in memory, and a real one with PostgreSQL behind it, prepared by nothing
but the commands that `leasehold bootstrap vault` prints."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Protocol, TypeVar

from controlplane import Plane
from fakes.cluster import FakeCluster
from fakes.vault import vault_beside
from fakes.vault_world import DataAt, FakeRole, LeasedAt, TokenAt
from leasehold.api.names import store_audience
from leasehold.api.profile import CredentialRecipe
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import MintAnswer
from leasehold.core.sealed import Sealed
from leasehold.ports import Vault
from vaulthome import Account, Backend, VaultHome, a_recipe, a_store

T = TypeVar("T")
Scenario = Callable[[Vault], Coroutine[Any, Any, T]]

LEASED, CHILD_TOKEN, STATIC, FORBIDDEN = "leased", "child token", "static", "forbidden"
LEASE_SECONDS = 600


class VaultWorld(Protocol):
    """A Vault, and what people and failures do around it."""

    @property
    def store(self) -> MCPCredentialStore: ...

    def run(self, scenario: Scenario[T]) -> T:
        """Run a scenario with the port."""
        ...

    def account(self) -> Account:
        """A new service account."""
        ...

    def jwt(self, account: Account, audience: str | None = None) -> Sealed[str]:
        """A token of it; for the store unless said otherwise."""
        ...

    def recipe(self, kind: str) -> CredentialRecipe:
        """One of the kinds above."""
        ...

    def works(self, answer: MintAnswer) -> bool:
        """Whether what was minted under a lease can be used."""
        ...

    def leases_under(self, accessor: str) -> int:
        """How many leases of kind `LEASED` there are; the tests mint for one account at a time."""
        ...

    def break_backend(self) -> None:
        """From now on it lets no lease go."""
        ...

    def mend_backend(self) -> None: ...
    def hold_mints(self) -> None:
        """From now on the backend is slow over what it makes, without end."""
        ...

    def release_mints(self) -> None: ...
    async def mint_is_under_way(self) -> None:
        """Returns once Vault waits for its backend."""
        ...

    def seal(self) -> None: ...
    def unseal(self) -> None: ...
    def go_away(self) -> None: ...
    def come_back(self) -> None: ...


class FakeVaultWorld:
    """In memory."""

    PATHS: ClassVar = {
        LEASED: "database/creds/orders-read",
        CHILD_TOKEN: "auth/token/create/mcp",
        STATIC: "kv/data/orders",
        FORBIDDEN: "database/creds/admin",
    }

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.vault = vault_beside(self.cluster)
        self.store = a_store("https://vault.example.com", "jwt-fake")
        allowed = (self.PATHS[LEASED], self.PATHS[CHILD_TOKEN], self.PATHS[STATIC])
        self.vault.roles["mcp"] = FakeRole(allowed, ttl_seconds=LEASE_SECONDS + 210)
        self.vault.engines = {
            self.PATHS[LEASED]: LeasedAt(LEASE_SECONDS),
            self.PATHS[FORBIDDEN]: LeasedAt(LEASE_SECONDS),
            self.PATHS[CHILD_TOKEN]: TokenAt(LEASE_SECONDS),
            self.PATHS[STATIC]: DataAt({"data": {"api-key": "k"}, "metadata": {"version": 1}}),
        }

    def run(self, scenario: Scenario[T]) -> T:
        return asyncio.run(scenario(self.vault))

    def account(self) -> Account:
        account = Account(f"team-{uuid.uuid4().hex[:8]}", "bot", str(uuid.uuid4()))
        self.cluster.service_accounts[account.namespace, account.name] = account.uid
        return account

    def jwt(self, account: Account, audience: str | None = None) -> Sealed[str]:
        wanted = audience or store_audience(self.store.metadata.name)
        asked = self.cluster.request_token(account.namespace, account.name, wanted, 600)
        return asyncio.run(_awaited(asked)).token

    def recipe(self, kind: str) -> CredentialRecipe:
        return a_recipe(self.PATHS[kind], method="Write" if kind == CHILD_TOKEN else "Read")

    def works(self, answer: MintAnswer) -> bool:
        return self.vault.alive(answer.lease_id or "")

    def leases_under(self, accessor: str) -> int:
        return len(self.vault.leases_of(accessor))

    def break_backend(self) -> None:
        self.vault.stubborn.add(self.PATHS[LEASED])

    def mend_backend(self) -> None:
        self.vault.stubborn.clear()

    def hold_mints(self) -> None:
        self.vault.hold("mint")

    def release_mints(self) -> None:
        self.vault.gates.pop("mint").set()

    async def mint_is_under_way(self) -> None:
        await asyncio.wait_for(self.vault.at_gate["mint"].wait(), 10)

    def seal(self) -> None:
        self.vault.sealed = True

    def unseal(self) -> None:
        self.vault.sealed = False

    def go_away(self) -> None:
        self.vault.reachable = False

    def come_back(self) -> None:
        self.vault.reachable = True


class RealVaultWorld:
    """On the control plane, as the operator that the printed commands let in."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.home = VaultHome(plane, "contract")
        self.backend = Backend(plane, "contract")
        self.store = self.home.store
        paths = self.backend.paths(LEASE_SECONDS)
        self._recipes = {
            LEASED: a_recipe(paths.leased),
            CHILD_TOKEN: a_recipe(paths.child_token, method="Write", type="Token"),
            STATIC: a_recipe(paths.static, type="Static"),
        }
        self.home.prepare(self._recipes.values())
        self._recipes[FORBIDDEN] = a_recipe(paths.admin)

    def run(self, scenario: Scenario[T]) -> T:
        return self.home.run(scenario)

    def account(self) -> Account:
        return self.home.account()

    def jwt(self, account: Account, audience: str | None = None) -> Sealed[str]:
        return self.home.jwt(account, audience)

    def recipe(self, kind: str) -> CredentialRecipe:
        return self._recipes[kind]

    def works(self, answer: MintAnswer) -> bool:
        return self.backend.lets_in(answer.data.reveal())

    def leases_under(self, accessor: str) -> int:
        return len(self.plane.vault.api.list(f"sys/leases/lookup/{self._recipes[LEASED].path}"))

    def break_backend(self) -> None:
        self.backend.break_revocation()

    def mend_backend(self) -> None:
        self.backend.mend_revocation()

    def hold_mints(self) -> None:
        self.backend.hold()

    def release_mints(self) -> None:
        self.backend.release()

    async def mint_is_under_way(self) -> None:
        await asyncio.to_thread(self.backend.wait_for_someone)

    def seal(self) -> None:
        self.plane.vault.seal()

    def unseal(self) -> None:
        self.plane.vault.unseal()

    def go_away(self) -> None:
        self.plane.vault.stop()

    def come_back(self) -> None:
        self.plane.vault.start()


async def _awaited(what: Awaitable[T]) -> T:
    return await what
