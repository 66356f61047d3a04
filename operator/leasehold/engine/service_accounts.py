"""Service accounts and their tokens. Vault's JWT auth accepts a deleted account's token until it expires, so
a cached token is used only after the account was looked up and is still the same one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from leasehold.api.connection import MCPConnection
from leasehold.api.names import store_audience
from leasehold.core.deadlines import STANDING_CHECK_PERIOD, jitter
from leasehold.core.facts import ServiceAccountFact, ServiceAccountToken
from leasehold.core.faults import Vanished
from leasehold.core.sealed import Sealed
from leasehold.ports import Cluster

TOKEN_SECONDS = 3600
GONE_PERIOD = timedelta(seconds=60)


@dataclass(frozen=True)
class _Seen:
    fact: ServiceAccountFact | None
    at: datetime


class ServiceAccounts:
    """What is known of the accounts behind the connections."""

    def __init__(self, cluster: Cluster, period: timedelta = STANDING_CHECK_PERIOD) -> None:
        self._cluster = cluster
        self._period = period
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._tokens: dict[tuple[str, str, str], ServiceAccountToken] = {}

    def check_due(self, connection: MCPConnection, now: datetime) -> datetime:
        """When the account has to be looked up again; first at a moment of its own within one period."""
        seen = self._seen.get(_account(connection))
        if seen is None:
            unknown = ServiceAccountFact(uid="")
            seen = _Seen(unknown, now - self._period * (1 - jitter(connection.metadata.uid)))
            self._seen[_account(connection)] = seen
        return seen.at + (self._period if seen.fact is not None else min(GONE_PERIOD, self._period))

    async def exists(self, connection: MCPConnection, now: datetime) -> bool:
        """Whether the account exists, looked up when that is due."""
        if now >= self.check_due(connection, now):
            await self._look_up(_account(connection), now)
        return self._seen[_account(connection)].fact is not None

    async def token(self, connection: MCPConnection, store_name: str, now: datetime) -> Sealed[str]:
        """A token of the account for a store's audience, cached until half of its life.

        :raises Vanished: there is no such account
        """
        account = _account(connection)
        key = (*account, store_name)
        cached = self._tokens.get(key)
        if cached is not None and now < cached.expiry - timedelta(seconds=TOKEN_SECONDS / 2):
            fact = await self._look_up(account, now)
            if fact is not None and fact.uid == cached.service_account_uid:
                return cached.token
        self._tokens.pop(key, None)
        try:
            fresh = await self._cluster.request_token(*account, store_audience(store_name), TOKEN_SECONDS)
        except Vanished:
            self._seen[account] = _Seen(None, now)
            raise
        self._seen[account] = _Seen(ServiceAccountFact(fresh.service_account_uid), now)
        self._tokens[key] = fresh
        return fresh.token

    def known(self, connection: MCPConnection) -> bool | None:
        """Whether the account exists as far as it was looked up; None where it never was."""
        seen = self._seen.get(_account(connection))
        return None if seen is None else seen.fact is not None

    async def _look_up(self, account: tuple[str, str], now: datetime) -> ServiceAccountFact | None:
        fact = await self._cluster.service_account(*account)
        self._seen[account] = _Seen(fact, now)
        if fact is None:
            for key in [key for key in self._tokens if key[:2] == account]:
                del self._tokens[key]
        return fact


class Namespaces:
    """Labels of namespaces, read only where a selector asks for them."""

    def __init__(self, cluster: Cluster, fresh_for: timedelta = timedelta(seconds=60)) -> None:
        self._cluster = cluster
        self._fresh_for = fresh_for
        self._seen: dict[str, tuple[Mapping[str, str], datetime]] = {}

    async def labels(self, name: str, now: datetime) -> Mapping[str, str]:
        """The labels of a namespace, at most a minute old."""
        seen = self._seen.get(name)
        if seen is None or now - seen[1] >= self._fresh_for:
            labels = await self._cluster.namespace_labels(name)
            seen = (labels if labels is not None else {}, now)
            self._seen[name] = seen
        return seen[0]


def _account(connection: MCPConnection) -> tuple[str, str]:
    return connection.metadata.namespace, connection.spec.agent.service_account_name
