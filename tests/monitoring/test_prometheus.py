"""A real Prometheus scrapes the real telemetry of a fleet that nobody runs: every panel shows something, every
alert fires when it has to, and none does when all is well."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.prometheusserver import PrometheusServer, running_prometheus
from controlplane.waiting import WaitTimedOut, wait_until
from monitoring.shipped_monitoring import Query, alerts, expressions_in, queries, without_waiting
from monitoring.synthetic import SyntheticOperator

JOB = "leasehold"
SCRAPED = "min(count_over_time(leasehold_leader[1m])) >= 3"
"""Before that no rate has a value."""

TROUBLE = {alert.name for alert in alerts()} - {"LeaseholdOperatorAbsent"}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[PrometheusServer]:
    """One that remembers nothing, with the shipped alerts, which wait for nothing."""
    with running_prometheus(tmp_path) as server:
        server.use_rules(without_waiting(tmp_path))
        yield server


def has_values(samples: list[dict[str, Any]]) -> bool:
    return any(not math.isnan(float(sample["value"][1])) for sample in samples)


def wait_answered(prometheus: PrometheusServer, asked: list[Query]) -> None:
    """Until each of the queries has had an answer."""
    silent = asked

    def all_answered() -> bool:
        nonlocal silent
        silent = [query for query in silent if not has_values(prometheus.query(query.filled_in()))]
        return not silent

    try:
        wait_until(all_answered, 60, "every panel shows something")
    except WaitTimedOut as late:
        raise AssertionError(f"these show nothing: {silent}") from late


def firing(prometheus: PrometheusServer) -> set[str]:
    return {alert.name for alert in alerts() if prometheus.alerts(alert.name)}


def test_every_panel_and_every_alert_has_an_answer_while_there_is_trouble(
    prometheus: PrometheusServer,
) -> None:
    with SyntheticOperator().served() as address:
        prometheus.scrape(JOB, address)
        wait_answered(prometheus, queries())
        wait_until(lambda: firing(prometheus) == TROUBLE, 60, "every alert fires")
        asked = [
            expression for alert in alerts() if alert.name in TROUBLE for expression in expressions_in(alert)
        ]
        wait_answered(prometheus, [Query("alerts", "", expression) for expression in asked])
        [owing] = prometheus.alerts("LeaseholdReviewOverdueSoon")
        assert owing["team"] == "support-platform"


def test_all_that_is_told_of_a_fleet_that_is_well_is_that_nobody_leads_until_somebody_does(
    prometheus: PrometheusServer,
) -> None:
    operator = SyntheticOperator(troubled=False, leads=False)
    with operator.served() as address:
        prometheus.scrape(JOB, address)
        wait_until(lambda: prometheus.query(SCRAPED), 60, "it was scraped a few times")
        wait_until(lambda: firing(prometheus) == {"LeaseholdOperatorAbsent"}, 60, "it is told")
        operator.leads(True)
        wait_until(lambda: not firing(prometheus), 60, "it is over")
        for alert in alerts():
            assert prometheus.query(alert.expression) == [], alert.name


def test_a_fleet_too_large_for_series_of_its_own_is_alerted_on_like_any_other(
    prometheus: PrometheusServer,
) -> None:
    with SyntheticOperator(detailed=0).served() as address:
        prometheus.scrape(JOB, address)
        wait_until(lambda: firing(prometheus) == TROUBLE, 60, "every alert fires")
        assert prometheus.query('{__name__=~"leasehold_connection_.+"}') == []
        of_the_fleet = [query for query in queries() if "leasehold_connection_" not in query.expression]
        wait_answered(prometheus, of_the_fleet)
