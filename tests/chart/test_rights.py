"""What the operator of a release may do: everywhere, or in the namespaces that are named, and never more."""

from typing import Any

import pytest

from chart.rendering import (
    ACCOUNT,
    COMBINATIONS,
    NAMESPACE,
    Object,
    example,
    objects,
    of_kind,
)

each_combination = pytest.mark.parametrize("values", COMBINATIONS.values(), ids=COMBINATIONS)


def rights(rules: list[Object]) -> set[tuple[str, str, str]]:
    """What rules allow, one by one; what they allow for one name only is left out."""
    return {
        (group, resource, verb)
        for rule in rules
        if "resourceNames" not in rule
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def roles(rendered: list[Object], kind: str) -> dict[tuple[str, str], list[Object]]:
    """The operator's own roles, by namespace and name."""
    return {
        (each["metadata"].get("namespace", ""), each["metadata"]["name"]): each["rules"]
        for each in of_kind(rendered, kind)
        if kind == "Role" or each["metadata"]["name"] == "leasehold"
    }


def test_with_namespaces_what_is_in_a_namespace_is_allowed_there_alone() -> None:
    everywhere = rights(roles(objects(), "ClusterRole")["", "leasehold"])
    rendered = objects(example("namespaces"))
    cluster = rights(roles(rendered, "ClusterRole")["", "leasehold"])
    namespaced = roles(rendered, "Role")
    for team in ("support", "shop"):
        there = rights(namespaced[team, "leasehold"])
        assert cluster | there == everywhere
        assert not cluster & there
    in_a_namespace = {resource for _, resource, _ in everywhere - cluster}
    assert {"secrets", "serviceaccounts/token", "mcpconnections", "mcpconnections/status"} <= in_a_namespace
    assert {resource for _, resource, _ in cluster} & in_a_namespace == set()


def test_with_namespaces_the_operator_has_rights_nowhere_else_but_where_it_lives() -> None:
    found = roles(objects(example("namespaces")), "Role")
    assert found.keys() == {
        ("support", "leasehold"),
        ("shop", "leasehold"),
        (NAMESPACE, f"{ACCOUNT}-election"),
        (NAMESPACE, f"{ACCOUNT}-login"),
        ("default", "leasehold-events"),
    }
    (own_token,) = found[NAMESPACE, f"{ACCOUNT}-login"]
    assert (own_token["resources"], own_token["resourceNames"]) == (["serviceaccounts/token"], [ACCOUNT])
    assert rights(found["default", "leasehold-events"]) == {("events.k8s.io", "events", "create")}


@each_combination
def test_every_role_of_the_operator_is_bound_to_it_and_to_nobody_else(values: dict[str, Any]) -> None:
    rendered = objects(values)
    for kind in ("Role", "ClusterRole"):
        bindings = list(of_kind(rendered, f"{kind}Binding"))
        bound = {(each["metadata"].get("namespace", ""), each["roleRef"]["name"]) for each in bindings}
        assert bound == roles(rendered, kind).keys()
        for each in bindings:
            assert each["subjects"] == [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}]


@each_combination
def test_the_operator_never_reads_a_secret(values: dict[str, Any]) -> None:
    rendered = objects(values)
    every = [
        rule for kind in ("Role", "ClusterRole") for rules in roles(rendered, kind).values() for rule in rules
    ]
    allowed = {verb for rule in every if "secrets" in rule["resources"] for verb in rule["verbs"]}
    assert allowed == {"create", "patch", "delete"}
    assert not any("*" in rule[part] for rule in every for part in ("verbs", "resources", "apiGroups"))
