"""Every way in which a credential ends, minted at a real Vault as a connection, read by its type, used for what
it is for, and shown not to work any more where a revocation promises that."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt as pyjwt
import pytest
from cryptography import x509

from controlplane import Plane, vaultsetup
from controlplane.vaultapi import VaultApi, VaultRefused
from controlplane.waiting import wait_until
from leasehold.adapters.vault import HvacVault
from leasehold.api.profile import CredentialRecipe
from leasehold.core.credential import Credential, DoesNotFit, read_credential
from leasehold.core.facts import Login
from leasehold.core.faults import NeedsPerson
from vaulthome import Backend, VaultHome, a_recipe

SLACK = timedelta(seconds=30)
"""Between the test's clock and Vault's: both are this machine's."""


class Minting:
    """Mints as a connection of its own, and looks at the world as root."""

    def __init__(self, home: VaultHome, recipe: CredentialRecipe) -> None:
        self.home, self.recipe = home, recipe
        self.root = home.plane.vault.api
        self._jwt = home.jwt(home.account())

    def mint(self) -> tuple[Login, Credential]:
        return self.home.run(self._mint)

    async def _mint(self, vault: HvacVault) -> tuple[Login, Credential]:
        requested_at = datetime.now(UTC)
        login = await vault.login(self.home.store, self.recipe.vault_role, self._jwt)
        answer = None
        if self.recipe.path is not None:
            answer = await vault.mint(self.home.store, login.token, self.recipe)
        return login, read_credential(self.recipe, login, answer, requested_at)

    def revoke(self, login: Login, credential: Credential) -> None:
        async def revoked(vault: HvacVault) -> None:
            await vault.revoke_accessor(self.home.store, login.accessor)

        self.home.run(revoked)
        if credential.lease_id is not None:
            wait_until(lambda: self._lease_is_gone(credential.lease_id or ""), 20, "the lease is gone")

    def refuses(self) -> DoesNotFit:
        with pytest.raises(DoesNotFit) as raised:
            self.mint()
        return raised.value

    def _lease_is_gone(self, lease_id: str) -> bool:
        async def looked_up(vault: HvacVault) -> bool:
            return await vault.lookup_lease(self.home.store, lease_id) is None

        return self.home.run(looked_up)


@pytest.fixture(scope="module")
def home(plane: Plane) -> VaultHome:
    return VaultHome(plane, "kinds")


@pytest.fixture(scope="module", params=["JWT", "Kubernetes"])
def any_home(request: pytest.FixtureRequest, plane: Plane) -> VaultHome:
    """With each of the auth methods."""
    return VaultHome(plane, "kinds", method=request.param)


@pytest.fixture(scope="module")
def backend(plane: Plane) -> Backend:
    return Backend(plane, "kinds")


def ready(home: VaultHome, path: str | None, **settings: object) -> Minting:
    """The role and policy for this recipe alone, made by the printed commands."""
    recipe = a_recipe(path, **settings)
    home.prepare([recipe])
    return Minting(home, recipe)


def within_ttl(moment: datetime | None, seconds: int) -> bool:
    return moment is not None and abs(moment - datetime.now(UTC) - timedelta(seconds=seconds)) < SLACK


def test_a_database_login_works_until_its_lease_is_revoked(any_home: VaultHome, backend: Backend) -> None:
    minting = ready(any_home, backend.paths(ttl_seconds=300).leased)
    login, credential = minting.mint()
    assert backend.lets_in(credential.fields.reveal())
    assert credential.lease_id
    assert within_ttl(credential.expiry, 300)
    assert credential.residual_until is None
    minting.revoke(login, credential)
    assert not backend.lets_in(credential.fields.reveal())


def test_the_profiles_ceiling_is_shorter_than_the_lease(home: VaultHome, backend: Backend) -> None:
    _, credential = ready(home, backend.paths(ttl_seconds=3600).leased, ttlSeconds=120).mint()
    assert within_ttl(credential.expiry, 120)


def test_a_one_time_password_is_no_good_after_its_revocation(home: VaultHome, plane: Plane) -> None:
    path = vaultsetup.setup_ssh_engine(plane.vault.api, "ssh-kinds", ttl_seconds=600)
    minting = ready(home, path, method="Write", parameters={"ip": "127.0.0.1"})
    _, used = minting.mint()
    verify = {"otp": used.fields.reveal()["key"]}
    assert minting.root.write("ssh-kinds/verify", **verify)["data"]["ip"] == "127.0.0.1"
    login, credential = minting.mint()
    minting.revoke(login, credential)
    with pytest.raises(VaultRefused):
        minting.root.write("ssh-kinds/verify", otp=credential.fields.reveal()["key"])


def test_a_leased_certificate_is_listed_as_revoked_and_may_work_until_its_end(
    home: VaultHome, plane: Plane
) -> None:
    leased, _ = vaultsetup.setup_pki_engine(plane.vault.api, "pki-kinds", ttl_seconds=600)
    minting = ready(
        home, leased, method="Write", parameters={"common_name": "bot.example.com"}, ttlSeconds=300
    )
    login, credential = minting.mint()
    certificate = issued(credential, plane.vault.api)
    assert credential.residual_until == certificate.not_valid_after_utc
    assert within_ttl(credential.expiry, 300)
    assert certificate.serial_number not in revoked_serials(plane.vault.api)
    minting.revoke(login, credential)
    assert certificate.serial_number in revoked_serials(plane.vault.api)


def test_an_unleased_certificate_only_runs_out(home: VaultHome, plane: Plane) -> None:
    _, unleased = vaultsetup.setup_pki_engine(plane.vault.api, "pki-kinds", ttl_seconds=600)
    parameters = {"common_name": "bot.example.com"}
    minting = ready(home, unleased, method="Write", parameters=parameters, type="Expiring", ttlSeconds=300)
    login, credential = minting.mint()
    certificate = issued(credential, plane.vault.api)
    assert credential.expiry == certificate.not_valid_after_utc
    assert within_ttl(credential.rotate_by, 300)
    minting.revoke(login, credential)
    assert certificate.serial_number not in revoked_serials(plane.vault.api)
    fault = Minting(home, minting.recipe.model_copy(update={"type": a_recipe("a/b").type})).refuses()
    assert "Expiring" in fault.message


def test_a_signed_token_only_runs_out(home: VaultHome, plane: Plane) -> None:
    path = vaultsetup.setup_oidc_tokens(plane.vault.api, ttl_seconds=600)
    minting = ready(home, path, type="Expiring", ttlSeconds=300)
    login, credential = minting.mint()
    text = credential.fields.reveal()["token"]
    keys = plane.vault.api.call("GET", "identity/oidc/.well-known/keys")["keys"]
    claims = verified(text, keys)
    assert credential.expiry == datetime.fromtimestamp(claims["exp"], UTC)
    assert within_ttl(credential.rotate_by, 300)
    minting.revoke(login, credential)
    assert verified(text, keys)["sub"] == claims["sub"]


def test_a_child_token_dies_with_its_login(home: VaultHome, plane: Plane) -> None:
    vaultsetup.put_policy(plane.vault.api, "kinds-child", {"auth/token/lookup-self": ["read"]})
    path = vaultsetup.setup_token_role(plane.vault.api, role="kinds", policies=["kinds-child"])
    minting = ready(home, path, method="Write", type="Token", ttlSeconds=300)
    login, credential = minting.mint()
    assert is_alive(minting.root, credential)
    assert credential.token_accessor not in (None, login.accessor)
    assert within_ttl(credential.expiry, 300)
    minting.revoke(login, credential)
    assert not is_alive(minting.root, credential)


def test_an_orphan_token_is_refused_for_it_would_outlive_its_login(home: VaultHome, plane: Plane) -> None:
    path = vaultsetup.setup_token_role(plane.vault.api, role="orphans", policies=["kinds-child"], orphan=True)
    fault = ready(home, path, method="Write", type="Token").refuses()
    assert "orphan" in fault.message


def test_a_batch_token_is_refused_for_nobody_can_revoke_it(home: VaultHome, plane: Plane) -> None:
    path = vaultsetup.setup_token_role(
        plane.vault.api, role="batches", policies=["kinds-child"], token_type="batch", orphan=True
    )
    fault = ready(home, path, method="Write", type="Token").refuses()
    assert "token_type=service" in fault.message


def test_the_login_token_itself_is_a_credential(any_home: VaultHome) -> None:
    minting = ready(any_home, None, type="Token", ttlSeconds=120)
    vaultsetup.put_policy(
        minting.root,
        f"leasehold-{any_home.store.spec.auth.mount}-profile-0",
        {"auth/token/lookup-self": ["read"]},
    )
    login, credential = minting.mint()
    assert is_alive(minting.root, credential)
    assert within_ttl(credential.expiry, 120)
    minting.revoke(login, credential)
    assert not is_alive(minting.root, credential)


def test_a_batch_login_is_refused_for_nobody_can_revoke_it(any_home: VaultHome, backend: Backend) -> None:
    minting = ready(any_home, backend.paths(ttl_seconds=300).static, type="Static")
    minting.root.write(f"auth/{any_home.store.spec.auth.mount}/role/mcp", **batch_role(minting, any_home))
    with pytest.raises(NeedsPerson, match="token_type=service"):
        minting.mint()


def test_a_static_secret_is_unwrapped_and_never_ends(home: VaultHome, backend: Backend) -> None:
    minting = ready(home, backend.paths(ttl_seconds=300).static, type="Static", ttlSeconds=120)
    _, credential = minting.mint()
    assert credential.fields.reveal() == {"api-key": "an-example-and-not-a-secret"}
    assert credential.expiry is None
    assert within_ttl(credential.rotate_by, 120)


def test_a_static_secret_is_no_lease(home: VaultHome, backend: Backend) -> None:
    fault = ready(home, backend.paths(ttl_seconds=300).static).refuses()
    assert "Static" in fault.message


def test_a_deleted_secret_is_refused(home: VaultHome, plane: Plane) -> None:
    path = vaultsetup.setup_kv_engine(plane.vault.api, "kv-deleted")
    minting = ready(home, path, type="Static")
    plane.vault.api.delete(path)
    with pytest.raises(NeedsPerson, match="404"):
        minting.mint()


def test_other_parameters_than_the_profiles_are_refused(home: VaultHome, plane: Plane) -> None:
    leased, _ = vaultsetup.setup_pki_engine(plane.vault.api, "pki-kinds", ttl_seconds=600)
    recipe = ready(home, leased, method="Write", parameters={"common_name": "bot.example.com"}).recipe
    other = recipe.model_copy(update={"parameters": {"common_name": "admin.example.com"}})
    with pytest.raises(NeedsPerson, match="permission denied"):
        Minting(home, other).mint()


def issued(credential: Credential, vault: VaultApi) -> x509.Certificate:
    """The certificate, checked against the authority that issued it and the private key beside it."""
    fields = credential.fields.reveal()
    certificate = x509.load_pem_x509_certificate(fields["certificate"].encode())
    authority = vault.call("GET", "pki-kinds/cert/ca")["data"]["certificate"]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    assert "PRIVATE KEY" in fields["private_key"]
    return certificate


def revoked_serials(vault: VaultApi) -> set[int]:
    vault.read("pki-kinds/crl/rotate")
    crl = vault.call("GET", "pki-kinds/cert/crl")["data"]["certificate"]
    return {entry.serial_number for entry in x509.load_pem_x509_crl(crl.encode())}


def verified(token: str, keys: list[Mapping[str, str]]) -> dict[str, Any]:
    """The claims, by Vault's own public keys."""
    key = pyjwt.PyJWKSet.from_dict({"keys": keys})[pyjwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = pyjwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})
    return claims


def is_alive(vault: VaultApi, credential: Credential) -> bool:
    """Whether the token may be used."""
    token = vault.with_token(credential.fields.reveal()["token"])
    try:
        return bool(token.call("GET", "auth/token/lookup-self")["data"])
    except VaultRefused as refused:
        if refused.status != 403:
            raise
        return False


def batch_role(minting: Minting, home: VaultHome) -> dict[str, object]:
    """The role as it is, but for its token type."""
    found = minting.root.call("GET", f"auth/{home.store.spec.auth.mount}/role/mcp")["data"]
    known = {name: value for name, value in found.items() if value is not None}
    return known | {"token_type": "batch"}
