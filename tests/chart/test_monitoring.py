"""What Prometheus and Grafana are given by a release, where they are asked for."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from chart.rendering import (
    ACCOUNT,
    CHART,
    NAMESPACE,
    environment,
    example,
    objects,
    the,
)

RULES = {
    "groups": [
        {"name": "a", "rules": [{"alert": "A", "expr": "up == 0", "labels": {"x": "{{ $labels.y }}"}}]}
    ]
}
DASHBOARD = {"title": "Fleet: who owes", "panels": [{"legendFormat": "{{ namespace }}\\n"}]}


@pytest.fixture
def chart_with_files(tmp_path: Path) -> Path:
    """The chart with rules and dashboards that hold what templates trip over."""
    chart = tmp_path / "leasehold"
    shutil.copytree(CHART, chart)
    for folder, name, content in (
        ("rules", "leasehold.yaml", RULES),
        ("dashboards", "fleet.json", DASHBOARD),
    ):
        (chart / "files" / folder).mkdir(parents=True, exist_ok=True)
        (chart / "files" / folder / name).write_text(json.dumps(content))
    return chart


def test_what_monitoring_needs_is_there_where_it_is_asked_for(chart_with_files: Path) -> None:
    kinds = {"ServiceMonitor", "PrometheusRule", "ConfigMap"}
    assert not kinds & {each["kind"] for each in objects(chart=chart_with_files)}
    for value, kind in (
        ("serviceMonitor", "ServiceMonitor"),
        ("prometheusRule", "PrometheusRule"),
        ("dashboards", "ConfigMap"),
    ):
        wanted = {"metrics": {value: {"enabled": True, "labels": {"for": "prometheus"}}}}
        rendered = objects(wanted, chart=chart_with_files)
        assert kinds & {each["kind"] for each in rendered} == {kind}
        assert the(rendered, kind)["metadata"]["labels"]["for"] == "prometheus"


def test_rules_and_dashboards_arrive_as_they_are(chart_with_files: Path) -> None:
    rendered = objects(example("monitoring"), chart=chart_with_files)
    assert the(rendered, "PrometheusRule")["spec"] == RULES
    assert json.loads(the(rendered, "ConfigMap")["data"]["fleet.json"]) == DASHBOARD
    assert the(rendered, "ConfigMap")["metadata"]["annotations"] == {"grafana_folder": "Leasehold"}


def test_the_shipped_rules_and_dashboards_arrive_whole() -> None:
    rendered = objects(example("monitoring"))
    shipped = yaml.safe_load((CHART / "files" / "rules" / "leasehold.yaml").read_text())
    assert the(rendered, "PrometheusRule")["spec"] == shipped
    dashboards = the(rendered, "ConfigMap")["data"]
    files = {path.name: path.read_text() for path in (CHART / "files" / "dashboards").iterdir()}
    assert dashboards == files
    assert len(files) == 2
    assert sum(map(len, files.values())) < 900_000, "a ConfigMap holds a mebibyte"


def test_a_scrape_keeps_the_namespace_of_a_connection() -> None:
    (endpoint,) = the(objects(example("monitoring")), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["honorLabels"] is True
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"]["serverName"] == f"{ACCOUNT}.{NAMESPACE}.svc"


def test_over_tls_the_probes_use_it_and_the_certificate_is_mounted() -> None:
    deployment = the(objects(example("monitoring")), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {container[probe]["httpGet"]["scheme"] for probe in ("livenessProbe", "readinessProbe")} == {
        "HTTPS"
    }
    directory = environment(deployment)["LEASEHOLD_LISTEN_TLS_DIRECTORY"]
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == directory]
    (volume,) = [each for each in pod["volumes"] if each["name"] == mount["name"]]
    assert volume["secret"] == {"secretName": "leasehold-tls"}
