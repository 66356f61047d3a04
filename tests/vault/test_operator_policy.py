"""The operator's Vault policy: every line of it is needed, and what it does not name is refused."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlplane import Plane
from controlplane.vaultapi import VaultRefused
from leasehold.adapters.vault import HvacVault
from leasehold.api.reasons import Reason
from leasehold.core.bootstrap_policies import OPERATOR_POLICY, OPERATOR_RULES, operator_policy
from leasehold.core.facts import AccessorRevocation, Login, MintAnswer
from leasehold.core.faults import NeedsPerson
from vaulthome import Backend, VaultHome, a_recipe

SHIPPED = Path(__file__).parents[2] / "charts" / "manifests" / "vault-operator-policy.hcl"


@dataclass
class Prepared:
    home: VaultHome
    backend: Backend
    path: str


@pytest.fixture(scope="module")
def prepared(plane: Plane) -> Prepared:
    home, backend = VaultHome(plane, "policy"), Backend(plane, "policy")
    path = backend.paths(ttl_seconds=600).leased
    home.prepare([a_recipe(path)])
    return Prepared(home, backend, path)


@pytest.fixture
def policy(prepared: Prepared) -> Iterator[Callable[[str], None]]:
    """Write another text into the operator's policy, for this test."""
    vault = prepared.home.plane.vault.api

    def write(text: str) -> None:
        vault.write(f"sys/policies/acl/{OPERATOR_POLICY}", policy=text)

    yield write
    write(operator_policy())


Operation = Callable[[HvacVault, Login, MintAnswer], Awaitable[object]]


def operations(home: VaultHome) -> dict[str, Operation]:
    """What the operator does at Vault, by the policy's path for it."""
    store = home.store
    return {
        "sys/leases/lookup": lambda vault, _, made: vault.lookup_lease(store, made.lease_id or ""),
        "sys/leases/revoke": lambda vault, _, made: vault.revoke_lease(store, made.lease_id or ""),
        "sys/leases/count": lambda vault, _, made: vault.irrevocable_leases(store),
        "auth/token/lookup-accessor": lambda vault, login, _: vault.lookup_accessor(store, login.accessor),
        "auth/token/revoke-accessor": lambda vault, login, _: vault.revoke_accessor(store, login.accessor),
    }


def outcomes(prepared: Prepared) -> dict[str, object]:
    """Carry out each operation on a credential of its own; what came of it, or the reason of its fault."""
    home = prepared.home
    jwt = home.jwt(home.account())

    async def scenario(vault: HvacVault) -> dict[str, object]:
        found: dict[str, object] = {}
        login = await vault.login(home.store, "mcp", jwt)
        made = await vault.mint(home.store, login.token, a_recipe(prepared.path))
        for path, operation in operations(home).items():
            try:
                found[path] = await operation(vault, login, made)
            except NeedsPerson as fault:
                found[path] = fault.reason
        return found

    return home.run(scenario)


def test_the_shipped_policy_is_the_generated_one() -> None:
    assert SHIPPED.read_text() == operator_policy()


def test_the_policy_is_sufficient(prepared: Prepared) -> None:
    found = outcomes(prepared)
    assert Reason.REFUSED not in found.values()
    assert found["auth/token/revoke-accessor"] is AccessorRevocation.ACCEPTED
    assert set(found) == {path for path, _, _ in OPERATOR_RULES}


@pytest.mark.parametrize("left_out", [path for path, _, _ in OPERATOR_RULES])
def test_without_one_of_its_rules_exactly_that_operation_is_refused(
    prepared: Prepared, policy: Callable[[str], None], left_out: str
) -> None:
    policy("\n".join(rule for rule in operator_policy().split("\n\n") if f'"{left_out}"' not in rule))
    refused = {path for path, outcome in outcomes(prepared).items() if outcome is Reason.REFUSED}
    assert refused == {left_out}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "kv-policy/data/orders", None),
        ("GET", "{leased}", None),
        ("LIST", "sys/leases/lookup/{leased}", None),
        ("PUT", "sys/leases/revoke-prefix/{leased}", {}),
        ("PUT", "sys/leases/revoke-force/{leased}", {}),
        ("POST", "sys/leases/tidy", {}),
        ("PUT", "sys/leases/renew", {"lease_id": "{leased}/x"}),
        ("LIST", "auth/token/accessors", None),
        ("POST", "auth/token/create", {}),
        ("POST", "auth/token/renew-accessor", {"accessor": "x"}),
        ("GET", "auth/jwt-policy/role/mcp", None),
        ("POST", "auth/jwt-policy/role/mcp", {"token_policies": ["root"]}),
        ("POST", "sys/policies/acl/leasehold-operator", {"policy": 'path "*" { capabilities = ["read"] }'}),
        ("GET", "sys/auth", None),
        ("GET", "db-policy/config/orders", None),
    ],
)
def test_everything_else_is_refused(prepared: Prepared, method: str, path: str, body: object) -> None:
    home = prepared.home
    vault = home.plane.vault.api
    account = asyncio.run(home.operator_token())
    login_path, role = home.store.spec.auth.login_path, home.store.spec.revoker_role
    login = vault.with_token("").write(login_path, role=role, jwt=account.token.reveal())
    operator = vault.with_token(login["auth"]["client_token"])
    with pytest.raises(VaultRefused) as raised:
        operator.call(method, path.format(leased=prepared.path), body)
    assert raised.value.status == 403
