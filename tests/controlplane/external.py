"""A control plane that is not ours: a cluster, Vault and database that the environment names.

It starts nothing, so it stops nothing either. Other users than the one in the kubeconfig are impersonated.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import jwt
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from controlplane.keys import public_pem
from controlplane.kube import ADMIN
from controlplane.launcher import USERS
from controlplane.plane import CommandFailed, Plane
from controlplane.programs import KUBECTL, provide
from controlplane.vaultapi import VaultApi

KUBECONFIG = "LEASEHOLD_TEST_KUBECONFIG"
VAULT_ADDR = "LEASEHOLD_TEST_VAULT_ADDR"
VAULT_TOKEN = "LEASEHOLD_TEST_VAULT_TOKEN"
POSTGRES_DSN = "LEASEHOLD_TEST_POSTGRES_DSN"
VARIABLES = (KUBECONFIG, VAULT_ADDR, VAULT_TOKEN, POSTGRES_DSN)


class NotOurs(Exception):
    """A server that was given to us was to be started, stopped or sealed."""


class IncompleteEnvironment(Exception):
    """Some of the variables that name an external control plane are set, and some are not."""


class _External:
    name = "server"

    def _refuse(self) -> NoReturn:
        raise NotOurs(f"the {self.name} was given by the environment: it is not ours to start, stop or seal")

    def start(self) -> None:
        self._refuse()

    def stop(self) -> None:
        self._refuse()

    def restart(self) -> None:
        self._refuse()

    def kill(self) -> None:
        self._refuse()

    def pause(self) -> None:
        self._refuse()

    def resume(self) -> None:
        self._refuse()


class ExternalApiServer(_External):
    name = "API server"

    def __init__(self, url: str, ca_path: Path) -> None:
        self.url = url
        self.ca_path = ca_path


class ExternalVault(_External):
    name = "Vault"

    def __init__(self, address: str, root_token: str) -> None:
        self.address = address.rstrip("/")
        self.root_token = root_token

    @property
    def api(self) -> VaultApi:
        return VaultApi(self.address, self.root_token)

    def start_sealed(self) -> None:
        self._refuse()

    def seal(self) -> None:
        self._refuse()

    def unseal(self) -> None:
        self._refuse()


class ExternalPostgres(_External):
    name = "PostgreSQL server"

    def __init__(self, dsn: str) -> None:
        parts = conninfo_to_dict(dsn)
        self.host = str(parts.get("host") or "127.0.0.1")
        self.port = int(parts.get("port") or 5432)
        self.superuser = str(parts.get("user") or "postgres")
        self.password = str(parts.get("password") or "")
        self._dsn = dsn

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        return make_conninfo(
            self._dsn, dbname=database, user=user or self.superuser, password=password or self.password
        )


class ExternalPlane(Plane):
    def __init__(self, environ: Mapping[str, str], users: Mapping[str, Sequence[str]] = USERS) -> None:
        missing = [name for name in VARIABLES if not environ.get(name)]
        if missing:
            raise IncompleteEnvironment(f"an external control plane also needs {', '.join(missing)}")
        self._users = users
        self._config: dict[str, Any] = yaml.safe_load(Path(environ[KUBECONFIG]).read_text())
        self.workdir = Path(tempfile.mkdtemp(prefix="leasehold-"))
        self._kubectl = provide(KUBECTL)
        cluster = self._named("clusters", self._context["cluster"])["cluster"]
        self._apiserver = ExternalApiServer(cluster["server"], self._ca_path(cluster))
        self._vault = ExternalVault(environ[VAULT_ADDR], environ[VAULT_TOKEN])
        self._postgres = ExternalPostgres(environ[POSTGRES_DSN])

    @property
    def apiserver(self) -> ExternalApiServer:
        return self._apiserver

    @property
    def vault(self) -> ExternalVault:
        return self._vault

    @property
    def postgres(self) -> ExternalPostgres:
        return self._postgres

    @cached_property
    def service_account_public_keys(self) -> list[str]:
        published = json.loads(self.kubectl("get", "--raw=/openid/v1/jwks").stdout)
        found = [jwt.PyJWK(key).key for key in published["keys"]]
        return [
            public_pem(key) for key in found if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        ]

    def token(self, user: str = ADMIN) -> str:
        owner = self._named("users", self._context["user"])["user"]
        if user != ADMIN or "token" not in owner:
            raise NotOurs(f"no bearer token for {user}: the external kubeconfig only allows to impersonate")
        return str(owner["token"])

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """The given kubeconfig, flattened; for another user than admin with impersonation."""
        path = self.workdir / f"kubeconfig-{user}.yaml"
        if path.exists():
            return path
        owner = dict(self._named("users", self._context["user"])["user"])
        if user != ADMIN:
            owner |= {"as": user, "as-groups": [*self._users[user]]}
        config = self._config | {"users": [{"name": self._context["user"], "user": owner}]}
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path

    def read(self, path: str) -> dict[str, Any] | None:
        """By kubectl, whatever the given kubeconfig logs in with."""
        done = self.kubectl("get", f"--raw={path}", check=False)
        if done.returncode != 0:
            if "(NotFound)" in done.stderr:
                return None
            raise CommandFailed(f"GET {path}: {done.stderr.strip()}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def kubectl_program(self) -> Path:
        return self._kubectl

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.workdir, ignore_errors=True)

    @property
    def _context(self) -> dict[str, Any]:
        found: dict[str, Any] = self._named("contexts", self._config["current-context"])["context"]
        return found

    def _named(self, kind: str, name: str) -> dict[str, Any]:
        return next(entry for entry in self._config[kind] if entry["name"] == name)

    def _ca_path(self, cluster: Mapping[str, Any]) -> Path:
        if "certificate-authority" in cluster:
            return Path(cluster["certificate-authority"])
        path = self.workdir / "ca.crt"
        path.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        return path


def environment_names_one(environ: Mapping[str, str] = os.environ) -> bool:
    return any(environ.get(name) for name in VARIABLES)
