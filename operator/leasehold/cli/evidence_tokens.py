"""The Vault tokens that a person lends to a command. A token goes to the address that the person gave it for: what
a store in the cluster says of its address decides nothing."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from leasehold.cli.ending import refused
from leasehold.core.sealed import Sealed

Tokens = Mapping[str, Sealed[str]]
"""By the address of the Vault that they are sent to, and to no other."""


def given_tokens(options: Iterable[str]) -> Tokens:
    """The tokens that a person has given, each for one address: as ADDRESS=FILE, and in the environment as for
    Vault's own command.

    :raises typer.Exit: one cannot be used
    """
    tokens = {}
    address, token = os.environ.get("VAULT_ADDR", ""), os.environ.get("VAULT_TOKEN", "")
    if address and token:
        tokens[_canonical(address)] = _sealed(token, "VAULT_TOKEN")
    for option in options:
        address, separator, file = option.partition("=")
        if not separator or not address.startswith(("https://", "http://")) or not file:
            raise refused("--vault: give ADDRESS=FILE, as in https://vault.example.com=/home/me/.vault-token")
        try:
            token = Path(file).expanduser().read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise refused(f"--vault: {file} cannot be read: {error}") from error
        tokens[_canonical(address)] = _sealed(token, f"--vault: {file}")
    return tokens


def _canonical(address: str) -> str:
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.lower()}{slash}{path}".rstrip("/")


def _sealed(text: str, where: str) -> Sealed[str]:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise refused(f"{where} is no Vault token: it has to be one word")
    return Sealed(token)
