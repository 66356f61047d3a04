"""Whose Vault token a request goes out with: the operator's own, or one that a person has.

The operator's, one per store, is asked for when first needed and given up well before its end. It is never renewed:
a new login asks the API server for a new service-account token, so an operator whose account is gone loses its
Vault within one token's life."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import Login
from leasehold.core.faults import NeedsPerson
from leasehold.core.sealed import Sealed

USED_SHARE: Final = 2 / 3
"""Of a token's life; the rest is for requests under way and for a login that has to be tried again."""


class StoreTokens(Protocol):
    """Hands out a token for a store."""

    async def get(self, store: MCPCredentialStore) -> Sealed[str]:
        """One that may be used now."""
        ...

    def drop(self, store: MCPCredentialStore, token: Sealed[str]) -> None:
        """Vault refused this one."""
        ...


class GivenTokens:
    """What a person has. A refused one stays what it is: there is no other."""

    def __init__(self, token_of: Callable[[MCPCredentialStore], Sealed[str] | None]) -> None:
        self._token_of = token_of

    async def get(self, store: MCPCredentialStore) -> Sealed[str]:
        """The token for this store.

        :raises NeedsPerson: none was given
        """
        token = self._token_of(store)
        if token is None:
            raise NeedsPerson(Reason.REFUSED, f"no Vault token was given for {store.spec.address}")
        return token

    def drop(self, store: MCPCredentialStore, token: Sealed[str]) -> None:
        """There is no other."""


@dataclass
class _Kept:
    token: Sealed[str] | None = None
    until: float = 0.0
    logging_in: asyncio.Lock = field(default_factory=asyncio.Lock)


class OperatorTokens:
    """Hands out the operator's token for a store; however many ask at once, one logs in."""

    def __init__(
        self, log_in: Callable[[MCPCredentialStore], Awaitable[Login]], monotonic: Callable[[], float]
    ) -> None:
        self._log_in = log_in
        self._monotonic = monotonic
        self._kept: dict[tuple[str, str, str, str], _Kept] = {}

    async def get(self, store: MCPCredentialStore) -> Sealed[str]:
        """A token with at least a third of its life left. Raises what the login raises."""
        kept = self._kept.setdefault(_key(store), _Kept())
        async with kept.logging_in:
            if kept.token is None or self._monotonic() >= kept.until:
                asked = self._monotonic()
                login = await self._log_in(store)
                kept.token, kept.until = login.token, asked + login.ttl_seconds * USED_SHARE
            return kept.token

    def drop(self, store: MCPCredentialStore, token: Sealed[str]) -> None:
        """Vault refused this token: the next `get` logs in, unless somebody already has."""
        kept = self._kept.get(_key(store))
        if kept is not None and kept.token is token:
            kept.token = None


def _key(store: MCPCredentialStore) -> tuple[str, str, str, str]:
    return store.metadata.name, store.spec.address, store.spec.auth.mount, store.spec.revoker_role
