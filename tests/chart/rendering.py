"""The chart as Helm renders it, with the values of the documented examples."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart

from shipped import ROOT

CHART = ROOT / "charts" / "leasehold"
RELEASE = "platform"
NAMESPACE = "mcp-platform"
ACCOUNT = "platform-leasehold"
"""What the chart calls its objects in a release of that name."""
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"

Object = dict[str, Any]

EXAMPLES: Mapping[str, Path] = {
    path.stem: path for path in sorted((ROOT / "examples" / "values").glob("*.yaml"))
}


def example(name: str) -> dict[str, Any]:
    """The values of a documented example."""
    values: dict[str, Any] = yaml.safe_load(EXAMPLES[name].read_text())
    return values


def all_examples() -> dict[str, Any]:
    """All of them at once, the later ones winning."""
    merged: dict[str, Any] = {}
    for name in EXAMPLES:
        _merge(merged, example(name))
    return merged


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


COMBINATIONS: Mapping[str, dict[str, Any]] = {
    "without values": {},
    **{name: example(name) for name in EXAMPLES},
    "all at once": all_examples(),
}


def texts(
    values: Mapping[str, Any] | None = None,
    name: str = RELEASE,
    namespace: str = NAMESPACE,
    chart: Path = CHART,
) -> dict[str, str]:
    """Every rendered file by its name in `templates/`; the values have to pass the schema."""
    return dict(_rendered(json.dumps(values or {}), name, namespace, chart))


@cache
def _rendered(values: str, name: str, namespace: str, path: Path) -> Mapping[str, str]:
    with Chart.load(path) as chart:
        chart.validate_schema(json.loads(values))
        rendered = chart.render(json.loads(values), name=name, namespace=namespace)
    return {each.removeprefix("leasehold/templates/"): text for each, text in rendered.items()}


def objects(
    values: Mapping[str, Any] | None = None,
    name: str = RELEASE,
    namespace: str = NAMESPACE,
    chart: Path = CHART,
) -> list[Object]:
    """Every rendered object."""
    return [
        each
        for path, text in texts(values, name, namespace, chart).items()
        if path.endswith(".yaml")
        for each in yaml.load_all(text, yaml.CSafeLoader)
        if each is not None
    ]


def of_kind(rendered: list[Object], kind: str) -> Iterator[Object]:
    """Those of one kind."""
    return (each for each in rendered if each["kind"] == kind)


def the(rendered: list[Object], kind: str) -> Object:
    """The only one of its kind."""
    (found,) = of_kind(rendered, kind)
    return found


def environment(deployment: Object) -> dict[str, str]:
    """What the operator's container is told."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}
