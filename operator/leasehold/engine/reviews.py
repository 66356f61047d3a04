"""Judges reviews as they are written, says so in their status, and hands what counts to the connection."""

from collections.abc import Callable

from leasehold.api.base import Condition, ConditionStatus
from leasehold.api.connection import MCPConnection
from leasehold.api.review import MCPConnectionReview
from leasehold.core.faults import Conflict, OutcomeUnknown, Vanished
from leasehold.core.reviews import COUNTED, Verdict, judge, verdict_of
from leasehold.engine.inventory import Inventory
from leasehold.engine.report import Reporter
from leasehold.ports import Clock, Cluster


class Reviews:
    """One pass over one review; `changed` gets the connection that it is about."""

    def __init__(
        self,
        cluster: Cluster,
        inventory: Inventory,
        reporter: Reporter,
        clock: Clock,
        changed: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._reporter = reporter
        self._clock = clock
        self._changed = changed

    async def reconcile(self, review: MCPConnectionReview) -> None:
        """Judge a review that nobody has judged.

        :raises Fault: the connection could not be read, or the verdict not be written
        """
        if verdict_of(review) is not None:
            return
        namespace = review.metadata.namespace
        connection = await self._cluster.get(MCPConnection, review.spec.connection, namespace)
        verdict = judge(review, connection, self._live_digest(connection))
        try:
            answered = await self._cluster.put_status(self._with(review, verdict))
        except (Conflict, Vanished, OutcomeUnknown):
            return  # its next event, or the next comparison, brings it here again
        self._inventory.put(answered)
        self._reporter.reviewed(answered, connection, verdict)
        self._changed(f"{namespace}/{review.spec.connection}")

    def _live_digest(self, connection: MCPConnection | None) -> str | None:
        profile = self._inventory.profiles.get(connection.spec.profile) if connection is not None else None
        surface = profile.status.surface if profile is not None else None
        return surface.digest if surface is not None else None

    def _with(self, review: MCPConnectionReview, verdict: Verdict) -> MCPConnectionReview:
        now = self._clock.now() or review.metadata.creation_timestamp
        if now is None:
            return review
        condition = Condition(
            type=COUNTED,
            status=ConditionStatus.TRUE if verdict.counts else ConditionStatus.FALSE,
            reason=verdict.reason,
            message=verdict.message,
            last_transition_time=now,
            observed_generation=review.metadata.generation,
        )
        status = review.status.model_copy(
            update={"observed_generation": review.metadata.generation, "conditions": (condition,)}
        )
        return review.model_copy(update={"status": status})
