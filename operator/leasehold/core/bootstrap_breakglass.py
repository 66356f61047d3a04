"""How to end what servers' connections have while Leasehold is down: commands of Vault's own CLI and of kubectl,
for `sh`, to print before they are needed.

What runs as printed reaches one server's connections alone. What reaches further is a comment, and so is the way
back. Nothing in here makes Vault forget what it has not revoked."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from shlex import quote
from typing import Final

from leasehold.api.names import GROUP
from leasehold.api.profile import CredentialType, MCPServerProfile
from leasehold.api.store import AuthMethod, MCPCredentialStore
from leasehold.core.bootstrap import minting_profiles
from leasehold.core.bootstrap_roles import Minting
from leasehold.core.bootstrap_script import as_comment

HEADER: Final = "\n#\n".join(
    [
        "#!/bin/sh",
        as_comment(
            "Ends what the connections of these servers have, and lets nothing new be minted, without Leasehold. "
            "Set VAULT_ADDR, VAULT_TOKEN (an administrator's) and KUBECONFIG first. Take the part of the server "
            "that is meant: the whole file stops all of them. It may be run again."
        ),
        as_comment(
            "While Leasehold runs, create an MCPRevocation instead. Create it also while Leasehold is down: it "
            "denies from the moment that Leasehold is back."
        ),
        as_comment(
            "The end of a lease is not always the end: sessions that are open at the server stay open unless it "
            "ends them, and a certificate convinces whoever asks for no revocation list until its notAfter."
        ),
    ]
)

CLOSED: Final = "CLOSED"
"""The name of nobody: no service account's may have a capital letter."""

_CLOSING: Final[Mapping[AuthMethod, tuple[str, str]]] = {
    AuthMethod.JWT: (f"role_type=jwt user_claim=sub bound_subject={CLOSED}", "bound_subject="),
    AuthMethod.KUBERNETES: (f"bound_service_account_names={CLOSED}", "bound_service_account_names='*'"),
}
"""What is written to close a role, and what opens it again; all its other settings stay as they are."""


def as_breakglass_script(
    stores: Collection[MCPCredentialStore], profiles: Collection[MCPServerProfile]
) -> str:
    """The commands, one part for each server.

    :raises NeedsPerson: as `minting_profiles`
    """
    minting = minting_profiles(stores, profiles)
    recorded = [as_comment(_only_recorded(each)) for each in profiles if each.spec.credential is None]
    by_server = sorted(minting, key=lambda each: _server(each.profile))
    parts = [
        part
        for server, group in groupby(by_server, key=lambda each: _server(each.profile))
        for part in _server_part(server, list(group), minting)
    ]
    everything = [_everything(mount) for mount in sorted({each.store.spec.auth.mount for each in minting})]
    return "\n\n".join([HEADER, *parts, *recorded, *everything]) + "\n"


def _server(profile: MCPServerProfile) -> str:
    return profile.spec.url or "the command " + " ".join(profile.spec.command)


def _only_recorded(profile: MCPServerProfile) -> str:
    return (
        f"{_server(profile)}: Leasehold mints nothing for profile {profile.metadata.name}, so there is "
        "nothing to revoke. What its agents log in with is the server's."
    )


def _server_part(server: str, of_server: Sequence[Minting], minting: Sequence[Minting]) -> Iterator[str]:
    yield as_comment(f"==== {server}")
    roles = list(dict.fromkeys(each.shared_role for each in of_server))
    for role in roles:
        shared = [each for each in minting if each.shared_role == role]
        yield _close(shared, [each for each in shared if _server(each.profile) != server])
    for each in of_server:
        yield from _end(each)
    yield "\n".join(
        [
            as_comment(
                "The way back, once it is safe: the roles as `leasehold bootstrap vault` writes them. Whoever is "
                "not denied by then gets a fresh credential from Leasehold."
            ),
            *(
                _reaching_further(_write_role(each, opening=True))
                for each in {each.shared_role: each for each in of_server}.values()
            ),
        ]
    )


def _close(shared: Sequence[Minting], others: Sequence[Minting]) -> str:
    told = "Nothing new is minted: nobody can log in with this role."
    if others:
        names = ", ".join(each.profile.metadata.name for each in others)
        told += f" Other servers' profiles have it too, and mint nothing either: {names}."
    return as_comment(told) + "\n" + _write_role(shared[0], opening=False)


def _write_role(minting: Minting, opening: bool) -> str:
    auth = minting.store.spec.auth
    closing, back = _CLOSING[auth.method]
    path = quote(f"auth/{auth.mount}/role/{minting.recipe.vault_role}")
    if not opening:
        return f"vault write {path} {closing}"
    needed = closing.rpartition(" ")[0]
    return f"vault write {path} {needed} {back}" if needed else f"vault write {path} {back}"


def _end(minting: Minting) -> Iterator[str]:
    name, recipe = minting.profile.metadata.name, minting.recipe
    yield "\n".join(
        [
            as_comment(
                f"What the ledgers of profile {name} name: each login, and all that was minted under it."
            ),
            _for_each(name, "accessor", 'vault token revoke -accessor "$accessor"'),
        ]
    )
    if recipe.type is CredentialType.LEASE:
        yield _for_each(name, "leaseID", 'vault lease revoke -sync "$leaseID"')
    told = as_comment("Dead is what Vault says it does not know. Run this until it says so of each.")
    yield "\n".join([told, *_look(minting)])
    yield _what_is_left(minting)


def _look(minting: Minting) -> Iterator[str]:
    name = minting.profile.metadata.name
    looks = {"accessor": ("vault token lookup -accessor", "invalid accessor")}
    if minting.recipe.type is CredentialType.TOKEN and minting.recipe.path is not None:
        looks["tokenAccessor"] = looks["accessor"]
    if minting.recipe.type is CredentialType.LEASE:
        looks["leaseID"] = ("vault lease lookup", "invalid lease")
    for field, (look, unknown) in looks.items():
        asked = f"""{look} "${field}" 2>&1 | grep -q '{unknown}'"""
        yield _for_each(
            name, field, f'{asked} &&\n      echo "dead: ${field}" || echo "NOT PROVEN DEAD: ${field}"'
        )


def _for_each(profile: str, field: str, command: str) -> str:
    """The command for each generation of each connection; unset fields are empty lines."""
    chosen = f'{{range .items[?(@.spec.profile=="{profile}")]}}{{range .status.ledger[*]}}'
    path = f'{chosen}{{.{field}}}{{"\\n"}}{{end}}{{end}}'
    return (
        f"kubectl get mcpconnections.{GROUP} --all-namespaces -o jsonpath={quote(path)} |\n"
        f"  grep . | while read -r {field}; do\n"
        f"    {command}\n"
        "  done"
    )


def _what_is_left(minting: Minting) -> str:
    recipe = minting.recipe
    if recipe.type is CredentialType.EXPIRING:
        return as_comment(
            f"Type Expiring: nothing takes back what was minted at {recipe.path}. It works until the time under "
            f"EXPIRES of `kubectl get mcpc`, at most {recipe.ttl_seconds} s from its minting, unless the server "
            "itself is told to refuse it."
        )
    if recipe.type is CredentialType.STATIC:
        return as_comment(
            f"Type Static: what is at {recipe.path} neither ends nor can be revoked. Change it there and at the "
            "server."
        )
    if recipe.path is None:
        return as_comment("Type Token: the credential is the login itself, and dead with it.")
    seconds = minting.store.spec.max_request_seconds
    return "\n".join(
        [
            as_comment(
                f"This reaches further: everything that was minted at {recipe.path}, whoever minted it, other "
                "profiles and people too. It also ends what no ledger can name, a mint that was under way when "
                f"Leasehold went down; wait the {seconds} s of the store's maxRequestSeconds for that. See how "
                "much is there, then revoke. Needs a token with sudo."
            ),
            _reaching_further(f"vault list {quote('sys/leases/lookup/' + recipe.path)}"),
            _reaching_further(f"vault lease revoke -sync -prefix {quote(recipe.path)}"),
        ]
    )


def _everything(mount: str) -> str:
    return "\n".join(
        [
            as_comment(
                f"==== Everything at once, where the API server is down too: every login at auth/{mount}, "
                "Leasehold's own too, and all that was minted under them. Close the roles above first. Needs a "
                "token with sudo."
            ),
            _reaching_further(f"vault lease revoke -sync -prefix {quote(f'auth/{mount}/login')}"),
        ]
    )


def _reaching_further(command: str) -> str:
    return f"#   {command}"
