"""What tests, demo and benchmark may ask of a control plane, whether we started it or were given it."""

from __future__ import annotations

import json
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from controlplane.child import clean_environment
from controlplane.kube import ADMIN
from controlplane.vaultapi import VaultApi


class CommandFailed(Exception):
    """kubectl ended with another status than 0; the message is what it said."""


class Stoppable(Protocol):
    """What fault tests do to a server. One that is not ours refuses all of it."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def restart(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class ApiServerPort(Stoppable, Protocol):
    url: str
    ca_path: Path


class VaultPort(Stoppable, Protocol):
    address: str

    @property
    def root_token(self) -> str: ...
    @property
    def api(self) -> VaultApi: ...
    def start_sealed(self) -> None: ...
    def seal(self) -> None: ...
    def unseal(self) -> None: ...


class PostgresPort(Stoppable, Protocol):
    host: str
    port: int
    superuser: str
    password: str

    def dsn(
        self, database: str = "postgres", user: str | None = None, password: str | None = None
    ) -> str: ...


class Plane(ABC):
    """A cluster, a Vault and a database. `workdir` is ours to write to and goes away with it."""

    workdir: Path

    @property
    @abstractmethod
    def apiserver(self) -> ApiServerPort: ...

    @property
    @abstractmethod
    def vault(self) -> VaultPort: ...

    @property
    @abstractmethod
    def postgres(self) -> PostgresPort: ...

    @property
    @abstractmethod
    def service_account_public_keys(self) -> list[str]:
        """PEM; any of them may have signed a service account's token."""

    @property
    def service_account_public_key(self) -> str:
        return self.service_account_public_keys[0]

    @abstractmethod
    def token(self, user: str = ADMIN) -> str:
        """The user's bearer token."""

    @abstractmethod
    def kubeconfig(self, user: str = ADMIN) -> Path:
        """A kubeconfig file in which the current context acts as this user."""

    @abstractmethod
    def kubectl_program(self) -> Path: ...

    @abstractmethod
    def read(self, path: str) -> dict[str, Any] | None:
        """What the API server has at a path, an object or a list, as an administrator sees it; None where it says
        NotFound. Raises where it says anything else, or nothing."""

    def kubectl(
        self,
        *arguments: str,
        user: str = ADMIN,
        input: str | None = None,  # noqa: A002  # named as in subprocess.run
        check: bool = True,
        seconds: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as a user; raises CommandFailed unless `check` is off, TimeoutExpired when late."""
        done = subprocess.run(
            [self.kubectl_program(), f"--kubeconfig={self.kubeconfig(user)}", *arguments],
            cwd=self.workdir,
            env=clean_environment(self.workdir),
            input="" if input is None else input,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if check and done.returncode != 0:
            raise CommandFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def apply(self, manifest: object, *, user: str = ADMIN) -> None:
        """kubectl apply of one object (or a List) given as data."""
        self.kubectl("apply", "--filename=-", user=user, input=json.dumps(manifest))

    def service_account_token(
        self, namespace: str, name: str, audiences: Sequence[str] = (), *, lifetime_seconds: int = 600
    ) -> str:
        """A fresh token of a service account, by TokenRequest; without audiences it is for the API server."""
        wanted = [f"--audience={audience}" for audience in audiences]
        made = self.kubectl(
            "create", "token", name, f"--namespace={namespace}", f"--duration={lifetime_seconds}s", *wanted
        )
        return made.stdout.strip()
