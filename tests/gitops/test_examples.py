"""The example for Git tools: in an order that works, with no person's word in it, and nothing pruned that would
take records along."""

from typing import Any

import pytest
import yaml

from chart.rendering import objects
from gitops.health import GITOPS, documents, every_document
from shipped import MANIFESTS, ROOT

WAVE = "argocd.argoproj.io/sync-wave"
KEPT_BY_ARGOCD = ("argocd.argoproj.io/sync-options", "Prune=false,Delete=false")
KEPT_BY_FLUX = ("kustomize.toolkit.fluxcd.io/prune", "disabled")


def annotations(body: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = body["metadata"].get("annotations", {})
    return found


def declared(*folders: str) -> list[dict[str, Any]]:
    """What the tools apply from these folders."""
    return [body for path, body in every_document() if path.relative_to(GITOPS).parts[0] in folders]


def test_no_persons_word_comes_from_git() -> None:
    kinds = {body["kind"] for _, body in every_document()}
    assert kinds & {"MCPConnection", "MCPServerProfile", "MCPCredentialStore"}
    assert not kinds & {"MCPConnectionReview", "MCPRevocation", "MCPToolSnapshot", "Secret"}
    assert "## Why reviews and revocations are never in Git" in (GITOPS / "README.md").read_text()


def test_the_platform_registers_and_teams_claim() -> None:
    assert {body["kind"] for body in declared("teams")} == {"ServiceAccount", "MCPConnection"}
    assert "MCPConnection" not in {body["kind"] for body in declared("platform")}
    for body in declared("teams"):
        assert body["metadata"]["namespace"] == "support"


def test_each_wave_has_what_the_next_one_needs() -> None:
    waves = {
        body["kind"]: int(annotations(body)[WAVE])
        for body in declared("platform", "teams")
        if WAVE in annotations(body)
    }
    assert waves["Namespace"] < waves["MCPCredentialStore"] < waves["MCPServerProfile"]
    assert waves["ServiceAccount"] < waves["MCPConnection"]
    applications = documents(GITOPS / "argocd" / "applications.yaml")
    order = sorted(applications, key=lambda each: int(annotations(each)[WAVE]))
    assert [each["metadata"]["name"] for each in order] == [
        "leasehold-crds",
        "leasehold",
        "mcp-platform",
        "mcp-support",
    ]


def by_name(path: str) -> dict[str, dict[str, Any]]:
    """The objects of a file."""
    return {body["metadata"]["name"]: body for body in documents(GITOPS / path)}


def test_what_takes_records_along_is_never_pruned() -> None:
    for body in declared("platform"):
        if body["kind"] in ("Namespace", "MCPCredentialStore", "MCPServerProfile"):
            assert {KEPT_BY_ARGOCD, KEPT_BY_FLUX} <= annotations(body).items(), body["metadata"]["name"]
    application = by_name("argocd/applications.yaml")["leasehold-crds"]
    assert application["spec"]["syncPolicy"]["automated"] == {"prune": False}
    assert KEPT_BY_ARGOCD in annotations(application).items()
    assert by_name("flux/leasehold.yaml")["leasehold-crds"]["spec"]["prune"] is False


def test_a_connection_that_leaves_git_is_deleted() -> None:
    for body in declared("teams"):
        assert KEPT_BY_FLUX[0] not in annotations(body)
    assert by_name("flux/connections.yaml")["mcp-support"]["spec"]["prune"] is True
    assert (
        by_name("argocd/applications.yaml")["mcp-support"]["spec"]["syncPolicy"]["automated"]["prune"] is True
    )


def test_the_paths_in_our_repository_are_there() -> None:
    for path, body in every_document():
        source = body.get("spec", {}).get("source") or body.get("spec", {})
        if body["kind"] == "HelmRelease":
            assert (ROOT / body["spec"]["chart"]["spec"]["chart"]).is_dir(), path
        elif isinstance(source, dict) and "leasehold" in str(source.get("repoURL", source.get("sourceRef"))):
            assert (ROOT / source["path"]).is_dir(), path


def chart_values() -> dict[str, dict[str, Any]]:
    """With what each tool installs the chart."""
    (release,) = [
        each for each in documents(GITOPS / "flux" / "leasehold.yaml") if each["kind"] == "HelmRelease"
    ]
    application = by_name("argocd/applications.yaml")["leasehold"]
    return {
        "argocd": application["spec"]["source"]["helm"]["valuesObject"],
        "flux": release["spec"]["values"],
    }


@pytest.mark.parametrize("values", chart_values().values(), ids=chart_values())
def test_the_chart_is_installed_without_definitions(values: dict[str, Any]) -> None:
    rendered = objects(values, name="leasehold", namespace="leasehold-system")
    assert "CustomResourceDefinition" not in {each["kind"] for each in rendered}
    plain = [each for name in MANIFESTS.glob("*.yaml") for each in yaml.safe_load_all(name.read_text())]
    assert {each["kind"] for each in plain} - {"Namespace"} == {each["kind"] for each in rendered}


def test_the_roles_that_are_bound_are_shipped() -> None:
    shipped = {
        each["metadata"]["name"] for each in yaml.safe_load_all((MANIFESTS / "roles.yaml").read_text())
    }
    bound = {body["roleRef"]["name"] for body in declared("platform") if body["kind"].endswith("RoleBinding")}
    assert bound == {"leasehold-breakglass", "leasehold-lift", "leasehold-reviewer"}
    assert bound <= shipped
