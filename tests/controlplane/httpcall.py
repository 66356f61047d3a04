"""One HTTP request, with no proxy, no redirect, no retry and always a bound."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text) if self.text else {}


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: object = None,
    ca: Path | None = None,
    seconds: float = 10.0,
) -> Answer:
    """Any status is an answer; a server that does not answer is an OSError (TimeoutError after `seconds`)."""
    parts = urllib.parse.urlsplit(url)
    connection = _connection(parts, ca, seconds)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    payload = None if body is None else json.dumps(body).encode()
    sent = dict(headers or {})
    if payload is not None:
        sent.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, target or "/", body=payload, headers=sent)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    except http.client.HTTPException as broken:
        raise ConnectionError(f"{method} {url}: {broken!r}") from broken
    finally:
        connection.close()


def answers(status: int, url: str, **options: Any) -> bool:
    """Whether a GET is answered with this status; an unreachable server is False."""
    try:
        return call("GET", url, **options).status == status
    except OSError:
        return False


def _connection(
    parts: urllib.parse.SplitResult, ca: Path | None, seconds: float
) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        trust = ssl.create_default_context(cafile=ca)
        return http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=trust)
    return http.client.HTTPConnection(host, parts.port, timeout=seconds)
