"""How the operator itself fares: what it minted and revoked, how late, how long it queued, how Vault and
the API server answered. An age that nobody updates any more must go on growing, so ages are kept as moments
and computed at the scrape."""

import contextlib
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.telemetry.agents import AgentMetrics
from leasehold.telemetry.fleet import FleetMetrics

REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)
RECONCILE_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 90.0, 300.0)
BREAKGLASS_BUCKETS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
AUDIT_TARGETS: Final = ("record", "stream", "file")
LAG_BUCKETS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)


class Telemetry:
    """Every number of one operator process; `render` is what a scrape gets. Methods never raise on odd
    values."""

    def __init__(
        self,
        fleet: FleetMetrics,
        version: str,
        monotonic: Callable[[], float] = time.monotonic,
        resync_seconds: float = 300.0,
    ) -> None:
        self.fleet = fleet
        self._agents = AgentMetrics()
        self._monotonic = monotonic
        self._registry = CollectorRegistry()
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each, which nobody reads
        ProcessCollector(registry=self._registry)
        self._define_work()
        self._define_reviews()
        self._define_breakglass()
        self._define_probes()
        self._define_use()
        self._define_shadows()
        self._define_owners()
        self._define_requests()
        self._define_stores()
        self._define_process(version, resync_seconds)

    def _define_work(self) -> None:
        self._mints = self._counter(
            "leasehold_mints", "Mints, by how they ended.", "outcome", "reason", "type"
        )
        self._revocations = self._counter(
            "leasehold_revocations", "Revocations of generations, by how they ended.", "outcome", "reason"
        )
        self._revocation_lag = self._histogram(
            "leasehold_revocation_lag_seconds",
            "From when a generation had to end until it was proven dead.",
            LAG_BUCKETS,
        )
        self._reconciles = self._histogram(
            "leasehold_reconcile_duration_seconds", "One pass over one object.", RECONCILE_BUCKETS, "outcome"
        )
        self._queue_depth = self._gauge("leasehold_queue_depth", "Objects that wait, by lane.", "lane")
        self._queue_age = self._gauge(
            "leasehold_queue_oldest_age_seconds",
            "How long the longest waiting object has waited, by lane; 0 where none waits.",
            "lane",
        )

    def _define_reviews(self) -> None:
        self._reviews = self._counter(
            "leasehold_reviews", "Reviews that were judged.", "decision", "assurance", "reason"
        )

    def _define_breakglass(self) -> None:
        self._breakglass_active = self._gauge(
            "leasehold_breakglass_active", "Revocations (MCPRevocation) that are not over."
        )
        self._breakglass_matched = self._gauge(
            "leasehold_breakglass_matched", "Connections that they match, summed."
        )
        self._breakglass_outstanding = self._gauge(
            "leasehold_breakglass_outstanding", "Those of which something is not verified dead."
        )
        self._breakglass_failures = self._gauge(
            "leasehold_breakglass_failures",
            "Those of which something cannot be ended yet, by why; at most 20 of each revocation are counted.",
            "reason",
        )
        self._breakglass_reached = self._histogram(
            "leasehold_breakglass_duration_seconds",
            "From a revocation's creation until all that it matches was revoked, or verified dead.",
            BREAKGLASS_BUCKETS,
            "stage",
        )

    def _define_probes(self) -> None:
        self._probes = self._counter("leasehold_probes", "Probes of servers, by how they ended.", "outcome")
        self._probe_age = self._gauge(
            "leasehold_probe_age_seconds",
            "Since when the surface of a profile's server was last read to its end by this process.",
            "profile",
        )
        self._drifts = self._counter(
            "leasehold_drift_events", "Connections that were found to have drifted, by how far.", "level"
        )

    def _define_use(self) -> None:
        self._use_polls = self._counter(
            "leasehold_use_polls",
            "Reads of sources of evidence of use, by how they ended.",
            "source",
            "outcome",
        )

    def _define_shadows(self) -> None:
        self._shadow_looks = self._counter(
            "leasehold_shadow_looks", "Lists of heartbeats, by how they ended.", "outcome"
        )
        self._shadows = self._gauge(
            "leasehold_shadow_connections",
            "Heartbeats of connections that nobody has registered, or that name another server.",
            "namespace",
        )
        self._shadow_time = self._gauge(
            "leasehold_shadow_last_seen_timestamp_seconds",
            "When the newest of these heartbeats was renewed.",
            "namespace",
        )

    def _define_owners(self) -> None:
        self._owner_reads = self._counter(
            "leasehold_owner_directory_reads",
            "Reads of the owner directory: ok, or why it is not believed.",
            "outcome",
        )
        self._owner_time = self._gauge(
            "leasehold_owner_directory_timestamp_seconds",
            "When the owner directory that was read last was made.",
        )
        self._owners = self._gauge(
            "leasehold_owners",
            "People who answer for connections, by whether the owner directory has them: active or missing.",
            "standing",
        )

    def _define_requests(self) -> None:
        self._vault = self._histogram(
            "leasehold_vault_request_duration_seconds",
            "Requests to credential stores.",
            REQUEST_BUCKETS,
            "store",
            "operation",
            "outcome",
        )
        self._cluster = self._histogram(
            "leasehold_cluster_request_duration_seconds",
            "Requests to the API server.",
            REQUEST_BUCKETS,
            "verb",
            "resource",
            "outcome",
        )
        self._events_dropped = self._counter(
            "leasehold_events_dropped", "Kubernetes Events that were not sent, by why.", "why"
        )
        self._audit_failures = self._counter(
            "leasehold_audit_write_failures",
            "Audit records that could not be written, by where to.",
            "target",
        )
        for target in AUDIT_TARGETS:  # a series that begins with its first failure shows no growth
            self._audit_failures.labels(target)

    def _define_stores(self) -> None:
        self._store_reasons: dict[str, Reason] = {}
        self._store_ready = self._gauge(
            "leasehold_store_ready",
            "1 where a credential store can be used, else 0; the label `reason` is that of its Ready condition.",
            "store",
            "reason",
        )
        self._store_irrevocable = self._gauge(
            "leasehold_store_irrevocable_leases",
            "Leases that a store has given up revoking, whoever they belong to.",
            "store",
        )

    def _define_process(self, version: str, resync_seconds: float) -> None:
        self._leader = self._gauge("leasehold_leader", "1 while this process acts, 0 while it stands by.")
        self._inventory_objects = self._gauge(
            "leasehold_inventory_objects", "Objects known, by kind.", "kind"
        )
        self._inventory_age = self._gauge(
            "leasehold_inventory_age_seconds",
            "Since when the inventory of a kind was last known to be complete.",
            "kind",
        )
        self._gauge("leasehold_inventory_resync_seconds", "How often everything is listed and compared.").set(
            resync_seconds
        )
        build = self._gauge("leasehold_build_info", "Always 1; says what runs.", "version", "python")
        build.labels(version, platform.python_version()).set(1)

    def minted(self, outcome: str, reason: Reason, type: CredentialType) -> None:  # noqa: A002
        """One mint is over."""
        self._mints.labels(outcome, reason, type).inc()

    def revoked(self, outcome: str, reason: Reason) -> None:
        """One attempt to end a generation is over."""
        self._revocations.labels(outcome, reason).inc()

    def revocation_lag(self, seconds: float) -> None:
        """A generation was proven dead this long after it had to end."""
        self._revocation_lag.observe(max(0.0, seconds))

    def breakglass(self, active: int, matched: int, outstanding: int, failures: Mapping[str, int]) -> None:
        """How much of what is being revoked is not dead."""
        self._breakglass_active.set(active)
        self._breakglass_matched.set(matched)
        self._breakglass_outstanding.set(outstanding)
        self._breakglass_failures.clear()
        for reason, count in failures.items():
            self._breakglass_failures.labels(reason).set(count)

    def breakglass_reached(self, stage: str, seconds: float) -> None:
        """A revocation has got so far."""
        self._breakglass_reached.labels(stage).observe(seconds)

    def reviewed(self, decision: str, assurance: str, reason: Reason) -> None:
        """One review was judged."""
        self._reviews.labels(decision, assurance, reason).inc()

    def probed(self, profile: str, outcome: str) -> None:
        """One probe is over."""
        self._probes.labels(outcome).inc()
        if outcome == "ok":
            self._probe_age.labels(profile).set_function(self._growing(0.0))

    def profile_gone(self, name: str) -> None:
        """The profile is no more."""
        with contextlib.suppress(KeyError):
            self._probe_age.remove(name)

    def asked_for_use(self, source: str, outcome: str) -> None:
        """One read of a source of evidence of use is over."""
        self._use_polls.labels(source, outcome).inc()

    def looked_for_shadows(self, outcome: str, found: Mapping[str, tuple[int, datetime]]) -> None:
        """One look for shadows is over; what is not found any more has no series."""
        self._shadow_looks.labels(outcome).inc()
        self._shadows.clear()
        self._shadow_time.clear()
        for namespace, (count, newest) in found.items():
            self._shadows.labels(namespace).set(count)
            self._shadow_time.labels(namespace).set(newest.timestamp())

    def owner_directory_read(self, outcome: str) -> None:
        """One read of the owner directory is over."""
        self._owner_reads.labels(outcome).inc()

    def owners(self, active: int, missing: int, as_of: datetime) -> None:
        """What the newest owner directory says of those who answer for connections."""
        self._owners.labels("active").set(active)
        self._owners.labels("missing").set(missing)
        self._owner_time.set(as_of.timestamp())

    def drifted(self, level: str) -> None:
        """A connection has drifted."""
        self._drifts.labels(level).inc()

    def queue(self, lane: str, depth: int, oldest_age_seconds: float) -> None:
        """How a lane looks; the age goes on growing until the next call."""
        self._queue_depth.labels(lane).set(depth)
        gauge = self._queue_age.labels(lane)
        if depth:
            gauge.set_function(self._growing(oldest_age_seconds))
        else:
            gauge.set_function(float)

    def reconciled(self, seconds: float, outcome: str) -> None:
        """One pass over one object is over."""
        self._reconciles.labels(outcome).observe(seconds)

    def vault_request(self, store: str, operation: str, outcome: str, seconds: float) -> None:
        """One request to a store was answered, or was not."""
        self._vault.labels(store, operation, outcome).observe(seconds)

    def cluster_request(self, verb: str, resource: str, outcome: str, seconds: float) -> None:
        """One request to the API server was answered, or was not."""
        self._cluster.labels(verb, resource, outcome).observe(seconds)

    def store(self, name: str, ready: bool, reason: Reason, irrevocable_leases: int | None) -> None:
        """Whether a store can be used; None where nobody knows how many leases it has given up."""
        if (before := self._store_reasons.get(name)) not in (None, reason):
            self._store_ready.remove(name, before)
        self._store_reasons[name] = reason
        self._store_ready.labels(name, reason).set(int(ready))
        if irrevocable_leases is not None:
            self._store_irrevocable.labels(name).set(irrevocable_leases)

    def store_gone(self, name: str) -> None:
        """The store is no more."""
        with contextlib.suppress(KeyError):
            self._store_ready.remove(name, self._store_reasons.pop(name))
            self._store_irrevocable.remove(name)

    def leader(self, leading: bool) -> None:
        """Whether this process acts."""
        self._leader.set(int(leading))

    def inventory(self, kind: str, objects: int, age_seconds: float) -> None:
        """What is known of a kind; the age goes on growing until the next call."""
        self._inventory_objects.labels(kind).set(objects)
        self._inventory_age.labels(kind).set_function(self._growing(age_seconds))

    def connection(self, connection: MCPConnection) -> None:
        """This is how a connection looks now."""
        self.fleet.update(connection)

    def connection_gone(self, key: str) -> None:
        """The connection `namespace/name` is no more."""
        self.fleet.forget(key)

    def agent(self, exposure: MCPAgentExposure) -> None:
        """This is what an agent has now."""
        self._agents.update(exposure)

    def agent_gone(self, key: str) -> None:
        """The agent `namespace/name` has no exposure any more."""
        self._agents.forget(key)

    def event_dropped(self, why: str) -> None:
        """A Kubernetes Event was not sent."""
        self._events_dropped.labels(why).inc()

    def audit_write_failed(self, target: str) -> None:
        """An audit record did not reach one of its targets."""
        self._audit_failures.labels(target).inc()

    def render(self) -> bytes:
        """The exposition text of everything; safe to call from any thread."""
        return generate_latest(self._registry) + (self.fleet.render() + self._agents.render()).encode()

    def _growing(self, age_seconds: float) -> Callable[[], float]:
        since = self._monotonic() - age_seconds
        return lambda: self._monotonic() - since

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self._registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(name, documentation, labels, registry=self._registry)

    def _histogram(self, name: str, documentation: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, documentation, labels, buckets=buckets, registry=self._registry)
