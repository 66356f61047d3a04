"""All that one decision may look at. Gathered once, then frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256

from leasehold.api.connection import Backoff, MCPConnection, OwnerRecord, UseRecord
from leasehold.api.hold import Hold
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import CredentialRecipe, MCPServerProfile
from leasehold.api.store import MCPCredentialStore
from leasehold.api.violation import PolicyViolation
from leasehold.core.combinations import Member
from leasehold.core.drift_standing import DriftStanding
from leasehold.core.facts import RevocationFact, SecretProbe
from leasehold.core.former import Predecessor
from leasehold.core.mint_hash import mint_hash
from leasehold.core.owners import OwnerLook, owner_now
from leasehold.core.policy import violations_now
from leasehold.core.revocations import holds_now
from leasehold.core.use import UseLook, use_now


@dataclass(frozen=True)
class Inspection:
    """The Secret and the credential as they were found. Each False or True is a positive finding."""

    secret_is_damaged: bool = False
    """Deleted, or its data or label is not what we wrote: somebody may have seen or replaced it."""
    secret_version: str | None = None
    """A newer version with the data that we wrote: what the next touch has to expect."""
    secret_digest: str | None = None
    """With `secret_version`: the digest of the data that was read."""
    annotations_differ: bool = False
    gone_at_vault: bool = False
    """Vault does not know the Current generation any more."""


@dataclass(frozen=True)
class Observation:
    """One connection and its surroundings at one moment of the API server's time.

    `None` for profile, store, service account: positively absent. A read that failed never gets here.
    """

    now: datetime
    connection: MCPConnection
    profile: MCPServerProfile | None
    store: MCPCredentialStore | None
    namespace_labels: Mapping[str, str] | None = None
    service_account_exists: bool | None = None
    """None: not looked up lately, which decides nothing."""
    secret: SecretProbe | None = None
    """None: not probed, because nothing depends on it."""
    inspection: Inspection | None = None
    """What looking after the published credential found; None: it was not looked at, which decides nothing."""
    rivals: tuple[MCPConnection, ...] = ()
    """Other connections of the namespace that name the same Secret."""
    revocations: tuple[RevocationFact, ...] = ()
    matched_by: frozenset[str] = frozenset()
    """Uids of revocations that have matched it before, whatever it says now."""
    recorded_by: frozenset[str] = frozenset()
    """Those of them that keep the match in their own status until its hold is written."""
    drift: DriftStanding | None = None
    """How it stands to what the server exposes; None: that was never captured."""
    policies: tuple[MCPAccessPolicy, ...] = ()
    """All that could be read, each as it was read last."""
    unreadable_policies: tuple[str, ...] = ()
    """Those whose newest version this version cannot read."""
    peers: tuple[Member, ...] = ()
    """Other connections of the same agent; empty where no policy is about all of them together."""
    predecessors: tuple[Predecessor, ...] = ()
    """Other connections of the same agent to the same server, those that ended among them."""
    unreadable_exposure: str | None = None
    """The agent's exposure, where this version cannot read it: who was before nobody knows."""
    look: UseLook | None = None
    """What sources of evidence said of its use; None: they were not asked lately, which decides nothing."""
    owner_look: OwnerLook | None = None
    """What the owner directory says of its people; None: it was not read yet, which decides nothing."""

    @cached_property
    def holds(self) -> tuple[Hold, ...]:
        """What revocations leave on the connection, as of now."""
        approval = self.connection.status.approval
        return holds_now(
            self.revocations,
            self.connection,
            self.profile,
            self.now,
            self.matched_by,
            approved_time=approval.time if approval is not None else None,
        )

    @property
    def must_be_held_first(self) -> bool:
        """A revocation has matched it, and nothing that is written down would say so after a crash."""
        written = {hold.uid for hold in self.connection.status.holds} | self.recorded_by
        return any(hold.uid not in written for hold in self.holds)

    @cached_property
    def use(self) -> UseRecord | None:
        """What is on record of its use, as of now."""
        return use_now(self.connection, self.look)

    @cached_property
    def owner(self) -> OwnerRecord | None:
        """What is on record of who answers for it, as of now."""
        return owner_now(self.connection, self.owner_look)

    @cached_property
    def violations(self) -> tuple[PolicyViolation, ...]:
        """What access policies find, as of now."""
        return violations_now(
            self.connection,
            self.profile,
            self.namespace_labels,
            self.policies,
            self.unreadable_policies,
            self.peers,
            self.now,
        )

    @cached_property
    def specs(self) -> str:
        """Digest of what people have decided about it: another one as soon as any of them edits."""
        parts = [
            f"{each.metadata.uid}/{each.metadata.generation}" if each is not None else "absent"
            for each in (self.connection, self.profile, self.store)
        ]
        return sha256(" ".join(parts).encode()).hexdigest()[:16]

    @property
    def backoff(self) -> Backoff | None:
        """What failed and is waited for; an edit ends the wait, for it may have been what was missing."""
        known = self.connection.status.backoff
        return known if known is not None and known.specs in ("", self.specs) else None

    @property
    def recipe(self) -> CredentialRecipe | None:
        """How to mint; None where the connection is a record only."""
        return self.profile.spec.credential if self.profile else None

    @property
    def mint_hash(self) -> str | None:
        """What the current credential should have been made from."""
        spec = self.connection.spec
        if self.recipe is None or spec.output is None:
            return None
        return mint_hash(self.recipe, spec.agent.service_account_name, spec.output)
