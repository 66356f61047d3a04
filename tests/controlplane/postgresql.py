"""A PostgreSQL server on 127.0.0.1 with durability off and passwords on."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from controlplane.child import Account, Household, Server, ServerFailed, clean_environment
from controlplane.programs import PostgresInstallation

INITDB_SECONDS = 120.0

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # nobody needs one, and its path has a length limit
    "dynamic_shared_memory_type": "mmap",  # in the data directory, so that nothing outlives a kill
    "log_min_messages": "warning",
}


class PostgresServer(Server):
    """Run under an unprivileged account when we are root, because PostgreSQL refuses root."""

    stop_signal = signal.SIGINT  # disconnects its clients; SIGTERM would wait for them
    death_signal = signal.SIGQUIT  # SIGKILL would leave its shared memory segment behind

    superuser = "postgres"
    host = "127.0.0.1"

    def __init__(self, household: Household, installation: PostgresInstallation, port: int) -> None:
        super().__init__("postgres", household, account=unprivileged_account())
        self.port = port
        self.password = secrets.token_urlsafe(18)
        self._installation = installation
        self._home = household.workdir / "postgres"
        self._data = self._home / "data"

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """A libpq connection string, for the superuser unless told otherwise."""
        return make_conninfo(
            host=self.host,
            port=self.port,
            dbname=database,
            user=user or self.superuser,
            password=password or self.password,
            connect_timeout=10,
        )

    def command(self) -> Sequence[str | Path]:
        settings = [f"-c{name}={value}" for name, value in {"port": self.port, **SETTINGS}.items()]
        return [self._installation.bin / "postgres", "-D", self._data, *settings]

    def ready(self) -> bool:
        try:
            with psycopg.connect(self.dsn()) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        if not self._data.exists():
            self._initialise()
        super().start()

    def _initialise(self) -> None:
        self._home.mkdir(mode=0o700)
        password_file = self._home / "password"
        password_file.write_text(self.password)
        if self._account is not None:
            self._installation = reachable(self._installation, self._account, self.workdir)
            for path in (self._home, password_file):
                os.chown(path, self._account.uid, self._account.gid)
        command: list[str | Path] = [
            self._installation.bin / "initdb",
            "-D",
            self._data,
            f"--username={self.superuser}",
        ]
        command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
        command += ["--locale=C", "--no-sync"]
        made = subprocess.run(
            command,
            cwd=self.workdir,
            env=clean_environment(self._home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=INITDB_SECONDS,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        password_file.unlink()
        if made.returncode != 0:
            raise ServerFailed(f"initdb failed with status {made.returncode}:\n{made.stdout}{made.stderr}")


def unprivileged_account() -> Account | None:
    """`nobody` when we are root, else nothing: we are unprivileged already."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def reachable(installation: PostgresInstallation, account: Account, workdir: Path) -> PostgresInstallation:
    """An installation under a directory that the account cannot enter (root's home) is copied out of it."""
    tried = subprocess.run(
        ["test", "-x", installation.bin / "postgres"],
        check=False,
        timeout=10,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
    )
    if tried.returncode == 0:
        return installation
    root = workdir / "postgres-installation"
    shutil.copytree(installation.root, root, symlinks=True)
    root.chmod(0o755)
    return PostgresInstallation(bin=root / installation.bin.relative_to(installation.root), root=root)
