"""Whether a prepared Vault lets connections in, and the operator end them: tried out with a real login, which is
revoked again, so that what is missing is known before the first connection waits for it.

Where the admission policies are installed, only the operator may ask for these tokens; there, this runs with a
kubeconfig that acts as the operator."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from leasehold.adapters.vault import HvacVault
from leasehold.api.names import OPERATOR_AUDIENCE, store_audience
from leasehold.api.profile import MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.cli.access import Access
from leasehold.core.bootstrap_roles import MARGIN_SECONDS, BootstrapOptions, token_seconds
from leasehold.core.facts import Login, ServiceAccountToken
from leasehold.core.faults import Fault
from leasehold.core.identity import NAMESPACE, SERVICE_ACCOUNT, SERVICE_ACCOUNT_UID
from leasehold.ports import Cluster

TOKEN_SECONDS = 600


@dataclass(frozen=True)
class Checked:
    """One thing that was tried."""

    good: bool
    words: str


@dataclass(frozen=True)
class ExpectedLogin:
    """A role that connections log in with; `seconds` is how long their tokens have to live."""

    store: MCPCredentialStore
    role: str
    seconds: int


def expected_logins(
    stores: Sequence[MCPCredentialStore],
    profiles: Sequence[MCPServerProfile],
    role: str | None,
    address: str | None,
) -> list[ExpectedLogin]:
    """The roles that the profiles name, or only that one; `address` is the Vault as it is reached from here."""
    expected: list[ExpectedLogin] = []
    for store in stores:
        recipes = [
            recipe
            for profile in profiles
            if (recipe := profile.spec.credential) is not None and recipe.store_name == store.metadata.name
        ]
        reached = store
        if address is not None:
            reached = store.model_copy(update={"spec": store.spec.model_copy(update={"address": address})})
        for name in [role] if role is not None else sorted({recipe.vault_role for recipe in recipes}):
            needed = [token_seconds(recipe, store) for recipe in recipes if recipe.vault_role == name]
            expected.append(ExpectedLogin(reached, name, max(needed, default=0)))
    return expected


async def check_logins(
    logins: Sequence[ExpectedLogin],
    account: tuple[str, str],
    options: BootstrapOptions,
    access: AbstractAsyncContextManager[Access],
) -> list[Checked]:
    """Try every role with this service account; a role is given up at the first thing that is missing."""
    async with access as reached:
        return await _checked(logins, account, options, reached.cluster)


async def _checked(
    logins: Sequence[ExpectedLogin], account: tuple[str, str], options: BootstrapOptions, cluster: Cluster
) -> list[Checked]:
    async def operator_token() -> ServiceAccountToken:
        return await cluster.request_token(
            options.operator_namespace, options.operator_service_account, OPERATOR_AUDIENCE, TOKEN_SECONDS
        )

    vault = HvacVault(operator_token)
    found: list[Checked] = []
    try:
        for login in logins:
            try:
                async with aclosing(_attempts(login, account, cluster, vault)) as attempts:
                    async for attempt in attempts:
                        found.append(attempt)  # noqa: PERF401  # what was found before a fault is kept
            except Fault as fault:
                found.append(Checked(False, fault.message))
    finally:
        await vault.close()
    return found


async def _attempts(
    expected: ExpectedLogin, account: tuple[str, str], cluster: Cluster, vault: HvacVault
) -> AsyncGenerator[Checked, None]:
    store, (namespace, name) = expected.store, account
    at = f"store {store.metadata.name}, role {expected.role}"
    yield Checked(True, f"{at}: Vault answers, cluster id {await vault.cluster_id(store)}")
    audience = store_audience(store.metadata.name)
    token = await cluster.request_token(namespace, name, audience, TOKEN_SECONDS)
    yield Checked(True, f"{at}: the API server gives a token of {namespace}/{name} for {audience}")
    login = await vault.login(store, expected.role, token.token)
    yield _lives_long_enough(expected, login, at)
    facts = await vault.lookup_accessor(store, login.accessor)
    yield Checked(facts is not None, f"{at}: the operator can look a token up")
    wanted = {NAMESPACE: namespace, SERVICE_ACCOUNT: name, SERVICE_ACCOUNT_UID: token.service_account_uid}
    told = dict(facts.metadata) if facts is not None else {}
    absent = sorted(key for key, value in wanted.items() if told.get(key) != value)
    words = f"are missing: {', '.join(absent)}; set claim_mappings" if absent else "say whose it is"
    yield Checked(not absent, f"{at}: the token's metadata {words}")
    await vault.revoke_accessor(store, login.accessor)
    gone = await vault.lookup_accessor(store, login.accessor) is None
    yield Checked(gone, f"{at}: the operator can revoke a token")
    stuck = await vault.irrevocable_leases(store)
    yield Checked(True, f"{at}: {stuck} irrevocable leases in this Vault, whoever they belong to")


def _lives_long_enough(expected: ExpectedLogin, login: Login, at: str) -> Checked:
    if login.ttl_seconds < expected.seconds - MARGIN_SECONDS:
        return Checked(
            False,
            f"{at}: its tokens live {login.ttl_seconds} s, and every lease dies with its token: "
            f"set token_ttl and token_max_ttl to {expected.seconds}, and the mount's max-lease-ttl no lower",
        )
    return Checked(True, f"{at}: login works, and its tokens live {login.ttl_seconds} s")
