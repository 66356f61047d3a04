"""What a Vault is told: one role for the profiles that share it, long enough tokens, nothing beside the recipe,
and the same thing in commands and in Terraform."""

import re
from typing import Any

import pytest

from leasehold.api.names import OPERATOR_AUDIENCE, store_audience
from leasehold.api.profile import MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.core.bootstrap import VaultSetup, vault_setup
from leasehold.core.bootstrap_roles import BootstrapOptions
from leasehold.core.bootstrap_script import as_script
from leasehold.core.bootstrap_terraform import as_terraform
from leasehold.core.faults import NeedsPerson


def a_store(name: str = "default", mount: str = "jwt-c17", **spec: Any) -> MCPCredentialStore:
    address = spec.pop("address", "https://vault.example.com")
    auth = {"method": spec.pop("method", "JWT"), "mount": mount}
    return MCPCredentialStore.model_validate(
        {"metadata": {"name": name}, "spec": {"address": address, "auth": auth, **spec}}
    )


def a_profile(name: str = "orders-read", **recipe: Any) -> MCPServerProfile:
    credential = {
        "storeName": "default",
        "vaultRole": "mcp",
        "path": "database/creds/orders-read",
        "type": "Lease",
        "ttlSeconds": 3600,
        **recipe,
    }
    return MCPServerProfile.model_validate(
        {
            "metadata": {"name": name},
            "spec": {
                "url": "https://orders-mcp.tools.svc/mcp",
                "owner": {"team": "orders"},
                "credential": {name: value for name, value in credential.items() if value is not None},
            },
        }
    )


def a_setup(
    *profiles: MCPServerProfile, store: MCPCredentialStore | None = None, **options: Any
) -> VaultSetup:
    return vault_setup([store or a_store()], profiles, BootstrapOptions(**options))


def role(setup: VaultSetup, name: str) -> dict[str, Any]:
    (found,) = [each.settings for each in setup.roles if each.name == name]
    return found


def policy(setup: VaultSetup, name: str) -> str:
    (found,) = [each.text for each in setup.policies if each.name == name]
    return found


def test_a_token_outlives_the_credential_its_overlap_and_the_longest_mint() -> None:
    store = a_store(maxRequestSeconds=90)
    settings = role(a_setup(a_profile(ttlSeconds=3600, overlapSeconds=300), store=store), "mcp")
    assert settings["token_ttl"] == settings["token_max_ttl"] == 3600 + 300 + 90 + 60


def test_profiles_that_share_a_role_share_the_longest_life_and_keep_their_policies() -> None:
    setup = a_setup(
        a_profile("a", ttlSeconds=600), a_profile("b", ttlSeconds=7200), a_profile("c", vaultRole="other")
    )
    settings = role(setup, "mcp")
    assert settings["token_ttl"] > 7200
    assert settings["token_policies"] == ["leasehold-jwt-c17-a", "leasehold-jwt-c17-b"]
    assert role(setup, "other")["token_policies"] == ["leasehold-jwt-c17-c"]


@pytest.mark.parametrize("method", ["JWT", "Kubernetes"])
def test_every_role_gives_revocable_tokens_with_nothing_but_its_policy(method: str) -> None:
    setup = a_setup(a_profile(), store=a_store(method=method))
    for each in setup.roles:
        assert each.settings["token_type"] == "service"
        assert each.settings["token_no_default_policy"] is True


def test_audiences_are_bound() -> None:
    setup = a_setup(a_profile())
    assert role(setup, "mcp")["bound_audiences"] == [store_audience("default")]
    assert role(setup, "leasehold")["bound_audiences"] == [OPERATOR_AUDIENCE]
    assert role(setup, "leasehold")["bound_subject"] == "system:serviceaccount:leasehold-system:leasehold"
    setup = a_setup(a_profile(), store=a_store(method="Kubernetes"))
    assert role(setup, "mcp")["audience"] == store_audience("default")
    assert role(setup, "leasehold")["audience"] == OPERATOR_AUDIENCE
    assert role(setup, "leasehold")["bound_service_account_names"] == ["leasehold"]
    assert role(setup, "leasehold")["bound_service_account_namespaces"] == ["leasehold-system"]


def test_namespaces_are_bound_where_they_are_named() -> None:
    setup = a_setup(a_profile(), namespaces=("a", "b"))
    assert role(setup, "mcp")["bound_claims"] == {"/kubernetes.io/namespace": ["a", "b"]}
    setup = a_setup(a_profile(), store=a_store(method="Kubernetes"), namespaces=("a", "b"))
    assert role(setup, "mcp")["bound_service_account_namespaces"] == ["a", "b"]
    assert role(setup, "leasehold")["bound_service_account_namespaces"] == ["leasehold-system"]


def test_a_policy_allows_the_recipe_and_nothing_else() -> None:
    setup = a_setup(
        a_profile("read"),
        a_profile("write", method="Write", path="pki/issue/x", parameters={"common_name": 'a"b'}),
        a_profile("bare", method="Write", path="auth/token/create/x", type="Token"),
    )
    assert policy(setup, "leasehold-jwt-c17-read") == (
        'path "database/creds/orders-read" {\n  capabilities = ["read"]\n}\n'
    )
    written = policy(setup, "leasehold-jwt-c17-write")
    assert 'capabilities = ["update"]' in written
    assert '"common_name" = ["a\\"b"]' in written
    assert 'denied_parameters = { "*" = [] }' in policy(setup, "leasehold-jwt-c17-bare")


def test_a_profile_without_a_credential_needs_nothing() -> None:
    record_only = MCPServerProfile.model_validate(
        {"metadata": {"name": "r"}, "spec": {"url": "https://a.example/mcp", "owner": {"team": "t"}}}
    )
    setup = a_setup(record_only)
    assert [each.name for each in setup.roles] == ["leasehold"]
    assert [each.name for each in setup.policies] == ["leasehold-operator"]


@pytest.mark.parametrize(
    ("stores", "profiles", "words"),
    [
        ([], [a_profile()], "no MCPCredentialStore"),
        ([a_store()], [a_profile(storeName="other")], "other"),
        ([a_store(), a_store("b", address="https://b.example")], [], "one address"),
        ([a_store()], [a_profile(vaultRole="leasehold")], "two audiences"),
        ([a_store(), a_store("b")], [a_profile("x"), a_profile("y", storeName="b")], "two audiences"),
    ],
    ids=["no store", "unknown store", "two Vaults", "the operator's role", "two stores, one role"],
)
def test_what_cannot_be_set_up_is_said(
    stores: list[MCPCredentialStore], profiles: list[MCPServerProfile], words: str
) -> None:
    with pytest.raises(NeedsPerson, match=words):
        vault_setup(stores, profiles, BootstrapOptions())


def test_the_mount_is_tuned_only_where_tokens_live_longer_than_vault_lets_them() -> None:
    assert "auth tune" not in as_script(a_setup(a_profile()))
    long = as_script(a_setup(a_profile(ttlSeconds=31536000)))
    assert "vault auth tune -max-lease-ttl=31536450s jwt-c17/" in long


def test_an_issuer_alone_is_discovered_and_keys_are_pinned() -> None:
    (mount,) = a_setup(a_profile(), issuer="https://k.example").mounts
    assert mount.config == {"oidc_discovery_url": "https://k.example", "bound_issuer": "https://k.example"}
    (mount,) = a_setup(a_profile(), issuer="https://k.example", public_keys=("PEM",)).mounts
    assert mount.config == {"jwt_validation_pubkeys": ["PEM"], "bound_issuer": "https://k.example"}
    (mount,) = a_setup(a_profile()).mounts
    assert mount.config is None


def test_database_roles_are_told_to_end_what_vault_does_not_know() -> None:
    for text in (as_script(a_setup(a_profile())), as_terraform(a_setup(a_profile()))):
        assert "VALID UNTIL '{{expiration}}'" in " ".join(text.replace("\n# ", " ").split())
        assert "database/roles/orders-read" in text


def test_the_reviewers_token_is_named_by_its_file_only() -> None:
    store = a_store(method="Kubernetes")
    options = {"kubernetes_host": "https://k.example", "reviewer_token_file": "/run/reviewer"}
    assert "token_reviewer_jwt=@/run/reviewer" in as_script(a_setup(a_profile(), store=store, **options))
    assert 'file("/run/reviewer")' in as_terraform(a_setup(a_profile(), store=store, **options))


# Terraform


@pytest.mark.parametrize("method", ["JWT", "Kubernetes"])
def test_terraform_makes_what_the_commands_make(method: str) -> None:
    setup = a_setup(
        a_profile("a"),
        a_profile("b", vaultRole="other"),
        store=a_store(method=method),
        issuer="https://k.example",
        kubernetes_host="https://k.example",
    )
    text = as_terraform(setup)
    made = re.findall(r'^resource "(\w+)" "(\w+)" \{$', text, re.MULTILINE)
    assert len(made) == len(set(made))
    kinds = [kind for kind, _ in made]
    assert kinds.count("vault_policy") == len(setup.policies)
    assert sum(kind.endswith("auth_backend_role") for kind in kinds) == len(setup.roles)
    for kind, name in re.findall(r"\b(vault_\w+)\.(\w+)\.(?:name|path)\b", text):
        assert (kind, name) in made
    for each in setup.roles:
        assert re.search(rf'role_name\s+= "{each.name}"', text)


def test_terraform_leaves_alone_what_it_is_not_told_about() -> None:
    text = as_terraform(a_setup(a_profile()))
    assert 'resource "vault_jwt_auth_backend" ' not in text
    assert re.search(r'backend\s+= "jwt-c17"', text)


def test_terraform_never_reads_a_parameter_as_a_template() -> None:
    profile = a_profile(method="Write", path="pki/issue/x", parameters={"common_name": '${file("x")} %{if}'})
    text = as_terraform(a_setup(profile, issuer="https://k.example"))
    assert "$${file(" in text
    assert "%%{if}" in text
