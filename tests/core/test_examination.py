"""What the doctor finds, finding by finding, and that it says what to do about each."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from leasehold.api.base import Resource
from leasehold.api.crd import KINDS, custom_resource_definition
from leasehold.api.names import OPERATOR_USER
from leasehold.api.reasons import Reason
from leasehold.core import examination
from leasehold.core.examination import Checked, State
from leasehold.core.installation import NOT_FOR_THE_OPERATOR, operator_rights
from leasehold.core.leader import LeaderClaim, LeaderRecord
from objects import NOON, a_ready_condition, a_store

ADMISSION = Path(__file__).parents[2] / "charts" / "manifests" / "admission.yaml"
ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}
Definitions = dict[type[Resource], dict[str, Any] | None]
Manifests = dict[str, dict[str, Any]]


def must_be(found: Checked, state: State, *words: str) -> None:
    assert found.state is state, found
    for word in words:
        assert word in found.words
    assert bool(found.advice) is (state is State.FINDING)


@pytest.fixture
def definitions() -> Definitions:
    return {kind: {**custom_resource_definition(kind), "status": ESTABLISHED} for kind in KINDS}


def test_the_kinds_of_this_version_are_well(definitions: Definitions) -> None:
    must_be(examination.kinds(definitions), State.OK, "8 kinds")


def test_a_kind_that_is_missing_waits_or_is_of_another_version_is_found(definitions: Definitions) -> None:
    store, profile, connection, *_ = KINDS
    older = deepcopy(definitions[connection])
    assert older is not None
    del older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "purpose"
    ]
    definitions[connection] = older
    must_be(examination.kinds(definitions), State.FINDING, "another version", "MCPConnection")
    definitions[profile] = {**(definitions[profile] or {}), "status": {}}
    must_be(examination.kinds(definitions), State.FINDING, "not established", "MCPServerProfile")
    definitions[store] = None
    must_be(examination.kinds(definitions), State.FINDING, "not installed", "MCPCredentialStore")


def test_missing_rights_and_too_many_are_found() -> None:
    needed = operator_rights("leasehold")
    must_be(examination.rights("op", (), ()), State.OK, "every right")
    must_be(examination.rights("op", needed[:2], ()), State.FINDING, "op may not: get mcpaccesspolicies")
    must_be(examination.rights("op", needed, ()), State.FINDING, f"and {len(needed) - 5} more")
    must_be(examination.rights("op", (), NOT_FOR_THE_OPERATOR), State.FINDING, "should not: get secrets")


@pytest.fixture
def policies() -> Manifests:
    return _by_name("ValidatingAdmissionPolicy")


@pytest.fixture
def bindings() -> Manifests:
    return _by_name("ValidatingAdmissionPolicyBinding")


def _by_name(kind: str) -> Manifests:
    found = [each for each in yaml.safe_load_all(ADMISSION.read_text()) if each["kind"] == kind]
    return {each["metadata"]["name"]: each for each in found}


def test_the_policies_that_are_shipped_are_well(policies: Manifests, bindings: Manifests) -> None:
    found = examination.policies(list(policies.values()), list(bindings.values()), OPERATOR_USER)
    must_be(found, State.OK, "bound and deny")


def _gone(policies: Manifests, bindings: Manifests) -> None:
    del policies["leasehold-secrets"]


def _unbound(policies: Manifests, bindings: Manifests) -> None:
    del bindings["leasehold-secrets"]


def _warning_only(policies: Manifests, bindings: Manifests) -> None:
    bindings["leasehold-secrets"]["spec"]["validationActions"] = ["Audit"]


def _narrowed(policies: Manifests, bindings: Manifests) -> None:
    selector = {"matchLabels": {"guarded": "true"}}
    bindings["leasehold-secrets"]["spec"]["matchResources"] = {"namespaceSelector": selector}


def _open(policies: Manifests, bindings: Manifests) -> None:
    policies["leasehold-secrets"]["spec"]["failurePolicy"] = "Ignore"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_gone, "is missing"),
        (_unbound, "bound by nothing"),
        (_warning_only, "bound by nothing"),
        (_narrowed, "bound by nothing"),
        (_open, "lets everything pass"),
    ],
)
def test_a_policy_that_does_not_hold_is_found(
    policies: Manifests, bindings: Manifests, spoil: Callable[[Manifests, Manifests], None], words: str
) -> None:
    spoil(policies, bindings)
    found = examination.policies(list(policies.values()), list(bindings.values()), OPERATOR_USER)
    must_be(found, State.FINDING, "leasehold-secrets", words)


def test_policies_about_another_operator_are_found(policies: Manifests, bindings: Manifests) -> None:
    other = "system:serviceaccount:elsewhere:leasehold"
    found = examination.policies(list(policies.values()), list(bindings.values()), other)
    must_be(found, State.FINDING, "leasehold-secrets is about another account", "and 5 more")


def test_whether_the_policies_are_asked_is_told_and_not_guessed() -> None:
    must_be(examination.policies_act(True), State.OK)
    must_be(examination.policies_act(False), State.FINDING, "accepted")
    assert examination.policies_act(None).state is State.UNKNOWN


def test_every_store_is_told_of() -> None:
    well = a_store("well").model_copy(
        update={"status": a_store().status.model_validate({"conditions": [a_ready_condition(Reason.ACTIVE)]})}
    )
    sealed = a_ready_condition(Reason.SEALED, "False") | {"message": "unseal that Vault"}
    ill = well.model_copy(
        update={
            "metadata": a_store("ill").metadata,
            "status": well.status.model_validate({"conditions": [sealed]}),
        }
    )
    found = examination.stores([well, ill, a_store("new")], ["strange"])
    assert [(each.check, each.state) for each in found] == [
        ("store strange", State.FINDING),
        ("store well", State.OK),
        ("store ill", State.FINDING),
        ("store new", State.FINDING),
    ]
    must_be(found[2], State.FINDING, "Sealed", "unseal that Vault")
    (none,) = examination.stores([], [])
    must_be(none, State.OK, "none is registered")


@pytest.mark.parametrize(("seconds", "words"), [(60, "60 s ahead of"), (-3600, "3600 s behind")])
def test_a_clock_that_is_wrong_is_found(seconds: int, words: str) -> None:
    must_be(examination.clock(NOON, NOON + timedelta(seconds=seconds)), State.FINDING, words)


def test_a_clock_that_is_right_within_seconds_is_well() -> None:
    for seconds in (-5, 0, 5):
        must_be(examination.clock(NOON, NOON + timedelta(seconds=seconds)), State.OK)
    assert examination.clock(None, NOON).state is State.UNKNOWN


def test_a_leader_is_one_that_speaks() -> None:
    def record(holder: str, ago: float) -> LeaderRecord:
        return LeaderRecord(LeaderClaim(holder, 15, renewed=NOON - timedelta(seconds=ago)), "uid", "1")

    must_be(examination.leader(record("a", 3), NOON, "ns/lease"), State.OK, "a leads")
    must_be(examination.leader(record("a", 16), NOON, "ns/lease"), State.FINDING, "silent for 16 s")
    must_be(examination.leader(record("", 3), NOON, "ns/lease"), State.FINDING, "nobody holds")
    must_be(examination.leader(None, NOON, "ns/lease"), State.FINDING, "no Lease ns/lease")
    assert examination.leader(record("a", 3), None, "ns/lease").state is State.UNKNOWN


def test_metrics_say_whose_they_are() -> None:
    scrape = '# HELP x y\nleasehold_leader 1\nleasehold_build_info{version="0.1.0",python="3.11"} 1\n'
    samples = examination.samples_of(scrape)
    must_be(examination.metrics("u", samples, "0.1.0"), State.OK, "leads")
    standby = examination.samples_of(scrape.replace("leader 1", "leader 0"))
    must_be(examination.metrics("u", standby, "0.1.0"), State.OK, "stands by")
    must_be(examination.metrics("u", samples, "0.2.0"), State.FINDING, "another version", "0.2.0")
    must_be(
        examination.metrics("u", examination.samples_of("up 1\n"), "0.1.0"), State.FINDING, "no Leasehold's"
    )
