"""The target of a revocation from the options of a command: those that are given must all hold."""

from typing import Annotated, Final

import typer
from pydantic import ValidationError

from leasehold.api.revocation import RevocationTarget
from leasehold.core.label_selector import BadSelector, parse_selector

ServerURL = Annotated[
    str | None,
    typer.Option(help="The server's URL; with * at the end, every URL that begins so."),
]
Vendor = Annotated[str | None, typer.Option(help="The servers' vendor (the profile's spec.vendor).")]
Profile = Annotated[str | None, typer.Option(help="The MCPServerProfile.")]
Agent = Annotated[str | None, typer.Option(help="The agent's name.")]
OwnerUser = Annotated[str | None, typer.Option(help="The owner's user name.")]
Team = Annotated[str | None, typer.Option(help="The owner's team.")]
Connection = Annotated[str | None, typer.Option(help="One connection, as namespace/name.")]
TargetNamespace = Annotated[str | None, typer.Option("--namespace", "-n", help="The namespace.")]
Selector = Annotated[
    str | None,
    typer.Option("--selector", "-l", help="Labels of the connection, as in kubectl."),
]

_OPTIONS: Final = {
    "serverURL": "--server-url",
    "vendor": "--vendor",
    "profile": "--profile",
    "agent": "--agent",
    "ownerUser": "--owner-user",
    "team": "--team",
    "connection": "--connection",
    "namespace": "--namespace",
    "labelSelector": "--selector",
}


class BadTarget(ValueError):
    """The options make no target; the message names the option, and says what would be right."""


def target_of(given: dict[str, str | None]) -> RevocationTarget:
    """The target; `given` has the values by the names of the target's fields.

    :raises BadTarget: nothing is meant, or a value cannot be one
    """
    named: dict[str, object] = {field: value for field, value in given.items() if value is not None}
    if not named:
        raise BadTarget(f"say what is meant with {', '.join(_OPTIONS.values())}")
    try:
        if isinstance(selector := named.get("labelSelector"), str):
            named["labelSelector"] = parse_selector(selector)
        return RevocationTarget.model_validate(named)
    except BadSelector as error:
        raise BadTarget(f"--selector: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = _OPTIONS.get(str(first["loc"][0]), "the target") if first["loc"] else "the target"
        raise BadTarget(f"{option}: {first['msg']}") from error


def word_for(target: RevocationTarget) -> str:
    """What somebody types to show that they mean it: the value where there is one field, else all of them."""
    values = list(target.to_wire().values())
    return values[0] if len(values) == 1 and isinstance(values[0], str) else str(target)
