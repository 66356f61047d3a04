"""One instant query, of Prometheus or of what speaks its HTTP API (Thanos, Mimir, VictoriaMetrics): when each
connection was used last.

It is asked once for the whole fleet, and believed only where it answers whole and in form: a query that lost its
labels, or a partial answer, would show a fleet that nobody uses."""

import asyncio
import json
import math
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.redaction import redacted
from leasehold.core.text import shortened

QUERY_PATH: Final = "/api/v1/query"
MAX_BYTES: Final = 32 << 20
"""A hundred thousand series with their labels."""

MAX_WORDS: Final = 300
TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=5)
REFUSALS: Final[Mapping[int, tuple[Reason, str]]] = {
    401: (Reason.UNAUTHORIZED, "it wants a token, or another one"),
    403: (Reason.FORBIDDEN, "this token may not ask"),
    404: (Reason.INVALID_SPEC, f"there is no {QUERY_PATH} below that URL"),
}

LABELS: Final = ("namespace", "name")


class PrometheusUsage:
    """`ports.Usage` over HTTP. No proxy of the environment, no redirect, no cookie, no compression."""

    def __init__(
        self, url: str, query: str, *, token_file: str | None = None, ca_file: str | None = None
    ) -> None:
        self._url = URL(url.rstrip("/") + QUERY_PATH)
        self._query = query
        self._token_file = token_file
        self._ca_file = ca_file

    async def last_uses(self) -> Mapping[str, float]:
        """Ask once; every failure says what it was."""
        token = self._token()
        try:
            body = await self._asked(token)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            fault = _fault_of(error)
        else:
            # tens of thousands of series take a while to read
            return await asyncio.to_thread(lambda: dict(_uses(body)))
        raise fault  # not chained: the library's error holds the request, and with it the token

    async def _asked(self, token: str | None) -> bytes:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "leasehold"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._trust()),
                timeout=TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            ) as session,
            session.get(
                self._url, params={"query": self._query}, headers=headers, allow_redirects=False
            ) as response,
        ):
            body = await _bounded(response)
            _check(response, body, token)
            return body

    def _token(self) -> str | None:
        if self._token_file is None:
            return None
        try:
            return Path(self._token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NeedsPerson(
                Reason.UNAUTHORIZED, f"LEASEHOLD_PROMETHEUS_TOKEN_FILE {self._token_file} cannot be read."
            ) from error

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except (OSError, ssl.SSLError) as error:
            raise NeedsPerson(
                Reason.TLS_FAILED,
                f"LEASEHOLD_PROMETHEUS_CA_FILE {self._ca_file} holds no readable certificate.",
            ) from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_BYTES:
            raise NeedsPerson(
                Reason.TOO_LARGE,
                f"Prometheus sends more than {MAX_BYTES} bytes: let LEASEHOLD_PROMETHEUS_QUERY give one series for "
                "each connection.",
            )
    return bytes(body)


def _check(response: aiohttp.ClientResponse, body: bytes, token: str | None) -> None:
    status = response.status
    if status == 200:
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise _malformed("its answer is compressed, though it was asked for identity")
        return
    said = _words_of(body, token)
    if 300 <= status < 400:
        raise NeedsPerson(Reason.REDIRECTED, f"Prometheus answers {status}, a redirect: name where it leads.")
    if status in REFUSALS:
        reason, why = REFUSALS[status]
        raise NeedsPerson(reason, f"Prometheus answers {status}: {why}.")
    if status == 429:
        raise TryLater(Reason.THROTTLED, "Prometheus answers 429: too many queries.")
    if 400 <= status < 500:
        raise NeedsPerson(
            Reason.INVALID_SPEC, f"Prometheus refuses LEASEHOLD_PROMETHEUS_QUERY ({status}): {said}."
        )
    raise TryLater(Reason.SERVER_ERROR, f"Prometheus answers {status}: {said}.")


def _words_of(body: bytes, token: str | None) -> str:
    """Its own words for what is wrong, on one line and without our token."""
    try:
        told = json.loads(body)
        text = str(told.get("error") or "it does not say why") if isinstance(told, dict) else ""
    except (ValueError, RecursionError):
        text = ""
    text = text.replace(token, "[redacted]") if token else text
    return shortened(redacted(text or "it does not say why"), MAX_WORDS).rstrip(".")


def _uses(body: bytes) -> Iterator[tuple[str, float]]:
    """`namespace/name` and value of each series; of two for one connection the later.

    :raises NeedsPerson: it is not the answer to such a query
    :raises TryLater: it is not whole
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise _malformed("what it answers is no JSON") from None
    if not isinstance(told, dict) or told.get("status") != "success":
        raise _malformed("its answer does not say status success")
    if told.get("warnings"):
        warned = shortened(redacted(str(told["warnings"])), MAX_WORDS)
        raise TryLater(
            Reason.MALFORMED, f"Prometheus warns that its answer may be partial, so it is not used: {warned}"
        )
    data = told.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "vector":
        raise _wrong_query("gives no instant vector")
    if not isinstance(data.get("result"), list):
        raise _malformed("its answer has no list of series")
    newest: dict[str, float] = {}
    for series in data["result"]:
        key, value = _series(series)
        if not math.isnan(value):
            newest[key] = max(value, newest.get(key, value))
    yield from newest.items()


def _series(series: Any) -> tuple[str, float]:
    try:
        namespace, name = (series["metric"].get(label) for label in LABELS)
        value = float(series["value"][1])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise _malformed("one of its series has no labels, or no number for a value") from None
    if not namespace or not name:
        raise _wrong_query("gives a series without the labels namespace and name")
    return f"{namespace}/{name}", value


def _wrong_query(what: str) -> Fault:
    return NeedsPerson(
        Reason.INVALID_SPEC,
        f"LEASEHOLD_PROMETHEUS_QUERY {what}: write it as max by (namespace, name) (…).",
    )


def _malformed(what: str) -> Fault:
    return TryLater(Reason.MALFORMED, f"What answers in place of Prometheus is not understood: {what}.")


def _fault_of(error: Exception) -> Fault:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError | ssl.SSLError):
        return NeedsPerson(
            Reason.TLS_FAILED, "Prometheus's certificate is not believed: see LEASEHOLD_PROMETHEUS_CA_FILE."
        )
    if isinstance(error, TimeoutError):
        return TryLater(Reason.TIMEOUT, f"Prometheus did not answer within {TIMEOUT.total:.0f} s.")
    if isinstance(error, aiohttp.ClientError | OSError):
        return TryLater(Reason.UNREACHABLE, f"Prometheus cannot be reached ({type(error).__name__}).")
    return _malformed("its answer, or our token, is no HTTP")
