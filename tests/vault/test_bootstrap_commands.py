"""The commands that `leasehold bootstrap vault` prints, run for real."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from controlplane import Plane
from leasehold.adapters.vault import HvacVault
from leasehold.api.names import OPERATOR_AUDIENCE
from leasehold.cli.app import app
from leasehold.core.facts import MintAnswer
from leasehold.core.faults import NeedsPerson
from vaultcommands import run_script
from vaulthome import Account, Backend, VaultHome, a_recipe


@pytest.fixture(scope="module")
def home(plane: Plane) -> VaultHome:
    """An auth mount that only the printed commands have ever touched."""
    return VaultHome(plane, "commands")


@pytest.fixture(scope="module")
def leased(plane: Plane) -> str:
    return Backend(plane, "commands").paths(ttl_seconds=600).leased


def manifests(home: VaultHome, path: str, folder: Path) -> Path:
    store = {**home.store.to_wire(), "apiVersion": "leasehold.dev/v1alpha1"}
    profile = {
        "apiVersion": "leasehold.dev/v1alpha1",
        "kind": "MCPServerProfile",
        "metadata": {"name": "orders-read"},
        "spec": {
            "url": "https://orders-mcp.tools.svc/mcp",
            "owner": {"team": "orders"},
            "credential": a_recipe(path).to_wire(),
        },
    }
    file = folder / "manifests.yaml"
    unrelated = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "unrelated"}}
    file.write_text("\n---\n".join(json.dumps(each) for each in (store, profile, unrelated)))
    return file


def printed(home: VaultHome, path: str, folder: Path, *arguments: str) -> str:
    """The commands for this cluster, with its keys pinned."""
    keys = []
    for number, key in enumerate(home.plane.service_account_public_keys):
        (folder / f"key-{number}.pem").write_text(key)
        keys += ["--public-key", str(folder / f"key-{number}.pem")]
    operator = ["--operator-namespace", home.options.operator_namespace]
    file = manifests(home, path, folder)
    result = CliRunner().invoke(app, ["bootstrap", "vault", "-f", str(file), *keys, *operator, *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def mint(home: VaultHome, path: str, account: Account) -> MintAnswer:
    """As a connection of this service account."""
    jwt = home.jwt(account)

    async def scenario(vault: HvacVault) -> MintAnswer:
        login = await vault.login(home.store, "mcp", jwt)
        return await vault.mint(home.store, login.token, a_recipe(path))

    return home.run(scenario)


def made(home: VaultHome) -> list[object]:
    """Everything that the commands make, as Vault has it."""
    vault, mount = home.plane.vault.api, home.store.spec.auth.mount
    paths = [
        f"auth/{mount}/config",
        f"auth/{mount}/role/leasehold",
        f"auth/{mount}/role/mcp",
        "sys/policies/acl/leasehold-operator",
        f"sys/policies/acl/leasehold-{mount}-orders-read",
    ]
    found = [vault.call("GET", path)["data"] for path in paths]
    return [*found, vault.call("GET", "sys/auth")["data"][f"{mount}/"]["accessor"]]


def test_after_the_commands_a_connection_mints(home: VaultHome, leased: str, tmp_path: Path) -> None:
    run_script(home.plane, printed(home, leased, tmp_path))
    assert mint(home, leased, home.account()).lease_id


def test_running_the_commands_again_changes_nothing(home: VaultHome, leased: str, tmp_path: Path) -> None:
    script = printed(home, leased, tmp_path)
    run_script(home.plane, script)
    before = made(home)
    run_script(home.plane, script)
    assert made(home) == before


def test_only_named_namespaces_may_log_in(home: VaultHome, leased: str, tmp_path: Path) -> None:
    inside, outside = home.account(), home.account()
    run_script(home.plane, printed(home, leased, tmp_path, "--namespaces", f"{inside.namespace},elsewhere"))
    assert mint(home, leased, inside).lease_id
    with pytest.raises(NeedsPerson, match="namespace"):
        mint(home, leased, outside)
    run_script(home.plane, printed(home, leased, tmp_path))
    assert mint(home, leased, outside).lease_id


def test_nobody_but_the_operator_has_the_operators_role(home: VaultHome, leased: str, tmp_path: Path) -> None:
    run_script(home.plane, printed(home, leased, tmp_path))
    same_name = home.account("leasehold")
    jwt = home.jwt(same_name, OPERATOR_AUDIENCE)
    with pytest.raises(NeedsPerson, match="leasehold"):
        home.run(lambda vault: vault.login(home.store, "leasehold", jwt))


def test_a_token_for_the_api_server_is_no_login(home: VaultHome, leased: str, tmp_path: Path) -> None:
    run_script(home.plane, printed(home, leased, tmp_path))
    jwt = home.jwt(home.account(), "https://kubernetes.default.svc")
    with pytest.raises(NeedsPerson, match="audience"):
        home.run(lambda vault: vault.login(home.store, "mcp", jwt))


def test_a_policy_that_people_write_is_not_overwritten(home: VaultHome, tmp_path: Path) -> None:
    script = home.prepare([a_recipe(None, type="Token")])
    vault = home.plane.vault.api
    policy = f"sys/policies/acl/leasehold-{home.store.spec.auth.mount}-profile-0"
    vault.write(policy, policy='path "kv/data/own" { capabilities = ["read"] }')
    run_script(home.plane, script)
    assert "kv/data/own" in vault.call("GET", policy)["data"]["policy"]


def test_awkward_parameters_reach_the_policy_as_they_are(home: VaultHome) -> None:
    awkward = {"common_name": 'O\'Brien "quoted" $HOME `id`\nPOLICY\nexit 1', "other": "\\ {{identity}} ü"}
    recipe = a_recipe("pki/issue/none", method="Write", parameters=awkward)
    script = home.prepare([recipe])
    policy = f"sys/policies/acl/leasehold-{home.store.spec.auth.mount}-profile-0"
    text = home.plane.vault.api.call("GET", policy)["data"]["policy"]
    assert text in script
    assert json.dumps(awkward["common_name"]) in text


# --check


def check(home: VaultHome, path: str, folder: Path, account: Account) -> Result:
    file = manifests(home, path, folder)
    who = ["--service-account", f"{account.namespace}/{account.name}"]
    operator = ["--operator-namespace", home.options.operator_namespace]
    cluster = ["--kubeconfig", str(home.plane.kubeconfig()), "--address", home.plane.vault.address]
    arguments = ["bootstrap", "vault", "--check", "-f", str(file), *who, *operator, *cluster]
    return CliRunner().invoke(app, arguments)


def test_a_check_of_a_prepared_vault_finds_nothing_missing(
    home: VaultHome, leased: str, tmp_path: Path
) -> None:
    run_script(home.plane, printed(home, leased, tmp_path))
    result = check(home, leased, tmp_path, home.account())
    assert result.exit_code == 0, result.output
    assert "MISSING" not in result.stdout
    assert "the operator can revoke a token" in result.stdout


@pytest.mark.parametrize(
    ("role", "change", "words"),
    [
        ("mcp", {"claim_mappings": {}}, "claim_mappings"),
        ("mcp", {"token_ttl": 300, "token_max_ttl": 300}, "set token_ttl"),
        ("mcp", {"token_type": "batch"}, "token_type=service"),
        ("mcp", {"bound_audiences": ["another"]}, "audience"),
        ("leasehold", {"token_policies": ["nothing"]}, "permission denied"),
        ("leasehold", {"bound_subject": "nobody"}, "role leasehold"),
    ],
)
def test_a_check_says_what_is_missing(
    home: VaultHome, leased: str, tmp_path: Path, role: str, change: dict[str, object], words: str
) -> None:
    run_script(home.plane, printed(home, leased, tmp_path))
    path = f"auth/{home.store.spec.auth.mount}/role/{role}"
    found = home.plane.vault.api.call("GET", path)["data"]
    home.plane.vault.api.write(path, **({k: v for k, v in found.items() if v is not None} | change))
    result = check(home, leased, tmp_path, home.account())
    assert result.exit_code == 3
    assert any("MISSING" in line and words in line for line in result.stdout.splitlines()), result.stdout


def test_a_check_says_that_there_is_no_such_service_account(
    home: VaultHome, leased: str, tmp_path: Path
) -> None:
    run_script(home.plane, printed(home, leased, tmp_path))
    result = check(home, leased, tmp_path, Account("default", "nobody", ""))
    assert result.exit_code == 3
    assert "nobody" in result.stdout


def test_a_check_leaves_no_login_behind(home: VaultHome, leased: str, tmp_path: Path) -> None:
    run_script(home.plane, printed(home, leased, tmp_path))
    account = home.account()
    assert check(home, leased, tmp_path, account).exit_code == 0
    vault = home.plane.vault.api
    living = [
        vault.write("auth/token/lookup-accessor", accessor=accessor)["data"]["meta"] or {}
        for accessor in vault.list("auth/token/accessors")
    ]
    assert account.namespace not in [meta.get("namespace") for meta in living]
