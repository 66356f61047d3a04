"""The one launcher behind tests, demo and benchmark: every server as a process of ours, gone when we leave.

Etcd and the API server, Vault, and PostgreSQL know nothing of each other while they start, so they start in
parallel.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controlplane import httpcall
from controlplane.cache import Progress, say
from controlplane.child import Household
from controlplane.keys import make_keys
from controlplane.kube import ADMIN, ApiServer, ControllerManager, Etcd
from controlplane.plane import CommandFailed, Plane
from controlplane.postgresql import PostgresServer
from controlplane.programs import Programs, provide_all
from controlplane.sockets import ReservedPorts
from controlplane.vaultserver import VaultServer

USERS: Mapping[str, Sequence[str]] = {
    "alice": (),
    "bob": (),
    "tenant": (),
    "platform": ("platform",),
    "security": ("security",),
    "security-deputy": ("security",),
    "gitops": ("gitops",),
}
"""Besides `admin`, who may do everything. None of these has any rights until somebody binds a role to it."""

START_SECONDS = 180.0


class ControlPlane(Plane):
    """A context manager; when anything does not start it cleans up and raises what was wrong."""

    def __init__(
        self,
        users: Mapping[str, Sequence[str]] = USERS,
        *,
        vault_max_request_seconds: int = 90,
        programs: Programs | None = None,
        progress: Progress = say,
    ) -> None:
        self._programs = programs or provide_all(progress=progress)
        self.workdir = Path(tempfile.mkdtemp(prefix="leasehold-"))
        self.workdir.chmod(0o711)  # PostgreSQL's account has to get through to its own directory
        self._ports = ReservedPorts()
        self._household = Household(self.workdir)
        take, household = self._ports.take, self._household
        keys = make_keys(self.workdir / "keys")
        self.etcd = Etcd(household, self._programs.etcd, take(), take())
        self._apiserver = ApiServer(household, self._programs.kube_apiserver, take(), self.etcd, keys, users)
        self.controller_manager = ControllerManager(
            household, self._programs.kube_controller_manager, self._apiserver
        )
        self._vault = VaultServer(
            household, self._programs.vault, take(), max_request_seconds=vault_max_request_seconds
        )
        self._postgres = PostgresServer(household, self._programs.postgres, take())

    @property
    def apiserver(self) -> ApiServer:
        return self._apiserver

    @property
    def vault(self) -> VaultServer:
        return self._vault

    @property
    def postgres(self) -> PostgresServer:
        return self._postgres

    @property
    def service_account_public_keys(self) -> list[str]:
        return [self._apiserver.keys.service_account_public_key.read_text()]

    def token(self, user: str = ADMIN) -> str:
        return self._apiserver.token(user)

    def kubeconfig(self, user: str = ADMIN) -> Path:
        return self._apiserver.kubeconfig(user)

    def read(self, path: str) -> dict[str, Any] | None:
        """By a request of our own: who waits reads often, and a kubectl costs a tenth of a second of CPU."""
        answer = httpcall.call(
            "GET",
            self._apiserver.url + path,
            headers={"Authorization": f"Bearer {self.token()}"},
            ca=self._apiserver.ca_path,
            seconds=60,
        )
        if answer.status == 404 and '"NotFound"' in answer.text:
            return None
        if answer.status != 200:
            raise CommandFailed(f"GET {path}: {answer.status} {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        return found

    def kubectl_program(self) -> Path:
        return self._programs.kubectl

    def pids(self) -> list[int]:
        """The processes that are running now."""
        return self._household.pids()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _start(self) -> None:
        lines: list[Callable[[], None]] = [self._start_cluster, self._vault.start, self._postgres.start]
        with ThreadPoolExecutor(len(lines), thread_name_prefix="controlplane-start") as pool:
            futures = [pool.submit(line) for line in lines]
            try:
                done, pending = wait(futures, START_SECONDS, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if pending:
                    raise TimeoutError(f"the control plane did not start within {START_SECONDS:g} s")
            except BaseException:
                self._household.end()  # whoever still waits sees its server exit, and stops waiting
                raise

    def _start_cluster(self) -> None:
        self.etcd.start()
        self._apiserver.start()
        self.controller_manager.start()

    def _end(self) -> None:
        try:
            self._household.end()
        finally:
            self._ports.release()
            shutil.rmtree(self.workdir, ignore_errors=True)
