"""Findings as a script, a person at a terminal, or a pull request reads them. The texts in a finding are safe to
show already; Markdown needs one wrapping more."""

import json
from collections.abc import Sequence
from typing import Final

from leasehold.core.drift import DriftClass, Finding, worst
from leasehold.core.hidden_text import code_span

MAX_ROWS: Final = 200
"""Rows of a table; a comment on a pull request holds 64 KiB."""

MEANS: Final = {
    DriftClass.NONE: "Nothing changed.",
    DriftClass.BENIGN: "Nothing that needs a person changed.",
    DriftClass.REVIEW: "A person has to look at this.",
    DriftClass.DANGEROUS: "This lets an agent do more harm than before, or tries to.",
    DriftClass.HOSTILE: "No honest server sends this.",
}


def as_json(findings: Sequence[Finding]) -> str:
    """One object: `class`, and `findings` with class, kind, item and path. ASCII."""
    told = [
        {"class": each.drift_class, "kind": each.kind, "item": each.item, "path": each.path}
        for each in findings
    ]
    return json.dumps({"class": worst(findings), "findings": told}, indent=2)


def as_text(findings: Sequence[Finding]) -> str:
    """A line for the whole, then a line or more for each finding."""
    lines = [_headline(findings)]
    for each in findings:
        lines.append(f"{each.drift_class:<9}  {each.kind}  {each.item}  {each.path}")
        lines += [
            f"           {sign} {text}" for sign, text in (("-", each.before), ("+", each.after)) if text
        ]
    return "\n".join(lines)


def as_markdown(findings: Sequence[Finding]) -> str:
    """A heading and a table, for a comment on a pull request."""
    lines = [f"### MCP surface: {worst(findings)}", "", _headline(findings)]
    if findings:
        lines += ["", "| class | finding | item | path | before | after |", "|---|---|---|---|---|---|"]
        lines += [_row(each) for each in findings[:MAX_ROWS]]
    if len(findings) > MAX_ROWS:
        lines += ["", f"{len(findings) - MAX_ROWS} more are not shown."]
    return "\n".join(lines)


def _headline(findings: Sequence[Finding]) -> str:
    whole = worst(findings)
    count = f" ({len(findings)} finding{'s' if len(findings) > 1 else ''})" if findings else ""
    return f"{whole}: {MEANS[whole]}{count}"


def _row(finding: Finding) -> str:
    texts = (finding.item, finding.path, finding.before, finding.after)
    cells = [finding.drift_class, finding.kind, *(code_span(text) if text else "" for text in texts)]
    return f"| {' | '.join(cells)} |"
