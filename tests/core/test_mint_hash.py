"""What rotates a credential, and what does not."""

from hashlib import sha256
from typing import Any

import pytest
import rfc8785

from leasehold.api.connection import Output
from leasehold.api.profile import CredentialRecipe
from leasehold.core.mint_hash import mint_hash
from objects import a_profile

OUTPUT = Output(secret_name="orders", templates={"a": "x", "b": "y"})


def hash_of(output: Output = OUTPUT, account: str = "bot", **credential: Any) -> str:
    recipe = a_profile(**credential).spec.credential
    assert recipe is not None
    return mint_hash(recipe, account, output)


def test_a_hash_fits_the_ledger_and_names_its_algorithm() -> None:
    assert hash_of().startswith("sha256:")
    assert len(hash_of()) == 71


@pytest.mark.parametrize(
    "changed",
    [
        {"vaultRole": "other"},
        {"path": "database/creds/other"},
        {"method": "Write"},
        {"ttlSeconds": 1800},
        {"type": "Token"},
        {"storeName": "other"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_recipe_rotates(changed: dict[str, Any]) -> None:
    assert hash_of(**changed) != hash_of()


def test_changed_parameters_rotate() -> None:
    assert hash_of(method="Write", parameters={"ttl": "1h"}) != hash_of(method="Write")


def test_another_service_account_rotates() -> None:
    assert hash_of(account="other") != hash_of()


def test_a_changed_template_rotates() -> None:
    assert hash_of(Output(secret_name="orders", templates={"a": "x"})) != hash_of()


def test_the_order_of_templates_does_not_rotate() -> None:
    assert hash_of(Output(secret_name="orders", templates={"b": "y", "a": "x"})) == hash_of()


def test_writing_a_default_out_does_not_rotate() -> None:
    assert hash_of(method="Read", parameters={}, overlapSeconds=300) == hash_of()


def test_a_release_that_adds_a_field_rotates_nobody() -> None:
    class NextRecipe(CredentialRecipe):
        wrap: bool = False

    recipe = a_profile().spec.credential
    assert recipe is not None
    upgraded = NextRecipe.model_validate(recipe.to_wire())
    assert mint_hash(upgraded, "bot", OUTPUT) == hash_of()
    assert mint_hash(upgraded.model_copy(update={"wrap": True}), "bot", OUTPUT) != hash_of()


def test_the_hash_is_over_the_canonical_form_of_all_of_it() -> None:
    recipe = a_profile(method="Write", parameters={"z": "ü", "a": '"'}).spec.credential
    assert recipe is not None
    whole: dict[str, Any] = {
        "serviceAccountName": 'bot"',
        "output": OUTPUT.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "credential": recipe.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }
    assert mint_hash(recipe, 'bot"', OUTPUT) == f"sha256:{sha256(rfc8785.dumps(whole)).hexdigest()}"
