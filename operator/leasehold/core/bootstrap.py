"""What a Vault must know before connections can log in to it: the cluster's keys, a role for each profile, and
a role for the operator that can end credentials and do nothing else.

This is the setup as data; how it is written down (commands, Terraform) is in `bootstrap_script` and
`bootstrap_terraform`."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from leasehold.api.profile import CredentialRecipe, CredentialType, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.store import AuthMethod, MCPCredentialStore
from leasehold.core.bootstrap_policies import OPERATOR_POLICY, Policy, operator_policy, profile_policy
from leasehold.core.bootstrap_roles import BootstrapOptions, Minting, Role, connection_role, operator_role
from leasehold.core.faults import NeedsPerson

UNTUNED_MAX_TTL_SECONDS: Final = 768 * 3600
"""Vault's own ceiling for a mount that nobody has tuned."""

_LEASED_ROLE: Final = re.compile(r"^(?P<mount>.+)/creds/(?P<role>[^/]+)$")


@dataclass(frozen=True)
class AuthMount:
    """An auth method at its path; `config` is None where it is left alone."""

    path: str
    method: AuthMethod
    config: Mapping[str, Any] | None
    max_ttl_seconds: int


@dataclass(frozen=True)
class VaultSetup:
    """Everything, in the order in which it has to be made; `notes` is what only people can do."""

    mounts: tuple[AuthMount, ...]
    policies: tuple[Policy, ...]
    roles: tuple[Role, ...]
    notes: tuple[str, ...]
    reviewer_token_file: str | None = None


def vault_setup(
    stores: Iterable[MCPCredentialStore], profiles: Iterable[MCPServerProfile], options: BootstrapOptions
) -> VaultSetup:
    """What one Vault needs for these stores and profiles.

    :raises NeedsPerson: there is no store, or more than one Vault; a profile names a store that is not among
        them; two stores would write the same role
    """
    known = {store.metadata.name: store for store in stores}
    minting = minting_profiles(known.values(), profiles)
    operator_roles = {store.spec.auth.mount: operator_role(store, options) for store in known.values()}
    roles = [
        connection_role(list(shared), options)
        for _, shared in groupby(minting, key=lambda each: each.shared_role)
    ]
    _require_distinct([*operator_roles.values(), *roles])
    return VaultSetup(
        mounts=_mounts(known.values(), [*operator_roles.values(), *roles], options),
        policies=(
            Policy(OPERATOR_POLICY, operator_policy()),
            *(profile_policy(each.store, each.profile, each.recipe) for each in minting),
        ),
        roles=(*operator_roles.values(), *roles),
        notes=tuple(dict.fromkeys(_notes(minting, known.values(), options))),
        reviewer_token_file=options.reviewer_token_file,
    )


def minting_profiles(
    stores: Collection[MCPCredentialStore], profiles: Iterable[MCPServerProfile]
) -> list[Minting]:
    """The profiles that mint, those that share a role next to each other.

    :raises NeedsPerson: there is no store, or more than one Vault; a profile names a store that is not among
        them
    """
    _require_one_vault(stores)
    known = {store.metadata.name: store for store in stores}
    return sorted(
        (
            Minting(_store_of(profile, recipe, known), profile, recipe)
            for profile in profiles
            if (recipe := profile.spec.credential) is not None
        ),
        key=lambda each: (*each.shared_role, each.profile.metadata.name),
    )


def _require_one_vault(stores: Collection[MCPCredentialStore]) -> None:
    if not stores:
        raise NeedsPerson(Reason.INVALID_SPEC, "there is no MCPCredentialStore among the manifests")
    if len({store.spec.address for store in stores}) > 1:
        raise NeedsPerson(Reason.INVALID_SPEC, "the stores are not at one address: choose one by its name")


def _require_distinct(roles: Sequence[Role]) -> None:
    for (mount, name), times in Counter((role.mount, role.name) for role in roles).items():
        if times > 1:
            raise NeedsPerson(
                Reason.INVALID_SPEC,
                f"the role {name} at auth/{mount} would serve two audiences: give each store, "
                "and the operator, a role name or a mount of its own",
            )


def _store_of(
    profile: MCPServerProfile, recipe: CredentialRecipe, known: Mapping[str, MCPCredentialStore]
) -> MCPCredentialStore:
    store = known.get(recipe.store_name)
    if store is None:
        raise NeedsPerson(
            Reason.INVALID_SPEC,
            f"profile {profile.metadata.name} names the store {recipe.store_name}, "
            "which is not among the manifests",
        )
    return store


def _mounts(
    stores: Iterable[MCPCredentialStore], roles: Sequence[Role], options: BootstrapOptions
) -> tuple[AuthMount, ...]:
    methods = {store.spec.auth.mount: store.spec.auth.method for store in stores}
    return tuple(
        AuthMount(
            path=path,
            method=method,
            config=_kubernetes_config(options) if method is AuthMethod.KUBERNETES else _jwt_config(options),
            max_ttl_seconds=max(role.settings["token_max_ttl"] for role in roles if role.mount == path),
        )
        for path, method in methods.items()
    )


def _jwt_config(options: BootstrapOptions) -> Mapping[str, Any] | None:
    if options.public_keys:
        config: dict[str, Any] = {"jwt_validation_pubkeys": list(options.public_keys)}
    elif options.issuer is not None:
        config = {"oidc_discovery_url": options.issuer}
        if options.issuer_ca is not None:
            config["oidc_discovery_ca_pem"] = options.issuer_ca
    else:
        return None
    return config if options.issuer is None else config | {"bound_issuer": options.issuer}


def _kubernetes_config(options: BootstrapOptions) -> Mapping[str, Any] | None:
    if options.kubernetes_host is None:
        return None
    config = {"kubernetes_host": options.kubernetes_host}
    return config if options.kubernetes_ca is None else config | {"kubernetes_ca_cert": options.kubernetes_ca}


def _notes(
    minting: Iterable[Minting], stores: Iterable[MCPCredentialStore], options: BootstrapOptions
) -> Iterator[str]:
    if any(store.spec.auth.method is AuthMethod.KUBERNETES for store in stores):
        yield (
            "Kubernetes auth: Vault itself asks the API server about each login. It needs a token of a service "
            "account that is bound to the ClusterRole system:auth-delegator, for connections' tokens are not "
            "good at the API server."
        )
    for each in minting:
        path = each.recipe.path or ""
        if each.recipe.type is CredentialType.LEASE and (leased := _LEASED_ROLE.match(path)):
            yield (
                f"{path}: if this is a database, the creation statements of {leased['mount']}/roles/"
                f"{leased['role']} must say VALID UNTIL '{{{{expiration}}}}' (or what your database calls it). "
                "When a connection is cut at the wrong moment, a login is left that Vault does not know, "
                "and nothing else ends it."
            )
        if each.recipe.type is CredentialType.TOKEN and path:
            yield (
                f"{path}: the token role must have token_type=service and orphan=false: only then does the "
                "token end with its connection."
            )
        if each.recipe.type is CredentialType.TOKEN and not path:
            name = profile_policy(each.store, each.profile, each.recipe).name
            yield f"{name}: write into this policy what the agent may do in Vault; it is never overwritten."
