"""What Vault's policies say: the operator may end what others made, a connection may make one thing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leasehold.api.profile import CredentialMethod, CredentialRecipe, MCPServerProfile
from leasehold.api.store import MCPCredentialStore

OPERATOR_POLICY: Final = "leasehold-operator"

OPERATOR_RULES: Final = (
    ("auth/token/revoke-accessor", "update", "ends a connection's token, and all that hangs under it"),
    ("auth/token/lookup-accessor", "update", "sees whose a token is, and that it is gone"),
    ("sys/leases/lookup", "update", "sees that a credential is gone"),
    ("sys/leases/revoke", "update", "ends a credential that did not go with its token"),
    ("sys/leases/count", "read", "sees how many leases this Vault has given up revoking"),
)


@dataclass(frozen=True)
class Policy:
    """A policy; an `open` one is only made where there is none, because people write what is in it."""

    name: str
    text: str
    open: bool = False


def operator_policy() -> str:
    """The policy of the operator's own Vault identity."""
    rules = [
        f'# {why}\npath "{path}" {{\n  capabilities = ["{capability}"]\n}}'
        for path, capability, why in OPERATOR_RULES
    ]
    return "\n\n".join(rules) + "\n"


def profile_policy(store: MCPCredentialStore, profile: MCPServerProfile, recipe: CredentialRecipe) -> Policy:
    """Exactly what the profile's recipe does, and nothing beside it."""
    name = f"leasehold-{store.spec.auth.mount.replace('/', '-')}-{profile.metadata.name}"
    if recipe.path is None:
        text = "# What the agent itself may do in this Vault: its credential is a Vault token.\n"
        return Policy(name, text, open=True)
    capability = "read" if recipe.method is CredentialMethod.READ else "update"
    lines = [f'path "{recipe.path}" {{', f'  capabilities = ["{capability}"]']
    if recipe.method is CredentialMethod.WRITE:
        lines += _parameter_rules(recipe.parameters)
    return Policy(name, "\n".join([*lines, "}"]) + "\n")


def _parameter_rules(parameters: Mapping[str, str]) -> list[str]:
    if not parameters:
        return ['  denied_parameters = { "*" = [] }']
    allowed = [
        f"    {json.dumps(name)} = [{json.dumps(value)}]" for name, value in sorted(parameters.items())
    ]
    return ["  allowed_parameters = {", *allowed, "  }"]
