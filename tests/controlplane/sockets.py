"""Ports that stay ours for the life of a control plane, also while their server is down.

A port picked from the ephemeral range can be taken by any outgoing connection between a server's stop and
its next start. So ports are picked below it, and on Linux a bound socket that never listens keeps each of
them: a server that sets SO_REUSEADDR (Go's and PostgreSQL's do) can still listen there, nobody else can.
"""

from __future__ import annotations

import random
import socket
import sys

LOWEST, HIGHEST = 12000, 32000
ATTEMPTS = 200


class ReservedPorts:
    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> int:
        """A free port on 127.0.0.1; raises OSError when none was found."""
        for _ in range(ATTEMPTS):
            port = random.randint(LOWEST, HIGHEST)
            if _is_free(port):
                self._hold(port)
                return port
        raise OSError(f"no free port on 127.0.0.1 in {ATTEMPTS} attempts")

    def _hold(self, port: int) -> None:
        if sys.platform != "linux":  # elsewhere the reservation itself would keep the server out
            return
        keeper = socket.socket()
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", port))
        self._held.append(keeper)

    def release(self) -> None:
        for keeper in self._held:
            keeper.close()
        self._held.clear()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
