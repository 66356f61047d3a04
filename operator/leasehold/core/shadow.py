"""Shadow connections: uses of MCP servers that a heartbeat tells of, and that nobody has registered.

`leasehold heartbeat` puts a label onto the Lease that it renews. A labelled Lease whose name no MCPConnection of
its namespace has, or which names another server than that connection's, is a shadow. What a Lease says was written
by whoever renews it: it is shown, and decides nothing."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from leasehold.api.base import ObjectMeta, Resource
from leasehold.api.connection import MCPConnection
from leasehold.core.facts import LabelledHeartbeat
from leasehold.core.import_urls import read_url

STALE_AFTER: Final = 3
"""A heartbeat that was not renewed for so many times its leaseDurationSeconds tells of no use any more."""
UNSTATED: Final = timedelta(days=1)
"""For how long a Lease holds that does not say it."""
LONGEST_URL: Final = 2048
MAX_NAMESPACES: Final = 100
"""So many namespaces, those with most shadows, have numbers of their own."""
OTHERS: Final = "(others)"
"""In place of all other namespaces; no namespace can be called so."""


class ShadowKind(StrEnum):
    """What is wrong."""

    UNREGISTERED = "Unregistered"
    ANOTHER_SERVER = "AnotherServer"


class HeartbeatLease(Resource):
    """A heartbeat Lease, as Events are about one."""

    KIND = "Lease"
    PLURAL = "leases"
    NAMESPACED = True
    GROUP_VERSION = "coordination.k8s.io/v1"


@dataclass(frozen=True)
class Shadow:
    """A heartbeat without a connection, or with another one's name."""

    heartbeat: LabelledHeartbeat
    kind: ShadowKind
    renewed: datetime
    registered_url: str | None = None
    """Of the connection of that name, where there is one."""

    @property
    def lease(self) -> HeartbeatLease:
        """What an Event is about."""
        beat = self.heartbeat
        return HeartbeatLease(metadata=ObjectMeta(name=beat.name, namespace=beat.namespace, uid=beat.uid))

    @property
    def sentence(self) -> str:
        """For a person."""
        beat = self.heartbeat
        who = f"agent {beat.agent}" if beat.agent else "whoever renews this heartbeat"
        server = shown_server(beat.server_url)
        uses = f"{who} uses {server or 'a server that it does not name'}"
        if self.kind is ShadowKind.UNREGISTERED:
            return (
                f"{uses}, and there is no MCPConnection {beat.namespace}/{beat.name}: register it, or stop it"
            )
        return f"{uses}, and MCPConnection {beat.namespace}/{beat.name} is one to {self.registered_url}"


def shown_server(url: str | None) -> str | None:
    """The URL in its canonical spelling without user, password, query and fragment; what looks like a secret in its
    path is left out. None where it is no http or https URL."""
    if url is None or len(url) > LONGEST_URL or not re.match("https?://", url, re.IGNORECASE):
        return None
    return read_url(url).text.partition("?")[0]


def registered_urls(connections: Iterable[MCPConnection], unreadable: Iterable[str]) -> dict[str, str | None]:
    """The server of each connection `namespace/name`; None where nobody can say it. One that cannot be read is
    registered all the same."""
    known: dict[str, str | None] = dict.fromkeys(unreadable)
    for each in connections:
        known[each.key] = shown_server(each.status.server.url if each.status.server else None)
    return known


def shadows_among(
    heartbeats: Iterable[LabelledHeartbeat], registered: Mapping[str, str | None], now: datetime
) -> tuple[Shadow, ...]:
    """Those that no connection stands for, by namespace and name; stale ones are none."""
    found = (_shadow_of(each, registered, now) for each in heartbeats)
    shadows = [each for each in found if each is not None]
    return tuple(sorted(shadows, key=lambda each: (each.heartbeat.namespace, each.heartbeat.name)))


def _shadow_of(beat: LabelledHeartbeat, registered: Mapping[str, str | None], now: datetime) -> Shadow | None:
    if beat.renewed is None or is_stale(beat, now):
        return None
    renewed = min(beat.renewed, now)  # a clock that is ahead makes it no later than now
    key = f"{beat.namespace}/{beat.name}"
    if key not in registered:
        return Shadow(beat, ShadowKind.UNREGISTERED, renewed)
    server, used = registered[key], shown_server(beat.server_url)
    if server is None or used is None or used == server:
        return None
    return Shadow(beat, ShadowKind.ANOTHER_SERVER, renewed, server)


def is_stale(beat: LabelledHeartbeat, now: datetime) -> bool:
    """Whether it was not renewed for too long to tell of a use."""
    lasts = timedelta(seconds=beat.duration_seconds) if beat.duration_seconds else UNSTATED
    return beat.renewed is None or now - beat.renewed > STALE_AFTER * lasts


def by_namespace(shadows: Iterable[Shadow]) -> dict[str, tuple[int, datetime]]:
    """How many there are in each namespace, and when the newest of them was renewed; what is beyond
    `MAX_NAMESPACES` is told together."""
    held: dict[str, list[datetime]] = {}
    for each in shadows:
        held.setdefault(each.heartbeat.namespace, []).append(each.renewed)
    most = sorted(held, key=lambda namespace: (-len(held[namespace]), namespace))
    told = {namespace: held[namespace] for namespace in most[:MAX_NAMESPACES]}
    if rest := [moment for namespace in most[MAX_NAMESPACES:] for moment in held[namespace]]:
        told[OTHERS] = rest
    return {namespace: (len(moments), max(moments)) for namespace, moments in told.items()}
