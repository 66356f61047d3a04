"""What tests need inside a Vault: service-account logins, and an engine for each way a credential ends.

Everything may be called twice. Mounts take a name, so that suites that share a Vault do not share a mount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from controlplane.plane import Plane, PostgresPort
from controlplane.vaultapi import VaultApi, VaultRefused
from controlplane.waiting import wait_until

NAMESPACE_CLAIM = "/kubernetes.io/namespace"
SERVICE_ACCOUNT_CLAIM = "/kubernetes.io/serviceaccount/name"
CLAIM_MAPPINGS = {
    NAMESPACE_CLAIM: "namespace",
    SERVICE_ACCOUNT_CLAIM: "serviceAccount",
    "/kubernetes.io/serviceaccount/uid": "serviceAccountUID",
}

ORDERS = "orders"
ORDERS_READER = "orders_reader"

CREATE_LOGIN = (
    """CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' """
    f"""VALID UNTIL '{{{{expiration}}}}' IN ROLE {ORDERS_READER}"""
)
DROP_LOGIN = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'",
    'DROP ROLE IF EXISTS "{{name}}"',
)


# Mounts and policies


def enable_engine(vault: VaultApi, path: str, kind: str, **settings: Any) -> None:
    """Mount a secrets engine unless it is there."""
    mounted = vault.call("GET", "sys/mounts")["data"]
    if f"{path}/" not in mounted:
        vault.write(f"sys/mounts/{path}", type=kind, **settings)


def enable_auth(vault: VaultApi, path: str, kind: str) -> None:
    """Mount an auth method unless it is there."""
    mounted = vault.call("GET", "sys/auth")["data"]
    if f"{path}/" not in mounted:
        vault.write(f"sys/auth/{path}", type=kind)


def put_policy(vault: VaultApi, name: str, paths: Mapping[str, Sequence[str]]) -> None:
    """A policy from path -> capabilities."""
    rules = [f'path "{path}" {{ capabilities = [{_quoted(able)}] }}' for path, able in paths.items()]
    vault.write(f"sys/policies/acl/{name}", policy="\n".join(rules))


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


# Logins


def setup_jwt_auth(vault: VaultApi, mount: str, public_keys: Sequence[str]) -> None:
    """JWT auth that trusts the cluster's pinned service-account keys."""
    enable_auth(vault, mount, "jwt")
    vault.write(f"auth/{mount}/config", jwt_validation_pubkeys=list(public_keys))


def put_jwt_role(
    vault: VaultApi,
    mount: str,
    role: str,
    *,
    audience: str,
    policies: Sequence[str],
    namespace: str | None = None,
    service_account: str | None = None,
    ttl_seconds: int = 3600,
    **overrides: Any,
) -> None:
    """A role for a namespace's service accounts, or one of them; `overrides` replace single settings."""
    bounds = {NAMESPACE_CLAIM: namespace, SERVICE_ACCOUNT_CLAIM: service_account}
    settings: dict[str, Any] = {
        "role_type": "jwt",
        "bound_audiences": [audience],
        "bound_claims": {claim: bound for claim, bound in bounds.items() if bound is not None},
        "user_claim": "sub",
        "claim_mappings": CLAIM_MAPPINGS,
        "token_policies": list(policies),
        "token_no_default_policy": True,
        "token_type": "service",
        "token_ttl": ttl_seconds,
        "token_max_ttl": ttl_seconds,
    }
    vault.write(f"auth/{mount}/role/{role}", **(settings | overrides))


def setup_kubernetes_auth(vault: VaultApi, mount: str, *, host: str, ca: Path, reviewer_token: str) -> None:
    """Kubernetes auth: Vault asks the API server, with a reviewer's token of its own, about each login."""
    enable_auth(vault, mount, "kubernetes")
    vault.write(
        f"auth/{mount}/config",
        kubernetes_host=host,
        kubernetes_ca_cert=ca.read_text(),
        token_reviewer_jwt=reviewer_token,
        disable_local_ca_jwt=True,
    )


def put_kubernetes_role(
    vault: VaultApi,
    mount: str,
    role: str,
    *,
    audience: str,
    policies: Sequence[str],
    namespace: str,
    service_account: str = "*",
    ttl_seconds: int = 3600,
    **overrides: Any,
) -> None:
    settings: dict[str, Any] = {
        "bound_service_account_names": [service_account],
        "bound_service_account_namespaces": [namespace],
        "audience": audience,
        "token_policies": list(policies),
        "token_no_default_policy": True,
        "token_type": "service",
        "token_ttl": ttl_seconds,
        "token_max_ttl": ttl_seconds,
    }
    vault.write(f"auth/{mount}/role/{role}", **(settings | overrides))


def create_token_reviewer(plane: Plane, namespace: str = "default", name: str = "vault-reviewer") -> str:
    """A service account that may only review tokens, and a token of it that outlives a test run."""
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"}
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{namespace}-{name}"},
            "roleRef": role,
            "subjects": [subject],
        },
    ]
    plane.apply({"apiVersion": "v1", "kind": "List", "items": objects})
    return plane.service_account_token(namespace, name, lifetime_seconds=86400)


def login(vault: VaultApi, mount: str, role: str, jwt: str) -> dict[str, Any]:
    """The `auth` part of a login's answer: client_token, accessor, lease_duration, metadata, …"""
    answered = vault.with_token("").write(f"auth/{mount}/login", role=role, jwt=jwt)
    auth: dict[str, Any] = answered["auth"]
    return auth


# Engines


def setup_orders_database(postgres: PostgresPort) -> None:
    """The sample database: a table with rows, and a group role that may read it."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as server:
        if not server.execute("select 1 from pg_database where datname = %s", [ORDERS]).fetchone():
            server.execute(sql.SQL("create database {}").format(sql.Identifier(ORDERS)))
        if not server.execute("select 1 from pg_roles where rolname = %s", [ORDERS_READER]).fetchone():
            server.execute(sql.SQL("create role {} nologin").format(sql.Identifier(ORDERS_READER)))
    with psycopg.connect(postgres.dsn(ORDERS), autocommit=True) as database:
        database.execute("create table if not exists orders (id int primary key, item text, quantity int)")
        database.execute(
            "insert into orders values (1, 'lantern', 3), (2, 'rope', 12), (3, 'compass', 1) "
            "on conflict do nothing"
        )
        database.execute(sql.SQL("grant select on orders to {}").format(sql.Identifier(ORDERS_READER)))


def setup_database_engine(
    vault: VaultApi,
    postgres: PostgresPort,
    mount: str = "database",
    *,
    role: str = "orders-read",
    ttl_seconds: int = 3600,
    max_open_connections: int = 20,
    **overrides: Any,
) -> str:
    """PostgreSQL logins that end on time by themselves; returns the path to mint at."""
    setup_orders_database(postgres)
    enable_engine(vault, mount, "database")
    address = f"{postgres.host}:{postgres.port}"
    vault.write(
        f"{mount}/config/{ORDERS}",
        plugin_name="postgresql-database-plugin",
        allowed_roles=["*"],
        connection_url=f"postgresql://{{{{username}}}}:{{{{password}}}}@{address}/{ORDERS}?sslmode=disable",
        username=postgres.superuser,
        password=postgres.password,
        max_open_connections=max_open_connections,
        max_idle_connections=max_open_connections,
    )
    settings: dict[str, Any] = {
        "db_name": ORDERS,
        "creation_statements": [CREATE_LOGIN],
        "revocation_statements": list(DROP_LOGIN),
        "default_ttl": ttl_seconds,
        "max_ttl": ttl_seconds,
    }
    vault.write(f"{mount}/roles/{role}", **(settings | overrides))
    return f"{mount}/creds/{role}"


def setup_ssh_engine(
    vault: VaultApi, mount: str = "ssh", *, role: str = "otp", ttl_seconds: int = 3600
) -> str:
    """One-time passwords; returns the path to POST an `ip` to. Untuned, their leases last 32 days."""
    enable_engine(vault, mount, "ssh")
    vault.write(f"sys/mounts/{mount}/tune", default_lease_ttl=ttl_seconds, max_lease_ttl=ttl_seconds)
    vault.write(
        f"{mount}/roles/{role}", key_type="otp", default_user="ubuntu", cidr_list="127.0.0.0/8,10.0.0.0/8"
    )
    return f"{mount}/creds/{role}"


def setup_pki_engine(vault: VaultApi, mount: str = "pki", *, ttl_seconds: int = 3600) -> tuple[str, str]:
    """Certificates: returns the path of those that have a lease, and of those that only run out."""
    enable_engine(vault, mount, "pki", config={"max_lease_ttl": "8760h"})
    if not vault.list(f"{mount}/issuers"):
        vault.write(f"{mount}/root/generate/internal", common_name="leasehold test", ttl="8760h")
    for role, leased in (("leased", True), ("unleased", False)):
        vault.write(
            f"{mount}/roles/{role}",
            allow_any_name=True,
            generate_lease=leased,
            ttl=ttl_seconds,
            max_ttl=ttl_seconds,
        )
    return f"{mount}/issue/leased", f"{mount}/issue/unleased"


def setup_oidc_tokens(vault: VaultApi, *, role: str = "agent", ttl_seconds: int = 600) -> str:
    """Signed JWTs, which nobody can revoke; returns the path to read. Only a login with an entity may."""
    vault.write(
        "identity/oidc/key/leasehold",
        allowed_client_ids=["*"],
        rotation_period="24h",
        verification_ttl="24h",
    )
    vault.write(f"identity/oidc/role/{role}", key="leasehold", ttl=ttl_seconds)
    return f"identity/oidc/token/{role}"


def setup_token_role(
    vault: VaultApi,
    *,
    role: str = "mcp",
    policies: Sequence[str] = (),
    orphan: bool = False,
    **overrides: Any,
) -> str:
    """Child tokens; returns the path to POST to."""
    settings: dict[str, Any] = {
        "allowed_policies": list(policies),
        "orphan": orphan,
        "renewable": False,
        "token_no_default_policy": True,
        "token_type": "service",
    }
    vault.write(f"auth/token/roles/{role}", **(settings | overrides))
    return f"auth/token/create/{role}"


def setup_kv_engine(
    vault: VaultApi, mount: str = "kv", *, name: str = "orders", data: Mapping[str, str] | None = None
) -> str:
    """A static secret in a version 2 store; returns the path to read."""
    enable_engine(vault, mount, "kv", options={"version": "2"})
    sample = dict(data or {"api-key": "an-example-and-not-a-secret"})

    def written() -> bool:
        try:
            vault.write(f"{mount}/data/{name}", data=sample)
        except VaultRefused as refused:
            if refused.status == 400 and "pgrading" in str(refused):  # a new store is not a store at once
                return False
            raise
        return True

    wait_until(written, 30, f"the kv store {mount}")
    return f"{mount}/data/{name}"
