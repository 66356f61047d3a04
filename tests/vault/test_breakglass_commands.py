"""The parts of `leasehold bootstrap vault --breakglass` that Vault alone carries out, run for real."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlplane import Plane
from leasehold.adapters.vault import HvacVault
from leasehold.api.names import API_VERSION
from leasehold.api.profile import CredentialRecipe
from leasehold.cli.app import app
from leasehold.core.facts import MintAnswer
from leasehold.core.faults import NeedsPerson
from vaultcommands import run_script
from vaulthome import Account, Backend, Paths, VaultHome, a_recipe


@pytest.fixture(scope="module", params=["JWT", "Kubernetes"])
def home(plane: Plane, request: pytest.FixtureRequest) -> VaultHome:
    """An auth mount of each method."""
    return VaultHome(plane, "breakglass", request.param)


@pytest.fixture(scope="module")
def paths(plane: Plane) -> Paths:
    return Backend(plane, "breakglass").paths(ttl_seconds=600)


def printed(home: VaultHome, recipes: Sequence[CredentialRecipe], folder: Path) -> str:
    """The commands for one server for each recipe; the Vault is prepared for them."""
    home.prepare(recipes)
    profiles = [
        {
            "apiVersion": API_VERSION,
            "kind": "MCPServerProfile",
            "metadata": {"name": f"profile-{number}"},
            "spec": {
                "url": f"https://server-{number}.tools.svc/mcp",
                "owner": {"team": "tools"},
                "credential": recipe.to_wire(),
            },
        }
        for number, recipe in enumerate(recipes)
    ]
    file = folder / "manifests.yaml"
    store = {**home.store.to_wire(), "apiVersion": API_VERSION}
    file.write_text("\n---\n".join(json.dumps(each) for each in [store, *profiles]))
    result = CliRunner().invoke(app, ["bootstrap", "vault", "--breakglass", "-f", str(file)])
    assert result.exit_code == 0, result.output
    return result.stdout


def lines(script: str, *words: str) -> str:
    """The commands that have all these words; also those that stand there as comments."""
    found = [line for line in script.splitlines() if all(word in line for word in words)]
    assert found, script
    return "\n".join(line.removeprefix("#   ") for line in found)


def login_and_mint(home: VaultHome, account: Account, recipe: CredentialRecipe) -> tuple[str, MintAnswer]:
    """As a connection of this service account; with the login's accessor."""
    jwt = home.jwt(account)

    async def scenario(vault: HvacVault) -> tuple[str, MintAnswer]:
        login = await vault.login(home.store, recipe.vault_role, jwt)
        return login.accessor, await vault.mint(home.store, login.token, recipe)

    return home.run(scenario)


def is_alive(home: VaultHome, accessor: str, minted: MintAnswer) -> tuple[bool, bool]:
    """Whether Vault knows the login, and the lease."""

    async def scenario(vault: HvacVault) -> tuple[bool, bool]:
        login = await vault.lookup_accessor(home.store, accessor)
        lease = await vault.lookup_lease(home.store, minted.lease_id) if minted.lease_id else None
        return login is not None, lease is not None

    return home.run(scenario)


def test_a_closed_role_lets_nobody_in_and_the_way_back_restores_it(
    home: VaultHome, paths: Paths, tmp_path: Path
) -> None:
    recipe, account = a_recipe(paths.leased), home.account()
    script = printed(home, [recipe], tmp_path)
    role = f"auth/{home.store.spec.auth.mount}/role/mcp"
    before = home.plane.vault.api.call("GET", role)["data"]
    run_script(home.plane, lines(script, f"vault write {role}", "CLOSED"))
    with pytest.raises(NeedsPerson, match="role mcp"):
        login_and_mint(home, account, recipe)
    back = [each for each in lines(script, f"vault write {role}").splitlines() if "CLOSED" not in each]
    run_script(home.plane, "\n".join(back))
    assert home.plane.vault.api.call("GET", role)["data"] == before
    assert login_and_mint(home, account, recipe)[1].lease_id


def test_the_prefix_of_a_path_ends_all_that_was_minted_there_and_nothing_else(
    home: VaultHome, paths: Paths, tmp_path: Path
) -> None:
    one, other = a_recipe(paths.leased), a_recipe(paths.admin, vaultRole="mcp-other")
    script = printed(home, [one, other], tmp_path)
    first, second = (login_and_mint(home, home.account(), one) for _ in range(2))
    elsewhere = login_and_mint(home, home.account(), other)
    run_script(home.plane, lines(script, "vault lease revoke -sync -prefix", paths.leased))
    assert [is_alive(home, *each)[1] for each in (first, second, elsewhere)] == [False, False, True]


def test_the_prefix_of_the_login_ends_everything_of_the_mount(
    home: VaultHome, paths: Paths, tmp_path: Path
) -> None:
    one, other = a_recipe(paths.leased), a_recipe(paths.admin, vaultRole="mcp-other")
    script = printed(home, [one, other], tmp_path)
    everyone = [login_and_mint(home, home.account(), recipe) for recipe in (one, other)]
    run_script(
        home.plane,
        lines(script, "vault lease revoke -sync -prefix", f"auth/{home.store.spec.auth.mount}/login"),
    )
    assert [is_alive(home, *each) for each in everyone] == [(False, False)] * 2


def test_nothing_that_forgets_without_revoking_is_ever_printed(
    home: VaultHome, paths: Paths, tmp_path: Path
) -> None:
    every_kind = [
        a_recipe(paths.leased),
        a_recipe(paths.child_token, type="Token", method="Write"),
        a_recipe(None, type="Token", vaultRole="mcp-token"),
        a_recipe(paths.static, type="Static", vaultRole="mcp-static"),
        a_recipe("identity/oidc/token/agent", type="Expiring", vaultRole="mcp-expiring"),
    ]
    script = printed(home, every_kind, tmp_path)
    assert script.count("# ==== https://") == len(every_kind)
    for forgetful in ("tidy", "force", "delete"):
        assert forgetful not in script


def test_a_role_that_another_server_shares_is_said(home: VaultHome, paths: Paths, tmp_path: Path) -> None:
    script = printed(home, [a_recipe(paths.leased), a_recipe(paths.admin)], tmp_path)
    unwrapped = script.replace("\n# ", " ")
    first, second = unwrapped.split(" ==== https://")[1:3]
    assert "mint nothing either: profile-1." in first
    assert "mint nothing either: profile-0." in second
