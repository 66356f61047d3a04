"""Manifests judged by access policies before anything is in a cluster, with the code that judges there.

What only people can do, in a cluster, is owed: it is said, and is nobody's mistake yet. What cannot be told for
want of a manifest is said, too, and is no pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile
from leasehold.core.combinations import Member
from leasehold.core.policy import PolicyRule, applies, broken_rules

OWED: Final = frozenset({PolicyRule.APPROVAL, PolicyRule.APPROVED_SURFACE, PolicyRule.SECOND_APPROVER})
"""What a review brings. Reviews are not in Git."""


@dataclass(frozen=True)
class Judgement:
    """One thing that a policy says of a connection."""

    connection: str
    policy: str
    rule: str
    effect: str
    message: str
    owed: bool = False


def judge(
    connections: Sequence[MCPConnection],
    profiles: Sequence[MCPServerProfile],
    policies: Sequence[MCPAccessPolicy],
    namespaces: Mapping[str, Mapping[str, str]],
) -> list[Judgement]:
    """Everything that these policies say, by connection and policy; `namespaces` are the labels that are known."""
    by_name = {profile.metadata.name: profile for profile in profiles}
    return [
        judgement
        for connection in sorted(connections, key=lambda each: each.key)
        for policy in sorted(policies, key=lambda each: each.metadata.name)
        if applies(policy, connection, namespaces.get(connection.metadata.namespace))
        for judgement in _of(policy, connection, by_name, connections, namespaces)
    ]


def _of(
    policy: MCPAccessPolicy,
    connection: MCPConnection,
    profiles: Mapping[str, MCPServerProfile],
    connections: Sequence[MCPConnection],
    namespaces: Mapping[str, Mapping[str, str]],
) -> Iterator[Judgement]:
    spec, profile = policy.spec, profiles.get(connection.spec.profile)

    def said(rule: str, message: str, owed: bool = False) -> Judgement:
        return Judgement(connection.key, policy.metadata.name, rule, spec.effect.value, message, owed)

    peers = [
        Member(each, profiles.get(each.spec.profile))
        for each in connections
        if each is not connection and _agent(each) == _agent(connection)
    ]
    for rule, message in broken_rules(policy, connection, profile, peers):
        yield said(rule.value, message, rule in OWED)
    if profile is None and any(
        demand is not None
        for demand in (spec.allowed_credential_types, spec.max_ttl_seconds, spec.forbidden_combinations)
    ):
        yield said(UNKNOWN, f"MCPServerProfile {connection.spec.profile} is not given; add its manifest")
    namespace = connection.metadata.namespace
    if spec.namespaces is not None and namespace not in namespaces:
        yield said(
            UNKNOWN,
            f"the labels of namespace {namespace} are not given, so the policy is taken to be about it; add the "
            "manifest of the namespace",
        )


UNKNOWN: Final = "Unknown"
"""In place of a rule: nobody can tell whether it is satisfied."""


def _agent(connection: MCPConnection) -> tuple[str, str]:
    return connection.metadata.namespace, connection.spec.agent.name
