"""What Vault handed out, read by the type that its profile promised: text for the Secret, and when it ends.

The type decides what a revocation can promise later, so an answer that does not keep the promise is refused
here, before anybody has seen it, and revoked. Everything in the answer comes from outside: nothing in it can
raise anything but `DoesNotFit`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from leasehold.api.profile import CredentialRecipe, CredentialType
from leasehold.api.reasons import Reason
from leasehold.core.ends import certificate_end, ends_in
from leasehold.core.facts import Login, MintAnswer, MintedToken
from leasehold.core.faults import NeedsPerson
from leasehold.core.sealed import Sealed

TOKEN_FIELD: Final = "token"  # noqa: S105


class DoesNotFit(NeedsPerson):
    """What came is not what the profile's credential type promises; it has to be revoked, not handed on."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.DOES_NOT_FIT_TYPE, message)


@dataclass(frozen=True)
class Credential:
    """One minted credential.

    `expiry`: when it ends by itself (None: never). `rotate_by`: when its successor must be in place.
    `residual_until`: until when it may work although it was revoked (a leased certificate); None where a
    revocation is the end."""

    fields: Sealed[Mapping[str, str]]
    rotate_by: datetime
    expiry: datetime | None
    lease_id: str | None = None
    token_accessor: str | None = None
    residual_until: datetime | None = None


def read_credential(
    recipe: CredentialRecipe, login: Login, answer: MintAnswer | None, requested_at: datetime
) -> Credential:
    """Read an answer by its recipe's type.

    :param answer: None for type Token without a path, where the login token itself is the credential
    :param requested_at: before the login, so that neither token nor lease can end earlier than is said here
    :raises DoesNotFit: the answer is not what the type promises
    """
    if answer is None:
        return _login_token(recipe, login, requested_at)
    match recipe.type:
        case CredentialType.LEASE:
            return _lease(recipe, login, answer, requested_at)
        case CredentialType.TOKEN:
            return _token(recipe, login, answer, requested_at)
        case CredentialType.EXPIRING:
            return _expiring(recipe, answer, requested_at)
        case CredentialType.STATIC:
            return _static(recipe, answer, requested_at)


def _lease(recipe: CredentialRecipe, login: Login, answer: MintAnswer, requested_at: datetime) -> Credential:
    if answer.auth is not None:
        raise DoesNotFit("a Vault token came instead of a lease: use type Token")
    if not answer.lease_id:
        raise DoesNotFit(f"no lease came with it, so it cannot be revoked: {_type_without_lease(answer)}")
    if answer.lease_seconds <= 0:
        raise DoesNotFit("its lease has no duration, so nothing says when it ends: give the role a TTL")
    fields = _fields(answer)
    expiry = _end(requested_at, recipe.ttl_seconds, answer.lease_seconds, login.ttl_seconds)
    return Credential(
        fields=Sealed(fields),
        rotate_by=expiry,
        expiry=expiry,
        lease_id=answer.lease_id,
        residual_until=certificate_end(fields),
    )


def _token(recipe: CredentialRecipe, login: Login, answer: MintAnswer, requested_at: datetime) -> Credential:
    child = _revocable_child(answer.auth)
    expiry = _end(requested_at, recipe.ttl_seconds, child.ttl_seconds, login.ttl_seconds)
    return Credential(
        fields=Sealed({TOKEN_FIELD: child.token.reveal()}),
        rotate_by=expiry,
        expiry=expiry,
        lease_id=answer.lease_id,
        token_accessor=child.accessor,
    )


def _revocable_child(child: MintedToken | None) -> MintedToken:
    if child is None:
        raise DoesNotFit("no Vault token came: use type Lease, Expiring or Static, by how it ends")
    if not child.service or not child.accessor:
        raise DoesNotFit(
            "a batch token came, which cannot be revoked: set token_type=service on the token role"
        )
    if child.orphan:
        raise DoesNotFit("an orphan token came, which outlives the login: set orphan=false on the token role")
    if child.ttl_seconds <= 0:
        raise DoesNotFit("a token without an end came: give the token role a TTL")
    return child


def _login_token(recipe: CredentialRecipe, login: Login, requested_at: datetime) -> Credential:
    if recipe.type is not CredentialType.TOKEN:
        raise DoesNotFit("nothing was minted, and only type Token hands out the login token: give it a path")
    expiry = _end(requested_at, recipe.ttl_seconds, login.ttl_seconds)
    fields = {TOKEN_FIELD: login.token.reveal()}
    return Credential(fields=Sealed(fields), rotate_by=expiry, expiry=expiry)


def _expiring(recipe: CredentialRecipe, answer: MintAnswer, requested_at: datetime) -> Credential:
    if answer.lease_id or answer.auth is not None:
        raise DoesNotFit(f"it can be revoked: use type {'Token' if answer.auth is not None else 'Lease'}")
    fields = _fields(answer)
    ends = ends_in(fields)
    if not ends:
        raise DoesNotFit("it holds no certificate and no JWT with a readable end: use type Static")
    if min(ends) <= requested_at:
        raise DoesNotFit("it had ended before it was asked for: compare the clocks of Vault and the cluster")
    ceiling = _end(requested_at, recipe.ttl_seconds)
    return Credential(fields=Sealed(fields), rotate_by=min(*ends, ceiling), expiry=max(ends))


def _static(recipe: CredentialRecipe, answer: MintAnswer, requested_at: datetime) -> Credential:
    if answer.lease_id or answer.auth is not None:
        raise DoesNotFit(f"it is not static: use type {'Token' if answer.auth is not None else 'Lease'}")
    return Credential(
        fields=Sealed(_fields(answer)), rotate_by=_end(requested_at, recipe.ttl_seconds), expiry=None
    )


def _end(requested_at: datetime, *seconds: int) -> datetime:
    if (shortest := min(seconds)) <= 0:
        raise DoesNotFit("the login token has no duration: give the auth role a TTL")
    return requested_at + timedelta(seconds=shortest)


def _type_without_lease(answer: MintAnswer) -> str:
    try:
        ends = ends_in(_fields(answer))
    except DoesNotFit:
        ends = ()
    return (
        "use type Expiring, or let the role generate leases"
        if ends
        else "use type Static, or a path with leases"
    )


def _fields(answer: MintAnswer) -> dict[str, str]:
    """The answer's data as text; version 2 of the kv engine wraps its data once more."""
    data: Any = answer.data.reveal()
    if isinstance(data.get("metadata"), Mapping) and "data" in data:
        data = data["data"]
    if not isinstance(data, Mapping) or not data:
        raise DoesNotFit(
            "Vault answered without any data: look at the path, and at whether its version was deleted"
        )
    return {str(name): value if isinstance(value, str) else _json(value) for name, value in data.items()}


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise DoesNotFit("a field of it is neither text nor JSON") from None
