"""Whether a credential is still what the objects ask for must be answered without minting one: each
generation carries the hash of all that it was made from, and it rotates when that changes. Owner, purpose
and labels are not among it."""

from hashlib import sha256
from typing import Any

import rfc8785

from leasehold.api.connection import Output
from leasehold.api.profile import CredentialRecipe


def mint_hash(credential: CredentialRecipe, service_account_name: str, output: Output) -> str:
    """`sha256:…` over the RFC 8785 canonical form of recipe, service account and output.

    Fields at their default are left out, so that a release that adds a field rotates nobody.
    """
    made_from: dict[str, Any] = {
        "credential": credential.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "output": output.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "serviceAccountName": service_account_name,
    }
    return f"sha256:{sha256(rfc8785.dumps(made_from)).hexdigest()}"
