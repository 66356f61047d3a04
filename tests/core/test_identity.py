"""Whose a Vault token is: asked before anything is done about an accessor that others may have written down."""

import pytest

from leasehold.core.facts import TokenFacts
from leasehold.core.identity import NAMESPACE, SERVICE_ACCOUNT, SERVICE_ACCOUNT_UID, belongs_to
from objects import a_store

OURS = {NAMESPACE: "support", SERVICE_ACCOUNT: "support-bot", SERVICE_ACCOUNT_UID: "uid"}


def is_ours(path: str = "auth/jwt/login", **metadata: str) -> bool:
    return belongs_to(TokenFacts(path, {**OURS, **metadata}), a_store(), "support", "support-bot", "uid")


def test_a_login_of_exactly_this_account_is_ours() -> None:
    assert is_ours()


@pytest.mark.parametrize(
    "path", ["auth/token/create", "auth/jwt-other/login", "auth/jwt/login/x", "", "jwt/login"]
)
def test_a_child_token_with_borrowed_metadata_is_not(path: str) -> None:
    assert not is_ours(path)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("value", ["", "other", "Support"])
def test_another_namespace_account_or_incarnation_is_not(name: str, value: str) -> None:
    assert not is_ours(**{name: value})


def test_a_token_that_does_not_say_whose_it_is_is_not() -> None:
    assert not belongs_to(TokenFacts("auth/jwt/login"), a_store(), "support", "support-bot", "uid")
