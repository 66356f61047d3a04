"""What really reached the servers, seen from the middle: which login belongs to which connection, what was minted
under it, and what the ledger knew by then."""

import base64
import json
import re
from collections import defaultdict
from typing import Any

from crash.proxy import KUBERNETES, VAULT, Exchange
from discretion import tell
from leasehold.api.names import OPERATOR_NAMESPACE

LOGIN = re.compile(r"^/v1/auth/[^/]+/login$")
STATUS = re.compile(r"/namespaces/([^/]+)/mcpconnections/[^/]+/status$")
SECRETS = re.compile(r"/namespaces/([^/]+)/secrets(/[^/]+)?$")


class Book:
    """By namespace, for every connection has one of its own. Written by the proxy's thread, read when it rests."""

    def __init__(self) -> None:
        self.mints: dict[str, list[Exchange]] = defaultdict(list)
        """Requests to mint that were sent on to Vault."""
        self.logins: dict[str, list[str]] = defaultdict(list)
        """Accessors of logins that Vault granted."""
        self.recorded: dict[str, set[str]] = defaultdict(set)
        """Accessors that a stored ledger has named."""
        self.generations: dict[str, int] = defaultdict(int)
        """The highest generation that a stored status has named."""
        self.published: dict[str, int] = defaultdict(int)
        """How often a credential was written to the Secret."""
        self.minted_under: set[str] = set()
        """Accessors under which a mint was sent."""
        self._owners: dict[str, tuple[str, str]] = {}

    def lost(self, namespace: str) -> int:
        """How many credentials were minted and not written to the Secret."""
        minted = sum(exchange.status in (None, 200) for exchange in self.mints[namespace])
        return minted - self.published[namespace]

    def accessor_of(self, exchange: Exchange) -> str:
        """The login under which a mint was sent."""
        return self._owners[exchange.headers["X-Vault-Token"]][1]

    def leaving(self, exchange: Exchange) -> None:
        """See `Witness`."""
        if exchange.server != VAULT:
            return
        namespace, accessor = self._owners.get(exchange.headers.get("X-Vault-Token", ""), ("", ""))
        if namespace:
            self.mints[namespace].append(exchange)
            self.minted_under.add(accessor)

    def answered(self, exchange: Exchange) -> None:
        """See `Witness`."""
        if exchange.status is None or exchange.status >= 300:
            return
        if exchange in self.mints[self._owner(exchange)]:
            tell(_texts(json.loads(exchange.answer).get("data") or {}))
        elif exchange.server == VAULT and LOGIN.match(exchange.path):
            self._logged_in(exchange)
        elif exchange.server == KUBERNETES and (found := STATUS.search(exchange.path)):
            self._stored(found[1], exchange)
        elif exchange.server == KUBERNETES and (found := SECRETS.search(exchange.path)):
            self.published[found[1]] += b"stringData" in exchange.body

    def _owner(self, exchange: Exchange) -> str:
        return self._owners.get(exchange.headers.get("X-Vault-Token", ""), ("", ""))[0]

    def _logged_in(self, exchange: Exchange) -> None:
        sent = json.loads(exchange.body)["jwt"]
        namespace, auth = namespace_of(sent), json.loads(exchange.answer)["auth"]
        tell([sent, auth["client_token"]])
        if namespace != OPERATOR_NAMESPACE:
            self._owners[auth["client_token"]] = (namespace, auth["accessor"])
            self.logins[namespace].append(auth["accessor"])

    def _stored(self, namespace: str, exchange: Exchange) -> None:
        status = json.loads(exchange.answer).get("status", {})
        self.generations[namespace] = max(self.generations[namespace], status.get("lastGeneration", 0))
        for entry in status.get("ledger", ()):
            self.recorded[namespace].add(entry["accessor"])


def _texts(data: dict[str, Any]) -> set[str]:
    """What of a credential is worth stealing."""
    return {text for name, text in data.items() if name in ("password", "token") and isinstance(text, str)}


def namespace_of(jwt: str) -> str:
    """The namespace of a service-account token."""
    payload = jwt.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["kubernetes.io"]["namespace"])
