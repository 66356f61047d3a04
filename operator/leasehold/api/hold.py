"""What a revocation leaves on each connection that it matched, so that nobody escapes by leaving its target."""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from leasehold.api.base import ApiModel, Boolean, DNSSubdomain, Time

MAX_HOLDS = 32

UID = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""What the API server tells two objects of one name apart by."""


class OnLift(StrEnum):
    """What the end of a revocation does to the connections that it matched."""

    REQUIRE_REVIEW = "RequireReview"
    RESUME = "Resume"


class Hold(ApiModel):
    """One revocation that matched the connection once."""

    uid: UID
    """Which revocation, whatever has its name by now."""
    revocation: DNSSubdomain
    """Its name."""
    since_time: Time
    """Since when it holds the connection."""
    on_lift: OnLift
    """What the lift does: RequireReview or Resume."""
    lifted_time: Time | None = None
    """When its end was seen; only an approval after that ends the hold."""
    residual_time: Time | None = None
    """Until when a credential that could not be ended, and is in no ledger any more, may work."""
    without_end: Boolean = False
    """A credential was let go that nobody can revoke and that does not run out."""
