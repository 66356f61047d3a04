"""`leasehold evidence`: what an access review needs, in a folder that leaves the cluster, and whether such a folder
is what it was."""

import re
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Final

import typer

from leasehold.cli.access import Context, Kubeconfig, opened, run
from leasehold.cli.ending import FINDINGS, failed, refused
from leasehold.cli.evidence_reading import Asked, fleet_numbers, read_cluster, saved_metrics
from leasehold.cli.evidence_signature import is_signed, private_key, public_key, signature
from leasehold.cli.evidence_tokens import given_tokens
from leasehold.core.evidence_finding import Finding, FindingKind
from leasehold.core.evidence_folder import (
    SIGNATURE,
    SUMS,
    Checked,
    check,
    counts_of,
    evidence_files,
    not_compared_of,
    sums,
)
from leasehold.core.evidence_sources import Sources, audit_name
from leasehold.core.hidden_text import visible

evidence = typer.Typer(
    help="Write and check the evidence of an access review.", no_args_is_help=True, rich_markup_mode=None
)

LARGEST_FOLDER: Final = 4 * 1024**3
_DAY: Final = re.compile(r"^\d{4}-\d\d-\d\d$")


@evidence.command()
def export(
    begin: Annotated[
        str, typer.Option("--from", help="Where the period begins: a day (2026-07-01) or a time, in UTC.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", help="The folder to write; it must be new, or empty.", show_default=False),
    ],
    end: Annotated[
        str,
        typer.Option(
            "--to",
            help="Where it ends, which is no part of it: a day or a time; without it, now.",
            show_default=False,
        ),
    ] = "",
    audit: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file of audit records; more than once for more, in any order.", show_default=False
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="The leader's metrics to compare with what is there: where they are, as in "
            "http://host:8080/metrics, or a file that has them."
        ),
    ] = None,
    metrics_ca: Annotated[Path | None, typer.Option(help="PEM of the only CAs to believe there.")] = None,
    vault: Annotated[
        list[str] | None,
        typer.Option(
            help="ADDRESS=FILE: look up what is in ledgers at the Vault of that address, with your token in that "
            "file; more than once for more. VAULT_ADDR and VAULT_TOKEN count as one of them.",
            show_default=False,
        ),
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option(
            help="Sign the sums with this ECDSA P-256 private key: cosign.key, with its password in "
            "COSIGN_PASSWORD, or PEM that is not encrypted."
        ),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Write the evidence of a period: population, decisions, exceptions, revocations, endings, reconciliation.

    As CSV and JSON, with a report for people, what all of it was made from, and SHA256SUMS. Credentials are in it
    as hashes only; names of people are.
    """
    key = private_key(sign) if sign else None
    since, until = _moment("--from", begin), _moment("--to", end) if end else None
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise refused(f"--output: {output} is there already; name a new folder, or an empty one")
    kept = {audit_name(number): _audit_file(path) for number, path in enumerate(audit or (), 1)}
    tokens = given_tokens(vault or ())
    saved = saved_metrics(metrics) if metrics is not None else None

    async def gathered() -> Sources:
        async with opened(kubeconfig, context) as access:
            numbers = None if metrics is None else await fleet_numbers(metrics, metrics_ca, saved)
            return await read_cluster(access.cluster, Asked(since, until, kept, numbers, tokens))

    sources = run(gathered())
    files = evidence_files(sources)
    files[SUMS] = sums(files)
    if key is not None:
        files[SIGNATURE] = signature(key, files[SUMS])
    _write(output, files)
    for name, count in counts_of(files).items():
        typer.echo(f"{name}: {count}")
    for words in not_compared_of(files):
        typer.echo(visible(f"not compared: {words}", 1000), err=True)
    _tell(Checked(sources.examined.findings, (), {}))


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise refused(f"{option}: give a day as 2026-07-01, or a time as 2026-07-01T12:00:00Z") from error
    if moment.tzinfo is None:
        if not _DAY.match(text):
            raise refused(f"{option}: say in which time zone, as in 2026-07-01T12:00:00Z")
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _audit_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refused(f"--audit: {path} cannot be read: {error.strerror}") from error


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """For nobody else to read: it says who may do what."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(data)
    except OSError as error:
        raise failed(f"{folder} cannot be written: {error.strerror}") from error


@evidence.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder that was written.", show_default=False)],
    key: Annotated[
        Path | None, typer.Option(help="Check the signature with this public key: PEM, ECDSA P-256.")
    ] = None,
) -> None:
    """Check a folder of evidence, without any cluster: sums, signature, tables, and the audit chain.

    All tables and the report are computed again from the sources in the folder.

    Exit status: 0 when nothing was found, 3 when something was, 1 when the folder cannot be read.
    """
    public = public_key(key) if key else None
    files = _read(folder)
    checked = check(files, version_of("leasehold"))
    found, notes = list(checked.findings), list(checked.notes)
    signed = files.get(SIGNATURE)
    if public is None and signed is not None:
        notes.append("the signature was not checked: give --key")
    elif public is not None and signed is None:
        found.append(Finding(FindingKind.NOT_SIGNED, f"{SIGNATURE} is missing"))
    elif public is not None and signed is not None and not is_signed(public, files.get(SUMS, b""), signed):
        found.append(
            Finding(FindingKind.SIGNATURE_DIFFERS, f"{SIGNATURE} is no signature of this key over {SUMS}")
        )
    elif public is None:
        notes.append("it is not signed: whoever could write the folder could write its sums")
    for name, count in checked.counts.items():
        typer.echo(f"{name}: {count}")
    _tell(Checked(tuple(found), tuple(notes), {}))
    if found:
        raise typer.Exit(FINDINGS)


def _read(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise failed(f"{folder} is no folder")
    files: dict[str, bytes] = {}
    size = 0
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                if not path.is_dir():
                    raise failed(f"{path} is no plain file; evidence has no others")
                continue
            size += path.stat().st_size
            if size > LARGEST_FOLDER:
                raise failed(f"{folder} is larger than {LARGEST_FOLDER} bytes")
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
    except OSError as error:
        raise failed(f"{folder} cannot be read: {error.strerror}") from error
    return files


def _tell(checked: Checked) -> None:
    for note in checked.notes:
        typer.echo(visible(f"note: {note}", 1000), err=True)
    for finding in checked.findings:
        typer.echo(visible(f"{finding.kind}: {finding.words}", 1000), err=True)
