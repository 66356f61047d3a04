"""The page about rights names the roles, verbs and policies that are shipped, and no others."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "charts" / "manifests"
ROLES = ROOT / "docs" / "roles.md"
ORDINARY = {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
PAGES = [ROLES, ROOT / "docs" / "threat-model.md"]


def shipped(name: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((MANIFESTS / name).read_text()) if each["kind"] == kind]


def first_cells(page: Path) -> list[str]:
    return re.findall(r"^\| `([\w-]+)` \|", page.read_text(), re.MULTILINE)


def test_every_role_is_explained() -> None:
    names = [each["metadata"]["name"] for each in shipped("roles.yaml", "ClusterRole")]
    assert [cell for cell in first_cells(ROLES) if cell.startswith("leasehold-")] == names


def test_every_verb_of_our_own_is_explained_with_the_role_that_has_it() -> None:
    text = ROLES.read_text()
    for role in shipped("roles.yaml", "ClusterRole"):
        for rule in role["rules"]:
            for verb in set(rule["verbs"]) - ORDINARY:
                (resource,) = rule["resources"]
                row = re.search(rf"^\| `{verb}` \| `{resource}` \|.*$", text, re.MULTILINE)
                assert row is not None, verb
                assert row[0].endswith(f"`{role['metadata']['name']}` |")


def test_every_policy_is_bound() -> None:
    policies = [each["metadata"]["name"] for each in shipped("admission.yaml", "ValidatingAdmissionPolicy")]
    bindings = shipped("admission.yaml", "ValidatingAdmissionPolicyBinding")
    assert [each["spec"]["policyName"] for each in bindings] == policies
    assert {action for each in bindings for action in each["spec"]["validationActions"]} == {"Deny"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_policy_or_role_that_is_named_exists(page: Path) -> None:
    known = {each["metadata"]["name"] for each in shipped("admission.yaml", "ValidatingAdmissionPolicy")}
    known |= {each["metadata"]["name"] for each in shipped("roles.yaml", "ClusterRole")}
    named = set(re.findall(r"`(leasehold-[a-z-]+)`", page.read_text())) - {"leasehold-system"}
    assert named <= known, named - known
