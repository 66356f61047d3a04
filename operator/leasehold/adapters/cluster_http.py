"""One request to the API server: who we are, how long we wait, what no answer means.

A mint takes about eight requests, so JSON goes over the client's session as it is: the generated models
would cost more than the requests. Every answer sets the server clock. Without an answer it matters whether
the request had left: what was never sent can be tried later, a write that was sent has an unknown outcome."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from leasehold.adapters.cluster_clock import ServerClock
from leasehold.adapters.cluster_login import ConfigException, Connection
from leasehold.api.reasons import Reason
from leasehold.core.faults import Fault, OutcomeUnknown, TryLater

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Asks the server to leave everything but metadata out of its answer (Kubernetes API concepts)."""

TIMEOUT = aiohttp.ClientTimeout(total=35, sock_connect=5)
"""The API server gives up on a request after 60 s; admission webhooks may take up to 30 s of that."""

Observe = Callable[[str, str, str, float], None]
"""Called with verb (or `look`), resource, outcome and seconds of every request."""


@dataclass(frozen=True)
class Call:
    """A request; verb and resource as RBAC names them, for messages and metrics."""

    verb: str
    resource: str
    subject: str
    path: str
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    repeatable: bool = True
    carries_secrets: bool = False
    looks: bool = False
    """A patch that changes nothing, for its answer alone; the metrics tell it from a write."""

    @property
    def method(self) -> str:
        """The HTTP method of the verb."""
        return {"get": "GET", "list": "GET", "create": "POST", "update": "PUT", "patch": "PATCH"}.get(
            self.verb, "DELETE"
        )


@dataclass(frozen=True)
class Answer:
    """What the API server said, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """The body; empty where it is no JSON object."""
        try:
            decoded = json.loads(self.body)
        except ValueError:
            return {}
        return decoded if isinstance(decoded, dict) else {}


class Transport:
    """A session with one API server."""

    def __init__(self, connection: Connection, clock: ServerClock, observe: Observe | None = None) -> None:
        self._connection = connection
        self._clock = clock
        self._observe = observe
        self._session: aiohttp.ClientSession | None = None

    async def send(self, call: Call) -> Answer:
        """Send it once.

        :raises TryLater: no API server answered, and repeating is harmless
        :raises OutcomeUnknown: no API server answered, and the write may have been carried out
        """
        authorization = await self._authorization()
        sent = time.monotonic()
        try:
            answer = await self._exchange(call, authorization)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._note(call, "unreachable", sent)
            raise TryLater(
                Reason.CLUSTER_UNAVAILABLE, f"The API server cannot be reached ({type(error).__name__})."
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            self._note(call, "unanswered", sent)
            raise _silent(call, type(error).__name__) from error
        self._note(call, str(answer.status), sent)
        if answer.ok and not answer.body.startswith(b"{"):  # no API server: something before it
            raise _silent(call, "something else answered")
        self._clock.saw(answer.headers.get("Date"), sent, time.monotonic())
        return answer

    async def close(self) -> None:
        """End the session."""
        if self._session is not None:
            await self._session.close()

    async def _authorization(self) -> str | None:
        try:
            return await self._connection.authorization()
        except (ConfigException, OSError, ValueError) as error:
            raise TryLater(
                Reason.CLUSTER_UNAVAILABLE,
                f"Our login for the API server cannot be read ({type(error).__name__}).",
            ) from error

    async def _exchange(self, call: Call, authorization: str | None) -> Answer:
        if self._session is None:
            self._session = self._connection.open_session()
        headers = {"Accept": call.accept, "Content-Type": call.content_type, "User-Agent": "leasehold"}
        if authorization:
            headers["Authorization"] = authorization
        async with self._session.request(
            call.method,
            URL(self._connection.host + call.path, encoded=True),
            data=None if call.body is None else json.dumps(call.body).encode(),
            headers=headers,
            timeout=TIMEOUT,
            allow_redirects=False,
            **self._connection.request_options,
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    def _note(self, call: Call, outcome: str, sent: float) -> None:
        if self._observe is not None:
            verb = "look" if call.looks else call.verb
            self._observe(verb, call.resource, outcome, time.monotonic() - sent)


def _silent(call: Call, why: str) -> Fault:
    what = f"No answer of the API server to {call.verb} {call.resource} {call.subject} ({why})"
    if call.repeatable:
        return TryLater(Reason.CLUSTER_UNAVAILABLE, f"{what}.")
    return OutcomeUnknown(f"{what}: it may have been carried out.")
