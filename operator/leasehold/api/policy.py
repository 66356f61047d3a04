"""`MCPAccessPolicy`: what the platform allows, whatever a team or a profile says."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from leasehold.api.base import (
    ApiModel,
    Integer,
    LabelSelector,
    Resource,
)
from leasehold.api.profile import Capability, CredentialType, RiskTier
from leasehold.api.rules import ATOMIC, SET, Cause, rule

ProfilePattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9*]([-a-z0-9.*]*[a-z0-9*])?$"),
]
"""The name of a profile; `*` stands for any letters, also none."""


class PolicyEffect(StrEnum):
    """What a violation does."""

    WARN = "Warn"
    DENY = "Deny"


class Requirement(StrEnum):
    """What people have to have done."""

    APPROVAL = "Approval"
    APPROVED_SURFACE = "ApprovedSurface"


class CapabilityCombination(ApiModel):
    """What nobody may be able to do all at once."""

    capabilities: Annotated[tuple[Capability, ...], Field(min_length=1, max_length=4), SET]
    """The capabilities, as in ReadsPrivateData, TakesUntrustedContent, WritesOutside."""


class MCPAccessPolicySpec(ApiModel):
    """Whom the policy is about, what it demands, and what becomes of whoever does not satisfy it."""

    namespaces: LabelSelector | None = None
    """The namespaces that it is about, by their labels; without it, all."""
    connections: LabelSelector | None = None
    """The connections that it is about, by their labels; without it, all. Teams write these labels themselves."""
    effect: PolicyEffect = PolicyEffect.DENY
    """Warn says so and ends nothing; Deny mints no first credential, and ends those that are there after
    graceSeconds."""
    grace_seconds: Annotated[Integer, Field(ge=0, le=31536000)] = 0
    """For how long a credential that was there before the violation stays, from when the violation was found."""
    max_lease_duration_seconds: Annotated[Integer, Field(ge=60, le=31536000)] | None = None
    """The longest spec.leaseDurationSeconds of a connection."""
    max_ttl_seconds: Annotated[Integer, Field(ge=10, le=31536000)] | None = Field(
        default=None, alias="maxTTLSeconds"
    )
    """The longest spec.credential.ttlSeconds of a profile."""
    allowed_credential_types: (
        Annotated[tuple[CredentialType, ...], Field(min_length=1, max_length=4), SET] | None
    ) = None
    """The types of credential that are allowed; without it, all. Profiles without a credential pass."""
    allowed_profiles: (
        Annotated[tuple[ProfilePattern, ...], Field(min_length=1, max_length=64), SET] | None
    ) = None
    """The profiles that are allowed, by their names, in which * stands for any letters, as in orders-*; without it,
    all."""
    requires: Annotated[tuple[Requirement, ...], Field(max_length=2), SET] = ()
    """Approval: somebody has approved the connection in a review. ApprovedSurface: what the server may expose was
    approved, in the profile or in a review."""
    second_approver_from: RiskTier | None = None
    """From this spec.riskTier of the profile on, the newest approval has to be by another person than the owner. A
    profile without a riskTier counts as Critical."""
    max_connections_per_agent: Annotated[Integer, Field(ge=1, le=1000)] | None = None
    """How many connections an agent of a namespace may have; those that were created last are too many."""
    forbidden_combinations: (
        Annotated[tuple[CapabilityCombination, ...], Field(min_length=1, max_length=16), ATOMIC] | None
    ) = None
    """What an agent of a namespace may not be able to do all at once, over all of its connections; those that were
    created last complete it. A profile without spec.capabilities counts as having all."""

    @rule(
        "has(self.maxLeaseDurationSeconds) || has(self.maxTTLSeconds) || has(self.allowedCredentialTypes) "
        "|| has(self.allowedProfiles) || (has(self.requires) && size(self.requires) > 0) "
        "|| has(self.secondApproverFrom) || has(self.maxConnectionsPerAgent) "
        "|| has(self.forbiddenCombinations)",
        "set at least one demand, as in maxLeaseDurationSeconds: a policy without any changes nothing",
        cause=Cause.REQUIRED,
    )
    def it_demands_something(self) -> bool:
        return bool(self.requires) or any(
            demand is not None
            for demand in (
                self.max_lease_duration_seconds,
                self.max_ttl_seconds,
                self.allowed_credential_types,
                self.allowed_profiles,
                self.second_approver_from,
                self.max_connections_per_agent,
                self.forbidden_combinations,
            )
        )

    @rule(
        "self.effect == 'Deny' || self.graceSeconds == 0",
        "leave out graceSeconds, or set effect to Deny: a warning ends nothing",
        field="graceSeconds",
        cause=Cause.FORBIDDEN,
    )
    def a_warning_has_no_grace(self) -> bool:
        return self.effect is PolicyEffect.DENY or self.grace_seconds == 0


class MCPAccessPolicy(Resource):
    """What connections have to satisfy; of several policies, each counts."""

    KIND: ClassVar[str] = "MCPAccessPolicy"
    PLURAL: ClassVar[str] = "mcpaccesspolicies"
    SHORT_NAME: ClassVar[str] = "mcppol"
    NAMESPACED: ClassVar[bool] = False

    kind: Literal["MCPAccessPolicy"] = "MCPAccessPolicy"
    spec: MCPAccessPolicySpec
