"""One pass over one connection: observe, decide, carry the plan out, write down what is true now."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from leasehold.api.base import Condition, whole_seconds
from leasehold.api.connection import Assurance, EntryState, LedgerEntry, MCPConnection, MCPConnectionStatus
from leasehold.api.names import FINALIZER
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.reasons import Reason
from leasehold.core import ledger
from leasehold.core.checks import denies
from leasehold.core.decide import decide, next_wake
from leasehold.core.faults import Fault, Vanished
from leasehold.core.observation import Observation
from leasehold.core.plan import Ending, Plan
from leasehold.core.project import project
from leasehold.engine.exposures import Exposures
from leasehold.engine.gather import Gatherer
from leasehold.engine.inspect import Inspector
from leasehold.engine.inventory import Inventory
from leasehold.engine.mint import Denied, Minter, order_for
from leasehold.engine.recover import Recovery, owes_login
from leasehold.engine.report import Reporter
from leasehold.engine.revoke import Revoker
from leasehold.engine.secrets import Secrets
from leasehold.engine.service_accounts import ServiceAccounts
from leasehold.engine.usage import UseWatch
from leasehold.engine.work import LostRace, Work
from leasehold.ports import Cluster

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Again:
    """When to look at a connection again if nothing happens before; None: only an event matters."""

    after: timedelta | None
    mint_is_left: bool = False
    """A mint is due, which this pass was not to begin."""


LOGIN_RETRY = timedelta(seconds=15)
"""After a login could not be given back."""

AT_ONCE = Again(timedelta(0))
SOON = Again(timedelta(seconds=1))
"""Somebody else was faster: time for what they did to be told."""
UNTIL_IT_IS_TOLD = Again(timedelta(seconds=5))
"""The object is gone: its deletion is told by the watch, or found by the next comparison."""


class Reconciler:
    """Carries plans out, one connection at a time."""

    def __init__(
        self,
        cluster: Cluster,
        inventory: Inventory,
        gatherer: Gatherer,
        accounts: ServiceAccounts,
        inspector: Inspector,
        minter: Minter,
        revoker: Revoker,
        secrets: Secrets,
        recovery: Recovery,
        reporter: Reporter,
        uses: UseWatch,
        exposures: Exposures,
    ) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._gatherer = gatherer
        self._accounts = accounts
        self._inspector = inspector
        self._minter = minter
        self._revoker = revoker
        self._secrets = secrets
        self._recovery = recovery
        self._reporter = reporter
        self._uses = uses
        self._exposures = exposures
        self.released: set[str] = set()
        """Uids of those whose finalizer is off, or may be: nothing of them is alive, or it was given up. Noted
        ahead of the request, for the watch may tell of the deletion before the request is answered."""

    async def reconcile(self, connection: MCPConnection, may_mint: bool = True) -> Again:
        """One pass; without `may_mint` it ends what has to end, and leaves a mint to another pass.

        :raises Fault: nothing could be read or written; nothing is lost, and the pass is to be repeated
        """
        if ledger.is_gone(connection, FINALIZER):
            return Again(None)
        observed = await self._gatherer.observe(connection)
        plan = decide(observed)
        mint_is_left = plan.mint is not None and not may_mint
        if mint_is_left:
            plan = replace(plan, mint=None)
        work = Work(self._cluster, self._inventory, connection)
        work.set_reviews(observed.connection.status.approval, observed.connection.status.rejection)
        work.set_holds(observed.holds)
        work.set_use(observed.use)
        work.set_owner(observed.owner)
        work.set_violations(observed.violations)
        try:
            if (
                _became_idle(connection.status, work.status)
                or _owner_left(connection.status, work.status)
                or _ends_by_policy(connection.status, work, plan)
            ):
                await work.commit()  # what one look has found is on record before anything ends by it
            fault, again = await self._carry_out(work, observed, plan)
            if _is_over(work, plan):
                if _others_keep_it(work.connection):  # it stays, and has to say what is so
                    work.status = project(self._afterwards(observed, work), fault)
                    await work.commit()
                await self._exposures.leave(work.as_it_will_be)
                self.released.add(connection.metadata.uid)
                await work.release()
                self._forget_what_left(connection, work)
                self._inspector.forget(connection.metadata.uid)
                self._uses.forget(connection.metadata.uid)
                return Again(None)
            after = self._afterwards(observed, work)
            work.status = project(after, fault)
            await work.commit()
            self._forget_what_left(connection, work)
        except LostRace as lost:
            await self._revoke_what_nobody_records(connection, work, lost.ledger)
            return SOON
        except Vanished:
            await self._revoke_what_nobody_records(connection, work, ())
            self._reporter.written(connection)
            return UNTIL_IT_IS_TOLD
        self._report(connection, work)
        if _has_drifted_anew(connection.status, work.connection.status):
            self._reporter.drifted(work.connection, observed.drift.paths if observed.drift else ())
        self._reporter.policy_violations_changed(
            work.connection,
            connection.status.policy_violations,
            gone={each.policy for each in connection.status.policy_violations}
            - {policy.metadata.name for policy in observed.policies},
        )
        if _is_asserted_anew(connection.status, work.connection.status):
            self._reporter.asserted_by_git(work.connection)
        if again or _changed_meanwhile(observed.connection, work.connection):
            return AT_ONCE
        following = self._next(replace(after, connection=work.connection), decided_at=observed.now)
        return replace(following, mint_is_left=mint_is_left)

    def policy_removed(self, policy: MCPAccessPolicy) -> None:
        """An access policy was deleted: what it denied is looked at anew."""
        self._reporter.policy_removed(policy)

    async def _carry_out(self, work: Work, o: Observation, plan: Plan) -> tuple[Fault | None, bool]:
        """The plan's steps in order. The first fault is told, but no fault keeps endings from being tried."""
        fault: Fault | None = None
        again = plan.recover
        try:
            if plan.recover:
                await self._recovery.recover(work, o)
            for entry in plan.adoptions:
                await self._adopt(work, o, entry)
            await self._recovery.give_logins_back(work)
            if o.inspection is not None:
                self._secrets.expect(work, o.inspection)
            if work.ledger and o.connection.metadata.deletion_timestamp is None:
                await work.hold()
        except (LostRace, Vanished):
            raise
        except Fault as stopped:
            return stopped, False
        if o.must_be_held_first and (plan.endings or plan.delete_secret):
            await self._record_holds(work)
        fault = await self._end(work, plan.endings, o)
        if plan.abandon is not None:
            self._abandon(work, plan.abandon)
            again = True
        try:
            if plan.delete_secret:
                await self._secrets.delete(work)
            if plan.mint is not None:
                await self._minter.mint(work, order_for(o, plan.mint))
            elif plan.annotate:
                await self._secrets.annotate(work)
        except Denied as denied:
            again = denied.reason is not Reason.LOST_RACE  # a process that may not mint does not try again
        except (LostRace, Vanished):
            raise
        except Fault as stopped:
            fault = fault or stopped
        return fault, again

    async def _record_holds(self, work: Work) -> None:
        """Whoever leaves the target once its credential is dead has to find the hold written, also after a crash.
        Where it cannot be written, the credential ends all the same."""
        try:
            await work.commit()
        except (LostRace, Vanished):
            raise
        except Fault as fault:
            log.warning("revoked before its hold is written", object=work.connection.key, why=fault.message)

    async def _adopt(self, work: Work, o: Observation, entry: LedgerEntry) -> None:
        """A published generation whose mint nobody recorded as over."""
        entry = await self._recovery.without_login(entry)
        overlap = timedelta(seconds=o.recipe.overlap_seconds if o.recipe else 0)
        work.set_ledger(ledger.published(work.ledger, entry, o.now, overlap))
        self._secrets.remember(work, o, entry)
        self._reporter.adopted(work.connection, entry)

    async def _end(self, work: Work, endings: tuple[Ending, ...], o: Observation) -> Fault | None:
        """All endings at once; what is proven dead leaves the ledger, the rest stays with its state."""
        faults = await asyncio.gather(*(self._end_one(work, ending, o) for ending in endings))
        return next((fault for fault in faults if fault is not None), None)

    async def _end_one(self, work: Work, ending: Ending, o: Observation) -> Fault | None:
        entry, reason = ending.entry, ending.reason
        since = entry.end_time if entry.end_time and entry.end_time <= o.now else whole_seconds(o.now)
        going = entry.model_copy(update={"reason": reason, "end_time": since})
        if entry.state not in (EntryState.REVOKING, EntryState.IRREVOCABLE):
            self._reporter.ending(work.connection, going, reason)
        store = self._inventory.store_by_uid(entry.store_uid)
        remains = await self._revoker.end(going, store, o.now)
        if remains.state is None:
            work.set_ledger(ledger.without(work.ledger, [entry.generation]))
            work.outlives(entry.residual_time)
            if ledger.cannot_end(entry):
                work.let_go(entry)
                reason = Reason.NOT_REVOCABLE
            self._reporter.ended(work.connection, going, reason)
            return None
        left = going.model_copy(update={"state": remains.state, "mint_deadline_time": None})
        work.set_ledger(ledger.with_entry(work.ledger, left))
        if remains.fault is not None:
            self._reporter.not_ended(work.connection, left, remains.fault)
        return remains.fault

    def _abandon(self, work: Work, why: str) -> None:
        for entry in work.ledger:
            work.let_go(entry)
            self._reporter.abandoned(work.connection, entry, why)
        if not work.ledger:
            work.let_go(None)
            self._reporter.abandoned(work.connection, None, why)
        work.set_ledger((), max(work.status.last_generation, 1))

    def _afterwards(self, o: Observation, work: Work) -> Observation:
        return replace(
            o,
            now=self._gatherer.now(),
            connection=o.connection.model_copy(update={"status": work.status}),
            service_account_exists=self._accounts.known(o.connection),
        )

    async def _revoke_what_nobody_records(
        self, connection: MCPConnection, work: Work, theirs: ledger.Ledger
    ) -> None:
        """The object is somebody else's or gone: what this pass minted and no ledger names ends here. What they
        have taken over from this pass, published or not, is theirs."""
        recorded = {entry.generation for entry in connection.status.ledger}
        now = self._gatherer.now()
        for entry in work.ledger:
            if entry.generation not in recorded and not ledger.names(theirs, entry):
                store = self._inventory.store_by_uid(entry.store_uid)
                remains = await self._revoker.end(entry, store, now)
                if remains.fault is not None:
                    self._reporter.not_ended(connection, entry, remains.fault)
                else:
                    self._reporter.ended(connection, entry, Reason.LOST_RACE)

    def _forget_what_left(self, before: MCPConnection, work: Work) -> None:
        self._reporter.written(before)
        left = {entry.accessor for entry in work.ledger}
        self._revoker.forget(entry for entry in before.status.ledger if entry.accessor not in left)
        if work.status.secret is None:
            self._secrets.forget(before)

    def _report(self, before: MCPConnection, work: Work) -> None:
        now = work.connection
        self._reporter.metrics.connection(now)
        used_before, used = _condition(before.status, "Used"), _condition(now.status, "Used")
        if used is not None and (used_before is None or used_before.reason is not used.reason):
            self._reporter.use_changed(now, used)
        owner_before, owner = (_condition(each, "OwnerActive") for each in (before.status, now.status))
        if owner is not None and (owner_before is None or owner_before.reason is not owner.reason):
            self._reporter.owner_changed(now, owner)
        was, ready = _condition(before.status, "Ready"), _condition(now.status, "Ready")
        if ready is not None and was is not None and denies(was) and not denies(ready):
            approval = now.status.approval if now.status.approval != before.status.approval else None
            self._reporter.restored(now, was, ready, approval)
        if ready is None or (
            was is not None and was.reason is ready.reason and not _is_denied_now(was, ready)
        ):
            return
        published = _published(now.status) != _published(before.status)
        if ready.reason is not Reason.ACTIVE or not published:  # the Event of a mint says both
            self._reporter.ready_changed(now, ready.reason, ready.message)

    def _next(self, o: Observation, decided_at: datetime) -> Again:
        """A moment that came while the pass went on is due at once: its decision did not see it."""
        moments = [next_wake(replace(o, now=decided_at)), self._uses.due(o.connection, o.now)]
        if any(owes_login(entry) for entry in o.connection.status.ledger):
            moments.append(o.now + LOGIN_RETRY)
        if ledger.current(o.connection.status.ledger) is not None:
            moments.append(self._inspector.due(o.connection, o.now))
        if o.connection.status.ledger or o.service_account_exists is False:
            moments.append(self._accounts.check_due(o.connection, o.now))
        due = min((moment for moment in moments if moment is not None), default=None)
        return Again(None if due is None else max(due - o.now, timedelta(0)))


def _others_keep_it(connection: MCPConnection) -> bool:
    return bool(set(connection.metadata.finalizers) - {FINALIZER})


def _published(status: MCPConnectionStatus) -> int:
    present = ledger.current(status.ledger)
    return present.generation if present is not None else 0


def _condition(status: MCPConnectionStatus, kind: str) -> Condition | None:
    return next((condition for condition in status.conditions if condition.type == kind), None)


def _became_idle(before: MCPConnectionStatus, after: MCPConnectionStatus) -> bool:
    was, now = (each.use.idle_since if each.use is not None else None for each in (before, after))
    return now is not None and now != was


def _owner_left(before: MCPConnectionStatus, after: MCPConnectionStatus) -> bool:
    """Was found gone, or has been so for too long."""
    was, now = (each.owner and (each.owner.left_since, each.owner.orphaned_since) for each in (before, after))
    return now is not None and now != (None, None) and now != was


def _is_denied_now(was: Condition, ready: Condition) -> bool:
    """The time that a policy gave is over: its reason stays the same."""
    return ready.reason is Reason.POLICY_VIOLATED and denies(ready) and not denies(was)


def _ends_by_policy(before: MCPConnectionStatus, work: Work, plan: Plan) -> bool:
    found_anew = before.policy_violations != work.status.policy_violations
    return plan.finding.reason is Reason.POLICY_VIOLATED and bool(plan.endings) and found_anew


def _has_drifted_anew(before: MCPConnectionStatus, after: MCPConnectionStatus) -> bool:
    """To another surface, from another approved one, or worse than before."""
    was, now = before.drift, after.drift
    if now is None:
        return False
    told = (now.live_digest, now.approved_digest, now.level)
    return was is None or told != (was.live_digest, was.approved_digest, was.level)


def _is_asserted_anew(before: MCPConnectionStatus, after: MCPConnectionStatus) -> bool:
    was, now = before.surface_approval, after.surface_approval
    return now is not None and now.assurance is Assurance.ASSERTED_BY_GIT and was != now


def _is_over(work: Work, plan: Plan) -> bool:
    """Being deleted, and nothing that was minted is alive: never so while the ledger is lost."""
    return (
        plan.finding.reason is Reason.DELETED
        and not work.ledger
        and work.status.secret is None
        and not ledger.is_lost(work.connection.model_copy(update={"status": work.status}), FINALIZER)
    )


def _changed_meanwhile(before: MCPConnection, after: MCPConnection) -> bool:
    """A conflict brought a newer object whose event will be taken for the echo of our own write."""
    old, new = before.metadata, after.metadata
    return (old.generation, old.deletion_timestamp, old.annotations) != (
        new.generation,
        new.deletion_timestamp,
        new.annotations,
    )
