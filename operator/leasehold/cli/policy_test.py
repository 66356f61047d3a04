"""`leasehold policy test`: what access policies say of manifests, in a pull request, without a cluster."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from leasehold.api.connection import MCPConnection
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile
from leasehold.cli.ending import FINDINGS, refused
from leasehold.cli.manifests import BadManifest, of_kind, read_documents
from leasehold.cli.output import as_table
from leasehold.core.policy_judgement import Judgement, judge

policy = typer.Typer(help="See what access policies allow.", no_args_is_help=True)

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""The API server puts it on every namespace."""


class Output(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


@policy.callback()
def _group() -> None:
    """Keeps `test` a command of its own: a group of one would be the command itself."""


@policy.command("test")
def judge_files(
    files: Annotated[
        list[Path], typer.Argument(help="Manifests: files, directories, or - for standard input.")
    ],
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.TEXT,
) -> None:
    """Judge connections by access policies, as the operator would, from manifests alone.

    Give connections, their profiles and the policies, in any mixture, and the namespaces with their labels where
    policies select by them. What only a review in the cluster can bring is listed as owed.

    Exit status: 0 when nothing was found but what is owed, 3 when a policy is violated or something needed is not
    given, 2 when a file cannot be read or has nothing to judge.
    """
    try:
        documents = read_documents(files)
        connections = of_kind(documents, MCPConnection)
        profiles, policies = of_kind(documents, MCPServerProfile), of_kind(documents, MCPAccessPolicy)
    except BadManifest as error:
        raise refused(str(error)) from error
    for given, kind in ((policies, MCPAccessPolicy), (connections, MCPConnection)):
        if not given:
            raise refused(f"these manifests have no {kind.KIND}: give files in which there is one")
    judgements = judge(connections, profiles, policies, _namespaces(documents))
    found_something = any(not each.owed for each in judgements)
    if output is Output.JSON:
        found = [asdict(each) for each in judgements]
        typer.echo(json.dumps({"connections": len(connections), "findings": found}, indent=2))
    else:
        typer.echo(_as_text(judgements, len(connections), len(policies)), nl=False)
    raise typer.Exit(FINDINGS if found_something else 0)


def _namespaces(documents: Sequence[dict[str, Any]]) -> dict[str, dict[str, str]]:
    found = {}
    for document in documents:
        if document.get("kind") != "Namespace" or document.get("apiVersion") != "v1":
            continue
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        labels = metadata.get("labels") or {} if isinstance(metadata, dict) else {}
        if not isinstance(name, str) or not isinstance(labels, dict):
            raise refused(
                "a Namespace has no metadata.name, or metadata.labels is no map; write it as kubectl does"
            )
        found[name] = {str(key): str(value) for key, value in labels.items()} | {NAME_LABEL: name}
    return found


def _as_text(judgements: Sequence[Judgement], connections: int, policies: int) -> str:
    rows = [
        [each.connection, each.policy, "Owed" if each.owed else each.effect, each.rule, each.message]
        for each in judgements
    ]
    table = as_table(["CONNECTION", "POLICY", "EFFECT", "RULE", "MESSAGE"], rows) if rows else ""
    violations = sum(not each.owed for each in judgements)
    owed = len(judgements) - violations
    return f"{table}{connections} connections and {policies} policies: {violations} findings, {owed} owed\n"
