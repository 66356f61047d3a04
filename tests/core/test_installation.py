"""What `leasehold doctor` asks about is what is shipped, no less and no more."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from leasehold.api.names import OPERATOR_USER
from leasehold.core.installation import NOT_FOR_THE_OPERATOR, POLICIES, Right, Scope, operator_rights

MANIFESTS = Path(__file__).parents[2] / "charts" / "manifests"


def shipped(name: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((MANIFESTS / name).read_text()) if each["kind"] == kind]


def granted(role: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    return {
        (verb, group, resource, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


@pytest.mark.parametrize(
    ("kind", "scopes"), [("ClusterRole", {Scope.CLUSTER, Scope.TEAMS}), ("Role", {Scope.HOME})]
)
def test_the_operators_rights_are_those_that_are_shipped(kind: str, scopes: set[Scope]) -> None:
    roles = set().union(*map(granted, shipped("rbac.yaml", kind)))
    asked = {
        (each.verb, each.group, each.resource, each.name)
        for each in operator_rights("leasehold")
        if each.scope in scopes
    }
    assert asked == roles


def test_no_right_that_is_shipped_is_one_that_the_operator_must_not_have() -> None:
    forbidden = {(each.verb, each.group, each.resource) for each in NOT_FOR_THE_OPERATOR}
    assert not forbidden & {(each.verb, each.group, each.resource) for each in operator_rights("leasehold")}


def test_every_policy_that_is_shipped_is_asked_for_and_whether_it_names_the_operator() -> None:
    found = shipped("admission.yaml", "ValidatingAdmissionPolicy")
    assert {each["metadata"]["name"]: OPERATOR_USER in str(each["spec"]) for each in found} == POLICIES


def test_a_right_is_written_as_kubectl_auth_can_i_takes_it() -> None:
    assert str(Right("get", "", "secrets", Scope.TEAMS)) == "get secrets"
    status = Right("update", "leasehold.dev", "mcpconnections/status", Scope.TEAMS)
    assert str(status) == "update mcpconnections.leasehold.dev/status"
    lease = Right("get", "coordination.k8s.io", "leases", Scope.HOME, "leasehold")
    assert str(lease) == "get leases.coordination.k8s.io leasehold"
