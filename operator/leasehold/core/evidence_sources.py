"""What evidence of a period is made from: the objects as the API server had them, audit files byte for byte, the
numbers that were scraped, and what Vaults answered. All tables come from these by computation alone, so whoever has
the folder can compute them again.

Nothing with which a credential could be used or revoked is kept: identifiers of credentials are hashed as in audit
records, and labels, annotations and templates, where people put what they like, are left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from pydantic import ValidationError

from leasehold.api.base import Resource
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import FormerConnection, MCPAgentExposure
from leasehold.api.review import MCPConnectionReview
from leasehold.api.revocation import MCPRevocation
from leasehold.core.audit import AuditData, AuditEnvelope, AuditPhase, AuditRevocationData
from leasehold.core.audit_lines import Examined, Kept, examine, read_kept
from leasehold.core.evidence_lookups import VaultAnswers

SCHEMA: Final = "urn:leasehold:evidence:v1"
OBJECTS: Final = "sources/objects.json"
METRICS: Final = "sources/metrics.txt"
VAULT: Final = "sources/vault.json"
AUDIT: Final = "sources/audit-"
KINDS: Final[tuple[type[Resource], ...]] = (
    MCPConnection,
    MCPConnectionReview,
    MCPRevocation,
    MCPAgentExposure,
)
_IDENTIFIERS: Final = ("accessor", "tokenAccessor", "leaseID")


@dataclass(frozen=True)
class Period:
    """From the first moment on, until before the second one; RFC 3339 times, which order as texts do."""

    begin: str
    end: str

    def has(self, time: str | None) -> bool:
        """Whether it lies within."""
        return time is not None and self.begin <= time < self.end


@dataclass(frozen=True)
class Scope:
    """What was looked at, when, by whom, and with what."""

    period: Period
    read_time: str
    read_by: str
    cluster_uid: str
    tool_version: str
    versions: Mapping[str, str]
    """The version of each kind's collection right before it was listed."""


class NotEvidence(ValueError):
    """A folder that cannot be read as evidence; the message says what is wrong with which file."""


@dataclass(frozen=True)
class Sources:
    """All that evidence is made from."""

    scope: Scope
    connections: tuple[MCPConnection, ...] = ()
    reviews: tuple[MCPConnectionReview, ...] = ()
    revocations: tuple[MCPRevocation, ...] = ()
    exposures: tuple[MCPAgentExposure, ...] = ()
    unreadable: tuple[str, ...] = ()
    audit: Mapping[str, bytes] = field(default_factory=dict)
    """The files by their names in the folder."""
    metrics: str | None = None
    vault: VaultAnswers | None = None
    """None where no Vault was asked."""

    @cached_property
    def kept(self) -> Kept:
        """The audit records."""
        return read_kept(self.audit)

    @cached_property
    def examined(self) -> Examined:
        """Whether they are whole."""
        return examine(self.kept, self.scope.period.begin)

    @cached_property
    def steps(self) -> list[tuple[AuditEnvelope, AuditData]]:
        """The records about connections, by time."""
        envelopes = (line.envelope for line in self.kept.lines)
        return [(each, each.data) for each in envelopes if each and isinstance(each.data, AuditData)]

    @cached_property
    def switches(self) -> list[tuple[AuditEnvelope, AuditRevocationData]]:
        """The records about revocations, by time."""
        envelopes = (line.envelope for line in self.kept.lines)
        return [
            (each, each.data) for each in envelopes if each and isinstance(each.data, AuditRevocationData)
        ]

    @cached_property
    def former(self) -> dict[str, tuple[MCPAgentExposure, FormerConnection]]:
        """Connections that agents had, by uid."""
        return {former.uid: (each, former) for each in self.exposures for former in each.spec.former}

    def results(self, *actions: str) -> list[tuple[AuditEnvelope, AuditData]]:
        """The results of these actions."""
        wanted = frozenset(actions)
        return [
            (each, data)
            for each, data in self.steps
            if data.phase == AuditPhase.RESULT and data.action in wanted
        ]

    @property
    def _objects(self) -> tuple[tuple[Resource, ...], ...]:
        """As in KINDS."""
        return self.connections, self.reviews, self.revocations, self.exposures

    def files(self) -> dict[str, bytes]:
        """The sources as they are in the folder; the scope is in its manifest."""
        objects = {
            "unreadable": list(self.unreadable),
            **{
                kind.PLURAL: [without_identifiers(each) for each in found]
                for kind, found in zip(KINDS, self._objects, strict=True)
            },
        }
        numbers = {} if self.metrics is None else {METRICS: self.metrics.encode()}
        asked = {} if self.vault is None else {VAULT: as_json(_wire(self.vault))}
        return {OBJECTS: as_json(objects), **numbers, **asked, **self.audit}


def _wire(answers: VaultAnswers) -> dict[str, Any]:
    return answers.model_dump(mode="json", by_alias=True, exclude_none=True)


def as_json(value: Any) -> bytes:
    """In ASCII: what would hide is escaped."""
    return (json.dumps(value, indent=1) + "\n").encode()


def audit_name(number: int) -> str:
    """What an audit file is called in the folder, counted from 1."""
    return f"{AUDIT}{number:04}.jsonl"


def read_sources(scope: Scope, files: Mapping[str, bytes]) -> Sources:
    """The sources that are in a folder.

    :raises NotEvidence: one of them cannot be read
    """
    try:
        objects = json.loads(files[OBJECTS])
        connections, reviews, revocations, exposures = (
            tuple(kind.model_validate(each) for each in objects[kind.PLURAL]) for kind in KINDS
        )
        unreadable = tuple(str(each) for each in objects["unreadable"])
    except KeyError as error:
        raise NotEvidence(f"{OBJECTS}: {error.args[0]} is missing") from error
    except (TypeError, ValueError, ValidationError) as error:
        raise NotEvidence(f"{OBJECTS} cannot be read: {type(error).__name__}") from error
    numbers = files.get(METRICS)
    return Sources(
        scope=scope,
        connections=connections,  # type: ignore[arg-type]  # as in KINDS
        reviews=reviews,  # type: ignore[arg-type]
        revocations=revocations,  # type: ignore[arg-type]
        exposures=exposures,  # type: ignore[arg-type]
        unreadable=unreadable,
        audit={name: data for name, data in sorted(files.items()) if name.startswith(AUDIT)},
        metrics=None if numbers is None else numbers.decode(errors="replace"),
        vault=_read_vault(files.get(VAULT)),
    )


def _read_vault(data: bytes | None) -> VaultAnswers | None:
    try:
        return None if data is None else VaultAnswers.model_validate_json(data)
    except ValidationError as error:
        raise NotEvidence(f"{VAULT} cannot be read: {type(error).__name__}") from error


def without_identifiers(resource: Resource) -> dict[str, Any]:
    """The object's wire form without anything that is worth stealing. Hashed is hashed: what was read from a folder
    stays as it is."""
    wire = resource.to_wire()
    for part in ("labels", "annotations", "ownerReferences"):
        wire["metadata"].pop(part, None)
    wire.get("spec", {}).get("output", {}).pop("templates", None)
    for entry in wire.get("status", {}).get("ledger", ()):
        for name in _IDENTIFIERS:
            if entry.get(name):
                entry[name] = hashed(entry[name])
    return wire


def hashed(identifier: str) -> str:
    """As audit records have it."""
    if identifier.startswith("sha256:"):
        return identifier
    return f"sha256:{sha256(identifier.encode()).hexdigest()}"
