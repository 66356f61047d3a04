"""A Vault's setup as Terraform, for resources of the provider hashicorp/vault."""

import json
import re
from collections.abc import Container, Mapping
from typing import Any, Final

from leasehold.api.store import AuthMethod
from leasehold.core.bootstrap import UNTUNED_MAX_TTL_SECONDS, AuthMount, VaultSetup
from leasehold.core.bootstrap_policies import Policy
from leasehold.core.bootstrap_roles import Role
from leasehold.core.bootstrap_script import as_comment

Blocks = Mapping[str, Any]

_ROLE_TYPES: Final = {
    AuthMethod.JWT: "vault_jwt_auth_backend_role",
    AuthMethod.KUBERNETES: "vault_kubernetes_auth_backend_role",
}


class Reference(str):
    """An attribute of another resource, written without quotes."""

    __slots__ = ()


def as_terraform(setup: VaultSetup) -> str:
    """The resources. Policies that people write are made once and their text is left alone after that."""
    parts = [
        *(as_comment(note) for note in setup.notes),
        *(_mount(mount, setup.reviewer_token_file) for mount in setup.mounts),
        *(_policy(policy) for policy in setup.policies),
        *(
            _role(role, {mount.path for mount in setup.mounts if mount.config is not None})
            for role in setup.roles
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _mount(mount: AuthMount, reviewer_token_file: str | None) -> str:
    if mount.config is None:
        return as_comment(f"auth/{mount.path} and its configuration are left as they are.")
    tune = {}
    if mount.max_ttl_seconds > UNTUNED_MAX_TTL_SECONDS:
        tune = {"tune": {"max_lease_ttl": f"{mount.max_ttl_seconds}s"}}
    name = _label(mount.path)
    if mount.method is AuthMethod.JWT:
        return _resource("vault_jwt_auth_backend", name, {"path": mount.path, **mount.config}, tune)
    made = _resource("vault_auth_backend", name, {"type": "kubernetes", "path": mount.path}, tune)
    config = {"backend": Reference(f"vault_auth_backend.{name}.path"), **mount.config}
    if reviewer_token_file is not None:
        config["token_reviewer_jwt"] = Reference(f"file({_text(reviewer_token_file)})")
    return made + "\n\n" + _resource("vault_kubernetes_auth_backend_config", name, config, {})


def _policy(policy: Policy) -> str:
    kept = {"lifecycle": {"ignore_changes": [Reference("policy")]}} if policy.open else {}
    return _resource("vault_policy", _label(policy.name), {"name": policy.name, "policy": policy.text}, kept)


def _role(role: Role, our_mounts: Container[str]) -> str:
    mounted = "vault_jwt_auth_backend" if role.method is AuthMethod.JWT else "vault_auth_backend"
    ours = role.mount in our_mounts
    settings: dict[str, Any] = {
        "backend": Reference(f"{mounted}.{_label(role.mount)}.path") if ours else role.mount,
        "role_name": role.name,
        **{name: value for name, value in role.settings.items() if value not in ("", {})},
    }
    settings["token_policies"] = [
        Reference(f"vault_policy.{_label(name)}.name") for name in role.settings["token_policies"]
    ]
    if "bound_claims" in settings:  # the provider takes several values of a claim as one text
        settings["bound_claims"] = {claim: ",".join(ok) for claim, ok in settings["bound_claims"].items()}
    return _resource(_ROLE_TYPES[role.method], _label(f"{role.mount}-{role.name}"), settings, {})


def _resource(kind: str, name: str, arguments: Blocks, blocks: Mapping[str, Blocks]) -> str:
    lines = [f'resource "{kind}" "{name}" {{', *_arguments(arguments, "  ")]
    for block, inside in blocks.items():
        lines += ["", f"  {block} {{", *_arguments(inside, "    "), "  }"]
    return "\n".join([*lines, "}"])


def _arguments(arguments: Blocks, indent: str) -> list[str]:
    """Aligned as `terraform fmt` does it: arguments between maps share a column."""
    lines: list[str] = []
    run: list[tuple[str, str]] = []
    for name, value in arguments.items():
        text = _value(value, indent)
        if text.startswith("{"):
            lines += [*_aligned(run, indent), f"{indent}{name} = {text}"]
            run = []
            continue
        run.append((name, text))
        if "\n" in text:
            lines += _aligned(run, indent)
            run = []
    return lines + _aligned(run, indent)


def _aligned(run: list[tuple[str, str]], indent: str) -> list[str]:
    width = max((len(name) for name, _ in run), default=0)
    return [f"{indent}{name.ljust(width)} = {value}" for name, value in run]


def _value(value: Any, indent: str) -> str:
    match value:
        case Reference():
            return str(value)
        case bool():
            return json.dumps(value)
        case int():
            return str(value)
        case str() if "\n" in value:
            return f"<<-EOT\n{_heredoc(value, indent + '  ')}\n{indent}EOT"
        case str():
            return _text(value)
        case Mapping():
            inside = _arguments({_text(key): each for key, each in value.items()}, indent + "  ")
            return "\n".join(["{", *inside, indent + "}"])
        case _:
            return (
                "["
                + ", ".join(str(each) if isinstance(each, Reference) else _text(each) for each in value)
                + "]"
            )


def _heredoc(text: str, indent: str) -> str:
    escaped = text.rstrip("\n").replace("${", "$${").replace("%{", "%%{")
    return "\n".join(indent + line if line else "" for line in escaped.split("\n"))


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _label(name: str) -> str:
    return "leasehold_" + re.sub(r"[^A-Za-z0-9_]", "_", name.removeprefix("leasehold-"))
