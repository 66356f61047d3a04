"""The teams: a process that prepares, creates, labels or deletes a whole fleet's objects, 32 requests in flight.

It says `ready`, waits for a line, and works; what it creates it prints, one object a line. The operator and the
floor are measured against the same crowd."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from bench.fleet import Fleet
from leasehold.adapters.cluster_clock import ServerClock
from leasehold.adapters.cluster_http import MERGE_PATCH, Answer, Call, Transport
from leasehold.adapters.cluster_login import Connection
from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION

IN_FLIGHT: Final = 32
CONNECTIONS: Final = f"/apis/{API_VERSION}/namespaces/{{}}/{MCPConnection.PLURAL}"
LABELS: Final = {"metadata": {"labels": {"app": "support-bot", "edited": "yes"}}}


@dataclass(frozen=True)
class Crowd:
    """An administrator's session with the API server."""

    transport: Transport

    async def settle(self, fleet: Fleet) -> None:
        """Namespaces and service accounts."""
        await self._send_all(_create("/api/v1/namespaces", each) for each in fleet.namespaces())
        await self._send_all(
            _create(f"/api/v1/namespaces/{each['metadata']['namespace']}/serviceaccounts", each)
            for each in fleet.service_accounts()
        )

    async def create(self, fleet: Fleet) -> None:
        """All connections; each is printed as the API server answered it."""
        await self._send_all(
            (
                _create(CONNECTIONS.format(each["metadata"]["namespace"]), each)
                for each in fleet.connections()
            ),
            prints=True,
        )

    async def label(self, fleet: Fleet) -> None:
        """A new label on each."""
        await self._send_all(
            Call(
                verb="patch",
                resource=MCPConnection.PLURAL,
                subject=name,
                path=f"{CONNECTIONS.format(namespace)}/{name}",
                body=LABELS,
                content_type=MERGE_PATCH,
            )
            for namespace, name in fleet.names()
        )

    async def delete(self, fleet: Fleet) -> None:
        """The end of each; finalizers may hold them for a while."""
        await self._send_all(
            Call("delete", MCPConnection.PLURAL, name, f"{CONNECTIONS.format(namespace)}/{name}")
            for namespace, name in fleet.names()
        )

    async def _send_all(self, calls: Iterable[Call], prints: bool = False) -> None:
        left = iter(calls)

        async def one_by_one() -> None:
            for call in left:
                answer = await self.transport.send(call)
                if not answer.ok:
                    raise RuntimeError(f"{call.verb} {call.path}: {answer.status} {answer.body[:300]!r}")
                if prints:
                    _print(answer)

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(one_by_one())


def _create(path: str, body: dict[str, Any]) -> Call:
    return Call("create", path.rpartition("/")[2], body["metadata"]["name"], path, body=body)


def _print(answer: Answer) -> None:
    sys.stdout.buffer.write(answer.body.rstrip() + b"\n")
    sys.stdout.buffer.flush()


async def main() -> None:
    """The command line: what to do, as whom, and the fleet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("act", choices=["settle", "create", "label", "delete"])
    parser.add_argument("kubeconfig")
    parser.add_argument("name")
    parser.add_argument("size", type=int)
    parser.add_argument("profile")
    given = parser.parse_args()
    transport = Transport(await Connection.from_kubeconfig(given.kubeconfig), ServerClock())
    print("ready", flush=True)
    told = await asyncio.to_thread(sys.stdin.readline)
    try:
        if not told:  # whoever was to say the word has ended
            return
        act = getattr(Crowd(transport), given.act)
        await act(Fleet(given.name, given.size, given.profile))
    finally:
        await transport.close()


if __name__ == "__main__":
    asyncio.run(main())
