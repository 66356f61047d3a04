"""The floor: the least that the protocol costs. A bare client takes each new connection through the same steps as
the operator, with the same adapters and 32 in flight: no watch, no inventory, no decision, no audit, no metrics.

It reads connections as the API server answered their creation, one a line, and prints a line when all of them
hold a credential. Then it undoes what it did, so that nothing is left for an operator to look after."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bench.crowd import IN_FLIGHT
from leasehold.adapters.cluster import KubernetesCluster
from leasehold.adapters.vault import HvacVault
from leasehold.api.base import Condition, ConditionStatus
from leasehold.api.connection import (
    EntryState,
    LedgerEntry,
    MCPConnection,
    MCPConnectionStatus,
    SecretRecord,
    ServerFacts,
)
from leasehold.api.names import (
    OPERATOR_AUDIENCE,
    OPERATOR_NAMESPACE,
    OPERATOR_SERVICE_ACCOUNT,
    store_audience,
)
from leasehold.api.profile import CredentialRecipe, CredentialType, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import Login, MintAnswer, RevocationFact, SecretContent, ServiceAccountToken
from leasehold.core.faults import TryLater
from leasehold.core.sealed import Sealed
from leasehold.core.secret_content import data_digest, secret_annotations, secret_labels
from leasehold.engine.shared_call import SharedCall
from leasehold.wiring import OPERATOR_TOKEN_SECONDS

UNPACED: Final = 1e6
CONDITIONS: Final = ("Ready", "Stalled", "Reconciling", "CredentialIssued", "DriftFree", "Reachable", "Used")
MESSAGE: Final = "generation 1 (Lease) is valid until 2026-01-01T00:00:00Z; revocable"
HEX_OF_SHA256: Final = 64
LONGEST_START_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Floor:
    """The servers, and the one recipe that everybody mints by."""

    cluster: KubernetesCluster
    vault: HvacVault
    store: MCPCredentialStore
    profile: MCPServerProfile
    recipe: CredentialRecipe
    list_revocations: Callable[[], Awaitable[tuple[RevocationFact, ...]]]

    async def provide(self, connection: MCPConnection) -> MCPConnection:
        """Steps 0 to 6 of a first mint; the connection as last written."""
        namespace, name = connection.metadata.namespace, connection.metadata.name
        await self.cluster.probe_secret(namespace, name)
        now = self.now()
        token = await self.cluster.request_token(
            namespace, name, store_audience(self.store.metadata.name), OPERATOR_TOKEN_SECONDS
        )
        login = await self.vault.login(self.store, self.recipe.vault_role, token.token)
        entry = self._intent(name, login, now)
        connection = await self._write(connection, MCPConnectionStatus(last_generation=1, ledger=(entry,)))
        connection = await self.cluster.add_finalizer(connection)
        await self.list_revocations()
        answer = await self.vault.mint(self.store, login.token, self.recipe)
        entry = _issued(entry, answer, now)
        await self.list_revocations()
        content = _content(connection, entry, answer)
        meta = await self.cluster.create_secret(content)
        record = SecretRecord(
            name=name,
            uid=meta.uid,
            resource_version=meta.resource_version,
            digest=data_digest(meta.uid, content.data),
        )
        return await self._write(connection, self._status(connection, entry, record, now))

    async def undo(self, connection: MCPConnection) -> None:
        """Nothing of it is left but the connection itself, which its team deletes."""
        await self.vault.revoke_accessor(self.store, connection.status.ledger[0].accessor)
        record = connection.status.secret
        if record is not None:
            await self.cluster.delete_secret(connection.metadata.namespace, record.name, record.uid)
        await self.cluster.remove_finalizer(connection)

    def now(self) -> datetime:
        """The API server's time."""
        now = self.cluster.clock.now()
        if now is None:
            raise RuntimeError("the API server has not answered yet")
        return now.replace(microsecond=0)

    def _intent(self, name: str, login: Login, now: datetime) -> LedgerEntry:
        return LedgerEntry(
            generation=1,
            state=EntryState.INTENT,
            type=CredentialType.LEASE,
            store_uid=self.store.metadata.uid,
            cluster_id="0" * 36,
            accessor=login.accessor,
            mint_hash="sha256:" + "0" * HEX_OF_SHA256,
            secret_name=name,
            reason=Reason.FIRST_MINT,
            expiry_time=now + timedelta(seconds=login.ttl_seconds),
            mint_deadline_time=now + timedelta(seconds=21),
        )

    def _status(
        self, connection: MCPConnection, entry: LedgerEntry, record: SecretRecord, now: datetime
    ) -> MCPConnectionStatus:
        """As large as the operator's."""
        conditions = tuple(
            Condition(
                type=kind,
                status=ConditionStatus.TRUE,
                reason=Reason.ACTIVE,
                message=MESSAGE,
                last_transition_time=now,
                observed_generation=connection.metadata.generation,
            )
            for kind in CONDITIONS
        )
        return MCPConnectionStatus(
            last_generation=1,
            ledger=(entry,),
            secret=record,
            observed_generation=connection.metadata.generation,
            conditions=conditions,
            server=ServerFacts(
                url=self.profile.spec.url,
                vendor=self.profile.spec.vendor,
                transport=self.profile.spec.transport,
                credential_type=self.recipe.type,
                revocability=MESSAGE,
            ),
            lease_end_time=now,
            review_due_time=now,
            credential_expiry_time=entry.expiry_time,
        )

    async def _write(self, connection: MCPConnection, status: MCPConnectionStatus) -> MCPConnection:
        return await self.cluster.put_status(connection.model_copy(update={"status": status}))


def _issued(entry: LedgerEntry, answer: MintAnswer, now: datetime) -> LedgerEntry:
    expiry = now + timedelta(seconds=answer.lease_seconds)
    return entry.model_copy(
        update={
            "state": EntryState.CURRENT,
            "lease_id": answer.lease_id,
            "issued_time": now,
            "expiry_time": expiry,
            "mint_deadline_time": None,
        }
    )


def _content(connection: MCPConnection, entry: LedgerEntry, answer: MintAnswer) -> SecretContent:
    fields = {name: str(value) for name, value in answer.data.reveal().items()}
    return SecretContent(
        namespace=connection.metadata.namespace,
        name=entry.secret_name,
        labels=secret_labels(connection),
        annotations=secret_annotations(connection, lease_end_time=entry.expiry_time, entry=entry),
        owner=connection,
        data=Sealed(fields),
    )


async def _created(size: int) -> AsyncIterator[MCPConnection]:
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    for _ in range(size):
        line = await reader.readline()
        if not line:
            raise RuntimeError("the crowd has ended before all connections were there")
        yield MCPConnection.model_validate_json(line)


async def _for_each(
    connections: AsyncIterator[MCPConnection], work: Callable[[MCPConnection], Awaitable[MCPConnection]]
) -> list[MCPConnection]:
    """`work` on every connection as it comes, 32 at once."""
    done: list[MCPConnection] = []
    waiting: asyncio.Queue[MCPConnection | None] = asyncio.Queue()

    async def one_by_one() -> None:
        while (connection := await waiting.get()) is not None:
            done.append(await work(connection))

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_by_one())
        async for connection in connections:
            waiting.put_nowait(connection)
        for _ in range(IN_FLIGHT):
            waiting.put_nowait(None)
    return done


async def _each(connections: list[MCPConnection]) -> AsyncIterator[MCPConnection]:
    for connection in connections:
        yield connection


async def _served(cluster: KubernetesCluster) -> None:
    """A kind that was installed just now is answered with 429 until the API server has read all of it."""
    deadline = time.monotonic() + LONGEST_START_SECONDS
    while True:
        try:
            await cluster.list_revocations()
        except TryLater:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def main() -> None:
    """The command line: the operator's kubeconfig, a profile, and how many connections will come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kubeconfig")
    parser.add_argument("profile")
    parser.add_argument("size", type=int)
    given = parser.parse_args()
    cluster = await KubernetesCluster.from_kubeconfig(str(Path(given.kubeconfig)))

    async def identity() -> ServiceAccountToken:
        return await cluster.request_token(
            OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT, OPERATOR_AUDIENCE, OPERATOR_TOKEN_SECONDS
        )

    vault = HvacVault(identity, requests_per_second=UNPACED, threads=IN_FLIGHT)
    try:
        profile = await cluster.get(MCPServerProfile, given.profile)
        if profile is None or profile.spec.credential is None:
            raise RuntimeError(f"profile {given.profile} mints nothing")
        recipe = profile.spec.credential
        store = await cluster.get(MCPCredentialStore, recipe.store_name)
        if store is None:
            raise RuntimeError(f"there is no store {recipe.store_name}")
        await _served(cluster)
        floor = Floor(cluster, vault, store, profile, recipe, SharedCall(cluster.list_revocations))
        begun = time.process_time()
        print("ready", flush=True)
        provided = await _for_each(_created(given.size), floor.provide)
        print(json.dumps({"cpu_seconds": time.process_time() - begun}), flush=True)

        async def undo(connection: MCPConnection) -> MCPConnection:
            await floor.undo(connection)
            return connection

        await _for_each(_each(provided), undo)
    finally:
        await vault.close()
        await cluster.close()


if __name__ == "__main__":
    asyncio.run(main())
