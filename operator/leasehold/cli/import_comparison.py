"""What is registered, read for `leasehold import`: profiles, and the connections of the namespaces that were asked
for. What may not be listed is told, and then nothing that depends on it is called unregistered."""

from pathlib import Path
from typing import TypeVar

from leasehold.api.base import Resource
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile
from leasehold.cli.access import Access, opened
from leasehold.core.faults import Fault
from leasehold.core.import_found import Unread
from leasehold.core.import_registered import Registered

R = TypeVar("R", bound=Resource)


async def read_registered(
    kubeconfig: Path | None, context: str | None, namespace: str, *, everywhere: bool
) -> tuple[Registered, tuple[Unread, ...]]:
    """What could be read, and what could not. Connections are those of the namespace; without one, of the
    context's, or `everywhere`.

    :raises Fault: the kubeconfig cannot be used
    """
    unread: list[Unread] = []
    async with opened(kubeconfig, context, namespace or None) as access:
        within = "" if everywhere and not namespace else access.namespace
        profiles, are_all_profiles = await _listed(access, MCPServerProfile, "", unread)
        connections, are_all_connections = await _listed(access, MCPConnection, within, unread)
        registered = Registered(
            profiles, connections, are_all_profiles, are_all_connections, namespace=access.namespace
        )
    return registered, tuple(unread)


async def _listed(
    access: Access, kind: type[R], namespace: str, unread: list[Unread]
) -> tuple[list[R], bool]:
    """All that this version can read of a kind, and whether that is all there is."""
    source = f"{kind.PLURAL} of context {access.context}"
    try:
        found, unreadable = await access.cluster.list_all(kind, namespace)
    except Fault as fault:
        needed = f"comparing takes the verb list on {kind.PLURAL}"
        unread.append(Unread(source, f"not compared with these; {needed}: {fault.message}"))
        return [], False
    if unreadable:
        names = ", ".join(unreadable)
        unread.append(Unread(source, f"not compared with {names}: this version cannot read them"))
    return found, not unreadable
