"""`MCPConnectionReview`: a person's word that a connection may go on, or must not. What was said stays said, so a
review never changes; whoever thinks otherwise later writes another one."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import StringConstraints

from leasehold.api.base import ApiModel, Conditions, DNSSubdomain, ObservedGeneration, Resource
from leasehold.api.connection import User
from leasehold.api.profile import SurfaceDigest
from leasehold.api.rules import transition


class Decision(StrEnum):
    """What the reviewer says."""

    APPROVE = "Approve"
    REJECT = "Reject"


class MCPConnectionReviewSpec(ApiModel):
    """Who says what about which connection, and why. Immutable."""

    connection: DNSSubdomain
    """The MCPConnection, in the same namespace, that was looked at."""
    reviewer: User
    """Who says so: the user who creates this object."""
    decision: Decision
    """Approve renews the connection's lease; Reject ends it, also for a later connection of that name."""
    surface_digest: SurfaceDigest | None = None
    """The digest of the surface that was looked at, as the connection's status shows it. Without it, nothing is
    said about what the server exposes."""
    comment: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """Why: whoever asks in a year has nothing else."""
    ticket: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """The request's number or link."""

    @transition(
        "self == oldSelf",
        "leave a review as it is, for somebody has said it; create another review to say something else",
    )
    def the_word_stays(self, old: Self) -> bool:
        return self == old


class MCPConnectionReviewStatus(ApiModel):
    """Whether the review counts."""

    observed_generation: ObservedGeneration = 0
    """The metadata.generation that this status is about."""
    conditions: Conditions = ()
    """Counted: True where the review decides something; otherwise its reason says why it is void."""


class MCPConnectionReview(Resource):
    """One person's statement about one connection: an approval renews its lease, a rejection ends it."""

    KIND: ClassVar[str] = "MCPConnectionReview"
    PLURAL: ClassVar[str] = "mcpconnectionreviews"
    SHORT_NAME: ClassVar[str] = "mcprev"
    NAMESPACED: ClassVar[bool] = True

    kind: Literal["MCPConnectionReview"] = "MCPConnectionReview"
    spec: MCPConnectionReviewSpec
    status: MCPConnectionReviewStatus = MCPConnectionReviewStatus()
