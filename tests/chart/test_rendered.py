"""What the chart renders, without a cluster: who the operator is, what it may do, what its pods can do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart, HelmError, lint

from chart.rendering import (
    ACCOUNT,
    CHART,
    COMBINATIONS,
    NAMESPACE,
    USER,
    environment,
    example,
    objects,
    of_kind,
    texts,
    the,
)
from chart_source.values import DECIDED_BY_THE_CHART
from leasehold import __version__
from leasehold.api.crd import KINDS, custom_resource_definition
from leasehold.api.names import OPERATOR_USER
from leasehold.settings import Settings, namespaces
from shipped import MANIFESTS

each_combination = pytest.mark.parametrize("values", COMBINATIONS.values(), ids=COMBINATIONS)


@each_combination
def test_helm_finds_nothing_wrong(values: dict[str, Any]) -> None:
    report = lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [each for each in report["messages"] if each["severity"] > 1] == []


def test_the_chart_has_the_version_of_the_operator() -> None:
    with Chart.load(CHART) as chart:
        assert chart.metadata["appVersion"] == __version__
        assert chart.metadata["version"] == __version__


@each_combination
def test_the_policies_know_the_operator_by_the_account_that_its_pods_have(values: dict[str, Any]) -> None:
    rendered = objects(values)
    pod = the(rendered, "Deployment")["spec"]["template"]["spec"]
    account = the(rendered, "ServiceAccount")["metadata"]
    assert (
        (account["namespace"], account["name"])
        == (NAMESPACE, pod["serviceAccountName"])
        == (NAMESPACE, ACCOUNT)
    )
    admission = texts(values)["admission.yaml"]
    plain = (MANIFESTS / "admission.yaml").read_text()
    assert admission.count(USER) == plain.count(OPERATOR_USER) > 5
    assert "leasehold-system" not in admission
    assert f"request.namespace == '{NAMESPACE}' && request.name == '{ACCOUNT}'" in admission


def test_a_release_that_is_called_leasehold_gives_the_names_of_the_documentation() -> None:
    assert the(objects(name="leasehold"), "ServiceAccount")["metadata"]["name"] == "leasehold"
    assert the(objects(name="my-leasehold"), "ServiceAccount")["metadata"]["name"] == "my-leasehold"


def test_what_is_in_no_namespace_has_the_same_names_in_every_release() -> None:
    cluster_wide = {
        "ClusterRole",
        "ClusterRoleBinding",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    named = [
        {each["metadata"]["name"] for each in objects(name=name) if each["kind"] in cluster_wide}
        for name in ("leasehold", "other")
    ]
    assert named[0] == named[1]


@each_combination
def test_the_pods_can_do_nothing_that_they_need_not(values: dict[str, Any]) -> None:
    pod = the(objects(values), "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert {each["topologyKey"] for each in pod["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    assert not any("hostPath" in volume for volume in pod["volumes"])


@each_combination
def test_a_stop_is_given_more_time_than_it_takes(values: dict[str, Any]) -> None:
    deployment = the(objects(values), "Deployment")
    settings = Settings.from_environment(environment(deployment))
    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert settings.stop_seconds + 30 <= grace < settings.stop_seconds + 40


@each_combination
def test_the_operator_reads_every_variable_that_it_is_given(values: dict[str, Any]) -> None:
    given = environment(the(objects(values), "Deployment"))
    known = {"LEASEHOLD_" + name.upper() for name in Settings.model_fields}
    assert given.keys() <= known
    settings = Settings.from_environment(given)
    assert (settings.namespace, settings.service_account, settings.lease_name) == (
        NAMESPACE,
        ACCOUNT,
        ACCOUNT,
    )
    assert list(namespaces(settings.watch_namespaces)) == values.get("watchNamespaces", [])


def test_without_values_every_setting_is_at_the_operators_own_default() -> None:
    settings = Settings.from_environment(environment(the(objects(), "Deployment")))
    untouched = Settings.model_fields.keys() - DECIDED_BY_THE_CHART
    assert {name: getattr(settings, name) for name in untouched} == {
        name: getattr(Settings(), name) for name in untouched
    }


def test_settings_reach_the_operator() -> None:
    settings = Settings.from_environment(environment(the(objects(example("production")), "Deployment")))
    assert settings.log_level == "WARNING"
    assert settings.vault_requests_per_second == 50
    assert settings.probe_denied_networks == "10.0.0.0/8,192.168.0.0/16"
    assert settings.stop_seconds == 95.5


def test_a_digest_names_the_image_before_any_tag() -> None:
    digest = "sha256:" + "0" * 64
    for image, said in (
        ({}, f"leasehold:{__version__}"),
        ({"tag": "nightly"}, "leasehold:nightly"),
        ({"tag": "nightly", "digest": digest}, f"leasehold@{digest}"),
    ):
        (container,) = the(objects({"image": image}), "Deployment")["spec"]["template"]["spec"]["containers"]
        assert container["image"] == said


@pytest.mark.parametrize("keep", [True, False])
def test_the_resource_definitions_are_those_of_the_models(keep: bool) -> None:
    found = {
        each["metadata"]["name"]: each
        for each in of_kind(objects({"crds": {"keep": keep}}), "CustomResourceDefinition")
    }
    wanted = [custom_resource_definition(kind) for kind in KINDS]
    assert found.keys() == {each["metadata"]["name"] for each in wanted}
    for each in wanted:
        there = found[each["metadata"]["name"]]
        assert there["spec"] == each["spec"]
        assert ("helm.sh/resource-policy" in there["metadata"].get("annotations", {})) == keep


def test_the_resource_definitions_can_be_left_to_somebody_else() -> None:
    assert list(of_kind(objects(example("gitops")), "CustomResourceDefinition")) == []


def test_what_tells_of_use_is_asked_with_a_token_and_a_ca_that_are_mounted() -> None:
    deployment = the(objects(example("production")), "Deployment")
    settings = Settings.from_environment(environment(deployment))
    assert settings.prometheus_url == example("production")["evidence"]["prometheusUrl"]
    assert settings.prometheus_query == example("production")["evidence"]["prometheusQuery"]
    pod = deployment["spec"]["template"]["spec"]
    mounted = {each["mountPath"]: each["name"] for each in pod["containers"][0]["volumeMounts"]}
    secrets = {each["name"]: each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
    for file, secret, key in (
        (settings.prometheus_token_file, "prometheus-reader", "token"),
        (settings.prometheus_ca_file, "prometheus-ca", "ca.crt"),
    ):
        assert file is not None
        directory, _, name = file.rpartition("/")
        assert (secrets[mounted[directory]], name) == (secret, key)


def test_an_owner_directory_is_a_config_map_that_is_mounted_and_may_come_later() -> None:
    deployment = the(objects({"owners": {"configMapName": "people"}}), "Deployment")
    settings = Settings.from_environment(environment(deployment))
    assert settings.owner_directory_file is not None
    assert settings.owner_grace_seconds == Settings().owner_grace_seconds
    directory, _, name = settings.owner_directory_file.rpartition("/")
    pod = deployment["spec"]["template"]["spec"]
    mounted = {each["mountPath"]: each["name"] for each in pod["containers"][0]["volumeMounts"]}
    maps = {each["name"]: each["configMap"] for each in pod["volumes"] if "configMap" in each}
    assert (maps[mounted[directory]], name) == ({"name": "people", "optional": True}, "directory")


@pytest.mark.parametrize("name", ["prometheusUrl", "prometheusQuery"])
def test_an_address_and_a_query_go_together(name: str) -> None:
    with pytest.raises(HelmError, match="go together"):
        objects({"evidence": {name: "https://prometheus"}})


def test_the_selectors_find_the_pods() -> None:
    rendered = objects(example("monitoring") | {"podLabels": {"team": "platform"}})
    labels = the(rendered, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        the(rendered, "Deployment")["spec"]["selector"]["matchLabels"],
        the(rendered, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        the(rendered, "Service")["spec"]["selector"],
        the(rendered, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    monitored = the(rendered, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= the(rendered, "Service")["metadata"]["labels"].items()


def test_the_network_policy_lets_in_scrapes_and_out_what_is_named() -> None:
    assert the(objects(), "NetworkPolicy")["spec"]["policyTypes"] == ["Ingress"]
    confined = the(objects(example("production")), "NetworkPolicy")["spec"]
    assert confined["policyTypes"] == ["Ingress", "Egress"]
    assert confined["egress"] == example("production")["networkPolicy"]["egress"]
    assert confined["ingress"][0]["from"] == example("production")["networkPolicy"]["metricsFrom"]
    assert list(of_kind(objects({"networkPolicy": {"enabled": False}}), "NetworkPolicy")) == []


@pytest.mark.parametrize(
    ("crds", "said"),
    [
        ({}, "It leaves the resource definitions (crds.keep), and with them all connections"),
        ({"keep": False}, "also deletes the resource definitions"),
        ({"enabled": False}, "admission policies. It leaves the Secrets"),
    ],
)
def test_the_notes_tell_the_next_step_and_what_an_uninstall_leaves(crds: dict[str, bool], said: str) -> None:
    notes = " ".join(texts({"crds": crds})["NOTES.txt"].split())
    assert f"--operator-namespace {NAMESPACE} --operator-service-account {ACCOUNT}" in notes
    assert said in notes


def test_every_value_is_used_by_a_template() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for group, within in values.items():
        assert re.search(rf"\.Values\.{group}\b", templates), group
        if isinstance(within, dict) and group not in ("settings", "resources", "podLabels"):
            for name in within:
                assert re.search(rf"\.{name}\b", templates), f"{group}.{name}"


def test_no_file_of_the_chart_names_a_registry() -> None:
    for path in CHART.rglob("*"):
        if path.is_file():
            assert not re.search(r"(docker|ghcr|quay|gcr)\.io/", path.read_text()), path


def test_the_plain_manifests_are_the_chart_without_values() -> None:
    plain = [
        each
        for path in sorted(Path(MANIFESTS).glob("*.yaml"))
        for each in yaml.safe_load_all(path.read_text())
        if each["kind"] != "Namespace"
    ]
    rendered = objects({"crds": {"enabled": False}}, name="leasehold", namespace="leasehold-system")
    key = ("kind", "metadata")
    assert sorted(plain, key=lambda each: str([each[part] for part in key])) == sorted(
        rendered, key=lambda each: str([each[part] for part in key])
    )
