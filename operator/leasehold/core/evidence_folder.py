"""The folder of evidence: its sources, the tables and the report that are computed from them, a manifest, and the
sums of all files. Whoever checks a folder computes everything again and compares."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from leasehold.core.audit_lines import Chain
from leasehold.core.evidence_agents import agents
from leasehold.core.evidence_decisions import decisions
from leasehold.core.evidence_endings import endings, revocations
from leasehold.core.evidence_exceptions import exceptions
from leasehold.core.evidence_finding import Finding, FindingKind
from leasehold.core.evidence_population import population
from leasehold.core.evidence_reconciliation import RECONCILIATION, reconciliation
from leasehold.core.evidence_report import REPORT, report
from leasehold.core.evidence_sources import (
    KINDS,
    SCHEMA,
    NotEvidence,
    Period,
    Scope,
    Sources,
    as_json,
    read_sources,
)
from leasehold.core.evidence_table import Table
from leasehold.core.evidence_vault import look_ups
from leasehold.core.hidden_text import visible

MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"

LIMITS: Final = (
    "Objects are as they were at the time of reading, not as at the end of the period.",
    "Credentials that have left the ledgers were not looked up again: the operator did that when it ended them.",
    "That the newest audit records are missing cannot be seen in the records themselves.",
)


def tables(sources: Sources) -> Sequence[Table]:
    """All tables, in the order in which a person reads them."""
    made = (exceptions, population, agents, decisions, revocations, endings, reconciliation, look_ups)
    return [make(sources) for make in made]


def evidence_files(sources: Sources) -> dict[str, bytes]:
    """Every file of the folder but sums and signature."""
    made = tables(sources)
    files = dict(sources.files())
    for table in made:
        files |= table.files()
    about = manifest(sources, made)
    files[MANIFEST] = as_json(about)
    files[REPORT] = report(about, made)
    return files


def manifest(sources: Sources, made: Sequence[Table]) -> dict[str, Any]:
    """What the folder is about."""
    scope = sources.scope
    return {
        "schema": SCHEMA,
        "toolVersion": scope.tool_version,
        "cluster": {"uid": scope.cluster_uid},
        "scope": {"namespaces": "all", "kinds": [kind.KIND for kind in KINDS]},
        "period": {"from": scope.period.begin, "to": scope.period.end},
        "readTime": scope.read_time,
        "readBy": scope.read_by,
        "resourceVersions": dict(scope.versions),
        "counts": {table.name: len(table.rows) for table in made},
        "audit": {
            "files": sorted(sources.audit),
            "records": sum(len(chain.lines) for chain in sources.kept.chains),
            "chains": [_chain(chain) for chain in sources.kept.chains],
        },
        "notCompared": list(not_compared(made)),
        "limits": list(LIMITS),
    }


def not_compared(made: Sequence[Table]) -> Iterator[str]:
    """What could not be reconciled for want of one side, each with why."""
    for row in (row for table in made if table.name == RECONCILIATION for row in table.rows):
        if row["holds"] == "NotCompared":
            subject = f" ({row['subject']})" if row.get("subject") else ""
            yield f"{row['check']}{subject}: {row['words']}"


def _chain(chain: Chain) -> dict[str, Any]:
    return {
        "source": chain.source,
        "first": chain.first.sequence,
        "last": chain.last.sequence,
        "records": len(chain.lines),
        "firstTime": chain.first.time,
        "lastTime": chain.last.time,
        "lastHash": chain.last.hash,
    }


def counts_of(files: Mapping[str, bytes]) -> dict[str, int]:
    """How many rows each table of a folder has, by its manifest."""
    counts: dict[str, int] = json.loads(files[MANIFEST])["counts"]
    return counts


def not_compared_of(files: Mapping[str, bytes]) -> list[str]:
    """What could not be reconciled, by a folder's manifest."""
    told: list[str] = json.loads(files[MANIFEST])["notCompared"]
    return told


def sums(files: Mapping[str, bytes]) -> bytes:
    """As `sha256sum` writes and checks them."""
    return "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()


def read_scope(data: bytes) -> Scope:
    """What a manifest says of the scope.

    :raises NotEvidence: it cannot be read
    """
    try:
        said = json.loads(data)
        if said["schema"] != SCHEMA:
            raise NotEvidence(
                f"{MANIFEST}: schema is {visible(str(said['schema']))}, and this version reads {SCHEMA}"
            )
        texts = [
            said["period"]["from"],
            said["period"]["to"],
            said["readTime"],
            said["readBy"],
            said["cluster"]["uid"],
            said["toolVersion"],
            *said["resourceVersions"].values(),
        ]
        if not all(isinstance(each, str) for each in texts):
            raise NotEvidence(f"{MANIFEST}: period, readTime, readBy, cluster, versions have to be texts")
        return Scope(
            period=Period(texts[0], texts[1]),
            read_time=texts[2],
            read_by=texts[3],
            cluster_uid=texts[4],
            tool_version=texts[5],
            versions=said["resourceVersions"],
        )
    except KeyError as error:
        raise NotEvidence(f"{MANIFEST}: {error.args[0]} is missing") from error
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, NotEvidence):
            raise
        raise NotEvidence(f"{MANIFEST} cannot be read: {type(error).__name__}") from error


@dataclass(frozen=True)
class Checked:
    """What came of checking a folder."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    counts: Mapping[str, int]


def check(files: Mapping[str, bytes], version: str) -> Checked:
    """Everything about a folder but its signature; `version` is that of the tool that checks."""
    content = {name: data for name, data in files.items() if name not in (SUMS, SIGNATURE)}
    findings = list(_wrong_sums(content, files.get(SUMS)))
    try:
        if MANIFEST not in content:
            raise NotEvidence(f"{MANIFEST} is missing")
        scope = read_scope(content[MANIFEST])
        sources = read_sources(scope, content)
    except NotEvidence as error:
        return Checked((*findings, Finding(FindingKind.NO_EVIDENCE, str(error))), (), {})
    other = (
        ""
        if scope.tool_version == version
        else (f" (it was written by version {visible(scope.tool_version)}, and this is {version})")
    )
    computed = evidence_files(sources)
    findings += _differences(content, computed, other)
    findings += sources.examined.findings
    return Checked(tuple(findings), sources.examined.notes, counts_of(computed))


def _wrong_sums(content: Mapping[str, bytes], written: bytes | None) -> list[Finding]:
    if written is None:
        return [Finding(FindingKind.NO_SUMS, f"{SUMS} is missing")]
    said: dict[str, str] = {}
    findings = []
    for line in written.decode(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        if not name or name in said:
            findings.append(
                Finding(FindingKind.SUMS_UNREADABLE, f"{SUMS} has a line that is no sum: {visible(line)}")
            )
            continue
        said[name] = digest
    for name, digest in said.items():
        if name not in content:
            findings.append(
                Finding(FindingKind.FILE_MISSING, f"{visible(name)} is in {SUMS}, and not in the folder")
            )
        elif sha256(content[name]).hexdigest() != digest:
            findings.append(
                Finding(FindingKind.SUM_DIFFERS, f"{visible(name)} is not the file that {SUMS} is about")
            )
    added = sorted(set(content) - set(said))
    return findings + [
        Finding(FindingKind.FILE_ADDED, f"{visible(name)} is in the folder, and not in {SUMS}")
        for name in added
    ]


def _differences(content: Mapping[str, bytes], computed: Mapping[str, bytes], other: str) -> list[Finding]:
    findings = []
    for name, data in computed.items():
        if name not in content:
            findings.append(Finding(FindingKind.FILE_MISSING, f"{name} is missing"))
        elif content[name] != data:
            findings.append(
                Finding(FindingKind.INCONSISTENT, f"{name} is not what the sources make of it{other}")
            )
    return findings
