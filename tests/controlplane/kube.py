"""etcd, the API server and the controller manager: with the right flags a real cluster of three processes.

No scheduler, no kubelet: nothing here runs pods. What is there is what an operator talks to: storage,
authentication, RBAC, every default admission plugin, token requests, namespace deletion and garbage
collection.
"""

from __future__ import annotations

import base64
import csv
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from controlplane import httpcall
from controlplane.child import Household, Server
from controlplane.keys import Keys

ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SERVICE_RANGE = "10.96.0.0/16"

CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "garbage-collector-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
)


class Etcd(Server):
    def __init__(self, household: Household, program: Path, port: int, peer_port: int) -> None:
        super().__init__("etcd", household)
        self.url = f"http://127.0.0.1:{port}"
        self._program = program
        self._peer_url = f"http://127.0.0.1:{peer_port}"

    def command(self) -> Sequence[str | Path]:
        return [
            self._program,
            f"--data-dir={self.workdir / 'etcd'}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={self._peer_url}",
            f"--initial-advertise-peer-urls={self._peer_url}",
            f"--initial-cluster=default={self._peer_url}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def ready(self) -> bool:
        return httpcall.answers(200, f"{self.url}/health")


class ApiServer(Server):
    """Users are bearer tokens in a static file, read once at start: name -> groups."""

    stop_seconds = 3.0  # its graceful end waits a minute for watches that clients keep open

    def __init__(
        self,
        household: Household,
        program: Path,
        port: int,
        etcd: Etcd,
        keys: Keys,
        users: Mapping[str, Sequence[str]],
    ) -> None:
        super().__init__("kube-apiserver", household)
        self.url = f"https://127.0.0.1:{port}"
        self.ca_path = keys.ca
        self.keys = keys
        self._program = program
        self._port = port
        self._etcd = etcd
        everyone = {**users, ADMIN: ["system:masters"], CONTROLLER_MANAGER: []}
        self._tokens = {name: secrets.token_urlsafe(24) for name in everyone}
        self._token_file = household.workdir / "tokens.csv"
        self._write_token_file(everyone)

    def token(self, user: str) -> str:
        if user not in self._tokens:
            raise KeyError(f"no such user: {user} (there are {', '.join(sorted(self._tokens))})")
        return self._tokens[user]

    def kubeconfig(self, user: str) -> Path:
        """A kubeconfig file with one context, for this user."""
        path = self.workdir / f"kubeconfig-{user.replace(':', '-')}.yaml"
        if not path.exists():
            write_kubeconfig(path, self.url, self.ca_path.read_bytes(), user, self.token(user))
        return path

    def get(self, path: str, *, user: str = ADMIN, seconds: float = 10.0) -> httpcall.Answer:
        bearer = {"Authorization": f"Bearer {self.token(user)}"}
        return httpcall.call("GET", self.url + path, headers=bearer, ca=self.ca_path, seconds=seconds)

    def command(self) -> Sequence[str | Path]:
        return [
            self._program,
            f"--etcd-servers={self._etcd.url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            "--endpoint-reconciler-type=none",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--service-account-issuer={self.url}",
            f"--service-account-jwks-uri={self.url}/openid/v1/jwks",
            f"--service-account-key-file={self.keys.service_account_public_key}",
            f"--service-account-signing-key-file={self.keys.service_account_key}",
            f"--token-auth-file={self._token_file}",
            "--authorization-mode=RBAC",
            f"--cert-dir={self.workdir / 'apiserver-certs'}",
            f"--tls-cert-file={self.keys.serving_certificate}",
            f"--tls-private-key-file={self.keys.serving_key}",
        ]

    def ready(self) -> bool:
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def _write_token_file(self, users: Mapping[str, Sequence[str]]) -> None:
        self._token_file.touch(mode=0o600)
        with self._token_file.open("w", newline="") as sink:
            rows = csv.writer(sink)
            for name, groups in users.items():
                rows.writerow([self._tokens[name], name, f"uid-{name}", ",".join(groups)])


class ControllerManager(Server):
    """Its controllers act as service accounts of kube-system, as in a real cluster."""

    def __init__(self, household: Household, program: Path, apiserver: ApiServer) -> None:
        super().__init__("kube-controller-manager", household)
        self._program = program
        self._apiserver = apiserver

    def command(self) -> Sequence[str | Path]:
        keys = self._apiserver.keys
        return [
            self._program,
            f"--kubeconfig={self._apiserver.kubeconfig(CONTROLLER_MANAGER)}",
            f"--controllers={','.join(CONTROLLERS)}",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={keys.service_account_key}",
            f"--root-ca-file={keys.ca}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=300",
            "--kube-api-burst=400",
        ]

    def ready(self) -> bool:
        """It serves nothing, so its work is looked at: the default service account and the published CA."""
        try:
            return all(
                self._apiserver.get(f"/api/v1/namespaces/default/{made}").status == 200
                for made in ("serviceaccounts/default", "configmaps/kube-root-ca.crt")
            )
        except OSError:
            return False


def write_kubeconfig(path: Path, server: str, ca: bytes, user: str, token: str) -> None:
    name = "leasehold"
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
