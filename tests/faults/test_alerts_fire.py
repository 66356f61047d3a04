"""A real Prometheus scrapes a real operator, and the alerts fire because of what really happens to it. Nothing but
their patience is another one than shipped."""

from collections.abc import Iterator, Mapping

import pytest

from controlplane import ControlPlane
from controlplane.prometheusserver import PrometheusServer, promtool, running_prometheus
from controlplane.waiting import wait_until
from deployment import Deployment, Operator, operator_kubeconfig
from e2e.claims import claim
from monitoring.shipped_monitoring import alerts, metrics_in, queries, without_waiting

SHORT = {"ttlSeconds": 15, "overlapSeconds": 2}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """With the shipped alerts, which wait for nothing."""
    workdir = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(workdir) as server:
        server.use_rules(without_waiting(workdir))
        yield server


@pytest.fixture(scope="module")
def watched(deployment: Deployment, prometheus: PrometheusServer) -> Iterator[Operator]:
    """An operator that lists often, and is scraped."""
    kubeconfig = operator_kubeconfig(deployment.plane)
    running = Operator(kubeconfig, deployment.plane.workdir, lease_seconds=60, resync_seconds=1)
    start_watched(running, prometheus)
    yield running
    running.stop()
    assert running.complaints() == []


def start_watched(operator: Operator, prometheus: PrometheusServer) -> None:
    """Start it, until Prometheus sees that it leads."""
    prometheus.scrape("leasehold", operator.start().address)
    wait_until(lambda: prometheus.query("leasehold_leader == 1"), 60, "it is scraped")


def fires(prometheus: PrometheusServer, name: str, concerned: Mapping[str, str]) -> bool:
    """Whether somebody is told of what has these labels."""
    return any(concerned.items() <= labels.items() for labels in prometheus.alerts(name))


def wait_fires(prometheus: PrometheusServer, name: str, **concerned: str) -> None:
    """Until the alert fires, for whom it concerns."""
    wait_until(lambda: fires(prometheus, name, concerned), 60, f"{name} fires")


def wait_over(prometheus: PrometheusServer, name: str, **concerned: str) -> None:
    """Until it is told no more; a store that was away is asked again after a while."""
    wait_until(lambda: not fires(prometheus, name, concerned), 150, f"{name} is over")


def test_a_real_operator_exports_all_that_panels_and_alerts_ask_for(
    deployment: Deployment, watched: Operator
) -> None:
    claim(deployment)
    text = watched.get("/metrics")[1]
    checked = promtool("check", "metrics", given=text)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    for expression in [*(query.expression for query in queries()), *(alert.expression for alert in alerts())]:
        for name in metrics_in(expression):
            assert {name, name.rsplit("_", 1)[0]} & families, name


def test_a_vault_that_is_away_is_told_as_what_it_means(
    own_plane: ControlPlane, deployment: Deployment, watched: Operator, prometheus: PrometheusServer
) -> None:
    renewed = claim(deployment, SHORT)
    ending = claim(deployment)
    own_plane.vault.stop()
    try:
        deployment.patch(ending.connection, {"spec": {"leaseDurationSeconds": 10}})
        concerned = {"team": "support", "profile": renewed.connection.spec.profile}
        wait_fires(prometheus, "LeaseholdCredentialRenewalStuck", **concerned)
        concerned = {"team": "support", "profile": ending.connection.spec.profile}
        wait_fires(prometheus, "LeaseholdExpiredButActive", **concerned)
        wait_fires(prometheus, "LeaseholdRevocationStuck", **concerned)
    finally:
        own_plane.vault.start()
    for name in ("LeaseholdExpiredButActive", "LeaseholdRevocationStuck"):
        wait_over(prometheus, name, **concerned)


def test_a_lease_that_vault_cannot_revoke_is_told(
    own_plane: ControlPlane, deployment: Deployment, watched: Operator, prometheus: PrometheusServer
) -> None:
    claimed = claim(deployment)
    own_plane.postgres.stop()
    try:
        deployment.patch(claimed.connection, {"spec": {"suspend": True}})
        profile = claimed.connection.spec.profile
        wait_fires(prometheus, "LeaseholdRevocationStuck", team="support", profile=profile)
        irrevocable = f'leasehold_fleet_ledger_entries{{state="Irrevocable",profile="{profile}"}} == 1'
        wait_until(lambda: prometheus.query(irrevocable), 60, "the ledger says why")
    finally:
        own_plane.postgres.start()
    wait_over(prometheus, "LeaseholdRevocationStuck", team="support", profile=profile)


def test_an_api_server_that_does_not_answer_is_told(
    own_plane: ControlPlane, watched: Operator, prometheus: PrometheusServer
) -> None:
    own_plane.apiserver.pause()
    try:
        wait_fires(prometheus, "LeaseholdInventoryStale", kind="MCPConnection")
    finally:
        own_plane.apiserver.resume()
    wait_over(prometheus, "LeaseholdInventoryStale")


def test_an_operator_that_is_gone_is_told(watched: Operator, prometheus: PrometheusServer) -> None:
    wait_over(prometheus, "LeaseholdOperatorAbsent")
    try:
        assert watched.stop() == 0
        wait_fires(prometheus, "LeaseholdOperatorAbsent")
    finally:
        start_watched(watched, prometheus)
    wait_over(prometheus, "LeaseholdOperatorAbsent")
