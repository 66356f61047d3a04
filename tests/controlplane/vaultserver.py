"""A real Vault server: file storage, one unseal key, and each of its states within a test's reach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controlplane import httpcall
from controlplane.child import Household, Server, ServerFailed
from controlplane.vaultapi import VaultApi

INITIALISED = {200, 429, 472, 473, 503}
NOT_INITIALISED = 501
UNSEALED = {200, 429}


class VaultServer(Server):
    """`start` leaves it initialised and unsealed; what it stores outlives its process."""

    def __init__(
        self,
        household: Household,
        program: Path,
        port: int,
        *,
        max_request_seconds: int = 90,
        name: str = "vault",
        cluster_port: int | None = None,
    ) -> None:
        super().__init__(name, household)
        self.address = f"http://127.0.0.1:{port}"
        self._program = program
        self._config = household.workdir / f"{name}.json"
        self._root_token: str | None = None
        self._unseal_key: str | None = None
        listener: dict[str, Any] = {"address": f"127.0.0.1:{port}", "tls_disable": True}
        config = {
            "storage": self.storage(),
            "listener": {"tcp": listener},
            "api_addr": self.address,
            "disable_mlock": True,
            "default_max_request_duration": f"{max_request_seconds}s",
        }
        if cluster_port is not None:
            listener["cluster_address"] = f"127.0.0.1:{cluster_port}"
            config["cluster_addr"] = f"https://127.0.0.1:{cluster_port}"
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps(config, indent=1))

    def storage(self) -> dict[str, Any]:
        """Where it keeps what it knows, in the words of its configuration."""
        directory = self.workdir / self.name
        directory.mkdir(mode=0o700)
        return {"file": {"path": str(directory)}}

    @property
    def root_token(self) -> str:
        if self._root_token is None:
            raise ServerFailed("vault was never initialised")
        return self._root_token

    @property
    def api(self) -> VaultApi:
        """As root."""
        return VaultApi(self.address, self.root_token)

    def command(self) -> Sequence[str | Path]:
        return [self._program, "server", f"-config={self._config}"]

    def ready(self) -> bool:
        """Listening; whether it is sealed is another question."""
        return self.health() in INITIALISED | {NOT_INITIALISED}

    def start(self) -> None:
        self.start_sealed()
        self.unseal()

    def start_sealed(self) -> None:
        """What a restart without auto-unseal leaves: it answers 503."""
        super().start()
        if self.health() == NOT_INITIALISED:
            made = VaultApi(self.address).call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self._unseal_key, self._root_token = made["keys_base64"][0], made["root_token"]

    def seal(self) -> None:
        self.api.call("PUT", "sys/seal")

    def unseal(self) -> None:
        VaultApi(self.address).call("PUT", "sys/unseal", {"key": self._unseal_key})
        self.wait_for(lambda: self.health() in UNSEALED, "unsealed")

    def health(self) -> int:
        """The status of its health: 200 where it is active, 429 where it stands by; 0 without an answer."""
        try:
            return httpcall.call("GET", f"{self.address}/v1/sys/health").status
        except OSError:
            return 0
