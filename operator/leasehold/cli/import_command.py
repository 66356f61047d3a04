"""`leasehold import`: the connections that nobody registered, found in the files of people's clients and in a
cluster's workloads. It reads, and writes nothing but what it prints."""

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import TypeAdapter, ValidationError

from leasehold.api.base import DNSLabel, DNSSubdomain
from leasehold.api.connection import Purpose, User
from leasehold.api.profile import Team
from leasehold.cli.access import Context, Kubeconfig, opened, run
from leasehold.cli.ending import FAILED, FINDINGS, LONGEST_LINE, refused
from leasehold.cli.import_comparison import read_registered
from leasehold.cli.output import Column, Format, as_rows
from leasehold.core.faults import NeedsPerson
from leasehold.core.hidden_text import visible
from leasehold.core.import_files import Import, client_of, is_kept_for_servers, read_file
from leasehold.core.import_found import Unread
from leasehold.core.import_manifests import Declared, as_manifests
from leasehold.core.import_registered import Comparison, Registered
from leasehold.core.import_report import Row, rows, totals
from leasehold.core.import_values import Fingerprint, keyed
from leasehold.core.import_workloads import CONFIG_MAP, WORKLOAD_KINDS, Workload, read_workloads

SKIPPED: Final = frozenset({".git", "node_modules", ".venv", "__pycache__"})

NOTHING_ASKED: Final[tuple[Registered, tuple[Unread, ...]]] = (Registered(), ())

COLUMNS: Final = (
    Column[Row]("namespace", "NAMESPACE", lambda row: row.server.user.namespace or None, wide=True),
    Column[Row]("agent", "AGENT", lambda row: row.server.user.agent),
    Column[Row]("client", "CLIENT", lambda row: row.server.user.client, wide=True),
    Column[Row]("server", "SERVER", lambda row: row.server.name),
    Column[Row]("transport", "TRANSPORT", lambda row: str(row.server.transport)),
    Column[Row]("target", "TARGET", lambda row: row.target, wide=True),
    Column[Row]("enabled", "ENABLED", lambda row: row.server.enabled, wide=True),
    Column[Row]("credential", "CREDENTIAL", lambda row: str(row.credential.kind)),
    Column[Row]("name", "NAME", lambda row: row.credential.name or None),
    Column[Row]("fingerprint", "FINGERPRINT", lambda row: row.credential.fingerprint, wide=True),
    Column[Row]("revocable", "REVOCABLE", lambda row: str(row.credential.kind.revocable)),
    Column[Row]("owner", "OWNER", lambda row: row.owner),
    Column[Row]("registration", "REGISTRATION", lambda row: str(row.standing.registration)),
    Column[Row]("profiles", "PROFILES", lambda row: ", ".join(row.standing.names) or None, wide=True),
    Column[Row]("where", "WHERE", lambda row: row.where),
    Column[Row]("sameSecret", "SAME SECRET", lambda row: str(row.same_secret) or None),
    Column[Row]("sameServer", "SAME SERVER", lambda row: str(row.same_server) or None),
)


def import_(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Files, and directories in which files of the known clients are looked for.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Read the workloads of a cluster, too.")] = False,
    registered: Annotated[
        bool,
        typer.Option(
            "--registered",
            help="Compare with the profiles and connections of a cluster; --cluster does so by itself.",
        ),
    ] = False,
    owner: Annotated[
        str, typer.Option(help="The person who answers for all of it.", show_default=False)
    ] = "",
    team: Annotated[str, typer.Option(help="The team they belong to.", show_default=False)] = "",
    purpose: Annotated[str, typer.Option(help="Why the connections exist.", show_default=False)] = "",
    namespace: Annotated[
        str,
        typer.Option(
            "--namespace",
            "-n",
            help="Where connections from files belong (compared are those of the context's namespace, without it); "
            "with --cluster, the only namespace that is read.",
            show_default=False,
        ),
    ] = "",
    agent: Annotated[
        str,
        typer.Option(
            help="What the agent of these files is called; without it, as the client.", show_default=False
        ),
    ] = "",
    output: Annotated[
        Format,
        typer.Option(
            "--output", "-o", help="How to print it; yaml prints manifests for Git, the others rows."
        ),
    ] = Format.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Find the MCP servers that agents use already, what they log in with, and what of it nobody registered.
    Secrets are never printed.

    Exit status: 0 when nothing was found that a person has to look at, 3 when something was (a static credential,
    a connection without an owner, or a server that nobody registered), 1 when nothing was found and something
    could not be read, or what is registered could not be, 2 when this was used wrongly.
    """
    if not paths and not cluster:
        raise refused("name files or directories, or a cluster with --cluster")
    _check(owner=owner, team=team, purpose=purpose, namespace=namespace, agent=agent)
    fingerprint = keyed(secrets.token_bytes(32))
    found = Import()
    for given in paths or ():
        found += _read(given, fingerprint, agent or None)
    if cluster:
        found += run(_read_cluster(kubeconfig, context, namespace, fingerprint))
    servers = tuple(dict.fromkeys(found.servers))
    known, unknown = (
        run(read_registered(kubeconfig, context, namespace, everywhere=cluster))
        if servers and (cluster or registered)
        else NOTHING_ASKED
    )
    comparison = Comparison(known)
    standings = {server: comparison.standing(server) for server in servers}
    table = rows(servers, owner, standings)
    if output is Format.YAML:
        typer.echo(as_manifests(servers, Declared(owner, team, purpose, namespace), standings), nl=False)
    else:
        typer.echo(as_rows(table, COLUMNS, output), nl=False)
    for unread in dict.fromkeys((*found.unread, *unknown)):
        typer.echo(visible(str(unread), LONGEST_LINE), err=True)
    summary = totals(table, found.sources)
    typer.echo(str(summary), err=True)
    if not summary.is_clean:
        raise typer.Exit(FINDINGS)
    raise typer.Exit(FAILED if unknown or (found.unread and not servers) else 0)


_FORMS: Final[dict[str, tuple[TypeAdapter[Any], str]]] = {
    "owner": (TypeAdapter(User), "a name of at most 256 characters"),
    "team": (TypeAdapter(Team), "a name of at most 128 characters"),
    "purpose": (TypeAdapter(Purpose), "a sentence of at most 512 characters"),
    "namespace": (TypeAdapter(DNSLabel), "lowercase letters, digits and hyphens, as in support"),
    "agent": (TypeAdapter(DNSSubdomain), "lowercase letters, digits, hyphens and dots, as in support-bot"),
}


def _check(**given: str) -> None:
    for option, value in given.items():
        form, right = _FORMS[option]
        try:
            if value:
                form.validate_python({"summary": value} if option == "purpose" else value)
        except ValidationError as error:
            raise refused(f"--{option} cannot be used: give {right}") from error


def _read(given: Path, fingerprint: Fingerprint, agent: str | None) -> Import:
    if not given.is_dir():
        return _read_one(given, fingerprint, agent, expected=True)
    unread: list[Unread] = []
    found = Import()
    for file in _files_of_clients(given, unread):
        found += _read_one(file, fingerprint, agent, expected=is_kept_for_servers(str(file)))
    return found + Import(unread=tuple(unread))


def _read_one(file: Path, fingerprint: Fingerprint, agent: str | None, *, expected: bool) -> Import:
    try:
        data = file.read_bytes()
    except OSError as error:
        return Import(unread=(Unread(str(file), f"it cannot be read: {error.strerror}"),))
    path = file.absolute().as_posix()
    return read_file(file.as_posix(), data, fingerprint, agent=agent, path=path, expected=expected)


def _files_of_clients(directory: Path, unread: list[Unread]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        unread.append(Unread(str(error.filename), f"it cannot be read: {error.strerror}"))

    for folder, below, names in os.walk(directory, onerror=note):
        below[:] = sorted(name for name in below if name not in SKIPPED)
        for name in sorted(names):
            file = Path(folder) / name
            if client_of(file.as_posix()) is not None and file.is_file():
                yield file


async def _read_cluster(
    kubeconfig: Path | None, context: str | None, namespace: str, fingerprint: Fingerprint
) -> Import:
    listed_kinds: dict[str, Sequence[Workload]] = {}
    unread = []
    async with opened(kubeconfig, context) as access:
        for kind in (*WORKLOAD_KINDS, CONFIG_MAP):
            try:
                listed_kinds[kind.name] = [
                    each async for each in access.cluster.list_workloads(kind, namespace)
                ]
            except NeedsPerson as fault:
                unread.append(Unread(f"{kind.resource} of context {access.context}", fault.message))
    config_maps = {
        (each.namespace, each.name): {
            str(key): str(text) for key, text in (each.body.get("data") or {}).items()
        }
        for each in listed_kinds.pop(CONFIG_MAP.name, ())
    }
    workloads = [each for of_kind in listed_kinds.values() for each in of_kind]
    return read_workloads(workloads, config_maps, fingerprint) + Import(unread=tuple(unread))
