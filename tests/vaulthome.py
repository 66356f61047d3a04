"""A real Vault made ready for Leasehold by the printed commands, service accounts that log in to it, and a
database behind it that can be made slow or stubborn."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg

from controlplane import Plane, vaultsetup
from controlplane.waiting import wait_until
from leasehold.adapters.vault import HvacVault
from leasehold.api.names import OPERATOR_AUDIENCE, store_audience
from leasehold.api.profile import CredentialRecipe, MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.core.bootstrap import vault_setup
from leasehold.core.bootstrap_roles import BootstrapOptions
from leasehold.core.bootstrap_script import as_script
from leasehold.core.facts import ServiceAccountToken
from leasehold.core.sealed import Sealed
from vaultcommands import run_script

T = TypeVar("T")

OPERATOR_NAMESPACE = "vault-tests"
HELD = 7_031
"""The number of the database lock for which a held mint waits."""


@dataclass(frozen=True)
class Account:
    """A service account."""

    namespace: str
    name: str
    uid: str


def a_store(address: str, mount: str, **auth: Any) -> MCPCredentialStore:
    return MCPCredentialStore.model_validate(
        {
            "metadata": {"name": "default", "uid": "store-uid"},
            "spec": {"address": address, "auth": {"method": "JWT", "mount": mount, **auth}},
        }
    )


def a_recipe(path: str | None, **settings: Any) -> CredentialRecipe:
    return CredentialRecipe.model_validate(
        {
            "storeName": "default",
            "vaultRole": "mcp",
            "path": path,
            "type": "Lease",
            "ttlSeconds": 600,
            "overlapSeconds": 60,
            **settings,
        }
    )


class VaultHome:
    """One auth mount of the plane's Vault, and the accounts that log in there."""

    def __init__(self, plane: Plane, name: str, method: str = "JWT") -> None:
        self.plane = plane
        self.store = a_store(plane.vault.address, f"{method.lower()}-{name}", method=method)
        self._operator = self.account("leasehold", OPERATOR_NAMESPACE)
        self.options = BootstrapOptions(
            public_keys=tuple(plane.service_account_public_keys),
            kubernetes_host=plane.apiserver.url,
            kubernetes_ca=plane.apiserver.ca_path.read_text(),
            operator_namespace=self._operator.namespace,
            operator_service_account=self._operator.name,
        )
        if method == "Kubernetes":
            reviewer = plane.workdir / "reviewer-token"
            reviewer.write_text(vaultsetup.create_token_reviewer(plane))
            self.options = BootstrapOptions(
                **(vars(self.options) | {"reviewer_token_file": str(reviewer)}),
            )

    def prepare(self, recipes: Iterable[CredentialRecipe]) -> str:
        """Run the commands for profiles with these recipes; returns the commands."""
        profiles = [
            MCPServerProfile.model_validate(
                {
                    "metadata": {"name": f"profile-{number}"},
                    "spec": {
                        "url": "https://orders-mcp.tools.svc/mcp",
                        "owner": {"team": "orders"},
                        "credential": recipe.to_wire(),
                    },
                }
            )
            for number, recipe in enumerate(recipes)
        ]
        script = as_script(vault_setup([self.store], profiles, self.options))
        run_script(self.plane, script)
        return script

    def account(self, name: str = "bot", namespace: str | None = None) -> Account:
        """A service account, in a new namespace unless one is given."""
        namespace = namespace or f"team-{uuid.uuid4().hex[:8]}"
        metadata = {"name": name, "namespace": namespace}
        objects = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        ]
        self.plane.apply({"apiVersion": "v1", "kind": "List", "items": objects})
        found = self.plane.kubectl(
            "get", "sa", name, f"--namespace={namespace}", "-o=jsonpath={.metadata.uid}"
        )
        return Account(namespace, name, found.stdout.strip())

    def jwt(self, account: Account, audience: str | None = None) -> Sealed[str]:
        """A token of it; for the store unless said otherwise."""
        wanted = audience or store_audience(self.store.metadata.name)
        return Sealed(self.plane.service_account_token(account.namespace, account.name, [wanted]))

    async def operator_token(self) -> ServiceAccountToken:
        """A token of the operator's own account for its own login."""
        token = await asyncio.to_thread(self.jwt, self._operator, OPERATOR_AUDIENCE)
        return ServiceAccountToken(token, datetime.now(UTC) + timedelta(minutes=10), self._operator.uid)

    def run(self, scenario: Callable[[HvacVault], Coroutine[Any, Any, T]]) -> T:
        """Run a scenario with the adapter."""

        async def connected() -> T:
            vault = HvacVault(self.operator_token)
            try:
                return await scenario(vault)
            finally:
                await vault.close()

        return asyncio.run(connected())


@dataclass(frozen=True)
class Paths:
    """Where a backend's credentials come from."""

    leased: str
    admin: str
    child_token: str
    static: str


class Backend:
    """PostgreSQL, a token role and a kv store behind the plane's Vault, on mounts of one's own."""

    def __init__(self, plane: Plane, name: str) -> None:
        self.plane = plane
        self._name = name
        self._mount = f"db-{name}"
        self._holder: psycopg.Connection[Any] | None = None

    def paths(self, ttl_seconds: int) -> Paths:
        """Set everything up."""
        vault, postgres = self.plane.vault.api, self.plane.postgres
        held = f"SELECT pg_advisory_xact_lock_shared({HELD})"
        statements = [held, vaultsetup.CREATE_LOGIN]
        leased, admin = (
            vaultsetup.setup_database_engine(
                vault,
                postgres,
                self._mount,
                role=role,
                ttl_seconds=ttl_seconds,
                creation_statements=statements,
            )
            for role in ("orders-read", "admin")
        )
        return Paths(
            leased=leased,
            admin=admin,
            child_token=vaultsetup.setup_token_role(vault, role=f"mcp-{self._name}", policies=["nothing"]),
            static=vaultsetup.setup_kv_engine(vault, f"kv-{self._name}"),
        )

    def lets_in(self, login: Mapping[str, str]) -> bool:
        """Whether a user name and password open the database and read its orders."""
        dsn = self.plane.postgres.dsn(vaultsetup.ORDERS, user=login["username"], password=login["password"])
        try:
            with psycopg.connect(dsn) as database:
                return bool(database.execute("select item from orders").fetchall())
        except psycopg.OperationalError:
            return False

    def break_revocation(self) -> None:
        self._revoke_with(["SELECT 1/0"])

    def mend_revocation(self) -> None:
        self._revoke_with(list(vaultsetup.DROP_LOGIN))

    def hold(self) -> None:
        """From now on a new login waits for `release`."""
        self._holder = psycopg.connect(self.plane.postgres.dsn(vaultsetup.ORDERS))
        self._holder.execute("SELECT pg_advisory_xact_lock(%s)", [HELD])

    def release(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def wait_for_someone(self) -> None:
        """Until somebody waits for `release`."""
        with psycopg.connect(self.plane.postgres.dsn(), autocommit=True) as database:
            asked = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
            wait_until(lambda: database.execute(asked, [HELD]).fetchone(), 20, "a mint waits in the database")

    def _revoke_with(self, statements: list[str]) -> None:
        vaultsetup.setup_database_engine(
            self.plane.vault.api,
            self.plane.postgres,
            self._mount,
            role="orders-read",
            ttl_seconds=600,
            creation_statements=[f"SELECT pg_advisory_xact_lock_shared({HELD})", vaultsetup.CREATE_LOGIN],
            revocation_statements=statements,
        )
