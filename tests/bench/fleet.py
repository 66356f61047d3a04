"""The connections of a benchmark, computed from a name and a number, so that every process of a run knows the
same ones. Each has a service account of its own, as the product asks for; fifty share a namespace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from leasehold.api.connection import MCPConnection
from leasehold.api.names import API_VERSION

PER_NAMESPACE: Final = 50


@dataclass(frozen=True)
class Fleet:
    """`size` connections to one profile."""

    name: str
    size: int
    profile: str

    def namespaces(self) -> Iterator[dict[str, Any]]:
        """The teams' namespaces."""
        for index in range(0, self.size, PER_NAMESPACE):
            metadata = {"name": self._namespace(index)}
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}

    def service_accounts(self) -> Iterator[dict[str, Any]]:
        """The agents."""
        for namespace, name in self.names():
            metadata = {"namespace": namespace, "name": name}
            yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}

    def connections(self) -> Iterator[dict[str, Any]]:
        """The claims, as teams write them."""
        for namespace, name in self.names():
            yield {
                "apiVersion": API_VERSION,
                "kind": MCPConnection.KIND,
                "metadata": {"namespace": namespace, "name": name, "labels": {"app": "support-bot"}},
                "spec": {
                    "agent": {"name": name, "serviceAccountName": name},
                    "profile": self.profile,
                    "owner": {"user": "alice@example.com", "deputy": "bob@example.com", "team": "support"},
                    "purpose": {"summary": "triage incoming tickets", "ticket": "SUP-812"},
                    "output": {"secretName": name},
                },
            }

    def names(self) -> Iterator[tuple[str, str]]:
        """Namespace and name of each; its service account and its Secret have the same name."""
        for index in range(self.size):
            yield self._namespace(index), f"agent-{index:05d}"

    def owns(self, namespace: str) -> bool:
        """Whether the namespace is one of this fleet's."""
        return namespace.startswith(f"{self.name}-")

    def _namespace(self, index: int) -> str:
        return f"{self.name}-{index // PER_NAMESPACE:03d}"
