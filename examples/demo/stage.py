"""Everything that has to be there before a team claims its first connection: the cluster's part, Vault's part,
the servers that agents talk to, and the operator."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
import yaml
from psycopg import sql

from catalog_server import CatalogSettings
from controlplane import ControlPlane, httpcall
from controlplane.child import Household, Server
from controlplane.programs import Programs
from controlplane.sockets import ReservedPorts
from controlplane.vaultsetup import ORDERS, ORDERS_READER, setup_database_engine, setup_pki_engine
from controlplane.waiting import WaitTimedOut
from deployment import Operator, operator_kubeconfig
from leasehold.core.identity import NAMESPACE, SERVICE_ACCOUNT
from manifests import Manifest, demo_manifests, of_kind
from mtls_server import MutualTLSServer
from payments import revocation_list
from shipped import install

HERE = Path(__file__).resolve().parent
CATALOG_AUDIENCE = "catalog-mcp"
JWT_SECONDS = 30
SCRIPT_SECONDS = 120.0


@dataclass(frozen=True)
class Stage:
    """What the stories need of it."""

    manifests: list[Manifest]
    careful: MutualTLSServer
    careless: MutualTLSServer


def set_up(plane: ControlPlane, programs: Programs, stack: ExitStack, say: Callable[[str], None]) -> Stage:
    """Build it; whatever was started ends with `stack`."""
    say("installing resource definitions, admission policies and RBAC, as shipped")
    install(plane)
    say("preparing engines: PostgreSQL logins, certificates, signed JWTs")
    setup_database_engine(plane.vault.api, plane.postgres)
    careful, careless = _payments(plane, stack)
    say("starting an MCP server that trusts this Vault's JWTs")
    catalog = _catalog(plane, stack)
    manifests = demo_manifests(
        vault=plane.vault.address,
        postgres=f"{plane.postgres.host}:{plane.postgres.port}",
        catalog=catalog.url,
        payments=f"https://127.0.0.1:{careful.port}/mcp",
    )
    say("running what `leasehold bootstrap vault` prints")
    _bootstrap(plane, programs, of_kind(manifests, "MCPCredentialStore", "MCPServerProfile"))
    _sign_tokens(plane, of_kind(manifests, "MCPCredentialStore")[0]["spec"]["auth"]["mount"])
    say("starting the operator with its shipped rights")
    _operator(plane, stack)
    say("registering a store, three profiles, and the teams' namespaces")
    for manifest in of_kind(manifests, "MCPCredentialStore", "MCPServerProfile"):
        plane.apply(manifest)
    plane.apply({"apiVersion": "v1", "kind": "List", "items": _namespaces(manifests)})
    return Stage(manifests, careful, careless)


def claim(plane: ControlPlane, manifests: list[Manifest]) -> None:
    """Create the connections, as teams do."""
    plane.apply({"apiVersion": "v1", "kind": "List", "items": of_kind(manifests, "MCPConnection")})


def _operator(plane: ControlPlane, stack: ExitStack) -> None:
    operator = Operator(operator_kubeconfig(plane), plane.workdir)
    stack.callback(operator.stop)
    try:
        operator.start()
    except (AssertionError, WaitTimedOut) as late:
        said = operator.log_path.read_text()[-2000:]
        raise RuntimeError(f"the operator did not get ready; the end of its log:\n{said}") from late


def _namespaces(manifests: list[Manifest]) -> list[Manifest]:
    accounts = {
        (each["metadata"]["namespace"], each["spec"]["agent"]["serviceAccountName"])
        for each in of_kind(manifests, "MCPConnection")
    }
    labels = {"mcp": "true"}
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name in sorted({namespace for namespace, _ in accounts})
    ]
    return spaces + [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        for namespace, name in sorted(accounts)
    ]


def _bootstrap(plane: ControlPlane, programs: Programs, manifests: list[Manifest]) -> None:
    """As a Vault administrator does it: print, read, run."""
    registered, key = plane.workdir / "registered.yaml", plane.workdir / "service-accounts.pem"
    registered.write_text(yaml.safe_dump_all(manifests, sort_keys=False))
    key.write_text(plane.service_account_public_key)
    leasehold = Path(sys.executable).with_name("leasehold")
    printed = _run([leasehold, "bootstrap", "vault", f"--filename={registered}", f"--public-key={key}"])
    script = plane.workdir / "bootstrap.sh"
    script.write_text(printed)
    _run(
        ["/bin/sh", script],
        PATH=f"{programs.vault.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        VAULT_ADDR=plane.vault.address,
        VAULT_TOKEN=plane.vault.root_token,
    )


def _run(command: list[str | Path], **environment: str) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SCRIPT_SECONDS,
        env={**os.environ, **environment},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def _sign_tokens(plane: ControlPlane, mount: str) -> None:
    """JWTs for the catalog that say whose they are."""
    vault = plane.vault.api
    accessor = vault.call("GET", "sys/auth")["data"][f"{mount}/"]["accessor"]
    alias = f"identity.entity.aliases.{accessor}.metadata"
    caller = ", ".join(f'"{name}": {{{{{alias}.{name}}}}}' for name in (NAMESPACE, SERVICE_ACCOUNT))
    vault.write("identity/oidc/key/leasehold", allowed_client_ids=["*"], rotation_period="24h")
    vault.write(
        "identity/oidc/role/mcp-catalog",
        key="leasehold",
        ttl=JWT_SECONDS,
        client_id=CATALOG_AUDIENCE,
        template=f'{{ "caller": {{ {caller} }} }}',  # Vault reads braces without a space as its own
    )


def _payments(plane: ControlPlane, stack: ExitStack) -> tuple[MutualTLSServer, MutualTLSServer]:
    """A server that asks for the revocation list, and one that does not."""
    vault = plane.vault.api
    setup_pki_engine(vault)
    vault.write(
        "pki/roles/mcp-payments",
        allowed_domains=["payments.example.com"],
        allow_subdomains=True,
        server_flag=False,
        generate_lease=True,
        max_ttl="2h",
    )
    vault.write("pki/roles/server", allow_ip_sans=True, enforce_hostnames=False, allow_any_name=True)
    issued = vault.write("pki/issue/server", common_name="payments", ip_sans="127.0.0.1", ttl="24h")["data"]
    identity = plane.workdir / "payments-server.pem"
    identity.write_text(f"{issued['private_key']}\n{issued['certificate']}\n")
    trust = issued["issuing_ca"]
    careful = MutualTLSServer(identity, trust, plane.workdir, lambda: revocation_list(plane.vault.address))
    careless = MutualTLSServer(identity, trust, plane.workdir)
    return stack.enter_context(careful), stack.enter_context(careless)


class CatalogServer(Server):
    """The MCP server, as a process of its own."""

    def __init__(self, household: Household, settings: CatalogSettings) -> None:
        super().__init__("catalog-mcp", household)
        self._url = settings.url
        self._settings = household.workdir / "catalog.json"
        self._settings.touch(mode=0o600)
        self._settings.write_text(json.dumps(asdict(settings)))

    def command(self) -> list[str | Path]:
        return [sys.executable, HERE / "catalog_server.py", self._settings]

    def ready(self) -> bool:
        """It knows nobody who brings no token."""
        return httpcall.answers(401, self._url)


def _catalog(plane: ControlPlane, stack: ExitStack) -> CatalogSettings:
    ports = ReservedPorts()
    stack.callback(ports.release)
    household = Household(plane.workdir)
    stack.callback(household.end)
    settings = CatalogSettings(
        port=ports.take(),
        issuer=f"{plane.vault.address}/v1/identity/oidc",
        audience=CATALOG_AUDIENCE,
        dsn=_login_of_the_catalog(plane),
    )
    CatalogServer(household, settings).start()
    return settings


def _login_of_the_catalog(plane: ControlPlane) -> str:
    """The server reads the database as itself; its clients never see how."""
    password = secrets.token_urlsafe(18)
    with psycopg.connect(plane.postgres.dsn(), autocommit=True) as server:
        server.execute(
            sql.SQL("create role catalog login password {} in role {}").format(
                sql.Literal(password), sql.Identifier(ORDERS_READER)
            )
        )
    return plane.postgres.dsn(ORDERS, user="catalog", password=password)
