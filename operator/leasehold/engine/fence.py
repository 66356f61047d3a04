"""Deny wins: asked after the intent is recorded, and again before the Secret is written."""

from typing import Final

from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.core.checks import Effect, Finding
from leasehold.core.decide import standing
from leasehold.engine.gather import Gatherer
from leasehold.engine.leadership import Leadership

FORBIDDING: Final = frozenset(
    {Reason.INVALID_SPEC, Reason.POLICY_VIOLATED, Reason.POLICY_UNREADABLE, Reason.RECREATED}
)
"""Obstacles that people have put there, and that a mint under way must not pass."""


class Fence:
    """A consistent list of revocations, leadership, and the decision itself, all begun after the question."""

    def __init__(self, gatherer: Gatherer, leadership: Leadership) -> None:
        self._gatherer = gatherer
        self._leadership = leadership
        self.is_closing = False
        """A stop has begun: mints under way are finished, and none is started."""

    async def denies(self, connection: MCPConnection, mint_hash: str) -> Finding | None:
        """Why the mint must not go on; None where it may.

        :raises TryLater: the revocations could not be listed, so nothing is known
        """
        fresh = await self._gatherer.observe_for_fence(connection)
        if not self._leadership.is_leader:
            return Finding(Reason.LOST_RACE, "this replica leads no more", Effect.NO_MINT)
        finding = standing(fresh)
        if finding.effect is Effect.END or (
            finding.effect is Effect.NO_MINT and finding.reason in FORBIDDING
        ):
            return finding
        if fresh.mint_hash != mint_hash:
            return Finding(
                Reason.RECIPE_CHANGED, "what is to be minted has changed meanwhile", Effect.NO_MINT
            )
        return None
