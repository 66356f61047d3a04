"""What an agent can do through all of its connections together, and what it may not be able to do all at once.

A combination is completed by the connection that was created last of those that it needs, whatever state they are
in: so the older ones go on, and neither the order in which they are looked at nor a restart changes which it is."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from leasehold.api.connection import MCPConnection
from leasehold.api.policy import CapabilityCombination
from leasehold.api.profile import Capability, MCPServerProfile
from leasehold.core.capabilities import capabilities_of


class Member(NamedTuple):
    """One of an agent's connections, with its profile; None: there is no such profile, so nothing is reached."""

    connection: MCPConnection
    profile: MCPServerProfile | None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the agent can do through it."""
        return capabilities_of(self.profile) if self.profile is not None else frozenset()


def is_met(combination: CapabilityCombination, members: Iterable[Member]) -> bool:
    """Whether these connections together can do all of it."""
    together = frozenset().union(*(member.capabilities for member in members))
    return together.issuperset(combination.capabilities)


def completed_by(member: Member, older: Sequence[Member], combination: CapabilityCombination) -> str | None:
    """Who contributes which of the capabilities, where this connection and older ones can do all of them, and this
    one does its part; None otherwise."""
    if not member.capabilities & frozenset(combination.capabilities):
        return None
    if not is_met(combination, [member, *older]):
        return None
    return ", ".join(
        f"{capability} (through {_first_that_can(capability, [member, *older])})"
        for capability in sorted(combination.capabilities)
    )


def _first_that_can(capability: Capability, members: Sequence[Member]) -> str:
    able = next(member for member in members if capability in member.capabilities)
    profile = able.profile
    unjudged = profile is not None and profile.spec.capabilities is None
    return f"profile {able.connection.spec.profile}{', which states no capabilities' if unjudged else ''}"
