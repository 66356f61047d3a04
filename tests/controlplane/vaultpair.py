"""Two Vaults on one storage, of which one is active and the other stands by: it forwards what it is asked. The
storage is a PostgreSQL, for that takes two nodes to survive one, and Vault's own takes three."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from controlplane.child import Household
from controlplane.postgresql import PostgresServer
from controlplane.sockets import ReservedPorts
from controlplane.vaultserver import VaultServer
from controlplane.waiting import wait_until

DATABASE = "vault_storage"
TABLES = (
    """CREATE TABLE vault_kv_store (parent_path TEXT COLLATE "C" NOT NULL, path TEXT COLLATE "C",
       key TEXT COLLATE "C", value BYTEA, CONSTRAINT pkey PRIMARY KEY (path, key))""",
    "CREATE INDEX parent_path_idx ON vault_kv_store (parent_path)",
    """CREATE TABLE vault_ha_locks (ha_key TEXT COLLATE "C" NOT NULL, ha_identity TEXT COLLATE "C" NOT NULL,
       ha_value TEXT COLLATE "C", valid_until TIMESTAMP WITH TIME ZONE NOT NULL,
       CONSTRAINT ha_key PRIMARY KEY (ha_key))""",
)
"""As Vault's documentation of that storage gives them; it makes none by itself."""

TAKEOVER_SECONDS = 60.0
"""A lock that nobody renews is good for 15 s."""


class SharingVault(VaultServer):
    """One of the two."""

    def __init__(
        self, name: str, household: Household, program: Path, ports: ReservedPorts, storage: str
    ) -> None:
        self._shared = storage
        super().__init__(
            household, program, ports.take(), max_request_seconds=5, name=name, cluster_port=ports.take()
        )

    def storage(self) -> dict[str, Any]:
        return {"postgresql": {"connection_url": self._shared, "ha_enabled": "true"}}

    def join(self, other: SharingVault) -> None:
        """Start beside one that is initialised already, and stand by."""
        self._root_token, self._unseal_key = other._root_token, other._unseal_key
        self.start()


class VaultPair:
    """`first` is active after the start, and `second` stands by."""

    def __init__(
        self, household: Household, program: Path, ports: ReservedPorts, postgres: PostgresServer
    ) -> None:
        self._postgres = postgres
        storage = (
            f"postgres://{postgres.superuser}:{postgres.password}@{postgres.host}:{postgres.port}/{DATABASE}"
        )
        self.first, self.second = (
            SharingVault(name, household, program, ports, f"{storage}?sslmode=disable")
            for name in ("vault-first", "vault-second")
        )

    def start(self) -> None:
        """Both, one after the other."""
        with psycopg.connect(self._postgres.dsn(), autocommit=True) as server:
            server.execute(f"CREATE DATABASE {DATABASE}")
        with psycopg.connect(self._postgres.dsn(DATABASE), autocommit=True) as database:
            for table in TABLES:
                database.execute(table)
        self.first.start()
        self.wait_until_active(self.first)
        self.second.join(self.first)

    def wait_until_active(self, vault: SharingVault) -> None:
        """Until that one does the work."""
        wait_until(lambda: vault.health() == 200, TAKEOVER_SECONDS, f"{vault.name} is active")
