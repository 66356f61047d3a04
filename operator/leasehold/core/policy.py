"""Which rules of which policies a connection does not satisfy, and when that ends it.

Each policy is judged by itself and nothing of one takes back what another finds: so the order of policies does not
matter, the most restrictive number wins, and one more policy can only find more. What cannot be told counts against
the connection. The time of a violation begins when it is first found, by the API server's clock, and stays in the
connection's status: every restart reckons with the same one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from re import escape, fullmatch

from leasehold.api.base import whole_seconds
from leasehold.api.connection import MCPConnection
from leasehold.api.policy import MCPAccessPolicy, PolicyEffect, Requirement
from leasehold.api.profile import MCPServerProfile, RiskTier
from leasehold.api.violation import MAX_VIOLATIONS, PolicyViolation
from leasehold.core.combinations import Member, completed_by
from leasehold.core.drift_standing import approved_digests
from leasehold.core.text import shortened

LONGEST_MESSAGE = 512


class PolicyRule(StrEnum):
    """Which demand is not satisfied."""

    LEASE_DURATION = "LeaseDuration"
    TTL = "TTL"
    CREDENTIAL_TYPE = "CredentialType"
    PROFILE = "Profile"
    APPROVAL = "Approval"
    APPROVED_SURFACE = "ApprovedSurface"
    SECOND_APPROVER = "SecondApprover"
    CONNECTIONS_PER_AGENT = "ConnectionsPerAgent"
    CAPABILITY_COMBINATION = "CapabilityCombination"


Broken = tuple[PolicyRule, str]
"""A rule that is not satisfied, and what would be right."""


def applies(
    policy: MCPAccessPolicy, connection: MCPConnection, namespace_labels: Mapping[str, str] | None
) -> bool:
    """Whether the policy is about this connection. It is where nobody knows the namespace's labels."""
    spec = policy.spec
    if spec.connections is not None and not spec.connections.matches(connection.metadata.labels):
        return False
    return (
        spec.namespaces is None or namespace_labels is None or spec.namespaces.matches(dict(namespace_labels))
    )


def about_the_agent(policy: MCPAccessPolicy) -> bool:
    """Whether it looks at all of an agent's connections together."""
    spec = policy.spec
    return spec.max_connections_per_agent is not None or spec.forbidden_combinations is not None


def violations_now(
    connection: MCPConnection,
    profile: MCPServerProfile | None,
    namespace_labels: Mapping[str, str] | None,
    policies: Iterable[MCPAccessPolicy],
    unreadable: Sequence[str],
    peers: Sequence[Member],
    now: datetime,
) -> tuple[PolicyViolation, ...]:
    """What is violated, the earliest end first; `peers` are the agent's other connections, with their profiles.

    What a policy found that cannot be read any more stands as it was written down."""
    known = {(each.uid, each.rule): each for each in connection.status.policy_violations}
    policies = tuple(policies)
    found = [
        _violation(policy, broken, known.get((policy.metadata.uid, broken[0].value)), now)
        for policy in policies
        if applies(policy, connection, namespace_labels)
        for broken in broken_rules(policy, connection, profile, peers)
    ]
    held = {policy.metadata.name for policy in policies}
    found += [each for each in known.values() if each.policy in unreadable and each.policy not in held]
    return tuple(sorted(found, key=_urgency)[:MAX_VIOLATIONS])


def _urgency(violation: PolicyViolation) -> tuple[bool, datetime, str, str]:
    end = violation.deadline_time
    return end is None, end or violation.since_time, violation.policy, violation.rule


def _violation(
    policy: MCPAccessPolicy, broken: Broken, before: PolicyViolation | None, now: datetime
) -> PolicyViolation:
    rule, message = broken
    spec = policy.spec
    goes_on = before is not None and before.effect is spec.effect
    since = before.since_time if before is not None and goes_on else whole_seconds(now)
    denies = spec.effect is PolicyEffect.DENY
    return PolicyViolation(
        policy=policy.metadata.name,
        uid=policy.metadata.uid,
        generation=policy.metadata.generation,
        rule=rule.value,
        effect=spec.effect,
        message=shortened(message, LONGEST_MESSAGE),
        since_time=since,
        deadline_time=since + timedelta(seconds=spec.grace_seconds) if denies else None,
    )


def broken_rules(
    policy: MCPAccessPolicy,
    connection: MCPConnection,
    profile: MCPServerProfile | None,
    peers: Sequence[Member],
) -> Iterator[Broken]:
    """The rules of a policy that a connection which it is about does not satisfy."""
    yield from _of_the_claim(policy, connection)
    yield from _of_the_recipe(policy, profile)
    yield from _of_people(policy, connection, profile)
    yield from _of_the_agent(policy, Member(connection, profile), peers)


def _of_the_claim(policy: MCPAccessPolicy, connection: MCPConnection) -> Iterator[Broken]:
    longest, asked = policy.spec.max_lease_duration_seconds, connection.spec.lease_duration_seconds
    if longest is not None and asked > longest:
        yield (
            PolicyRule.LEASE_DURATION,
            f"spec.leaseDurationSeconds is {asked}; lower it to {longest} or less",
        )
    allowed, name = policy.spec.allowed_profiles, connection.spec.profile
    if allowed is not None and not any(matches_pattern(pattern, name) for pattern in allowed):
        yield (
            PolicyRule.PROFILE,
            f"spec.profile is {name}; allowed are {', '.join(sorted(allowed))}",
        )


def _of_the_recipe(policy: MCPAccessPolicy, profile: MCPServerProfile | None) -> Iterator[Broken]:
    recipe = profile.spec.credential if profile is not None else None
    if profile is None or recipe is None:
        return
    of_profile = f"MCPServerProfile {profile.metadata.name} spec.credential"
    types, longest = policy.spec.allowed_credential_types, policy.spec.max_ttl_seconds
    if types is not None and recipe.type not in types:
        yield (
            PolicyRule.CREDENTIAL_TYPE,
            f"{of_profile}.type is {recipe.type}; allowed are {', '.join(sorted(types))}",
        )
    if longest is not None and recipe.ttl_seconds > longest:
        yield (
            PolicyRule.TTL,
            f"{of_profile}.ttlSeconds is {recipe.ttl_seconds}; it has to be {longest} or less",
        )


def _of_people(
    policy: MCPAccessPolicy, connection: MCPConnection, profile: MCPServerProfile | None
) -> Iterator[Broken]:
    approval, requires = connection.status.approval, policy.spec.requires
    if Requirement.APPROVAL in requires and approval is None:
        yield (PolicyRule.APPROVAL, "nobody has approved it in a review")
    approved = approved_digests(connection, profile) if profile is not None else ()
    if Requirement.APPROVED_SURFACE in requires and not approved:
        yield (
            PolicyRule.APPROVED_SURFACE,
            "what the server may expose was approved neither in its profile (spec.approvedSurface) nor in a review",
        )
    tier = risk_tier(profile)
    least = policy.spec.second_approver_from
    if least is None or RANK[tier] < RANK[least]:
        return
    if approval is None or approval.reviewer == connection.spec.owner.user:
        stated = profile.spec.risk_tier if profile is not None else None
        told = (
            f"its profile's riskTier is {stated}" if stated else f"its profile has no riskTier, as if {tier}"
        )
        yield (
            PolicyRule.SECOND_APPROVER,
            f"{told}: from {least} on, another person than the owner has to approve it in a review",
        )


def _of_the_agent(policy: MCPAccessPolicy, member: Member, peers: Sequence[Member]) -> Iterator[Broken]:
    agent = member.connection.spec.agent.name
    older = [peer for peer in peers if _age(peer.connection) < _age(member.connection)]
    longest = policy.spec.max_connections_per_agent
    if longest is not None and 1 + len(older) > longest:
        yield (
            PolicyRule.CONNECTIONS_PER_AGENT,
            f"agent {agent} may have {longest} connections, and older ones are as many; delete one of them, or "
            "this one",
        )
    completed = [
        told
        for combination in policy.spec.forbidden_combinations or ()
        if (told := completed_by(member, older, combination)) is not None
    ]
    if completed:
        more = f"; so with {len(completed) - 1} more combinations" if len(completed) > 1 else ""
        yield (
            PolicyRule.CAPABILITY_COMBINATION,
            f"with this connection agent {agent} can do all of {completed[0]}{more}; delete one of these "
            "connections, or state in spec.capabilities of a profile what it cannot do",
        )


RANK = {tier: number for number, tier in enumerate(RiskTier)}
"""From the least to the greatest risk."""


def risk_tier(profile: MCPServerProfile | None) -> RiskTier:
    """What the profile says; the greatest where nobody has said it."""
    stated = profile.spec.risk_tier if profile is not None else None
    return stated if stated is not None else RiskTier.CRITICAL


def matches_pattern(pattern: str, name: str) -> bool:
    """Whether a name is meant; `*` stands for any letters."""
    return fullmatch(".*".join(escape(part) for part in pattern.split("*")), name) is not None


def _age(connection: MCPConnection) -> tuple[bool, str, str, str]:
    """What was not created yet comes last, by its name."""
    metadata = connection.metadata
    created = metadata.creation_timestamp
    return created is None, created.isoformat() if created else "", metadata.uid, metadata.name
