"""One HTTP exchange with a Vault, and the one question that matters when it fails: had the request left us?

A mint that never left can be tried again; one that left may have created a credential. Exceptions of HTTP
libraries do not tell the two apart (a TLS error before the handshake's end and one after it look the same),
so the connection itself notes the moment at which the first byte of a request goes out."""

import http.client
import json
import math
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import hvac
import requests
import requests.adapters
from hvac.adapters import RawAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from leasehold.api.pem import pem_from_bundle
from leasehold.core.sealed import Sealed

MAX_ANSWER_BYTES: Final = 1 << 20
"""A Secret holds no more; nothing that Vault has to say to us comes near."""

CONNECT_SECONDS: Final = 5.0
CHUNK_BYTES: Final = 1 << 16

_exchange = threading.local()


class Unsent(Exception):
    """No byte of the request has left: nothing can have happened."""


class Unanswered(Exception):
    """The request left and no usable answer came: anything can have happened."""


class BadAddress(Exception):
    """The store's address or CA bundle cannot be used at all."""


@dataclass(frozen=True)
class Request:
    """One request below `/v1/`; `body` makes it a POST. One that has not left within `send_within_seconds`
    never leaves."""

    path: str
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    query: Mapping[str, str] | None = None
    seconds: float = 20.0
    send_within_seconds: float = math.inf


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is None where it was no JSON object."""

    status: int
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    retry_after_seconds: float | None = None


def _leaves_now() -> None:
    if not _exchange.sent and time.monotonic() > _exchange.send_by:
        raise TimeoutError(0, "it could not be sent in time, so it was not sent")
    _exchange.sent = True


class _NotingConnection(HTTPConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _leaves_now()
        super().send(data)


class _NotingTLSConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _leaves_now()
        super().send(data)


class _NotingPool(HTTPConnectionPool):
    ConnectionCls = _NotingConnection


class _NotingTLSPool(HTTPSConnectionPool):
    ConnectionCls = _NotingTLSConnection


class _Transport(requests.adapters.HTTPAdapter):
    """Trusts exactly one TLS context and never retries."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block=block, ssl_context=self._trust, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _NotingPool, "https": _NotingTLSPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The library would add its public CAs to ours here."""


@lru_cache(maxsize=64)
def _trust(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=None if ca_bundle is None else pem_from_bundle(ca_bundle))
    except ValueError as error:
        raise BadAddress(str(error)) from error


class Wire:
    """One Vault as seen from one thread: keeps its connection, forgets every token."""

    def __init__(self, address: str, ca_bundle: str | None) -> None:
        session = requests.Session()
        session.trust_env = False
        session.headers["Accept-Encoding"] = "identity"
        transport = _Transport(_trust(ca_bundle))
        session.mount("https://", transport)
        session.mount("http://", transport)
        self._client = hvac.Client(
            url=address,
            token="",
            cert="",
            verify=True,
            allow_redirects=False,
            session=session,
            adapter=RawAdapter,
        )

    def exchange(self, request: Request, token: Sealed[str] | None, asked_at: float) -> Answer:
        """Send one request and read its answer; any silence longer than its `seconds` ends it.

        :param asked_at: by the monotonic clock, when somebody began to wait for it
        :raises Unsent: nothing has left
        :raises Unanswered: it left, and the answer was cut off, late or oversized
        :raises BadAddress: no request could be made of the address
        """
        _exchange.sent, _exchange.send_by = False, asked_at + request.send_within_seconds
        deadline = time.monotonic() + CONNECT_SECONDS + request.seconds
        try:
            response = self._client.adapter.request(
                "get" if request.body is None else "post",
                f"/v1/{request.path}",
                headers={"X-Vault-Token": token.reveal()} if token else None,
                json=request.body,
                params=request.query,
                timeout=(CONNECT_SECONDS, request.seconds),
                raise_exception=False,
                stream=True,
            )
            with response:
                return _read(response, deadline)
        except UnicodeError as error:
            raise BadAddress("the token cannot be put into a request") from error
        except requests.RequestException as error:
            error.request = error.response = None  # they carry the token and the body
            if _exchange.sent:
                raise Unanswered(_in_short(error)) from error
            if isinstance(error, ValueError):
                raise BadAddress("the address or the token cannot be put into a request") from error
            raise Unsent(_in_short(error)) from error

    def close(self) -> None:
        """Let the connection go."""
        self._client.adapter.close()


def _read(response: requests.Response, deadline: float) -> Answer:
    text = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        text += chunk
        if len(text) > MAX_ANSWER_BYTES:
            raise Unanswered(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise Unanswered("the answer did not end in time")
    return Answer(response.status_code, _json_object(bytes(text)), _retry_after(response))


def _json_object(text: bytes) -> Mapping[str, Any] | None:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _retry_after(response: requests.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 5 else None


def _in_short(error: requests.RequestException) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return "connecting took too long"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS failed: " + _root(error)
    return _root(error)


def _root(error: BaseException) -> str:
    """The innermost error's own words: outer ones repeat the URL and object addresses."""
    while (inner := _inner(error)) is not None:
        error = inner
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _inner(error: BaseException) -> BaseException | None:
    known = (getattr(error, "reason", None), *error.args, error.__cause__)
    return next((each for each in known if isinstance(each, BaseException)), None)
