"""`leasehold surface probe`: what a server exposes now, printed for Git and for CI."""

import asyncio
import shlex
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import TypeAdapter, ValidationError

from leasehold.adapters.mcp import McpCatalog
from leasehold.adapters.mcp_addresses import AddressPolicy
from leasehold.adapters.mcp_limits import ProbeLimits
from leasehold.adapters.mcp_stdio import capture
from leasehold.api.profile import Transport
from leasehold.api.reasons import Reason
from leasehold.api.urls import ServerURL
from leasehold.cli.ending import failed, refused
from leasehold.core.faults import Fault
from leasehold.core.probe import ClientCertificate, Probed, ProbeTarget
from leasehold.core.sealed import Sealed
from leasehold.core.surface_saved import to_patch, to_saved

STDIN: Final = "-"
MAX_SECONDS: Final = 600.0

_URL: Final = TypeAdapter[str](ServerURL)


class Output(StrEnum):
    """How a surface is printed."""

    JSON = "json"
    PATCH = "patch"


class WrongUse(ValueError):
    """An option that cannot be used; the message says why, and quotes no secret."""


def probe(
    url: Annotated[str | None, typer.Argument(help="The server, as in https://mcp.example.com/mcp.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="A header of every request, as in 'X-Tenant: acme'.")
    ] = None,
    header_file: Annotated[
        Path | None, typer.Option(help="A file with such lines; - is stdin. Nobody else sees it.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM of the only CAs to believe.")] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM of a client certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM of its key, if it is not in the same file.")] = None,
    transport: Annotated[
        Transport, typer.Option(help="How the server is reached.")
    ] = Transport.STREAMABLE_HTTP,
    allow_loopback: Annotated[
        bool, typer.Option("--allow-loopback", help="Connect addresses of this machine, too.")
    ] = False,
    deny: Annotated[list[str] | None, typer.Option(help="A network that must not be connected.")] = None,
    timeout: Annotated[
        float, typer.Option(min=1, max=MAX_SECONDS, help="Seconds for the whole probe.")
    ] = ProbeLimits.seconds,
    stdio: Annotated[
        str | None, typer.Option(help="A command to start and to ask, instead of a URL.")
    ] = None,
    output: Annotated[
        Output,
        typer.Option(
            "--output", "-o", help="json is the saved surface; patch supplies a command's to its profile."
        ),
    ] = Output.JSON,
) -> None:
    """Print all that a server exposes, with its digest.

    Exit status: 0 with the surface on stdout, 1 with the reason on stderr, 2 when this was used wrongly.
    """
    limits = replace(ProbeLimits(), seconds=timeout)
    try:
        if output is Output.PATCH and stdio is None:
            raise WrongUse("-o patch goes with --stdio: the operator itself probes what has a URL")
        if stdio is not None:
            reading = capture(_command(stdio, url, transport, header, header_file, ca, cert, key), limits)
        else:
            target = ProbeTarget(
                _url(url),
                _network(transport),
                _headers(header or [], header_file),
                ca_bundle=None if ca is None else ca.read_text(),
                client_certificate=_certificate(cert, key),
            )
            reading = McpCatalog(_policy(allow_loopback, deny or []), limits).probe(target)
    except OSError as error:
        raise refused(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise refused(str(error)) from error
    saved = _read(reading)
    typer.echo(to_patch(saved) if output is Output.PATCH else saved, nl=False)


def _read(reading: Coroutine[Any, Any, Probed]) -> str:
    try:
        probed = asyncio.run(reading)
    except Fault as fault:
        ended = refused if fault.reason is Reason.INVALID_SPEC else failed
        raise ended(f"{fault.reason}: {fault.message}") from fault
    return to_saved(probed.surface, probed.identity)


def _url(url: str | None) -> str:
    if url is None:
        raise WrongUse("name the server's URL, or a command with --stdio")
    try:
        return _URL.validate_python(url)
    except ValidationError as error:
        raise WrongUse(f"the URL cannot be used: {error.errors(include_url=False)[0]['msg']}") from error


def _network(transport: Transport) -> Transport:
    if transport is Transport.STDIO:
        raise WrongUse("a command is given with --stdio COMMAND")
    return transport


def _command(stdio: str, url: str | None, transport: Transport, *of_the_network: object) -> list[str]:
    if url is not None or any(of_the_network) or transport is Transport.SSE:
        raise WrongUse("--stdio goes with no URL, and with no option of the network but --timeout")
    command = shlex.split(stdio)
    if not command:
        raise WrongUse("--stdio names no command")
    return command


def _headers(given: list[str], file: Path | None) -> Sealed[Mapping[str, str]]:
    lines = list(given)
    if file is not None:
        text = sys.stdin.read() if str(file) == STDIN else file.read_text()
        lines += [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name.strip().lower() in headers:
            raise WrongUse("a header is not of the form 'Name: value', or is given twice")
        headers[name.strip().lower()] = value.strip()
    return Sealed(headers)


def _certificate(cert: Path | None, key: Path | None) -> ClientCertificate | None:
    if cert is None:
        if key is not None:
            raise WrongUse("--key goes with --cert")
        return None
    return ClientCertificate(cert.read_text(), Sealed("" if key is None else key.read_text()))


def _policy(allow_loopback: bool, deny: list[str]) -> AddressPolicy:
    try:
        return AddressPolicy(allow_loopback, tuple(ip_network(each) for each in deny))
    except ValueError as error:
        raise WrongUse(f"--deny: {error}") from error
