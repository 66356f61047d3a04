"""A database login in a DSN: it dies with its lease, so what is revoked is refused at once."""

import json
from collections.abc import Sequence

import psycopg

from leasehold.api.connection import MCPConnection
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from story import Act, ConnectionStory
from world import Credential, NotSeen, Refused, clock, condition

DEPUTY = "bob@example.com"
ACCEPTED = {Reason.ACTIVE, Reason.REVIEW_DUE}


class Orders(ConnectionStory):
    """Minted, used, rotated, and suspended by its team."""

    namespace = "support"
    name = "support-bot-orders"
    secret_name = "support-bot-orders"

    @property
    def acts(self) -> Sequence[Act]:
        return (self.minted, self.used, self.rotated, self.old_one_ended, self.revoked)

    def use(self, credential: Credential) -> str:
        """Read the orders with the DSN that the Secret holds."""
        try:
            with psycopg.connect(credential.data["dsn"], connect_timeout=10) as database:
                row = database.execute("select count(*), current_user from orders").fetchone()
        except psycopg.OperationalError as error:
            if "authentication failed" not in str(error):
                raise NotSeen(f"PostgreSQL does not answer: {error}") from error
            raise Refused(f"PostgreSQL refuses login {credential.data['username']}") from error
        if row is None:
            raise NotSeen("PostgreSQL gave no rows")
        return f"{row[0]} rows read by {row[1]}"

    def minted(self) -> str:
        credential = self.first_credential()
        connection = self._ready()
        return (
            f"generation {credential.generation} in Secret {self.secret_name}, "
            f"for use until {clock(connection.status.credential_expiry_time)}"
        )

    def used(self) -> str:
        return self.use(self.current())

    def rotated(self) -> str:
        old, new = self.next_credential()
        before, after = self.use(old), self.use(new)
        return f"generation {new.generation}: {after}; during the overlap also {before}"

    def old_one_ended(self) -> str:
        old = self.replaced or self.current()
        self.until_dead(old.generation)
        refused = self.refusal(old)
        return f"{refused} after the overlap, while {self.use(self.current())}"

    def revoked(self) -> str:
        self.suspend()
        connection = self.until_ready_is(Reason.SUSPENDED)
        if connection.status.ledger:
            self.until_dead(self.current().generation)
        return f"suspended: the Secret is gone, and {self.refusal(self.current())}"

    def _ready(self) -> MCPConnection:
        def ready() -> MCPConnection | None:
            connection = self.connection()
            found = condition(connection, "Ready")
            return connection if found is not None and found.reason in ACCEPTED else None

        return self.world.until(ready, 30, f"{self.subject} is ready")


class MonthEnd(Orders):
    """Nobody renews its lease in time; then people decide about it, one after the other."""

    name = "month-end-orders"
    secret_name = "month-end-orders"
    revocation = "stop-month-end"

    @property
    def acts(self) -> Sequence[Act]:
        return (self.minted, self.used, self.expired, self.approved, self.stopped, self.lifted)

    def expired(self) -> str:
        lease_end = self.connection().status.lease_end_time
        connection = self.until_ready_is(Reason.EXPIRED, 60)
        ready = condition(connection, "Ready")
        if ready is None or ready.status != "False":
            raise NotSeen("an expired connection says that it is ready")
        if connection.status.ledger:
            self.until_dead(self.current().generation)
        return (
            f"the lease ended at {clock(lease_end)}: the Secret is gone, {self.refusal(self.current())}; "
            f"the record stays, of {connection.spec.owner.user} for {connection.spec.purpose.ticket}"
        )

    def approved(self) -> str:
        """A person stands up for it, and it goes on with a fresh credential."""
        reviewer = self.world.user()
        self.world.create(
            MCPConnectionReview.KIND,
            f"{self.name}-approved",
            {
                "connection": self.name,
                "reviewer": reviewer,
                "decision": "Approve",
                "comment": "The books are not closed yet.",
            },
            namespace=self.namespace,
        )
        _, fresh = self.next_credential()
        connection = self._ready()
        return (
            f"by {reviewer}: the lease ends at {clock(connection.status.lease_end_time)}; {self.use(fresh)}"
        )

    def stopped(self) -> str:
        """Somebody throws the switch."""
        spec = {
            "target": {"connection": f"{self.namespace}/{self.name}"},
            "reason": "Its login was seen in a public log.",
            "requestedBy": self.world.user(),
        }
        self.world.create(MCPRevocation.KIND, self.revocation, spec)
        self.until_ready_is(Reason.REVOKED)
        complete = ("wait", f"mcprevocation/{self.revocation}", "--for=condition=Complete", "--timeout=20s")
        self.world.plane.kubectl(*complete)
        shown = self.world.plane.kubectl("get", "mcprevocation", self.revocation, "--no-headers").stdout
        return (
            f"kubectl create: {self.refusal(self.current())}; kubectl get mcpkill: {' '.join(shown.split())}"
        )

    def lifted(self) -> str:
        """Another person lifts it; that alone brings nothing back."""
        lift = {"spec": {"lift": {"by": DEPUTY, "reason": "The log is private again."}}}
        command = ("patch", "mcprevocation", self.revocation, "--type=merge", f"--patch={json.dumps(lift)}")
        self.world.plane.kubectl(*command, f"--as={DEPUTY}", "--as-group=system:masters")
        connection = self.until_ready_is(Reason.HELD)
        ready = condition(connection, "Ready")
        return ready.message if ready is not None else ""
