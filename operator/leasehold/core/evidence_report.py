"""The evidence for people: one page without anything to load, for a screen and for paper. Everything in it was
written by others, so jinja2 escapes it all, and what would hide is spelled out. The policy in its head has a
browser run and fetch nothing, even where both were to fail."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jinja2 import Environment

from leasehold.core.evidence_table import LONGEST_CELL, Cell, Row, Table
from leasehold.core.hidden_text import visible

REPORT: Final = "report.html"

SHOWN: Final[Mapping[str, Sequence[tuple[str, tuple[str, ...]]]]] = {
    "exceptions": (
        ("What", ("kind", "policy", "rule", "effect")),
        ("Connection", ("namespace", "connection")),
        ("Generation", ("generation", "policyGeneration")),
        ("Since", ("sinceTime",)),
        ("Until", ("untilTime",)),
        ("Deadline", ("deadlineTime",)),
        ("Why", ("words",)),
    ),
    "population": (
        ("Connection", ("namespace", "name")),
        ("Agent", ("agent",)),
        ("Owner, deputy, team", ("owner", "deputy", "team")),
        ("Purpose", ("purpose", "ticket")),
        ("Profile, server", ("profile", "serverURL")),
        ("Credential", ("credentialType",)),
        ("State", ("existence", "readyReason", "endedReason", "endedTime")),
        ("Lease ends", ("leaseEndTime",)),
        ("Last review", ("lastDecision", "lastReviewer", "lastReviewTime")),
    ),
    "agents": (
        ("Agent", ("namespace", "agent")),
        ("Connections", ("connections",)),
        ("Risk", ("riskTier",)),
        ("Can do", ("capabilities",)),
        ("Forbidden, and met", ("forbidden",)),
        ("Reaches", ("profiles", "servers")),
        ("Scopes, data", ("scopes", "dataClasses")),
        ("Credentials", ("credentialTypes",)),
        ("Tools", ("tools",)),
        ("Still exposed until", ("residualExposureUntil",)),
    ),
    "decisions": (
        ("When", ("time",)),
        ("Connection", ("namespace", "connection")),
        ("Decision", ("decision", "counted", "reason")),
        ("Reviewer", ("reviewer", "assurance")),
        ("Looked at", ("surfaceDigest",)),
        ("Changed", ("changed",)),
        ("Comment", ("comment", "ticket")),
    ),
    "revocations": (
        ("Switch", ("name",)),
        ("Target", ("target",)),
        ("Why", ("reason", "incident")),
        ("By", ("requestedBy",)),
        ("When", ("createdTime", "startedTime")),
        ("Matched, verified", ("matched", "verified")),
        ("Seconds to verified", ("secondsToVerified",)),
        ("Residual exposure", ("residual",)),
        ("Lifted", ("liftedTime", "liftedBy", "liftReason")),
    ),
    "endings": (
        ("Connection", ("namespace", "connection")),
        ("Generation", ("generation",)),
        ("Credential", ("credentialType",)),
        ("Why", ("reason",)),
        ("Begun", ("begunTime",)),
        ("Ended", ("endedTime",)),
        ("Seconds", ("secondsToVerified",)),
        ("State", ("state", "lastFailure")),
    ),
    "reconciliation": (
        ("Check", ("check",)),
        ("Subject", ("subject",)),
        ("One side", ("one",)),
        ("The other", ("other",)),
        ("Holds", ("holds",)),
        ("What", ("words",)),
    ),
    "lookups": (
        ("Connection", ("namespace", "connection")),
        ("Generation", ("generation", "credentialType")),
        ("In the ledger", ("ledgerState",)),
        ("Store", ("store",)),
        ("Looked up", ("thing",)),
        ("At Vault", ("found",)),
        ("Seconds left", ("ttlSeconds",)),
        ("When", ("time",)),
        ("Holds", ("holds", "words")),
    ),
}
"""Which columns are on paper, and which of them share one; the files have them all."""

PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Access review evidence, {{ manifest.period.from }} to {{ manifest.period.to }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2rem auto;
  max-width: 80rem; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin-bottom: .3rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .3rem; }
p { max-width: 52rem; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid #c8c8c8;
  overflow-wrap: anywhere; min-width: 3.5em; }
th:first-child, td:first-child { min-width: 9.5em; }
th { border-bottom: 2px solid #1a1a1a; overflow-wrap: normal; }
.facts { width: auto; }
.facts th { border-bottom: 1px solid #c8c8c8; font-weight: 600; }
.none { color: #595959; }
@page { size: A4 landscape; margin: 14mm; }
@media print {
  body { font-size: 9pt; margin: 0; max-width: none; padding: 0; }
  table { font-size: 7.5pt; }
  thead { display: table-header-group; }
  tr { break-inside: avoid; }
  h2 { break-after: avoid; }
}
</style>
</head>
<body>
<h1>Access review evidence</h1>
<p>Connections of agents to MCP servers, from {{ manifest.period.from }} until before {{ manifest.period.to }}.</p>
<table class="facts">
<tbody>
{% for name, value in facts %}
<tr><th scope="row">{{ name }}</th><td>{{ value | shown }}</td></tr>
{% endfor %}
</tbody>
</table>
<h2>At a glance</h2>
<table class="facts">
<tbody>
{% for name, count in glance %}
<tr><th scope="row">{{ name | shown }}</th><td>{{ count }}</td></tr>
{% endfor %}
</tbody>
</table>
{% for section in sections %}
<section id="{{ section.table.name }}">
<h2>{{ section.table.title }} ({{ section.table.rows | length }})</h2>
<p>{{ section.table.about }} All columns are in {{ section.table.name }}.csv.</p>
{% if section.rows %}
<table>
<thead><tr>{% for title in section.titles %}<th scope="col">{{ title }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in section.rows %}
<tr>{% for cell in row %}<td>{% for part in cell %}{{ part | shown }}{% if not loop.last %}<br>{% endif %}\
{% endfor %}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p class="none">None.</p>
{% endif %}
</section>
{% endfor %}
<h2>What was not compared</h2>
{% if manifest.notCompared %}
<ul>
{% for each in manifest.notCompared %}
<li>{{ each | shown }}</li>
{% endfor %}
</ul>
{% else %}
<p class="none">All that can be was compared.</p>
{% endif %}
<h2>What this does not tell</h2>
<ul>
{% for limit in manifest.limits %}
<li>{{ limit }}</li>
{% endfor %}
</ul>
</body>
</html>
"""


def report(manifest: Mapping[str, Any], tables: Sequence[Table]) -> bytes:
    """The page."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = lambda value: visible(str(value), LONGEST_CELL)
    page = environment.from_string(PAGE).render(
        manifest=manifest,
        facts=_facts(manifest),
        glance=_glance(tables),
        sections=[_section(table) for table in tables],
    )
    return page.encode(errors="replace")


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Cluster", f"kube-system namespace {manifest['cluster']['uid']}"),
        ("Scope", f"{', '.join(manifest['scope']['kinds'])} in {manifest['scope']['namespaces']} namespaces"),
        ("Read", f"{manifest['readTime']} by {manifest['readBy']}"),
        ("Audit records", f"{manifest['audit']['records']} in {len(manifest['audit']['files'])} files"),
        ("Written by", f"leasehold {manifest['toolVersion']}"),
    ]


def _glance(tables: Sequence[Table]) -> list[tuple[str, int]]:
    """The size of each table, and the exceptions by kind."""
    lines: list[tuple[str, int]] = []
    for table in tables:
        lines.append((table.title, len(table.rows)))
        if table.name == "exceptions":
            lines += sorted(Counter(str(row.get("kind")) for row in table.rows).items())
    return lines


def _section(table: Table) -> dict[str, Any]:
    columns = SHOWN[table.name]
    return {
        "table": table,
        "titles": [title for title, _ in columns],
        "rows": [[_parts(row, names) for _, names in columns] for row in table.rows],
    }


def _parts(row: Row, names: Sequence[str]) -> list[Cell]:
    """What stands in one cell, each part on a line of its own; a connection is named as everywhere else."""
    parts = [row[name] for name in names if row.get(name) is not None]
    return ["/".join(map(str, parts))] if names[0] == "namespace" else parts
