"""What drift does to one connection: a deadline with a reason, like every other threat.

Clean means that the live digest is the one that Git asserts on the profile, or the one in the connection's newest
approval. Otherwise the worst finding says how long the credential may stay. Who answers is looked at even where the
surface is the approved one; a person who approves the live digest accepts who answered at that time, too."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from leasehold.api.base import whole_seconds
from leasehold.api.connection import DriftItem, DriftLevel, DriftRecord, MCPConnection
from leasehold.api.profile import CapturedSurface, DriftAction, MCPServerProfile, OnDrift
from leasehold.core.drift import MAX_COLLAPSED, DriftClass, Finding, collapse, in_order, worst

DRIFT_WINDOW: Final = timedelta(days=14)
"""How long a person has to look at drift that does not end the credential at once."""

NOT_ON_RECORD: Final = "SurfaceNotOnRecord"
MAX_PATHS: Final = 20

LEVEL: Final[Mapping[DriftClass, DriftLevel]] = {
    DriftClass.BENIGN: DriftLevel.BENIGN,
    DriftClass.REVIEW: DriftLevel.REVIEW,
    DriftClass.DANGEROUS: DriftLevel.DANGEROUS,
    DriftClass.HOSTILE: DriftLevel.HOSTILE,
}
_RANK: Final = {level: rank for rank, level in enumerate(DriftLevel)}


@dataclass(frozen=True)
class Difference:
    """What differs between two surfaces, as much of it as is told; `level` None where nothing does."""

    level: DriftLevel | None
    items: tuple[DriftItem, ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        return -1 if self.level is None else _RANK[self.level]


NOTHING: Final = Difference(None)
UNRECORDED: Final = Difference(
    DriftLevel.REVIEW, (DriftItem(level=DriftLevel.REVIEW, kind=NOT_ON_RECORD, item="", count=1),)
)
"""One of the two surfaces is in no snapshot, so nobody can say what differs: a person has to look."""


@dataclass(frozen=True)
class Comparison:
    """The live surface against an approved one."""

    approved_digest: str
    surface: Difference
    identity: Difference
    """Who answers, against who answered when the approved surface was captured first."""
    is_on_record: bool = True


@dataclass(frozen=True)
class DriftStanding:
    """How a connection stands to what its server exposes. Without `approved_digest`, nothing is approved."""

    live_digest: str
    approved_digest: str | None = None
    level: DriftLevel | None = None
    since: datetime | None = None
    deadline: datetime | None = None
    items: tuple[DriftItem, ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def has_drifted(self) -> bool:
        """Whether a person has to look; benign differences pass."""
        return self.deadline is not None

    def is_over(self, now: datetime) -> bool:
        """Whether it ends the credential."""
        return self.deadline is not None and now >= self.deadline

    @property
    def record(self) -> DriftRecord | None:
        """As the connection's status shows it."""
        if self.level is None or self.approved_digest is None or self.since is None:
            return None
        return DriftRecord(
            live_digest=self.live_digest,
            approved_digest=self.approved_digest,
            level=self.level,
            since_time=whole_seconds(self.since),
            deadline_time=self.deadline,
            findings=self.items,
        )


def difference(findings: Iterable[Finding]) -> Difference:
    """The findings of one comparison, collapsed."""
    told = in_order(findings)
    if not told:
        return NOTHING
    items = tuple(
        DriftItem(level=LEVEL[each.drift_class], kind=each.kind.value, item=each.item, count=each.count)
        for each in collapse(told, MAX_COLLAPSED)
    )
    return Difference(LEVEL[worst(told)], items, tuple(dict.fromkeys(each.path for each in told))[:MAX_PATHS])


def approved_digests(connection: MCPConnection, profile: MCPServerProfile) -> tuple[str, ...]:
    """What counts as approved, the connection's own approval first."""
    approval = connection.status.approval
    own = approval.surface_digest if approval is not None else None
    return tuple(dict.fromkeys(each for each in (own, profile.spec.approved_surface) if each is not None))


def standing_to(
    connection: MCPConnection,
    profile: MCPServerProfile,
    live: CapturedSurface,
    comparisons: Iterable[Comparison],
) -> DriftStanding:
    """How the connection stands; `comparisons` has one for each of its approved digests."""
    accepted = identity_is_accepted(connection, live)
    judged = [_without_identity(each) if accepted else each for each in comparisons]
    if not judged:
        return DriftStanding(live.digest)
    recorded = [each for each in judged if each.is_on_record]
    nearest = min(recorded or judged, key=lambda each: max(each.surface.rank, each.identity.rank))
    parts = ((nearest.surface, live.captured_time), (nearest.identity, live.identity_time))
    found = [(part.level, since) for part, since in parts if part.level is not None]
    if not found:
        return DriftStanding(live.digest, nearest.approved_digest)
    level = max((each for each, _ in found), key=_RANK.__getitem__)
    # what is benign has no time that could run: a new version long ago does not hurry a review of today
    threats = [(each, _since(connection, since)) for each, since in found if each is not DriftLevel.BENIGN]
    deadlines = [_deadline(profile.spec.on_drift, each, since) for each, since in threats]
    items = sorted((*nearest.surface.items, *nearest.identity.items), key=lambda each: -_RANK[each.level])
    return DriftStanding(
        live_digest=live.digest,
        approved_digest=nearest.approved_digest,
        level=level,
        since=min(since for _, since in threats or found),
        deadline=min(deadlines, default=None),
        items=tuple(items[:MAX_COLLAPSED]),
        paths=(*nearest.surface.paths, *nearest.identity.paths)[:MAX_PATHS],
    )


def identity_is_accepted(connection: MCPConnection, live: CapturedSurface) -> bool:
    """Whether somebody approved the live surface since this server answers."""
    approval = connection.status.approval
    return (
        approval is not None
        and approval.surface_digest == live.digest
        and approval.time >= live.identity_time
    )


def _without_identity(comparison: Comparison) -> Comparison:
    return Comparison(
        comparison.approved_digest, comparison.surface, NOTHING, is_on_record=comparison.is_on_record
    )


def _since(connection: MCPConnection, begun: datetime) -> datetime:
    """A server that changes with every capture does not begin its time anew: it runs from the first of them, unless
    somebody approved something in between."""
    before, approval = connection.status.drift, connection.status.approval
    if before is None or before.deadline_time is None:
        return begun
    if approval is not None and before.since_time < approval.time:
        return begun
    return min(begun, before.since_time)


def _deadline(on_drift: OnDrift, level: DriftLevel, since: datetime) -> datetime:
    match level:
        case DriftLevel.DANGEROUS if on_drift.dangerous is DriftAction.SUSPEND:
            return since
        case DriftLevel.HOSTILE if on_drift.hostile is DriftAction.SUSPEND:
            return since
    return since + DRIFT_WINDOW
