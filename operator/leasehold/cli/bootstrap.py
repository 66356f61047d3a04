"""`leasehold bootstrap vault`: what a Vault administrator runs, or commits, before connections can log in."""

from pathlib import Path
from typing import Annotated

import typer

from leasehold.api.names import OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT
from leasehold.api.profile import MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.cli.access import Context, Kubeconfig, opened, run
from leasehold.cli.bootstrap_check import Checked, check_logins, expected_logins
from leasehold.cli.ending import FINDINGS, refused
from leasehold.cli.manifests import BadManifest, of_kind, read_documents
from leasehold.core.bootstrap import vault_setup
from leasehold.core.bootstrap_breakglass import as_breakglass_script
from leasehold.core.bootstrap_roles import BootstrapOptions
from leasehold.core.bootstrap_script import as_script
from leasehold.core.bootstrap_terraform import as_terraform
from leasehold.core.faults import Fault

Files = Annotated[
    list[Path],
    typer.Option(
        "--filename", "-f", help="Manifests with stores and profiles: files, directories; - is stdin."
    ),
]

bootstrap = typer.Typer(help="Prepare what Leasehold stands on.", no_args_is_help=True)


@bootstrap.callback()
def _group() -> None:
    """Keeps `vault` a subcommand while it is the only one."""


@bootstrap.command()
def vault(
    filename: Files,
    store: Annotated[str | None, typer.Option(help="Only this store and its profiles.")] = None,
    issuer: Annotated[str | None, typer.Option(help="The cluster's service-account issuer (JWT).")] = None,
    issuer_ca: Annotated[Path | None, typer.Option(help="PEM of the CA of the issuer (JWT).")] = None,
    public_key: Annotated[
        list[Path] | None, typer.Option(help="PEM to pin instead of issuer discovery (JWT).")
    ] = None,
    kubernetes_host: Annotated[
        str | None, typer.Option(help="The API server as Vault reaches it (Kubernetes).")
    ] = None,
    kubernetes_ca: Annotated[
        Path | None, typer.Option(help="PEM of the API server's CA (Kubernetes).")
    ] = None,
    reviewer_token_file: Annotated[
        str | None, typer.Option(help="Where the token of the reviewer will be; it is not read (Kubernetes).")
    ] = None,
    namespaces: Annotated[
        str, typer.Option(help="Only these namespaces may log in, separated by commas.")
    ] = "",
    operator_namespace: Annotated[str, typer.Option(help="Where the operator runs.")] = OPERATOR_NAMESPACE,
    operator_service_account: Annotated[
        str, typer.Option(help="As which it runs.")
    ] = OPERATOR_SERVICE_ACCOUNT,
    terraform: Annotated[bool, typer.Option("--terraform", help="Print Terraform, not commands.")] = False,
    breakglass: Annotated[
        bool,
        typer.Option(
            "--breakglass", help="Print how to end, without Leasehold, what the servers' connections have."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Print nothing to run; try it out, and say what is missing.")
    ] = False,
    service_account: Annotated[
        str | None, typer.Option(help="With --check: who logs in, as namespace/name.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="With --check: only this role, not all of the profiles.")
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    address: Annotated[
        str | None,
        typer.Option(envvar="VAULT_ADDR", help="With --check: the Vault as it is reached from here."),
    ] = None,
) -> None:
    """Print the commands (or Terraform) that prepare a Vault; with --breakglass, those that end credentials while
    Leasehold is down; with --check, log in and say what is missing."""
    if breakglass + terraform + check > 1:
        raise refused("--breakglass, --terraform and --check are three different things: choose one")
    try:
        documents = read_documents(filename)
        stores = [
            each for each in of_kind(documents, MCPCredentialStore) if store in (None, each.metadata.name)
        ]
        profiles = [
            each
            for each in of_kind(documents, MCPServerProfile)
            if store is None or (each.spec.credential and each.spec.credential.store_name == store)
        ]
        options = BootstrapOptions(
            issuer=issuer,
            issuer_ca=_text(issuer_ca),
            public_keys=tuple(key.read_text() for key in public_key or ()),
            kubernetes_host=kubernetes_host,
            kubernetes_ca=_text(kubernetes_ca),
            reviewer_token_file=reviewer_token_file,
            namespaces=tuple(name.strip() for name in namespaces.split(",") if name.strip()),
            operator_namespace=operator_namespace,
            operator_service_account=operator_service_account,
        )
        setup = vault_setup(stores, profiles, options)
        script = as_breakglass_script(stores, profiles) if breakglass else as_script(setup)
    except (BadManifest, OSError, Fault) as error:
        raise refused(str(error)) from error
    if not check:
        typer.echo(as_terraform(setup) if terraform else script, nl=False)
        return
    logins = expected_logins(stores, profiles, role, address)
    if service_account is None or service_account.count("/") != 1 or not logins:
        raise refused("--check needs --service-account namespace/name, and a profile or a --role")
    namespace, _, name = service_account.partition("/")
    raise typer.Exit(
        _report(run(check_logins(logins, (namespace, name), options, opened(kubeconfig, context))))
    )


def _report(found: list[Checked]) -> int:
    for each in found:
        typer.echo(f"{'ok     ' if each.good else 'MISSING'}  {each.words}")
    return 0 if all(each.good for each in found) else FINDINGS


def _text(file: Path | None) -> str | None:
    return None if file is None else file.read_text()
