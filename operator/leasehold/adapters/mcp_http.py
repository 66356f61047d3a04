"""HTTP to one server as one probe speaks it: nothing is followed, decoded, cached, remembered or sent twice, and
every byte that comes back is counted.

Library errors become faults here. None is chained: they hold the request, and with it the credential."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final

import aiohttp
from yarl import URL

from leasehold.adapters.mcp_addresses import Guard
from leasehold.adapters.mcp_limits import Budget, too_large
from leasehold.adapters.mcp_messages import malformed
from leasehold.adapters.mcp_tls import issuer_organisation
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.redaction import redacted
from leasehold.core.text import shortened
from leasehold.core.wire_json import JsonObject

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

MAX_WORDS: Final = 300

_GATEWAY_ERRORS: Final = range(502, 600)
"""Somebody before the server said this: it is no word of the server about what it speaks."""


class _Response(aiohttp.ClientResponse):
    """Looks at the server's certificate while the connection is still known: a short answer gives it back."""

    certificate: Mapping[str, Any] | None = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        if connection.transport is not None:
            self.certificate = connection.transport.get_extra_info("peercert")
        return await super().start(connection)


class Answer:
    """An answer whose head has arrived; its body is read by the piece."""

    def __init__(self, response: aiohttp.ClientResponse, budget: Budget) -> None:
        self._response = response
        self._budget = budget
        self.status = response.status

    @property
    def content_type(self) -> str:
        """The media type in lowercase, without parameters; empty where there is none."""
        return self._response.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def retry_after_seconds(self) -> float | None:
        """What the server asked for, in seconds; dates are not read."""
        text = self._response.headers.get("Retry-After", "")
        return float(text) if text.isascii() and text.isdigit() and len(text) <= 5 else None

    def header(self, name: str) -> str | None:
        """The one value of a header. Raises Malformed where there are several."""
        values = self._response.headers.getall(name, [])
        if len(values) > 1:
            raise malformed(f"it sent the header {name} {len(values)} times")
        return values[0] if values else None

    async def piece(self) -> bytes:
        """What has arrived of the body since the last look; empty at its end. Raises TooLarge."""
        piece = await self._response.content.readany()
        self._budget.receive(len(piece))
        return piece

    async def body(self) -> bytes:
        """The whole body. Raises TooLarge."""
        limit = self._budget.limits.body_bytes
        text = bytearray()
        while piece := await self.piece():
            text += piece
            if len(text) > limit:
                raise too_large(f"one answer is larger than {limit} bytes")
        return bytes(text)


class Http:
    """The connections of one probe. An async context manager; whatever is left open ends with it."""

    def __init__(
        self, headers: Mapping[str, str], trust: ssl.SSLContext, guard: Guard, budget: Budget
    ) -> None:
        limits = budget.limits
        self._headers = headers
        self._guard = guard
        self._budget = budget
        self.tls_issuer: str | None = None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, socket_factory=guard, use_dns_cache=False, limit=4),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=limits.connect_seconds, sock_read=limits.silence_seconds
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            response_class=_Response,
            auto_decompress=False,
            trust_env=False,
            max_line_size=limits.header_bytes,
            max_field_size=limits.header_bytes,
            max_headers=limits.headers,
        )

    async def __aenter__(self) -> "Http":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    @asynccontextmanager
    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], message: JsonObject | None = None
    ) -> AsyncIterator[Answer]:
        """One request, and its answer while the context lasts.

        :raises Fault: there is no answer, or one that ends the probe whatever was asked
        """
        self._budget.send()
        fixed = {"Accept-Encoding": "identity", "User-Agent": "leasehold", **headers}
        body = None
        if message is not None:
            body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
            fixed["Content-Type"] = JSON
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                data=body,
                headers={**self._headers, **fixed},
                allow_redirects=False,
            ) as response:
                self._note_certificate(response)
                answer = Answer(response, self._budget)
                _check_head(answer, response)
                yield answer
            return
        except (aiohttp.ClientError, OSError, ValueError) as error:
            fault = self._fault_of(error, url)
        raise fault

    def _note_certificate(self, response: aiohttp.ClientResponse) -> None:
        if self.tls_issuer is None and isinstance(response, _Response):
            self.tls_issuer = issuer_organisation(response.certificate)

    def _fault_of(self, error: Exception, url: str) -> Fault:
        if self._guard.refusals and isinstance(error, aiohttp.ClientConnectorError):
            return NeedsPerson(
                Reason.ADDRESS_DENIED, f"The server must not be connected: {self._guard.refusals[-1]}."
            )
        tls = _tls_trouble(error)
        if tls is not None:
            return NeedsPerson(Reason.TLS_FAILED, f"TLS failed: {tls}.")
        if url.startswith("https:") and _broke_off_while_connecting(error):
            return TryLater(
                Reason.TLS_FAILED,
                "The server broke off the TLS handshake. Does it want a client certificate, or another one?",
            )
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return TryLater(Reason.UNREACHABLE, "The server's name does not resolve.")
        if isinstance(error, TimeoutError):
            return TryLater(Reason.TIMEOUT, "The server was silent for too long.")
        if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
            return NeedsPerson(Reason.INVALID_SPEC, "The URL cannot be used.")
        if isinstance(error, aiohttp.ClientResponseError):
            return _unreadable(error)
        if isinstance(error, aiohttp.ClientPayloadError):
            return TryLater(Reason.MALFORMED, "The server's answer was cut off, or its length is wrong.")
        if isinstance(error, aiohttp.ClientError | OSError):
            return TryLater(Reason.UNREACHABLE, f"The server cannot be reached: {_in_short(error)}.")
        return malformed("it does not speak HTTP")


def _check_head(answer: Answer, response: aiohttp.ClientResponse) -> None:
    """What ends a probe, whatever was asked."""
    status = answer.status
    if status == 401:
        raise NeedsPerson(
            Reason.UNAUTHORIZED, "The server answered 401: it wants another credential, or one."
        )
    if status == 403:
        raise NeedsPerson(Reason.FORBIDDEN, "The server answered 403: this credential may not ask.")
    if status == 429:
        raise TryLater(
            Reason.THROTTLED, "The server answered 429: too many requests.", answer.retry_after_seconds
        )
    if 300 <= status < 400:
        raise NeedsPerson(
            Reason.REDIRECTED,
            f"The server answered {status}{_whither(response)}; redirects are not followed, for they would "
            "take the credential elsewhere. Register the URL that answers itself.",
        )
    if status in _GATEWAY_ERRORS or status == 408:
        raise TryLater(Reason.SERVER_ERROR, f"The server answered {status}.", answer.retry_after_seconds)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise malformed("its answer is compressed, though it was asked for identity")


def _whither(response: aiohttp.ClientResponse) -> str:
    """Scheme, host and path of a redirect; a query may hold anything."""
    try:
        target = response.url.join(URL(response.headers.get("Location", "")))
        text = str(target.with_query(None).with_fragment(None).with_user(None))
    except ValueError:
        return ""
    return f", a redirect to {shortened(redacted(text), MAX_WORDS)}" if text.isascii() else ""


def _tls_trouble(error: BaseException | None) -> str | None:
    """OpenSSL's own words, wherever in the chain they are."""
    for _ in range(8):
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            error = error.certificate_error
        elif isinstance(error, aiohttp.ClientConnectorError):
            error = error.os_error
        if isinstance(error, ssl.SSLCertVerificationError):
            return shortened(error.verify_message, MAX_WORDS).rstrip(".")
        if isinstance(error, ssl.SSLError):
            return (error.reason or "the handshake broke off").replace("_", " ").lower()
        if error is None:
            return None
        error = error.__cause__ or error.__context__
    return None


def _broke_off_while_connecting(error: Exception) -> bool:
    """A reset comes after TCP has connected; a refused connection is another error."""
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, ConnectionResetError
    )


def _unreadable(error: aiohttp.ClientResponseError) -> Fault:
    if error.message.startswith("Got more than") or "Too many headers" in error.message:
        return too_large("its headers are too large")
    return NeedsPerson(Reason.NOT_MCP, "The server does not speak HTTP.")


def _in_short(error: BaseException) -> str:
    """The system's words for it; those of the library repeat the URL."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection without an answer"
    if isinstance(inner, OSError) and inner.strerror and inner.errno:
        return inner.strerror.lower()
    return "the connection failed"
