"""Agents as a Mermaid graph: what each one reaches, and by which credential; what is denied is drawn broken."""

from collections.abc import Iterator, Sequence
from typing import Final

from leasehold.api.exposure import AgentConnection, MCPAgentExposure, ReachedProfile

_SPELLED_OUT: Final = {ord(each): f"#{ord(each)};" for each in '"#<>&;`\\|{}[]()'}
"""Characters that Mermaid would read, as its entity codes."""


def mermaid(exposures: Sequence[MCPAgentExposure]) -> str:
    """A flowchart: agents on the left, servers on the right."""
    lines = ["flowchart LR"]
    nodes = _Nodes()
    for exposure in exposures:
        lines += _agent(exposure, nodes)
    return "\n".join([*lines, "  classDef forbidden stroke:#b00,stroke-width:3px", ""])


class _Nodes:
    """A short name for each server; one server is one node, whoever reaches it."""

    def __init__(self) -> None:
        self._servers: dict[str, str] = {}
        self.agents = 0

    def server(self, profile: str) -> tuple[str, bool]:
        """Its name, and whether it is new."""
        is_new = profile not in self._servers
        return self._servers.setdefault(profile, f"s{len(self._servers)}"), is_new

    def agent(self) -> str:
        """A name for the next agent."""
        self.agents += 1
        return f"a{self.agents - 1}"


def _agent(exposure: MCPAgentExposure, nodes: _Nodes) -> Iterator[str]:
    spec, node = exposure.spec, nodes.agent()
    risk = f"<br>risk {spec.risk_tier}" if spec.risk_tier is not None else ""
    yield f'  {node}(["{_text(exposure.key)}{risk}"])' + (":::forbidden" if spec.forbidden else "")
    reached = {each.name: each for each in spec.profiles}
    for connection in spec.connections:
        server, is_new = nodes.server(connection.profile)
        if is_new:
            yield f'  {server}["{_server(connection.profile, reached.get(connection.profile))}"]'
        yield f"  {node} {_arrow(connection, reached)} {server}"


def _server(name: str, profile: ReachedProfile | None) -> str:
    capabilities = "<br>" + ", ".join(profile.capabilities) if profile and profile.capabilities else ""
    return f"{_text(name)}{capabilities}"


def _arrow(connection: AgentConnection, reached: dict[str, ReachedProfile]) -> str:
    if connection.denied_by is not None:
        return f'-. "{_text(connection.name)}: {connection.denied_by}" .->'
    profile = reached.get(connection.profile)
    kind = profile.credential_type if profile is not None else None
    return f'-- "{_text(connection.name)}{f": {kind}" if kind is not None else ""}" -->'


def _text(name: str) -> str:
    return name.translate(_SPELLED_OUT)
