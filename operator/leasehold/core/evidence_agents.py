"""What each agent can reach with all of its connections together."""

from collections.abc import Iterable
from typing import Final

from leasehold.api.exposure import MCPAgentExposure
from leasehold.core.evidence_sources import Sources
from leasehold.core.evidence_table import Row, Table
from leasehold.core.evidence_times import told

COLUMNS: Final = (
    "namespace",
    "agent",
    "connections",
    "riskTier",
    "capabilities",
    "forbidden",
    "profiles",
    "servers",
    "scopes",
    "dataClasses",
    "credentialTypes",
    "tools",
    "toolsTakingUntrustedContent",
    "toolsWritingOutside",
    "toolsDestructive",
    "toolsUndeclared",
    "residualExposureSeconds",
    "residualExposureUntil",
    "former",
    "resourceVersion",
)
ABOUT: Final = (
    "One row for each agent: the union of what it can reach with all of its connections that are not denied, as of "
    "the time of reading, and the combinations of capabilities that a policy forbids and it has."
)


def agents(sources: Sources) -> Table:
    """The table."""
    found = sorted(sources.exposures, key=lambda each: each.key)
    return Table("agents", "Agents", ABOUT, COLUMNS, [_row(each) for each in found])


def _row(exposure: MCPAgentExposure) -> Row:
    spec, metadata = exposure.spec, exposure.metadata
    return {
        "namespace": metadata.namespace,
        "agent": spec.agent,
        "connections": spec.connection_count,
        "riskTier": spec.risk_tier.value if spec.risk_tier else None,
        "capabilities": _listed(spec.capabilities),
        "forbidden": "; ".join(
            f"{each.policy} ({each.effect}), by {each.connection}: {each.message}" for each in spec.forbidden
        )
        or None,
        "profiles": _listed(each.name for each in spec.profiles),
        "servers": _listed(each.url for each in spec.profiles if each.url),
        "scopes": _listed(spec.scopes),
        "dataClasses": _listed(spec.data_classes),
        "credentialTypes": _listed(spec.credential_types),
        "tools": spec.tools.total,
        "toolsTakingUntrustedContent": spec.tools.takes_untrusted_content,
        "toolsWritingOutside": spec.tools.writes_outside,
        "toolsDestructive": spec.tools.destructive,
        "toolsUndeclared": spec.tools.undeclared,
        "residualExposureSeconds": spec.residual_exposure_seconds,
        "residualExposureUntil": told(spec.residual_exposure_until),
        "former": len(spec.former),
        "resourceVersion": metadata.resource_version,
    }


def _listed(words: Iterable[str]) -> str | None:
    return ", ".join(words) or None
