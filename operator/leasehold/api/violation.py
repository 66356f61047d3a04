"""What a connection's status keeps of each rule of a policy that it does not satisfy."""

from typing import Annotated

from pydantic import Field, StringConstraints

from leasehold.api.base import ApiModel, DNSSubdomain, Integer, Time
from leasehold.api.policy import PolicyEffect

MAX_VIOLATIONS = 32


class PolicyViolation(ApiModel):
    """A rule of a policy that the connection does not satisfy."""

    policy: DNSSubdomain
    """The MCPAccessPolicy."""
    uid: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """Its uid: a new policy of the same name is another one."""
    generation: Annotated[Integer, Field(ge=0)]
    """The metadata.generation of the policy that was violated last."""
    rule: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="^[A-Z][A-Za-z]+$")]
    """What it demands, as one CamelCase word. No enum: a newer operator writes under an older definition, too."""
    effect: PolicyEffect
    """Warn, or Deny: then it ends the credential at deadlineTime."""
    message: Annotated[str, StringConstraints(max_length=512)]
    """What is wrong, and what would be right."""
    since_time: Time
    """Since when it has been so, under this effect."""
    deadline_time: Time | None = None
    """When it ends the credential; absent for a warning."""
