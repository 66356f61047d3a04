"""What an onlooker with enough rights sees: connections, their Secrets, and what the servers behind say.

Every wait of the demo goes through here, so that all of them end when the demo does."""

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from controlplane import ControlPlane
from controlplane.waiting import WaitTimedOut, wait_until
from leasehold.api.base import Condition
from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION, SecretAnnotation

T = TypeVar("T")

PAUSE_SECONDS = 0.25
CONNECTIONS = f"/apis/{API_VERSION}"


class Ended(Exception):
    """The demo is ending: whoever waits stops waiting."""


class NotSeen(Exception):
    """What the demo promised to show did not happen; the message says what was seen instead."""


class Refused(Exception):
    """A server did not accept a credential; the message is the server's own reason."""


@dataclass(frozen=True)
class Credential:
    """One generation, as the pod that mounts the Secret reads it."""

    generation: int
    data: Mapping[str, str] = field(repr=False)


class World:
    """The demo's view; safe to use from several threads."""

    def __init__(self, plane: ControlPlane, story_seconds: float) -> None:
        self.plane = plane
        self._ending = threading.Event()
        self._deadline = time.monotonic() + story_seconds

    def end(self) -> None:
        """Everybody who waits gets `Ended`."""
        self._ending.set()

    def until(self, produce: Callable[[], T | None], seconds: float, what: str) -> T:
        """The first truthy answer.

        :raises NotSeen: there was none within these seconds, or before the story's own end
        """

        def unless_ending() -> T | None:
            if self._ending.is_set():
                raise Ended
            return produce()

        left = max(min(seconds, self._deadline - time.monotonic()), 0.0)
        try:
            found = wait_until(unless_ending, left, what, pause=PAUSE_SECONDS)
        except WaitTimedOut as late:
            raise NotSeen(f"not within {left:.0f} s: {what}") from late
        assert found is not None
        return found

    def connections(self) -> list[MCPConnection]:
        """All of them, by namespace and name."""
        listed = self.plane.apiserver.get(f"{CONNECTIONS}/mcpconnections").json()
        found = [MCPConnection.model_validate(item) for item in listed.get("items", [])]
        return sorted(found, key=lambda each: each.key)

    def connection(self, namespace: str, name: str) -> MCPConnection | None:
        """One of them; None where there is none (any more)."""
        answer = self.plane.apiserver.get(f"{CONNECTIONS}/namespaces/{namespace}/mcpconnections/{name}")
        return MCPConnection.model_validate(answer.json()) if answer.status == 200 else None

    def user(self) -> str:
        """Who the onlooker is, as the API server knows them."""
        review = json.loads(self.plane.kubectl("auth", "whoami", "--output=json").stdout)
        return str(review["status"]["userInfo"]["username"])

    def create(self, kind: str, name: str, spec: Mapping[str, object], namespace: str = "") -> None:
        """Create one of our objects, as `kubectl create -f` does."""
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
        self.plane.kubectl("create", "--filename=-", input=json.dumps(body))

    def credential(self, namespace: str, secret_name: str) -> Credential | None:
        """What a Secret holds now; None where there is no such Secret."""
        answer = self.plane.apiserver.get(f"/api/v1/namespaces/{namespace}/secrets/{secret_name}")
        if answer.status != 200:
            return None
        body = answer.json()
        data = {key: base64.b64decode(value).decode() for key, value in body.get("data", {}).items()}
        return Credential(int(body["metadata"]["annotations"][SecretAnnotation.GENERATION]), data)


def condition(connection: MCPConnection, kind: str) -> Condition | None:
    """A condition of a connection."""
    return next((each for each in connection.status.conditions if each.type == kind), None)


def now() -> datetime:
    """This machine's time, which all servers of the demo share."""
    return datetime.now(UTC)


def clock(moment: datetime | None) -> str:
    """A time of today, for people."""
    return f"{moment.astimezone(UTC):%H:%M:%S}" if moment is not None else ""


def day(moment: datetime | None) -> str:
    """A time of today, or a date."""
    if moment is None or moment.astimezone(UTC).date() == now().date():
        return clock(moment)
    return f"{moment:%Y-%m-%d}"
