"""Whether a credential is still what the objects ask for must be answered without minting one: each
generation carries the hash of all that it was made from, and it rotates when that changes. Owner, purpose
and labels are not among it."""

from functools import lru_cache
from hashlib import sha256
from typing import Final

import rfc8785
from pydantic_core import from_json

from leasehold.api.base import ApiModel
from leasehold.api.connection import Output
from leasehold.api.profile import CredentialRecipe

REMEMBERED: Final = 128
"""Canonical forms: a mint asks several times for the same ones, and a profile's is that of all its connections."""


def mint_hash(credential: CredentialRecipe, service_account_name: str, output: Output) -> str:
    """`sha256:…` over the RFC 8785 canonical form of recipe, service account and output.

    Fields at their default are left out, so that a release that adds a field rotates nobody.
    """
    hashed = sha256(
        b'{"credential":'
    )  # an object's canonical form holds those of its values, in order of keys
    hashed.update(_canonical(_made_from(credential)))
    hashed.update(b',"output":')
    hashed.update(_canonical(_made_from(output)))
    hashed.update(b',"serviceAccountName":')
    hashed.update(rfc8785.dumps(service_account_name))
    hashed.update(b"}")
    return f"sha256:{hashed.hexdigest()}"


def _made_from(part: ApiModel) -> str:
    return part.model_dump_json(by_alias=True, exclude_defaults=True)


@lru_cache(maxsize=REMEMBERED)
def _canonical(json: str) -> bytes:
    return rfc8785.dumps(from_json(json))
