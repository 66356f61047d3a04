"""Which revocations exist: one consistent list, shared by the fences, the decisions and the breakglass work.

A watch only says when to list; whoever lists learns of a new revocation, so that a watch that is silent hides
none. What a revocation has matched once stays matched: for as long as this process runs, and beyond that by what
is written down, in the connection's holds or, until they are, in the status of the revocation."""

from collections import defaultdict
from collections.abc import Callable

from leasehold.api.connection import MCPConnection
from leasehold.api.revocation import MCPRevocation
from leasehold.core.facts import RevocationFact
from leasehold.core.revocations import Revocations, is_over, readable
from leasehold.engine.inventory import version_of
from leasehold.engine.shared_call import SharedCall
from leasehold.ports import Clock, Cluster


class RevocationBook:
    """All revocations as last listed."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._clock = clock
        self._list = SharedCall(cluster.list_revocations)
        self._matched: defaultdict[str, set[str]] = defaultdict(set)
        self._recorded: dict[str, frozenset[str]] = {}
        self._standing: dict[str, bool] = {}
        self.known: Revocations = ()
        self.on_change: Callable[[], None] = lambda: None

    async def refresh(self) -> Revocations:
        """A list begun after this call; who depends on it is told where something began or ended.

        :raises Fault: nothing is known anew
        """
        self._know(await self._list())
        if self._standing != (standing := self._standing_now()):
            self._standing = standing
            self.on_change()
        return self.known

    def took(self, revocation: MCPRevocation) -> None:
        """A newer version, as the API server answered a write of ours."""
        fact = RevocationFact(revocation.metadata.name, revocation.metadata.uid, revocation)
        self._know(tuple(fact if each.uid == fact.uid else each for each in self.known))

    def get(self, uid: str) -> MCPRevocation | None:
        """The revocation with this uid; None where it is gone or cannot be read."""
        return next((each for each in readable(self.known) if each.metadata.uid == uid), None)

    @property
    def uids(self) -> frozenset[str]:
        """Of all that exist, readable or not."""
        return frozenset(fact.uid for fact in self.known)

    def remember(self, connection: MCPConnection, revocation: MCPRevocation) -> None:
        """It matched: from now on the connection does not escape by an edit."""
        self._matched[connection.metadata.uid].add(revocation.metadata.uid)

    def matched_by(self, connection: MCPConnection) -> frozenset[str]:
        """The uids of all that have matched the connection, as far as this process has seen."""
        held = {hold.uid for hold in connection.status.holds}
        remembered = self._matched.get(connection.metadata.uid, set())
        return frozenset(remembered | held) | self.recording(connection)

    def recording(self, connection: MCPConnection) -> frozenset[str]:
        """The uids of those whose own status says that they have matched the connection."""
        uid = connection.metadata.uid
        return frozenset(each for each, connections in self._recorded.items() if uid in connections)

    def forget(self, connection: MCPConnection) -> None:
        """The connection is gone."""
        self._matched.pop(connection.metadata.uid, None)

    def _know(self, facts: Revocations) -> None:
        held = {fact.uid: fact for fact in self.known}
        self.known = tuple(_newer(fact, held.get(fact.uid)) for fact in facts)
        self._recorded = {
            revocation.metadata.uid: frozenset(revocation.status.pending_holds)
            for revocation in readable(self.known)
        }

    def _standing_now(self) -> dict[str, bool]:
        now = self._clock.now()
        over = {
            revocation.metadata.uid: now is not None and is_over(revocation, now)
            for revocation in readable(self.known)
        }
        return {fact.uid: over.get(fact.uid, False) for fact in self.known}


def _newer(listed: RevocationFact, held: RevocationFact | None) -> RevocationFact:
    """A list may have been read before a write of ours that was answered sooner."""
    if held is None or held.revocation is None or listed.revocation is None:
        return listed
    ours, theirs = (each.metadata.resource_version for each in (held.revocation, listed.revocation))
    return held if version_of(ours) > version_of(theirs) else listed
