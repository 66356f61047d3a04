"""What the operator may not do, and what nobody may do beside it; and, at the end, that nothing is left."""

from collections.abc import Sequence

import psycopg

from deployment import STORE
from leasehold.api.names import OPERATOR_USER, store_audience
from orders import Orders
from story import Act, Story
from world import NotSeen

LEASED = ("database/creds/orders-read", "pki/issue/mcp-payments")


class Confinement(Story):
    """Seen as refusals of the API server."""

    subject = "the operator"

    @property
    def acts(self) -> Sequence[Act]:
        return (self.reads_no_secret, self.guards_its_audience)

    def reads_no_secret(self) -> str:
        place = f"secrets/{Orders.secret_name} in {Orders.namespace}"
        self.world.until(
            lambda: self.world.credential(Orders.namespace, Orders.secret_name), 30, f"there are {place}"
        )
        target = ("secret", Orders.secret_name, f"--namespace={Orders.namespace}", f"--as={OPERATOR_USER}")
        return self._refused("Forbidden", "get", *target)

    def guards_its_audience(self) -> str:
        audience = store_audience(STORE)
        words = ("create", "token", "support-bot", f"--namespace={Orders.namespace}")
        return self._refused("reserved for Leasehold", *words, f"--audience={audience}")

    def _refused(self, why: str, *command: str) -> str:
        done = self.world.plane.kubectl(*command, check=False)
        if done.returncode == 0 or why not in done.stderr:
            raise NotSeen(f"kubectl {' '.join(command)} was not refused: {done.stderr.strip()}")
        return f"kubectl {' '.join(command)}: {why}"


class Afterwards(Story):
    """When every story has been told."""

    subject = "Vault and PostgreSQL"

    @property
    def acts(self) -> Sequence[Act]:
        return (self.nothing_is_left,)

    def nothing_is_left(self) -> str:
        vault = self.world.plane.vault.api
        leases = {path: len(vault.list(f"sys/leases/lookup/{path}")) for path in LEASED}
        with psycopg.connect(self.world.plane.postgres.dsn()) as server:
            row = server.execute("select count(*) from pg_roles where rolname like 'v-%'").fetchone()
        roles = int(row[0]) if row else 0
        if roles or any(leases.values()):
            raise NotSeen(f"leases {leases}, minted database roles {roles}")
        return f"no lease under {' or '.join(LEASED)}, and no minted role in PostgreSQL"
