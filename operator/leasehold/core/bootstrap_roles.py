"""The roles of a Vault's auth method: who may log in as whom, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from leasehold.api.names import (
    OPERATOR_AUDIENCE,
    OPERATOR_NAMESPACE,
    OPERATOR_SERVICE_ACCOUNT,
    store_audience,
)
from leasehold.api.profile import CredentialRecipe, MCPServerProfile
from leasehold.api.store import AuthMethod, MCPCredentialStore
from leasehold.core.bootstrap_policies import OPERATOR_POLICY, profile_policy
from leasehold.core.identity import CLAIM_MAPPINGS, NAMESPACE_CLAIM

OPERATOR_TOKEN_SECONDS: Final = 3600

MARGIN_SECONDS: Final = 60
"""Between a connection's login and the sending of its mint, and for what clocks disagree about."""


@dataclass(frozen=True)
class BootstrapOptions:
    """What the manifests do not say.

    JWT: `issuer` alone means discovery; with `public_keys` (PEM) the keys are pinned. Neither: the mount's
    configuration is left alone. Kubernetes: left alone without `kubernetes_host`. No namespaces: all of them."""

    issuer: str | None = None
    issuer_ca: str | None = None
    public_keys: tuple[str, ...] = ()
    kubernetes_host: str | None = None
    kubernetes_ca: str | None = None
    reviewer_token_file: str | None = None
    namespaces: tuple[str, ...] = ()
    operator_namespace: str = OPERATOR_NAMESPACE
    operator_service_account: str = OPERATOR_SERVICE_ACCOUNT


@dataclass(frozen=True)
class Role:
    """A role of an auth method, with the settings that both methods' APIs take as JSON."""

    mount: str
    method: AuthMethod
    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Minting:
    """A profile with its recipe and its store."""

    store: MCPCredentialStore
    profile: MCPServerProfile
    recipe: CredentialRecipe

    @property
    def shared_role(self) -> tuple[str, str, str]:
        """By which profiles share a role."""
        return self.store.spec.auth.mount, self.recipe.vault_role, self.store.metadata.name


def token_seconds(recipe: CredentialRecipe, store: MCPCredentialStore) -> int:
    """How long a login token must live: every lease dies with it, so it outlives the credential, its overlap
    with the next one, and the longest mint."""
    return recipe.ttl_seconds + recipe.overlap_seconds + store.spec.max_request_seconds + MARGIN_SECONDS


def operator_role(store: MCPCredentialStore, options: BootstrapOptions) -> Role:
    """Only the operator's own service account, and only to end credentials."""
    namespace, name = options.operator_namespace, options.operator_service_account
    if store.spec.auth.method is AuthMethod.KUBERNETES:
        bounds = _kubernetes_bounds(OPERATOR_AUDIENCE, [namespace], name)
    else:
        bounds = _jwt_bounds(OPERATOR_AUDIENCE) | {
            "bound_subject": f"system:serviceaccount:{namespace}:{name}"
        }
    settings = bounds | _token_settings([OPERATOR_POLICY], OPERATOR_TOKEN_SECONDS)
    return Role(store.spec.auth.mount, store.spec.auth.method, store.spec.revoker_role, settings)


def connection_role(shared: Sequence[Minting], options: BootstrapOptions) -> Role:
    """Service accounts of connections; the profiles have this role in common."""
    store = shared[0].store
    audience = store_audience(store.metadata.name)
    if store.spec.auth.method is AuthMethod.KUBERNETES:
        bounds = _kubernetes_bounds(audience, list(options.namespaces) or ["*"], "*")
    else:
        claims = {NAMESPACE_CLAIM: list(options.namespaces)} if options.namespaces else {}
        bounds = _jwt_bounds(audience) | {"bound_claims": claims}
    policies = [profile_policy(store, each.profile, each.recipe).name for each in shared]
    seconds = max(token_seconds(each.recipe, store) for each in shared)
    settings = bounds | _token_settings(policies, seconds)
    return Role(store.spec.auth.mount, store.spec.auth.method, shared[0].recipe.vault_role, settings)


def _jwt_bounds(audience: str) -> dict[str, Any]:
    return {  # all bounds, also the empty ones: Vault keeps what a write leaves out
        "role_type": "jwt",
        "bound_audiences": [audience],
        "bound_subject": "",
        "bound_claims": {},
        "user_claim": "sub",
        "claim_mappings": dict(CLAIM_MAPPINGS),
    }


def _kubernetes_bounds(audience: str, namespaces: list[str], name: str) -> dict[str, Any]:
    return {
        "audience": audience,
        "bound_service_account_namespaces": namespaces,
        "bound_service_account_names": [name],
    }


def _token_settings(policies: list[str], seconds: int) -> dict[str, Any]:
    return {
        "token_policies": policies,
        "token_no_default_policy": True,
        "token_type": "service",
        "token_ttl": seconds,
        "token_max_ttl": seconds,
    }
