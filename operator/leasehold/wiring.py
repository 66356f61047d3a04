"""How the parts are put together; nothing else knows them all."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

from leasehold import __version__
from leasehold.adapters.cluster import KubernetesCluster
from leasehold.adapters.cluster_lease import KubernetesLeaderLease
from leasehold.adapters.mcp import McpCatalog
from leasehold.adapters.mcp_addresses import AddressPolicy
from leasehold.adapters.owner_file import OwnerFile
from leasehold.adapters.prometheus import PrometheusUsage
from leasehold.adapters.vault import HvacVault
from leasehold.api.names import OPERATOR_AUDIENCE
from leasehold.core.facts import ServiceAccountToken
from leasehold.engine.breakglass import Breakglass
from leasehold.engine.captures import Captures
from leasehold.engine.election import Election, Timing
from leasehold.engine.elector import Elector
from leasehold.engine.events import EventRecorder
from leasehold.engine.exposures import Exposures
from leasehold.engine.fence import Fence
from leasehold.engine.gather import Gatherer
from leasehold.engine.inspect import Inspector
from leasehold.engine.inventory import Inventory
from leasehold.engine.leadership import Leadership
from leasehold.engine.mint import Minter
from leasehold.engine.owners import OwnerBook
from leasehold.engine.probe_target import ProbeTargets
from leasehold.engine.prober import Prober
from leasehold.engine.reconcile import Reconciler
from leasehold.engine.recover import Recovery
from leasehold.engine.registrations import Registrations
from leasehold.engine.report import Reporter
from leasehold.engine.reviews import Reviews
from leasehold.engine.revocations import RevocationBook
from leasehold.engine.revoke import Revoker
from leasehold.engine.runtime import Engine
from leasehold.engine.secrets import Secrets
from leasehold.engine.service_accounts import Namespaces, ServiceAccounts
from leasehold.engine.shadows import ShadowWatch
from leasehold.engine.snapshots import Snapshots
from leasehold.engine.surfaces import Surfaces
from leasehold.engine.usage import FleetUsage, UseWatch
from leasehold.ports import AuditSink, Catalog, Clock, Cluster, Metrics, OwnerSource, Usage, Vault
from leasehold.settings import Settings, namespaces, networks
from leasehold.telemetry.audit import AuditLog
from leasehold.telemetry.audit_chain import ChainedAudit
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.metrics import Telemetry

OPERATOR_TOKEN_SECONDS = 3600


def build_engine(
    settings: Settings,
    cluster: Cluster,
    vault: Vault,
    clock: Clock,
    audit: AuditSink,
    metrics: Metrics,
    events: EventRecorder,
    leadership: Leadership,
    catalog: Catalog,
    usage: Usage | None = None,
    owner_source: OwnerSource | None = None,
) -> Engine:
    """The engine over any implementation of the ports."""
    inventory = Inventory()
    standing_check = timedelta(seconds=settings.standing_check_seconds)
    accounts = ServiceAccounts(cluster, standing_check)
    revoker = Revoker(vault)
    inspector = Inspector(
        cluster,
        vault,
        revoker,
        store_of=inventory.store_by_uid,
        fleet_size=lambda: len(inventory.connections),
        period=timedelta(seconds=settings.inspection_seconds),
    )
    book = RevocationBook(cluster, clock)
    surfaces = Surfaces(cluster)
    fleet_usage = FleetUsage(usage, clock, metrics, standing_check)
    uses = UseWatch(cluster, fleet_usage, metrics, lambda: len(inventory.connections), standing_check)
    owners = OwnerBook(
        owner_source,
        clock,
        metrics,
        lambda: inventory.connections,
        period=standing_check,
        oldest=timedelta(seconds=settings.owner_directory_max_age_seconds),
        grace=timedelta(seconds=settings.owner_grace_seconds),
    )
    gatherer = Gatherer(
        cluster, clock, inventory, accounts, Namespaces(cluster), inspector, book, surfaces, uses, owners
    )
    reporter = Reporter(
        audit=audit,
        events=events,
        metrics=metrics,
        clock=clock,
        instance=secrets.token_hex(4),
        profile_of=lambda connection: inventory.profiles.get(connection.spec.profile),
    )
    fence = Fence(gatherer, leadership)
    minter = Minter(cluster, vault, gatherer, accounts, fence, revoker, reporter)
    published = Secrets(cluster)
    recovery = Recovery(cluster, vault, inventory, revoker, published, reporter)
    exposures = Exposures(cluster, inventory, clock, metrics)
    reconciler = Reconciler(
        cluster,
        inventory,
        gatherer,
        accounts,
        inspector,
        minter,
        revoker,
        published,
        recovery,
        reporter,
        uses,
        exposures,
    )
    engine = Engine(
        cluster,
        inventory,
        reconciler,
        revoker,
        fence,
        clock,
        events,
        metrics,
        Breakglass(
            cluster,
            inventory,
            book,
            revoker,
            published,
            reporter,
            clock,
            list_seconds=settings.revocation_list_seconds,
        ),
        exposures,
        workers=settings.workers,
        urgent_workers=max(settings.workers // 4, 1),
        resync_seconds=settings.resync_seconds,
    )
    snapshots = Snapshots(cluster, inventory)
    engine.use(
        Registrations(cluster, vault, inventory, revoker, clock, engine.requeue_users, metrics),
        Reviews(cluster, inventory, reporter, clock, engine.requeue),
        Prober(
            catalog,
            inventory,
            ProbeTargets(cluster, inventory),
            Captures(cluster, inventory, snapshots, reporter, clock, engine.requeue_users_of_profile),
            snapshots,
            reporter,
            workers=settings.probe_workers,
        ),
        fleet_usage,
        owners,
        ShadowWatch(cluster, inventory, clock, events, metrics),
    )
    return engine


def build_catalog(settings: Settings) -> McpCatalog:
    """The prober's reader, and the addresses that it may connect."""
    return McpCatalog(
        AddressPolicy(
            allow_loopback=settings.probe_allow_loopback,
            denied=networks(settings.probe_denied_networks),
        )
    )


def audit_file(settings: Settings) -> Path | None:
    """The file of audit records, where one is named."""
    return Path(settings.audit_file) if settings.audit_file else None


def chained(audit: AuditLog, settings: Settings, left: Callable[[], str] = str) -> ChainedAudit:
    """The log, whose records are linked to those in its file, or else to what the leader before has left."""
    return ChainedAudit(audit, audit_file(settings), left)


def build_usage(settings: Settings) -> Usage | None:
    """Who sees the traffic of the fleet, where somebody does."""
    if settings.prometheus_url is None or settings.prometheus_query is None:
        return None
    return PrometheusUsage(
        settings.prometheus_url,
        settings.prometheus_query,
        token_file=settings.prometheus_token_file,
        ca_file=settings.prometheus_ca_file,
    )


def build_owner_source(settings: Settings) -> OwnerSource | None:
    """Who says which owners are still there, where somebody does."""
    return OwnerFile(Path(settings.owner_directory_file)) if settings.owner_directory_file else None


def build_election(settings: Settings) -> Election:
    """What this replica believes of the election; its name is new with each process, for a process that comes back
    knows nothing of what the one before it did."""
    identity = f"{socket.gethostname()}_{secrets.token_hex(4)}"
    return Election(identity, Timing(settings.lease_seconds))


def build_elector(
    settings: Settings,
    telemetry: Telemetry,
    over: asyncio.Event,
    election: Election,
    audit_end: Callable[[], str],
) -> Elector:
    """This replica's part in the election."""
    return Elector(
        election,
        lambda: KubernetesLeaderLease.opened(
            settings.kubeconfig, settings.namespace, settings.lease_name, telemetry.cluster_request
        ),
        over,
        audit_end=audit_end,
    )


@contextlib.asynccontextmanager
async def operator(
    settings: Settings, over: asyncio.Event
) -> AsyncIterator[tuple[Engine, Telemetry, Elector]]:
    """The engine on a real cluster and real Vaults, and its election, neither of them started; their clients end
    with the context. `over` is set when the lead is lost."""
    telemetry = Telemetry(FleetMetrics(), __version__, resync_seconds=settings.resync_seconds)
    only = namespaces(settings.watch_namespaces)
    cluster = (
        await KubernetesCluster.from_kubeconfig(
            settings.kubeconfig, observe=telemetry.cluster_request, namespaces=only
        )
        if settings.kubeconfig
        else KubernetesCluster.in_cluster(observe=telemetry.cluster_request, namespaces=only)
    )

    async def identity() -> ServiceAccountToken:
        return await cluster.request_token(
            settings.namespace, settings.service_account, OPERATOR_AUDIENCE, OPERATOR_TOKEN_SECONDS
        )

    vault = HvacVault(
        identity,
        requests_per_second=settings.vault_requests_per_second,
        threads=settings.workers + max(settings.workers // 4, 1),
        observe=telemetry.vault_request,
    )
    audit = AuditLog(telemetry.audit_write_failed, audit_file(settings))
    events = EventRecorder(cluster, cluster.clock, telemetry.event_dropped)
    election = build_election(settings)
    chain = chained(audit, settings, lambda: election.audit_end)
    elector = build_elector(settings, telemetry, over, election, chain.end)
    try:
        yield (
            build_engine(
                settings,
                cluster,
                vault,
                cluster.clock,
                chain,
                telemetry,
                events,
                elector,
                build_catalog(settings),
                build_usage(settings),
                build_owner_source(settings),
            ),
            telemetry,
            elector,
        )
    finally:
        await vault.close()
        await cluster.close()
        audit.close()
