"""The floor of breakglass: the least that it costs to end a fleet's credentials. A bare client with the operator's
own adapters and 32 in flight revokes every accessor, then deletes every Secret, then looks every accessor and
lease up until Vault knows none of them: no watch, no ledger, no status, no audit.

It prepares a fleet of its own, without connections, so that an operator beside it has nothing to look after; says
`ready`, then what it holds; begins at a word, and says when all of it is proven dead."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from bench.crowd import IN_FLIGHT
from bench.fleet import Fleet
from bench.floor import UNPACED
from leasehold.adapters.cluster import KubernetesCluster
from leasehold.adapters.cluster_clock import ServerClock
from leasehold.adapters.cluster_http import Call, Transport
from leasehold.adapters.cluster_login import Connection
from leasehold.adapters.vault import HvacVault
from leasehold.api.names import (
    OPERATOR_AUDIENCE,
    OPERATOR_NAMESPACE,
    OPERATOR_SERVICE_ACCOUNT,
    SecretLabel,
    store_audience,
)
from leasehold.api.profile import CredentialRecipe, MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import ServiceAccountToken
from leasehold.wiring import OPERATOR_TOKEN_SECONDS

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 0.5

T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """One credential, and the Secret beside it."""

    namespace: str
    name: str
    secret_uid: str
    accessor: str
    lease_id: str


@dataclass(frozen=True)
class Strikes:
    """The servers, as the operator and, for Secrets that nobody owns, as an administrator."""

    cluster: KubernetesCluster
    vault: HvacVault
    admin: Transport
    store: MCPCredentialStore
    recipe: CredentialRecipe

    async def prepare(self, fleet: Fleet) -> list[Held]:
        """A login, a lease and a Secret for each name of the fleet."""
        held: list[Held] = []

        async def provide(place: tuple[str, str]) -> None:
            held.append(await self._provide(*place))

        await _each(fleet.names(), provide)
        return held

    async def revoke(self, held: list[Held]) -> None:
        """Every token, and what hangs under it."""

        async def strike(one: Held) -> None:
            await self.vault.revoke_accessor(self.store, one.accessor)

        await _each(held, strike)

    async def delete_secrets(self, held: list[Held]) -> None:
        """Every Secret."""

        async def delete(one: Held) -> None:
            await self.cluster.delete_secret(one.namespace, one.name, one.secret_uid)

        await _each(held, delete)

    async def prove(self, held: list[Held]) -> None:
        """Until Vault knows nothing of it."""
        pause, pending = FIRST_PAUSE, held
        while pending:
            alive: list[Held] = []

            async def look(one: Held, alive: list[Held] = alive) -> None:
                if not await self._is_dead(one):
                    alive.append(one)

            await _each(pending, look)
            pending = alive
            if pending:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _provide(self, namespace: str, name: str) -> Held:
        audience = store_audience(self.store.metadata.name)
        token = await self.cluster.request_token(namespace, name, audience, OPERATOR_TOKEN_SECONDS)
        login = await self.vault.login(self.store, self.recipe.vault_role, token.token)
        minted = await self.vault.mint(self.store, login.token, self.recipe)
        if minted.lease_id is None:
            raise RuntimeError("the recipe mints no lease")
        labels = {SecretLabel.MANAGED_BY: SecretLabel.MANAGED_BY_VALUE}
        path = f"/api/v1/namespaces/{namespace}/secrets"
        body: dict[str, Any] = {"metadata": {"name": name, "labels": labels}, "stringData": {"of": "a bench"}}
        answer = await self.admin.send(Call("create", "secrets", name, path, body=body))
        if not answer.ok:
            raise RuntimeError(f"the Secret was not created: {answer.status} {answer.body[:300]!r}")
        return Held(namespace, name, answer.json()["metadata"]["uid"], login.accessor, minted.lease_id)

    async def _is_dead(self, one: Held) -> bool:
        if await self.vault.lookup_accessor(self.store, one.accessor) is not None:
            return False
        return await self.vault.lookup_lease(self.store, one.lease_id) is None


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    left = iter(items)

    async def one_by_one() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_by_one())


@contextlib.asynccontextmanager
async def _strikes(kubeconfig: str, admin: str, profile_name: str) -> AsyncIterator[Strikes]:
    cluster = await KubernetesCluster.from_kubeconfig(kubeconfig)

    async def identity() -> ServiceAccountToken:
        return await cluster.request_token(
            OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT, OPERATOR_AUDIENCE, OPERATOR_TOKEN_SECONDS
        )

    vault = HvacVault(identity, requests_per_second=UNPACED, threads=IN_FLIGHT)
    people = Transport(await Connection.from_kubeconfig(admin), ServerClock())
    try:
        profile = await cluster.get(MCPServerProfile, profile_name)
        recipe = profile.spec.credential if profile else None
        store = await cluster.get(MCPCredentialStore, recipe.store_name) if recipe else None
        if recipe is None or store is None:
            raise RuntimeError(f"profile {profile_name} mints nothing")
        yield Strikes(cluster, vault, people, store, recipe)
    finally:
        await vault.close()
        await people.close()
        await cluster.close()


async def main() -> None:
    """The command line: the operator's kubeconfig, an administrator's, and the fleet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kubeconfig")
    parser.add_argument("admin")
    parser.add_argument("name")
    parser.add_argument("size", type=int)
    parser.add_argument("profile")
    given = parser.parse_args()
    async with _strikes(given.kubeconfig, given.admin, given.profile) as strikes:
        held = await strikes.prepare(Fleet(given.name, given.size, given.profile))
        print("ready", flush=True)
        print(json.dumps({each.accessor: each.lease_id for each in held}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await strikes.revoke(held)
        await strikes.delete_secrets(held)
        await strikes.prove(held)
        print("dead", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
