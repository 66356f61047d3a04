"""Alerts and dashboards by themselves: complete, documented, and about metrics that there are."""

import re
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from controlplane.prometheusserver import promtool
from leasehold.telemetry.fleet import FleetMetrics
from leasehold.telemetry.metrics import Telemetry
from monitoring.shipped_monitoring import (
    DASHBOARDS,
    RULES,
    Alert,
    alerts,
    dashboards,
    expressions_in,
    metrics_in,
    panels,
    queries,
)
from monitoring.synthetic import SyntheticOperator
from shipped import ROOT

UNIT_TESTS = Path(__file__).with_name("alerts.test.yaml")
RUNBOOKS = ROOT / "docs" / "runbooks"

each_alert = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)


def exported() -> set[str]:
    """Every name that a series of ours can have."""
    text = Telemetry(FleetMetrics(), "test").render().decode()
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + suffix for suffix in suffixes}
    return names


def test_promtool_has_nothing_to_say_of_the_metrics() -> None:
    checked = promtool("check", "metrics", given=SyntheticOperator().render().decode())
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_promtool_reads_the_rules() -> None:
    checked = promtool("check", "rules", "--lint-fatal", str(RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_fires_when_it_has_to_and_only_then() -> None:
    tried = promtool("test", "rules", str(UNIT_TESTS))
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_every_alert_is_tried_firing_and_not_firing() -> None:
    tried = [
        (each["alertname"], bool(each["exp_alerts"]))
        for test in yaml.safe_load(UNIT_TESTS.read_text())["tests"]
        for each in test["alert_rule_test"]
    ]
    beside = {
        "LeaseholdHostileDrift",
        "LeaseholdDangerousDrift",
    }  # another team's series is there and stays silent
    for alert in alerts():
        assert (alert.name, True) in tried
        assert (alert.name, False) in tried or alert.name in beside


@each_alert
def test_an_alert_says_how_bad_what_and_where_to_look(alert: Alert) -> None:
    assert alert.labels["severity"] in ("critical", "warning")
    assert set(alert.annotations) == {"summary", "description", "runbook_url"}
    assert alert.annotations["runbook_url"] == f"docs/runbooks/{alert.name}.md"
    page = (ROOT / alert.annotations["runbook_url"]).read_text()
    assert page.startswith(f"# {alert.name}\n\n{alert.labels['severity'].capitalize()}")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["Look", "Do"]
    row = rf"^\| \[{alert.name}\]\(runbooks/{alert.name}\.md\) \| {alert.labels['severity']} \|"
    assert re.search(row, (ROOT / "docs" / "dashboards.md").read_text(), re.MULTILINE)


def test_every_runbook_is_that_of_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.iterdir()} == {alert.name for alert in alerts()}


@each_alert
def test_an_alert_asks_for_metrics_that_there_are(alert: Alert) -> None:
    for expression in expressions_in(alert):
        assert metrics_in(expression)
        assert metrics_in(expression) <= exported()


@each_alert
def test_no_alert_is_one_for_each_connection(alert: Alert) -> None:
    assert not [name for name in metrics_in(alert.expression) if name.startswith("leasehold_connection_")]


def test_a_panel_asks_for_metrics_that_there_are() -> None:
    for query in queries():
        assert metrics_in(query.expression), query
        assert metrics_in(query.expression) <= exported(), query


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (team) (a_total{reason="b_total",c=~"d{2}"}) > 0 or on () vector(0)', {"a_total"}),
        ('rate(a_bucket{le="60.0"}[5m]) / ignoring (kind) group_left () 3 * b', {"a_bucket", "b"}),
        ("time() - min by (a, b) (c) > 120 and on (namespace, name) (d <= time())", {"c", "d"}),
        ("histogram_quantile(0.99, sum by (le) (rate(x_bucket[$__rate_interval])))", {"x_bucket"}),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression: str, names: set[str]) -> None:
    assert metrics_in(expression) == names


def test_there_are_two_dashboards_for_people_to_tell_apart() -> None:
    assert {name: each["title"] for name, each in dashboards().items()} == {
        "fleet.json": "Leasehold / Fleet",
        "operator.json": "Leasehold / Operator",
    }
    assert len({each["uid"] for each in dashboards().values()}) == 2


@pytest.mark.parametrize("name", dashboards())
def test_every_panel_has_a_title_a_description_and_a_unit(name: str) -> None:
    shown = list(panels(dashboards()[name]))
    assert len(shown) > 20
    assert len({panel["title"] for panel in shown}) == len(shown)
    for panel in shown:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "$datasource"}


@pytest.mark.parametrize("name", dashboards())
def test_a_dashboard_can_be_narrowed_by_namespace_team_and_profile(name: str) -> None:
    dashboard = dashboards()[name]
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "team", "profile"]
    used = {found for each in panels(dashboard) for found in re.findall(r"\$(\w+)", str(each["targets"]))}
    assert {"namespace", "team", "profile"} <= used <= {*variables, "__rate_interval"}
    for each in list(variables.values())[1:]:
        assert (each["multi"], each["includeAll"], each["allValue"]) == (True, True, ".*")
        assert metrics_in(re.sub(r"label_values\((\w+), \w+\)", r"\1", each["query"])) <= exported()


@pytest.mark.parametrize("name", dashboards())
def test_no_two_panels_lie_over_each_other(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboards()[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", dashboards())
def test_grafanas_own_model_reads_a_dashboard_and_loses_nothing(name: str) -> None:
    text = (DASHBOARDS / name).read_text()
    read = Dashboard.from_json(dashboards()[name])
    assert JSONEncoder(sort_keys=True, indent=2).encode(read) + "\n" == text
