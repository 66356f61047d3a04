"""Whoever has a token can speak to the API server without our clients, and without their manners."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from controlplane import Plane

MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Reply:
    """What the API server answered."""

    status: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class Intruder:
    """Somebody with a token and any HTTP client."""

    def __init__(self, plane: Plane, token: str) -> None:
        self._plane = plane
        self._token = token
        self._ssl = ssl.create_default_context(cafile=str(plane.apiserver.ca_path))

    def tries(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Reply:
        request = urllib.request.Request(
            self._plane.apiserver.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": content_type},
        )
        try:
            with urllib.request.urlopen(request, context=self._ssl, timeout=30) as response:
                return Reply(response.status, json.load(response))
        except urllib.error.HTTPError as refused:
            return Reply(refused.code, json.load(refused))

    def patches(self, path: str, patch: object) -> Reply:
        return self.tries("PATCH", path, patch, MERGE_PATCH)
