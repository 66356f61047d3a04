"""What both dashboards are made of: variables, and panels that cannot be without a title, a description and a unit.

In expressions `@fleet` stands for the filter of the numbers by profile and team, `@own` for that of the series that
each connection has of its own, and `@here` for that of what an operator tells of itself."""

from collections.abc import Mapping
from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as prometheus_model

Panel = Builder[model.Panel]

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="$datasource")
FILTERS: Final = {
    "@fleet": 'profile=~"$profile",team=~"$team"',
    "@own": 'namespace=~"$namespace",profile=~"$profile",team=~"$team"',
    "@here": 'namespace=~"$namespace"',
}
ANYTHING: Final = ".*"
COUNT, SECONDS, SHARE, PER_SECOND, MOMENT, BYTES = (
    "short",
    "s",
    "percentunit",
    "ops",
    "dateTimeFromNow",
    "bytes",
)
"""Units, by Grafana's names. `MOMENT` takes milliseconds since the epoch."""

SIXTH, THIRD, HALF = 4, 8, 12
"""Widths, of 24."""
TARGET_LABELS: Final = ("Time", "__name__", "instance", "job", "pod", "endpoint", "service", "container")
"""What a scrape adds, and no list of connections needs."""


def dashboard(
    uid: str, title: str, description: str, *, namespaces: str, rows: Mapping[str, list[Panel]]
) -> model.Dashboard:
    """A dashboard with the four variables; `namespaces` is the metric whose label `namespace` may be chosen."""
    built = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["leasehold"])
        .time("now-24h", "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            build.DashboardLink("Leasehold")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["leasehold"])
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_chosen("namespace", "Namespace", f"label_values({namespaces}, namespace)"))
        .with_variable(_chosen("team", "Team", "label_values(leasehold_fleet_connections, team)"))
        .with_variable(_chosen("profile", "Profile", "label_values(leasehold_fleet_connections, profile)"))
    )
    for name, panels in rows.items():
        built = built.with_row(build.Row(name))
        for panel in panels:
            built = built.with_panel(panel)
    return built.build()


def number(
    title: str, description: str, unit: str, expression: str, *, red_from: float | None = None
) -> Panel:
    """One figure; red from a value on, where one is given."""
    steps = [model.Threshold(None, "green")]
    if red_from is not None:
        steps.append(model.Threshold(red_from, "red"))
    panel = (
        stat.Panel()
        .thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
        .graph_mode(common_model.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(expression, "").range())
    )
    return _finished(panel, title, description, unit, SIXTH, 4)


def bars(title: str, description: str, unit: str, expression: str, legend: str, width: int = THIRD) -> Panel:
    """What holds now, a bar for each series."""
    panel = (
        bargauge.Panel()
        .orientation(common_model.VizOrientation.HORIZONTAL)
        .display_mode(common_model.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .min(0)
        .with_target(_query(expression, legend).instant())
    )
    return _finished(panel, title, description, unit, width, 8)


def lines(
    title: str,
    description: str,
    unit: str,
    queries: Mapping[str, str],
    *,
    width: int = THIRD,
    stack: bool = False,
) -> Panel:
    """How it went; `queries` are expressions by what their series are called."""
    panel = timeseries.Panel().fill_opacity(25 if stack else 0).min(0)
    if stack:
        panel = panel.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    for number_of, (legend, expression) in enumerate(queries.items()):
        panel = panel.with_target(_query(expression, legend).range().ref_id(chr(ord("A") + number_of)))
    return _finished(panel, title, description, unit, width, 8)


def listing(title: str, description: str, unit: str, expression: str, value: str, width: int = HALF) -> Panel:
    """One line for each series, with its labels; `value` is the heading of the last column."""
    hidden = dict.fromkeys(TARGET_LABELS, True)
    panel = (
        table.Panel()
        .with_target(_query(expression, "").instant().format(prometheus_model.PromQueryFormat.TABLE))
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize", options={"excludeByName": hidden, "renameByName": {"Value": value}}
            )
        )
    )
    return _finished(panel, title, description, unit, width, 8)


def _chosen(name: str, label: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(ANYTHING)
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )


def _query(expression: str, legend: str) -> prometheus.Dataquery:
    for short, written in FILTERS.items():
        expression = expression.replace(short, written)
    return prometheus.Dataquery().expr(" ".join(expression.split())).legend_format(legend).ref_id("A")


def _finished(panel: Any, title: str, description: str, unit: str, width: int, height: int) -> Panel:
    """:raises ValueError: a panel without a title, a description or a unit tells nobody anything"""
    for name, text in {"title": title, "description": description, "unit": unit}.items():
        if not text:
            raise ValueError(f"panel {title!r} has no {name}")
    finished: Panel = (
        panel.title(title)
        .description(" ".join(description.split()))
        .unit(unit)
        .datasource(SOURCE)
        .span(width)
        .height(height)
    )
    return finished
