"""An administrator's hands on the API server: plain requests over kept connections, for a kubectl costs a tenth of
a second of CPU, and a sweep makes a thousand requests."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from controlplane import Plane

MERGE_PATCH = "application/merge-patch+json"


class Refused(Exception):
    """The API server answered with an error."""


class Admin:
    """One session per thread."""

    def __init__(self, plane: Plane) -> None:
        self._url = plane.apiserver.url
        self._ca: Path = plane.apiserver.ca_path
        self._token = plane.token("admin")
        self._threads = threading.local()

    def get(self, path: str) -> dict[str, Any] | None:
        """An object or a list; None where there is none."""
        answer = self._send("GET", path)
        return None if answer.status_code == 404 else _decoded(answer)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST."""
        return _decoded(self._send("POST", path, body))

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A merge patch."""
        return _decoded(self._send("PATCH", path, body, MERGE_PATCH))

    def delete(self, path: str) -> None:
        """Ask for the end of an object that may be gone."""
        answer = self._send("DELETE", path)
        if answer.status_code != 404:
            _decoded(answer)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = "application/json"
    ) -> requests.Response:
        if not hasattr(self._threads, "session"):
            session = requests.Session()
            session.trust_env = False
            session.verify = str(self._ca)
            session.headers["Authorization"] = f"Bearer {self._token}"
            self._threads.session = session
        payload = None if body is None else json.dumps(body)
        answer: requests.Response = self._threads.session.request(
            method, self._url + path, data=payload, headers={"Content-Type": kind}, timeout=30
        )
        return answer


def _decoded(answer: requests.Response) -> dict[str, Any]:
    if not answer.ok:
        raise Refused(f"{answer.request.method} {answer.request.path_url}: {answer.text[:500]}")
    decoded: dict[str, Any] = answer.json()
    return decoded
