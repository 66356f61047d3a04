"""What each agent has, as numbers: four series per agent, and never one per tool. Rendered once when its exposure
changes. Above `DETAILED_AGENTS` agents none of them has series, for a monitoring system does not take fleets of any
size; the exposures themselves say the same."""

from threading import Lock
from typing import Final

from leasehold.api.exposure import MCPAgentExposure
from leasehold.telemetry.exposition import GaugeFamily, label_pairs

DETAILED_AGENTS: Final = 5_000

CONNECTIONS: Final = GaugeFamily("leasehold_agent_connections", "How many connections the agent has.")
SERVERS: Final = GaugeFamily(
    "leasehold_agent_servers", "How many servers the agent can reach through connections that are not denied."
)
TOOLS: Final = GaugeFamily(
    "leasehold_agent_tools", "How many tools those servers expose, as far as captured."
)
FORBIDDEN: Final = GaugeFamily(
    "leasehold_agent_forbidden_combinations",
    "How many combinations of capabilities it has that access policies forbid.",
)
PER_AGENT: Final = (CONNECTIONS, SERVERS, TOOLS, FORBIDDEN)


class AgentMetrics:
    """Updated from the event loop, rendered from any thread."""

    def __init__(self, detailed_agents: int = DETAILED_AGENTS) -> None:
        self._detailed_agents = detailed_agents
        self._lock = Lock()
        self._lines: dict[str, tuple[str, ...]] = {}

    def update(self, exposure: MCPAgentExposure) -> None:
        """This is what the agent has now; one that has nothing has no series."""
        spec = exposure.spec
        labels = label_pairs({"namespace": exposure.metadata.namespace, "agent": spec.agent})
        numbers = (spec.connection_count, len(spec.profiles), spec.tools.total, len(spec.forbidden))
        lines = tuple(family.sample(labels, each) for family, each in zip(PER_AGENT, numbers, strict=True))
        with self._lock:
            if spec.connection_count:
                self._lines[exposure.key] = lines
            else:
                self._lines.pop(exposure.key, None)

    def forget(self, key: str) -> None:
        """The agent `namespace/name` has no exposure any more; an unknown one is no error."""
        with self._lock:
            self._lines.pop(key, None)

    def render(self) -> str:
        """The exposition text of all agents."""
        with self._lock:
            lines = list(self._lines.values()) if len(self._lines) <= self._detailed_agents else []
        return "".join(family.text(each[number] for each in lines) for number, family in enumerate(PER_AGENT))
