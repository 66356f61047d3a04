"""The alerts and dashboards that are shipped, as tests read them, and which metrics an expression names."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shipped import ROOT

RULES = ROOT / "charts" / "leasehold" / "files" / "rules" / "leasehold.yaml"
DASHBOARDS = ROOT / "charts" / "leasehold" / "files" / "dashboards"

_NO_METRICS = re.compile(
    r'"(?:[^"\\]|\\.)*"'  # texts
    r"|\{[^{}]*\}"  # matchers, whose texts are gone by then
    r"|\[[^\]]*\]"  # ranges
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"  # labels
)
_NAME = re.compile(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()")
_WORDS = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan"})
_QUERY = re.compile(r'query "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Alert:
    """One alert as it is shipped."""

    name: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True)
class Query:
    """One expression of a panel."""

    dashboard: str
    panel: str
    expression: str

    def filled_in(self) -> str:
        """With every variable at "All"."""
        text = self.expression.replace("$__rate_interval", "1m")
        return re.sub(r"\$(namespace|team|profile)\b", ".*", text)


def alerts() -> list[Alert]:
    """All of them."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for group in groups
        for rule in group["rules"]
    ]


def dashboards() -> dict[str, dict[str, Any]]:
    """All of them, by file name."""
    return {path.name: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel, rows left out."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def queries() -> list[Query]:
    """Every expression of every panel."""
    return [
        Query(name, panel["title"], target["expr"])
        for name, dashboard in dashboards().items()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression names."""
    bare, before = expression, ""
    while bare != before:
        bare, before = _NO_METRICS.sub(" ", bare), bare
    return {name for name in _NAME.findall(bare) if name.lower() not in _WORDS}


def expressions_in(alert: Alert) -> list[str]:
    """What it asks, in its condition and in its texts."""
    asked = [
        found.replace('\\"', '"') for text in alert.annotations.values() for found in _QUERY.findall(text)
    ]
    return [alert.expression, *asked]


def without_waiting(directory: Path) -> Path:
    """The shipped rules in a file of their own, so that a test sees an alert at once: nothing has to last, and what
    has to be minutes late is late after three seconds."""
    text = re.sub(r"^(\s+)for: \S+$", r"\1for: 0s", RULES.read_text(), flags=re.MULTILINE)
    text = re.sub(r"(_timestamp_seconds\)) > (?:120|300)\b", r"\1 > 3", text)
    path = directory / "leasehold.yaml"
    path.write_text(text)
    return path
