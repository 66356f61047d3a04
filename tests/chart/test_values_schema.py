"""A value that the chart does not know, or cannot use, is refused by name before anything is installed."""

from typing import Any

import pytest
from helm_python import Chart, HelmError

from chart.rendering import CHART, COMBINATIONS, NAMESPACE, RELEASE
from chart_source.pages import described


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The values that set one of them."""
    for name in reversed(path):
        value = {name: value}
    found: dict[str, Any] = value
    return found


def refusal(values: dict[str, Any]) -> str:
    """Why Helm does not render the chart with these values."""
    with Chart.load(CHART) as chart:
        with pytest.raises(HelmError) as refused:
            chart.validate_schema(values)
        with pytest.raises(HelmError):
            chart.render(values, name=RELEASE, namespace=NAMESPACE)
    return str(refused.value)


@pytest.mark.parametrize("values", COMBINATIONS.values(), ids=COMBINATIONS)
def test_what_is_documented_is_accepted(values: dict[str, Any]) -> None:
    with Chart.load(CHART) as chart:
        chart.validate_schema(values)


@pytest.mark.parametrize("path", [each.path for each in described()], ids=".".join)
def test_a_misspelled_value_is_refused_at_every_level(path: tuple[str, ...]) -> None:
    misspelled = path[-1] + "s"
    assert misspelled in refusal(nested((*path[:-1], misspelled), "x"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("replicas",), 0),
        (("replicas",), "2"),
        (("watchNamespaces",), "support"),
        (("watchNamespaces",), ["Support"]),
        (("watchNamespaces",), ["support", "support"]),
        (("image", "digest"), "sha256:abc"),
        (("image", "pullPolicy"), "Sometimes"),
        (("crds", "keep"), "yes"),
        (("settings", "workers"), 0),
        (("settings", "workers"), 1.5),
        (("settings", "stopSeconds"), "110"),
        (("settings", "listenPort"), 8081),
        (("settings", "namespace"), "other"),
        (("settings", "kubeconfig"), "/etc/kubeconfig"),
        (("resources", "limits"), {"memory": 768}),
        (("metrics", "tls"), "leasehold-tls"),
        (("metrics", "serviceMonitor", "interval"), "thirty seconds"),
        (("metrics", "dashboards", "labels"), {"grafana_dashboard": 1}),
        (("networkPolicy", "egress"), {"ports": []}),
        (("podAnnotations",), {"example.com/collect": True}),
        (("tolerations",), ["infra"]),
    ],
    ids=lambda each: ".".join(each) if isinstance(each, tuple) else str(each),
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(path: tuple[str, ...], value: Any) -> None:
    said = refusal(nested(path, value))
    assert (
        "/".join(path) in said or f"at '/{'/'.join(path[:-1])}': additional properties '{path[-1]}'" in said
    )


def test_a_parent_chart_may_pass_globals_down() -> None:
    with Chart.load(CHART) as chart:
        chart.validate_schema({"global": {"imageRegistry": "mirror", "any": ["thing"]}})
        assert chart.render({"global": {"any": 1}}, name=RELEASE, namespace=NAMESPACE)


def test_nothing_else_may_be_at_the_top() -> None:
    assert "globals" in refusal({"globals": {}})
