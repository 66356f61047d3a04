"""Agents as a graph: what it says, and that no name can say anything else."""

from leasehold.api.exposure import MCPAgentExposure
from leasehold.core.agent_graph import mermaid


def an_agent(name: str, *connections: dict[str, object], **spec: object) -> MCPAgentExposure:
    created = {"createdTime": "2026-11-20T12:00:00Z"}
    listed = [{"uid": f"uid-{number}", **created, **each} for number, each in enumerate(connections)]
    metadata = {"name": name, "namespace": "support"}
    return MCPAgentExposure.model_validate(
        {"metadata": metadata, "spec": {"agent": name, "connections": listed, **spec}}
    )


ORDERS = {
    "name": "orders-read",
    "transport": "StreamableHTTP",
    "riskTier": "High",
    "capabilities": ["ReadsPrivateData"],
    "credentialType": "Lease",
}


def test_two_agents_at_one_server_meet_in_one_node() -> None:
    first = an_agent(
        "bot", {"name": "bot-orders", "profile": "orders-read"}, profiles=[ORDERS], riskTier="High"
    )
    second = an_agent("clerk", {"name": "clerk-orders", "profile": "orders-read"}, profiles=[ORDERS])
    text = mermaid([first, second])
    assert text.splitlines() == [
        "flowchart LR",
        '  a0(["support/bot<br>risk High"])',
        '  s0["orders-read<br>ReadsPrivateData"]',
        '  a0 -- "bot-orders: Lease" --> s0',
        '  a1(["support/clerk"])',
        '  a1 -- "clerk-orders: Lease" --> s0',
        "  classDef forbidden stroke:#b00,stroke-width:3px",
    ]


def test_what_is_denied_is_broken_and_what_is_forbidden_stands_out() -> None:
    met = {"policy": "lethal", "effect": "Deny", "connection": "bot-orders", "message": "all of it"}
    agent = an_agent(
        "bot", {"name": "bot-orders", "profile": "orders-read", "deniedBy": "Expired"}, forbidden=[met]
    )
    text = mermaid([agent])
    assert ":::forbidden" in text
    assert 'a0 -. "bot-orders: Expired" .-> s0' in text


def test_nobody_is_still_a_graph() -> None:
    assert mermaid([]).startswith("flowchart LR\n")
