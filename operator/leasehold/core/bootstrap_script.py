"""A Vault's setup as commands of its own CLI, for `sh`: to read, to keep, to run again."""

import json
from collections.abc import Iterator, Mapping
from shlex import quote
from textwrap import fill
from typing import Any, Final

from leasehold.api.store import AuthMethod
from leasehold.core.bootstrap import UNTUNED_MAX_TTL_SECONDS, AuthMount, VaultSetup
from leasehold.core.bootstrap_policies import Policy
from leasehold.core.bootstrap_roles import Role

HEADER: Final = """#!/bin/sh
# Prepares one Vault for Leasehold. Set VAULT_ADDR and VAULT_TOKEN first. It may be run again.
set -eu"""

METHOD_TYPES: Final = {AuthMethod.JWT: "jwt", AuthMethod.KUBERNETES: "kubernetes"}


def as_script(setup: VaultSetup) -> str:
    """The commands; running them twice changes nothing."""
    parts = [
        HEADER,
        *(part for mount in setup.mounts for part in _mount(mount, setup.reviewer_token_file)),
        *(_policy(policy) for policy in setup.policies),
        *(_role(role) for role in setup.roles),
        *(as_comment(note) for note in setup.notes),
    ]
    return "\n\n".join(parts) + "\n"


def _mount(mount: AuthMount, reviewer_token_file: str | None) -> Iterator[str]:
    yield (
        f"vault auth list -format=json | grep -q {quote(json.dumps(mount.path + '/') + ':')} ||\n"
        f"  vault auth enable -path={quote(mount.path)} {METHOD_TYPES[mount.method]}"
    )
    if mount.max_ttl_seconds > UNTUNED_MAX_TTL_SECONDS:
        yield f"vault auth tune -max-lease-ttl={mount.max_ttl_seconds}s {quote(mount.path + '/')}"
    if mount.config is None:
        yield as_comment(f"The configuration of auth/{mount.path} is left as it is.")
        return
    more = ""
    if mount.method is AuthMethod.KUBERNETES and reviewer_token_file is not None:
        more = f" token_reviewer_jwt=@{quote(reviewer_token_file)}"
    yield _write(f"auth/{mount.path}/config", mount.config, more)


def _policy(policy: Policy) -> str:
    written = f"vault policy write {quote(policy.name)} - <<'POLICY'\n{policy.text}POLICY"
    if not policy.open:
        return written
    return f"vault policy read {quote(policy.name)} >/dev/null 2>&1 ||\n{written}"


def _role(role: Role) -> str:
    return _write(f"auth/{role.mount}/role/{role.name}", role.settings)


def _write(path: str, body: Mapping[str, Any], more: str = "") -> str:
    return f"vault write {quote(path)} -{more} <<'JSON'\n{json.dumps(body, indent=2)}\nJSON"


def as_comment(text: str) -> str:
    """A paragraph of comment, for sh and Terraform alike."""
    return fill(text, 108, initial_indent="# ", subsequent_indent="# ", break_long_words=False)
