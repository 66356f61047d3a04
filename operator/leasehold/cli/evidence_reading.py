"""Reads what evidence is made from: objects of the cluster, the operator's numbers, and what Vaults say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from leasehold.adapters.cluster import KubernetesCluster
from leasehold.adapters.metrics_http import scrape
from leasehold.adapters.vault import HvacVault
from leasehold.api.base import Resource, rfc3339
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import MCPAgentExposure
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from leasehold.api.store import MCPCredentialStore
from leasehold.cli.ending import refused
from leasehold.cli.evidence_tokens import Tokens
from leasehold.cli.evidence_vault import AT_ONCE, ask_vaults
from leasehold.core.evidence_lookups import VaultAnswers
from leasehold.core.evidence_sources import KINDS, Period, Scope, Sources
from leasehold.core.examination import samples_of
from leasehold.core.faults import NeedsPerson, TryLater


def saved_metrics(where: str) -> str | None:
    """What was scraped before and is in a file; None where it has to be scraped.

    :raises typer.Exit: the file cannot be read
    """
    if "://" in where:
        return None
    try:
        return Path(where).read_text(errors="replace")
    except OSError as error:
        raise refused(f"--metrics: {where} cannot be read: {error.strerror}") from error


async def fleet_numbers(url: str, ca: Path | None, saved: str | None) -> str:
    """What the operator counts; whoever stands by counts nothing."""
    text = await scrape(url, ca) if saved is None else saved
    leads = samples_of(text).get("leasehold_leader")
    if leads is None:
        raise NeedsPerson(Reason.UNREACHABLE, f"--metrics: {url} has no metrics of Leasehold.")
    if leads not in ("1", "1.0"):
        raise TryLater(Reason.UNREACHABLE, f"--metrics: {url} stands by; give the address of the leader.")
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith("leasehold_fleet_"))


@dataclass(frozen=True)
class Asked:
    """What a person has asked for and brought along; without an end, the period ends now."""

    since: datetime
    until: datetime | None
    audit: Mapping[str, bytes]
    metrics: str | None
    tokens: Tokens


async def read_cluster(cluster: KubernetesCluster, asked: Asked) -> Sources:
    """All that evidence is made from."""
    since, until = asked.since, asked.until
    uid, user = await cluster.cluster_uid(), await cluster.user_name()
    now = cluster.clock.now()
    if now is None:
        raise TryLater(Reason.CLUSTER_UNAVAILABLE, "The API server does not say what time it is.")
    end = until or now + timedelta(seconds=1)
    if until is not None and until > now:
        raise refused(f"--to: {rfc3339(until)} has not come yet, at the API server it is {rfc3339(now)}")
    if since >= end:
        raise refused(f"--from: {rfc3339(since)} is not before {rfc3339(end)}, where the period ends")
    versions, found, unreadable = {}, dict[type[Resource], list[Any]](), []
    for kind in KINDS:
        versions[kind.KIND] = await cluster.collection_version(kind)
        found[kind], others = await cluster.list_all(kind)
        unreadable += [f"{kind.PLURAL} {key}" for key in others]
    return Sources(
        scope=Scope(
            period=Period(rfc3339(since), rfc3339(end)),
            read_time=rfc3339(now),
            read_by=user,
            cluster_uid=uid,
            tool_version=version_of("leasehold"),
            versions=versions,
        ),
        connections=tuple(found[MCPConnection]),
        reviews=tuple(found[MCPConnectionReview]),
        revocations=tuple(found[MCPRevocation]),
        exposures=tuple(found[MCPAgentExposure]),
        unreadable=tuple(unreadable),
        audit=asked.audit,
        metrics=asked.metrics,
        vault=await _at_vaults(cluster, asked.tokens, found[MCPConnection]) if asked.tokens else None,
    )


async def _at_vaults(
    cluster: KubernetesCluster, tokens: Tokens, connections: Sequence[MCPConnection]
) -> VaultAnswers:
    stores, _ = await cluster.list_all(MCPCredentialStore)
    profiles, _ = await cluster.list_all(MCPServerProfile)

    async def read_again() -> list[MCPConnection]:
        return (await cluster.list_all(MCPConnection))[0]

    def now() -> str:
        moment = cluster.clock.now()
        if moment is None:
            raise TryLater(Reason.CLUSTER_UNAVAILABLE, "The API server does not say what time it is.")
        return rfc3339(moment)

    vault = HvacVault.of_a_person(lambda store: tokens.get(store.spec.address), AT_ONCE)
    try:
        return await ask_vaults(vault, tokens, stores, profiles, connections, read_again, now)
    finally:
        await vault.close()
