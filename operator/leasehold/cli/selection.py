"""Which connections a command is about: the one of a name, or, besides labels, a team's or a vendor's."""

from collections.abc import Sequence
from typing import Annotated

import typer

from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile
from leasehold.cli.access import Access
from leasehold.core.faults import Vanished

Team = Annotated[str | None, typer.Option("--team", help="Only connections of this team (spec.owner.team).")]
Vendor = Annotated[
    str | None,
    typer.Option("--vendor", help="Only connections to this vendor's servers (the profile's spec.vendor)."),
]


async def connection_named(access: Access, name: str) -> MCPConnection:
    """The connection that is called so, as NAMESPACE/NAME, or as NAME in the namespace of `access`.

    :raises Vanished: there is none
    """
    namespace, _, bare = name.rpartition("/")
    namespace = namespace or access.namespace
    found = await access.cluster.get(MCPConnection, bare, namespace)
    if found is None:
        raise Vanished(f"There is no MCPConnection {bare} in namespace {namespace}.")
    return found


async def narrowed(
    access: Access, connections: Sequence[MCPConnection], team: str | None, vendor: str | None
) -> list[MCPConnection]:
    """Those of the team, to servers of the vendor, where these are given.

    :raises Vanished: nobody can say which servers are the vendor's, or none is
    """
    profiles = None if vendor is None else await _profiles_of(access, vendor)
    return [
        each
        for each in connections
        if (team is None or each.spec.owner.team == team)
        and (profiles is None or each.spec.profile in profiles)
    ]


async def _profiles_of(access: Access, vendor: str) -> frozenset[str]:
    profiles, unreadable = await access.cluster.list_all(MCPServerProfile)
    if unreadable:
        raise Vanished(
            f"This version cannot read profiles {', '.join(unreadable)}: they may be {vendor}'s as well."
        )
    found = frozenset(each.metadata.name for each in profiles if each.spec.vendor == vendor)
    if not found:
        raise Vanished(f"No MCPServerProfile has spec.vendor {vendor}.")
    return found
