"""`MCPRevocation`: the breakglass switch. Created by a person with kubectl, lifted by another; never in Git."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints

from leasehold.api.base import (
    ApiModel,
    Conditions,
    DNSLabel,
    DNSSubdomain,
    Integer,
    LabelSelector,
    ObservedGeneration,
    Resource,
    StatedReason,
    Time,
)
from leasehold.api.connection import User
from leasehold.api.hold import UID, OnLift
from leasehold.api.profile import Team, Vendor
from leasehold.api.rules import Immutable, ListType, lacks, rule, transition
from leasehold.api.urls import ServerURL

MAX_FAILURES = 20
"""How many failures the status lists; `failed` counts them all."""

MAX_PENDING_HOLDS = 20_000
"""About 800 KB, where etcd takes 1.5 MB for an object."""

ANOTHER_REVOCATION = "what was revoked stays on record; create another revocation, then lift this one"

TargetURL = Annotated[ServerURL, lacks("[*].", "write one * at most, at the very end, as in https://host/*")]
"""A server's URL as it is, or the beginning of URLs with a * at its end, beyond the host."""

ConnectionKey = Annotated[
    str,
    StringConstraints(
        min_length=3,
        max_length=317,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]

_FIELDS = (
    "serverURL",
    "vendor",
    "profile",
    "agent",
    "ownerUser",
    "team",
    "connection",
    "namespace",
    "labelSelector",
)


class RevocationTarget(ApiModel):
    """Which connections are meant: those that satisfy every field that is given."""

    server_url: TargetURL | None = Field(default=None, alias="serverURL")
    """The server's canonical URL; with a * at the end, every URL that begins so (https://host/* is the whole
    host)."""
    vendor: Vendor | None = None
    """Whose servers: the vendor as it is written in profiles (spec.vendor)."""
    profile: DNSSubdomain | None = None
    """The MCPServerProfile that is used."""
    agent: DNSSubdomain | None = None
    """The agent's name (spec.agent.name)."""
    owner_user: User | None = None
    """The owner (spec.owner.user)."""
    team: Team | None = None
    """The owner's team (spec.owner.team)."""
    connection: ConnectionKey | None = None
    """One connection, as namespace/name."""
    namespace: DNSLabel | None = None
    """The connection's namespace."""
    label_selector: LabelSelector | None = None
    """Labels of the connection."""

    @rule(
        " || ".join(f"has(self.{field})" for field in _FIELDS),
        f"give at least one of {', '.join(_FIELDS)}: an empty target would mean every connection",
    )
    def something_is_meant(self) -> bool:
        return bool(self.to_wire())

    @rule(
        "!has(self.labelSelector) || (has(self.labelSelector.matchLabels) && "
        "size(self.labelSelector.matchLabels) > 0) || (has(self.labelSelector.matchExpressions) && "
        "size(self.labelSelector.matchExpressions) > 0)",
        "give matchLabels or matchExpressions: an empty selector would mean every connection",
        field="labelSelector",
    )
    def the_selector_selects(self) -> bool:
        selector = self.label_selector
        return selector is None or bool(selector.match_labels or selector.match_expressions)

    def __str__(self) -> str:
        """As a person reads it: `profile=orders-read, team=support`."""
        return ", ".join(f"{field}={_said(value)}" for field, value in self.to_wire().items())


def _said(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    labels = [f"{key}={each}" for key, each in value.get("matchLabels", {}).items()]
    expressions = [
        " ".join([each["key"], each["operator"], ",".join(each.get("values", ()))]).strip()
        for each in value.get("matchExpressions", ())
    ]
    return f"({', '.join(labels + expressions)})"


class Lift(ApiModel):
    """The end of a revocation, on another person's word."""

    by: User
    """Who lifts it: the user who writes this, and not who requested the revocation."""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """Why it is safe again."""


class MCPRevocationSpec(ApiModel):
    """What is stopped, why, and on whose word. Immutable but for the lift, which is set once."""

    target: Annotated[RevocationTarget, Immutable(ANOTHER_REVOCATION)]
    """Which connections are meant."""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024), Immutable(ANOTHER_REVOCATION)]
    """Why they are stopped."""
    requested_by: Annotated[User, Immutable(ANOTHER_REVOCATION)]
    """Who stops them: the user who creates this object."""
    incident: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """The incident's number or link."""
    on_lift: Annotated[OnLift, Immutable(ANOTHER_REVOCATION)] = OnLift.REQUIRE_REVIEW
    """What the lift does: RequireReview (each connection is held until a review newer than the lift approves
    it) or Resume."""
    expires_seconds: Annotated[Integer, Field(ge=10, le=86400)] | None = None
    """For drills only: after that long it denies nothing more, as if it had been lifted."""
    lift: Lift | None = None
    """Ends the revocation."""

    @transition(
        " && ".join(
            f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
            for field in ("incident", "expiresSeconds")
        ),
        f"leave incident and expiresSeconds as they are: {ANOTHER_REVOCATION}",
    )
    def the_record_stays(self, old: Self) -> bool:
        return (self.incident, self.expires_seconds) == (old.incident, old.expires_seconds)

    @transition(
        "!has(oldSelf.lift) || (has(self.lift) && self.lift == oldSelf.lift)",
        "keep lift: it is final; create another revocation to stop the connections again",
        field="lift",
    )
    def the_lift_stays(self, old: Self) -> bool:
        return old.lift is None or self.lift == old.lift


class RevocationFailure(ApiModel):
    """A connection of which something is not dead yet."""

    connection: ConnectionKey
    """Which connection, as namespace/name."""
    reason: StatedReason
    """Why, as one CamelCase word."""
    message: Annotated[str, StringConstraints(max_length=512)] = ""
    """Why, as a sentence."""


class MCPRevocationStatus(ApiModel):
    """What is dead, what is not yet, and until when the rest may work. All counts are of connections."""

    observed_generation: ObservedGeneration = 0
    """The metadata.generation that this status is about."""
    conditions: Conditions = ()
    """Enforced: nothing is minted for a match. Complete: all that can be revoked is verified dead."""
    matched: Annotated[Integer, Field(ge=0)] = 0
    """Connections that are meant, or are held because they were."""
    revoked: Annotated[Integer, Field(ge=0)] = 0
    """Those of which the store has accepted every revocation that is possible."""
    verified: Annotated[Integer, Field(ge=0)] = 0
    """Those of which everything is dead: looked up at the store, or run out."""
    secrets_deleted: Annotated[Integer, Field(ge=0)] = 0
    """Those that have no Secret (any more)."""
    failed: Annotated[Integer, Field(ge=0)] = 0
    """Those of which something could not be ended so far; it is tried until it is."""
    failures: Annotated[
        tuple[RevocationFailure, ...], Field(max_length=MAX_FAILURES), ListType("map", ("connection",))
    ] = ()
    """The first of them, with reasons."""
    pending_holds: Annotated[tuple[UID, ...], Field(max_length=MAX_PENDING_HOLDS), ListType("atomic")] = ()
    """UIDs of connections that are matched, and do not carry their hold in their own status yet: until then this
    keeps them from leaving the target. Empty once Complete, but for newcomers and for those whose own status has no
    room for another hold."""
    started_time: Time | None = None
    """When the operator took it up."""
    revoked_time: Time | None = None
    """When the store had accepted everything."""
    verified_time: Time | None = None
    """When everything that can be revoked was verified dead."""
    lifted_time: Time | None = None
    """When the lift, or a drill's end, was seen: only approvals after it free a held connection."""
    residual_exposure_until: Time | None = None
    """Until when what cannot be revoked may still work."""
    residual: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The same for people: none, a time, or unknown where a credential has no end."""


class MCPRevocation(Resource):
    """The breakglass switch: while it matches a connection, nothing is minted for it, and what it has is
    revoked."""

    KIND: ClassVar[str] = "MCPRevocation"
    PLURAL: ClassVar[str] = "mcprevocations"
    SHORT_NAME: ClassVar[str] = "mcpkill"
    NAMESPACED: ClassVar[bool] = False

    kind: Literal["MCPRevocation"] = "MCPRevocation"
    spec: MCPRevocationSpec
    status: MCPRevocationStatus = MCPRevocationStatus()
