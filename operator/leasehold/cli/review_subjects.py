"""What a person reviews: connections, each with what was approved for it and what its server exposes now, compared
by the same code as the operator's."""

from collections.abc import Sequence
from dataclasses import dataclass

from leasehold.adapters.cluster import KubernetesCluster
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import CapturedSurface, MCPServerProfile
from leasehold.api.snapshot import MCPToolSnapshot, snapshot_name
from leasehold.cli.access import Access
from leasehold.cli.selection import connection_named, narrowed
from leasehold.core.drift_standing import identity_is_accepted
from leasehold.core.faults import Fault, Vanished
from leasehold.core.snapshot_content import UnfitSnapshot, answering_now, saved_from
from leasehold.core.surface_saved import Saved
from leasehold.engine.surfaces import Surfaces


@dataclass(frozen=True)
class Difference:
    """What a server exposes against what was approved: the same for all connections that share it.

    `live` None: nothing was ever captured. `approved` None: nothing was approved, or it is in no snapshot.
    """

    profile: MCPServerProfile | None
    approved_digest: str | None
    approved: Saved | None
    live: Saved | None
    trouble: str = ""
    """Why nothing of it could be read."""

    @property
    def surface(self) -> CapturedSurface | None:
        """The live one, as the profile has it."""
        return self.profile.status.surface if self.profile is not None else None


@dataclass(frozen=True)
class Subject:
    """One connection under review."""

    connection: MCPConnection
    difference: Difference


class Subjects:
    """Reads what is to be reviewed; what connections share is read once."""

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster
        self._surfaces = Surfaces(cluster)
        self._profiles: dict[str, MCPServerProfile | None] = {}
        self._saved: dict[tuple[str, str], Saved | None] = {}
        self._differences: dict[tuple[str, str | None, bool], Difference] = {}

    async def of(self, connection: MCPConnection) -> Subject:
        """The connection and its difference.

        :raises Fault: something could not be read
        """
        profile = await self._profile(connection.spec.profile)
        standing = await self._surfaces.standing(connection, profile)
        surface = profile.status.surface if profile is not None else None
        approved = standing.approved_digest if standing is not None else None
        accepted = surface is not None and identity_is_accepted(connection, surface)
        key = (connection.spec.profile, approved, accepted)
        if key not in self._differences:
            self._differences[key] = await self._difference(profile, approved, accepted=accepted)
        return Subject(connection, self._differences[key])

    async def even_unseen(self, connection: MCPConnection) -> Subject:
        """As `of`; where its difference cannot be read, the connection alone."""
        try:
            return await self.of(connection)
        except Fault as fault:
            return Subject(connection, Difference(None, None, None, None, fault.message))

    async def _difference(
        self, profile: MCPServerProfile | None, approved: str | None, *, accepted: bool
    ) -> Difference:
        surface = profile.status.surface if profile is not None else None
        if profile is None or surface is None:
            return Difference(profile, approved, None, None)
        name = profile.metadata.name
        live = await self._snapshot(name, surface.digest)
        if live is None:
            raise Vanished(
                f"MCPToolSnapshot {surface.snapshot}, which shows what {name} exposes, cannot be read; it is made "
                "anew when the operator looks next."
            )
        was = await self._snapshot(name, approved) if approved is not None else None
        if was is not None and accepted:
            was = answering_now(was, surface)  # somebody has approved who answers, too
        return Difference(profile, approved, was, answering_now(live, surface))

    async def _profile(self, name: str) -> MCPServerProfile | None:
        if name not in self._profiles:
            self._profiles[name] = await self._cluster.get(MCPServerProfile, name)
        return self._profiles[name]

    async def _snapshot(self, profile: str, digest: str) -> Saved | None:
        key = (profile, digest)
        if key not in self._saved:
            found = await self._cluster.get(MCPToolSnapshot, snapshot_name(profile, digest))
            self._saved[key] = _content(found, digest)
        return self._saved[key]


async def selected(
    access: Access,
    name: str | None,
    selector: str | None,
    team: str | None = None,
    vendor: str | None = None,
    *,
    everywhere: bool,
) -> list[MCPConnection]:
    """The connection of that name, as NAME or NAMESPACE/NAME, or those with these labels, of this team, to this
    vendor's servers.

    :raises Vanished: there is none
    """
    if name is not None:
        return [await connection_named(access, name)]
    where = "" if everywhere else access.namespace
    listed, unreadable = await access.cluster.list_all(MCPConnection, where, selector or "")
    if unreadable:
        raise Vanished(f"This version cannot read {', '.join(unreadable)}; nothing was reviewed.")
    chosen = await narrowed(access, listed, team, vendor)
    if not chosen:
        raise Vanished(
            f"No MCPConnection in {f'namespace {where}' if where else 'any namespace'} is what you have chosen."
        )
    return sorted(chosen, key=lambda each: each.key)


def by_difference(subjects: Sequence[Subject]) -> list[tuple[Difference, list[MCPConnection]]]:
    """Each difference once, with the connections that share it."""
    groups: dict[int, tuple[Difference, list[MCPConnection]]] = {}
    for subject in subjects:
        groups.setdefault(id(subject.difference), (subject.difference, []))[1].append(subject.connection)
    return list(groups.values())


def _content(snapshot: MCPToolSnapshot | None, digest: str) -> Saved | None:
    if snapshot is None or snapshot.spec.surface_digest != digest:
        return None
    try:
        return saved_from(snapshot)
    except UnfitSnapshot:
        return None
