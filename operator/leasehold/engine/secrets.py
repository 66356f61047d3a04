"""The Secret after it was published: its annotations follow the connection, and it goes when its credential
does. Its data is never read."""

from leasehold.api.connection import LedgerEntry, MCPConnection, SecretRecord
from leasehold.core.adoption import generation_of, ours
from leasehold.core.facts import SecretMeta
from leasehold.core.faults import Conflict, Vanished
from leasehold.core.ledger import current
from leasehold.core.observation import Inspection, Observation
from leasehold.core.secret_content import published_annotations
from leasehold.engine.work import Work
from leasehold.ports import Cluster


class Secrets:
    """Changes Secrets that this operator made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._deleted: set[str] = set()

    async def strike(self, connection: MCPConnection) -> None:
        """Delete the Secret that we wrote, ahead of the pass that writes it down.

        :raises Fault: it may still be there
        """
        record = connection.status.secret
        if record is not None:
            await self._cluster.delete_secret(connection.metadata.namespace, record.name, record.uid)
            self._deleted.add(record.uid)

    def is_deleted(self, connection: MCPConnection) -> bool:
        """Whether there is no Secret that we wrote, as far as a status or this process knows."""
        record = connection.status.secret
        return record is None or record.uid in self._deleted

    async def delete(self, work: Work) -> None:
        """Delete the Secret that we wrote; another one of that name stays."""
        record = work.status.secret
        if record is None:
            return
        if record.uid not in self._deleted:
            await self._cluster.delete_secret(work.connection.metadata.namespace, record.name, record.uid)
        work.set_secret(None)

    def forget(self, before: MCPConnection) -> None:
        """No status names that Secret any more."""
        if before.status.secret is not None:
            self._deleted.discard(before.status.secret.uid)

    async def annotate(self, work: Work) -> None:
        """The Secret says whose it is and until when, as the connection does now: no mint for that."""
        record, present = work.status.secret, current(work.ledger)
        if record is None or present is None:
            return
        namespace = work.connection.metadata.namespace
        annotations = published_annotations(work.as_it_will_be, present)
        try:
            meta = await self._cluster.annotate_secret(
                namespace, record.name, annotations, record.resource_version
            )
        except (Conflict, Vanished):
            touched = await self._still_ours(work, record)
            if touched is None:
                return
            meta = await self._cluster.annotate_secret(
                namespace, record.name, annotations, touched.resource_version
            )
        work.set_secret(record.model_copy(update={"resource_version": meta.resource_version}))

    async def _still_ours(self, work: Work, record: SecretRecord) -> SecretMeta | None:
        """Somebody wrote to the Secret: its newest version, where it is still the one that we made."""
        probe = await self._cluster.probe_secret(work.connection.metadata.namespace, record.name)
        meta, present = ours(work.connection, probe), current(work.ledger)
        if meta is None or present is None or generation_of(meta) != present.generation:
            return None
        return meta if meta.uid == record.uid else None

    def expect(self, work: Work, inspection: Inspection) -> None:
        """Somebody wrote to the Secret without changing its data: the next touch expects that version."""
        record = work.status.secret
        if record is not None and inspection.secret_version is not None:
            seen = {"resource_version": inspection.secret_version, "digest": inspection.secret_digest}
            work.set_secret(record.model_copy(update=seen))

    def remember(self, work: Work, o: Observation, entry: LedgerEntry) -> None:
        """Keep what was seen of a Secret that a crash left without a record; its data is not known."""
        meta = ours(work.connection, o.secret)
        if meta is not None:
            work.set_secret(
                SecretRecord(
                    name=entry.secret_name, uid=meta.uid, resource_version=meta.resource_version, digest=""
                )
            )
