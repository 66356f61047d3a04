"""Leasehold as its users run it, on a control plane: the shipped manifests, a Vault that was prepared by the
bootstrap's own setup, and the operator as a process of its own with nothing but its shipped rights."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from audit_lines import must_fit
from controlplane import Plane
from controlplane.child import spawn
from controlplane.vaultapi import VaultApi
from controlplane.vaultsetup import enable_auth
from controlplane.waiting import WaitTimedOut, wait_until
from discretion import must_be_discreet, tell
from leasehold.api.connection import MCPConnection
from leasehold.api.crd import KINDS
from leasehold.api.names import API_VERSION, OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT
from leasehold.api.profile import MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.core.bootstrap import VaultSetup, vault_setup
from leasehold.core.bootstrap_roles import BootstrapOptions
from shipped import MANIFESTS, ROOT

STORE = "main-vault"
MOUNT = "jwt-leasehold"
PLACES = {
    "namespace": ("/api/v1", "namespaces"),
    "secret": ("/api/v1", "secrets"),
    "lease": ("/apis/coordination.k8s.io/v1", "leases"),
    **{kind.KIND.lower(): (f"/apis/{API_VERSION}", kind.PLURAL) for kind in KINDS},
}
"""Where the API server has the kinds that tests read."""
SECRET_KEYS = ("password", "token", "private_key", "key")
"""The fields of a credential that are worth stealing; all others may be named."""


def operator_kubeconfig(plane: Plane, name: str = "operator") -> Path:
    """A kubeconfig of the operator's own service account."""
    config = yaml.safe_load(plane.kubeconfig("admin").read_text())
    token = plane.service_account_token(OPERATOR_NAMESPACE, OPERATOR_SERVICE_ACCOUNT, lifetime_seconds=7200)
    tell([token])
    for user in config["users"]:
        user["user"] = {"token": token}
    path = plane.workdir / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


def apply_setup(vault: VaultApi, setup: VaultSetup) -> None:
    """What `leasehold bootstrap vault` prints, through Vault's API."""
    for mount in setup.mounts:
        enable_auth(vault, mount.path, mount.method.value.lower())
        if mount.config is not None:
            vault.write(f"auth/{mount.path}/config", **mount.config)
    for policy in setup.policies:
        if not policy.open or vault.read(f"sys/policies/acl/{policy.name}") is None:
            vault.write(f"sys/policies/acl/{policy.name}", policy=policy.text)
    for role in setup.roles:
        vault.write(f"auth/{role.mount}/role/{role.name}", **role.settings)


class Operator:
    """One operator process; its audit lines and logs go to files.

    All of them elect by the lease that the shipped rights name, unless `lease_name` says otherwise: whoever is
    started while another one runs stands by."""

    def __init__(self, kubeconfig: Path, workdir: Path, **settings: Any) -> None:
        self.audit_path = workdir / f"audit-{uuid.uuid4().hex[:8]}.jsonl"
        self.log_path = self.audit_path.with_suffix(".log")
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "operator"),
            "LEASEHOLD_KUBECONFIG": str(kubeconfig),
            "LEASEHOLD_LISTEN_HOST": "127.0.0.1",
            "LEASEHOLD_LISTEN_PORT": "0",
            **{f"LEASEHOLD_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._audit_read = 0
        self.address = ""

    def start(self, leads: bool = True, ready_seconds: float = 30) -> Operator:
        """Start it and wait until it is ready; where it `leads`, until it does: the lease of one that was killed
        has to run out first. One that does not get ready is ended."""
        begin = len(self.logs())
        with self.audit_path.open("ab") as audit, self.log_path.open("ab") as log:
            self._process = spawn(
                [sys.executable, "-m", "leasehold"], env=self._environment, stdout=audit, stderr=log
            )
        try:
            self.address = wait_until(lambda: self._listening(begin), 30, "the operator listens")
            wait_until(lambda: self.get("/readyz")[0] == 200, ready_seconds, "the operator is ready")
            if leads:
                wait_until(lambda: self.leads, 60, "the operator leads")
        except BaseException:
            self._process.kill()
            self._process.wait(10)
            raise
        return self

    def set_clock(self, ahead: timedelta) -> Operator:
        """From its next start on its wall clock is wrong by that much."""
        path = os.pathsep.join([str(ROOT / "tests" / "wrongclock"), str(ROOT / "operator")])
        self._environment |= {
            "PYTHONPATH": path,
            "WRONG_CLOCK_AHEAD_SECONDS": str(ahead.total_seconds()),
        }
        return self

    @property
    def leads(self) -> bool:
        """Whether it is the one that acts, and knows what there is."""
        status, said = self.get("/readyz")
        return status == 200 and "connections are known" in said and self.metric("leasehold_leader") == 1

    def send(self, signum: signal.Signals) -> None:
        """Send it a signal and do not wait for what comes of it."""
        assert self._process is not None
        self._process.send_signal(signum)

    def ended(self, seconds: float = 60) -> int:
        """Wait until it has ended by itself; its exit status."""
        assert self._process is not None
        status = self._process.wait(seconds)
        must_be_discreet(self.log_path, self.audit_path)
        records = self.audit()
        must_fit([record for record in records[self._audit_read :] if "raw" not in record])
        self._audit_read = len(records)
        return status

    def _listening(self, begin: int) -> str:
        if self.exited is not None:
            raise AssertionError(
                f"the operator exited with {self.exited}:\n{self.log_path.read_text()[-4000:]}"
            )
        started = [line for line in self.logs()[begin:] if line.get("event") == "started"]
        return f"http://{started[0]['metrics']}" if started else ""

    @property
    def exited(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def stop(self, seconds: float = 60) -> int:
        """SIGTERM, and its exit status."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL, 10)

    def _end(self, signum: signal.Signals, seconds: float) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signum)
        try:
            return self.ended(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            raise

    def get(self, path: str) -> tuple[int, str]:
        """An answer of its HTTP endpoint."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def metric(self, name: str, /, **labels: str) -> float:
        """The sum of all series of that name that have these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            if series.split("{")[0] == name and all(
                f'{key}="{text}"' in series for key, text in labels.items()
            ):
                total += float(value)
        return total

    def logs(self) -> list[dict[str, Any]]:
        """What it logged, in order; lines that are no JSON are there as `raw`."""
        return _json_lines(self.log_path)

    def complaints(self) -> list[dict[str, Any]]:
        """What it should never log: lines that are no JSON, and errors, but for those of the watch library, which
        calls every repeated request an error."""
        return [
            line
            for line in self.logs()
            if "raw" in line
            or (line.get("level") == "error" and not str(line.get("logger", "")).startswith("kopf"))
        ]

    def audit(self, connection: MCPConnection | None = None) -> list[dict[str, Any]]:
        """The audit records, of one connection where one is given."""
        records = _json_lines(self.audit_path)
        if connection is None:
            return records
        return [
            each
            for each in records
            if each["data"].get("connection", {}).get("uid") == connection.metadata.uid
        ]

    def wait_audit(
        self, connection: MCPConnection, action: str, phase: str = "result"
    ) -> list[dict[str, Any]]:
        """The connection's records once one of that action and phase is among them: they follow the status."""

        def told() -> list[dict[str, Any]]:
            records = self.audit(connection)
            steps = {(each["data"]["action"], each["data"]["phase"]) for each in records}
            return records if (action, phase) in steps else []

        return wait_until(told, 15, f"{action} of {connection.key} is recorded")


def _json_lines(path: Path) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    if not path.exists():
        return lines
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            lines.append({"raw": line})
    return lines


class Deployment:
    """A store, and whatever profiles and connections a test or demo registers."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.vault = plane.vault.api
        self._lock = threading.Lock()
        self.store = self.register_store()

    def register_store(self, name: str = STORE, mount: str = MOUNT, **spec: Any) -> MCPCredentialStore:
        """Register the plane's Vault as a store, and prepare it for the operator."""
        body = {
            "apiVersion": API_VERSION,
            "kind": MCPCredentialStore.KIND,
            "metadata": {"name": name},
            "spec": {
                "address": self.plane.vault.address,
                "auth": {"method": "JWT", "mount": mount},
                "maxRequestSeconds": 5,
                **spec,
            },
        }
        store = MCPCredentialStore.model_validate(body)
        apply_setup(self.vault, vault_setup([store], [], self.options))
        self.plane.apply(body)
        return store

    @property
    def options(self) -> BootstrapOptions:
        """Pinned keys: no Vault of a test can ask the API server for them."""
        return BootstrapOptions(public_keys=tuple(self.plane.service_account_public_keys))

    def namespace(self, labels: Mapping[str, str] | None = None, accounts: Sequence[str] = ("agent",)) -> str:
        """A team's namespace with service accounts."""
        name = f"team-{uuid.uuid4().hex[:8]}"
        items: list[dict[str, Any]] = [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": dict(labels or {})},
            }
        ]
        items += [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": each, "namespace": name}}
            for each in accounts
        ]
        self.plane.apply({"apiVersion": "v1", "kind": "List", "items": items})
        return name

    def profile(
        self,
        credential: Mapping[str, Any] | None = None,
        name: str | None = None,
        store: MCPCredentialStore | None = None,
        vault: VaultApi | None = None,
        **spec: Any,
    ) -> MCPServerProfile:
        """Register a server; its Vault role and policy come from the bootstrap."""
        name = name or f"server-{uuid.uuid4().hex[:8]}"
        body: dict[str, Any] = {
            "apiVersion": API_VERSION,
            "kind": MCPServerProfile.KIND,
            "metadata": {"name": name},
            "spec": {"url": f"https://{name}.tools.svc/mcp", "owner": {"team": "tools"}, **spec},
        }
        if credential is not None:
            defaults = {
                "storeName": STORE,
                "vaultRole": f"mcp-{name}",
                "overlapSeconds": 2,
                "ttlSeconds": 3600,
            }
            body["spec"]["credential"] = {**defaults, **credential}
        profile = MCPServerProfile.model_validate(body)
        if credential is not None:
            with self._lock:
                setup = vault_setup([store or self.store], [profile], self.options)
                apply_setup(vault or self.vault, setup)
        self.plane.apply(body)
        return profile

    def connection(
        self, namespace: str, profile: str, name: str = "agent-server", **spec: Any
    ) -> MCPConnection:
        """Claim a profile, as a team would."""
        body = {
            "apiVersion": API_VERSION,
            "kind": MCPConnection.KIND,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "agent": {"name": "agent", "serviceAccountName": "agent"},
                "profile": profile,
                "owner": {"user": "alice@example.com", "deputy": "bob@example.com", "team": "support"},
                "purpose": {"summary": "triage incoming tickets", "ticket": "SUP-812"},
                "output": {"secretName": name},
                **spec,
            },
        }
        self.plane.apply(body)
        found = self.find(namespace, name)
        assert found is not None
        return found

    def find(self, namespace: str, name: str = "agent-server") -> MCPConnection | None:
        """The connection as it is stored; None where there is none."""
        body = self.get_json("mcpconnection", namespace, name)
        return MCPConnection.model_validate(body) if body is not None else None

    def get_json(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """An object as it is stored; None where there is none."""
        api, plural = PLACES[kind]
        within = f"/namespaces/{namespace}" if namespace else ""
        found = self.plane.read(f"{api}{within}/{plural}/{name}")
        if found is not None:
            found["metadata"].pop("managedFields", None)  # nothing that anybody declared
        return found

    def patch(self, connection: MCPConnection, patch: Mapping[str, Any]) -> None:
        """A merge patch by an administrator."""
        arguments = ["patch", "mcpconnection", connection.metadata.name, "--type=merge"]
        arguments += [f"--namespace={connection.metadata.namespace}", f"--patch={json.dumps(patch)}"]
        self.plane.kubectl(*arguments)

    def restore_policies(self) -> None:
        """The admission policies as shipped."""
        self.plane.kubectl("apply", "--filename", str(MANIFESTS / "admission.yaml"))

    def patch_status(self, connection: MCPConnection, patch: Mapping[str, Any]) -> None:
        """A merge patch of the status, once the API server lets an administrator do it."""
        command = ["patch", "mcpconnection", connection.metadata.name, "--type=merge", "--subresource=status"]
        command += [
            f"--namespace={connection.metadata.namespace}",
            f"--patch={json.dumps({'status': patch})}",
        ]
        wait_until(
            lambda: self.plane.kubectl(*command, check=False).returncode == 0, 15, "the status is patched"
        )

    def secret(self, namespace: str, name: str = "agent-server") -> dict[str, str] | None:
        """The decoded data of a Secret; None where there is none."""
        body = self.get_json("secret", namespace, name)
        if body is None:
            return None
        data = {key: base64.b64decode(value).decode() for key, value in (body.get("data") or {}).items()}
        tell(text for key, text in data.items() if key in SECRET_KEYS)
        return data

    def wait_for(
        self, connection: MCPConnection, reason: str, seconds: float = 30, status: str | None = None
    ) -> MCPConnection:
        """The connection once its Ready condition has that reason."""

        def arrived() -> MCPConnection | None:
            found = self.find(connection.metadata.namespace, connection.metadata.name)
            if found is None:
                return None
            ready = condition(found, "Ready")
            if ready.get("reason") != reason or (status is not None and ready["status"] != status):
                return None
            return found if ready.get("observedGeneration") == found.metadata.generation else None

        try:
            found = wait_until(arrived, seconds, f"{connection.key} is {reason}")
        except WaitTimedOut as late:
            found = self.find(connection.metadata.namespace, connection.metadata.name)
            state = json.dumps(found.status.to_wire(), indent=1) if found else "gone"
            raise AssertionError(f"{late}\nits status: {state}") from late
        assert found is not None
        return found

    def wait_gone(self, connection: MCPConnection, seconds: float = 30) -> None:
        """Until the object is gone."""
        namespace, name = connection.metadata.namespace, connection.metadata.name
        wait_until(lambda: self.find(namespace, name) is None, seconds, f"{connection.key} is gone")

    def leases(self, prefix: str) -> list[str]:
        """Every lease that Vault has under a path."""
        listed = self.vault.list(f"sys/leases/lookup/{prefix}")
        return [str(each) for each in listed]


def condition(connection: MCPConnection, kind: str) -> dict[str, Any]:
    """A condition as it is stored; empty where there is none."""
    found = next((each for each in connection.status.conditions if each.type == kind), None)
    return found.to_wire() if found is not None else {}
