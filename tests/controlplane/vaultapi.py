"""Vault's HTTP API in four verbs, for setting up tests and for looking at the truth in them."""

from __future__ import annotations

from typing import Any

from controlplane import httpcall


class VaultRefused(Exception):
    """Vault answered with an error."""

    def __init__(self, method: str, path: str, status: int, errors: list[str]) -> None:
        super().__init__(f"{method} {path}: {status} {'; '.join(errors)}")
        self.status = status
        self.errors = errors


class VaultApi:
    """One Vault, one token. Paths are without the leading /v1/."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address
        self.token = token

    def with_token(self, token: str) -> VaultApi:
        return VaultApi(self.address, token)

    def read(self, path: str) -> dict[str, Any] | None:
        """The whole answer, or None where there is nothing (404)."""
        try:
            return self.call("GET", path)
        except VaultRefused as refused:
            if refused.status == 404:
                return None
            raise

    def write(self, path: str, **body: Any) -> dict[str, Any]:
        return self.call("POST", path, body)

    def delete(self, path: str) -> None:
        self.call("DELETE", path)

    def list(self, path: str) -> list[str]:
        try:
            keys: list[str] = self.call("LIST", path)["data"]["keys"]
        except VaultRefused as refused:
            if refused.status == 404:
                return []
            raise
        return keys

    def call(self, method: str, path: str, body: object = None, *, seconds: float = 60.0) -> dict[str, Any]:
        """The decoded answer; raises VaultRefused for a status above 299, OSError when there is no answer."""
        headers = {"X-Vault-Request": "true"}
        if self.token:
            headers["X-Vault-Token"] = self.token
        url = f"{self.address}/v1/{path}"
        answer = httpcall.call(method, url, headers=headers, body=body, seconds=seconds)
        if answer.status > 299:
            raise VaultRefused(method, path, answer.status, _errors(answer))
        decoded: dict[str, Any] = answer.json()
        return decoded


def _errors(answer: httpcall.Answer) -> list[str]:
    try:
        decoded = answer.json()
    except ValueError:
        return [answer.text[:500]]
    return [str(error) for error in decoded.get("errors", [])] if isinstance(decoded, dict) else []
