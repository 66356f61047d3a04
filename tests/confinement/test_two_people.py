"""Breakglass is in two people's hands: one stops, another lets go again, each in their own name. Tried on a real
API server by people with the shipped roles, by whoever has less than that, and by the operator itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from bindings import bind, bound, grant, may, unbind_everywhere
from contract.worlds import RealPeople
from controlplane.waiting import wait_until
from intruder import Intruder
from leasehold.api.names import API_VERSION, OPERATOR_USER
from leasehold.api.revocation import MCPRevocation
from objects import a_connection

REVOCATIONS = "/apis/leasehold.dev/v1alpha1/mcprevocations"
ON_REVOCATIONS = {"apiGroups": ["leasehold.dev"], "resources": ["mcprevocations"]}


@pytest.fixture(scope="module", autouse=True)
def roles(people: RealPeople) -> Iterator[None]:
    """Both of the security team may stop and may lift. Bob may write revocations, but has neither verb."""
    plane = people.plane
    for role in ("leasehold-breakglass", "leasehold-lift"):
        bind(plane, role, "security", "security-deputy")
    grant(plane, "bob", "", {**ON_REVOCATIONS, "verbs": ["get", "create", "update", "patch", "delete"]})
    for user, verb in (("security-deputy", "lift"), ("security", "breakglass"), ("bob", "delete")):
        wait_until(lambda: may(plane, user, verb, "mcprevocations"), 30, f"{user} may {verb}")  # noqa: B023
    yield
    unbind_everywhere(plane)


@pytest.fixture
def security(people: RealPeople) -> Intruder:
    return Intruder(people.plane, people.plane.token("security"))


@pytest.fixture
def deputy(people: RealPeople) -> Intruder:
    return Intruder(people.plane, people.plane.token("security-deputy"))


@pytest.fixture
def bob(people: RealPeople) -> Intruder:
    return Intruder(people.plane, people.plane.token("bob"))


@pytest.fixture
def admin(people: RealPeople) -> Intruder:
    return Intruder(people.plane, people.plane.token())


@pytest.fixture
def thrown(people: RealPeople, security: Intruder) -> Iterator[str]:
    """A revocation that the security team has created; its path."""
    assert security.tries("POST", REVOCATIONS, a_revocation("inc-1", "security")).status == 201
    yield f"{REVOCATIONS}/inc-1"
    people.remove_revocations()


def a_revocation(name: str, requested_by: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": MCPRevocation.KIND,
        "metadata": {"name": name},
        "spec": {
            "target": {"profile": "orders-read"},
            "reason": "tools that nobody approved",
            "requestedBy": requested_by,
            **spec,
        },
    }


def a_lift(by: str) -> dict[str, Any]:
    return {"spec": {"lift": {"by": by, "reason": "the server was rebuilt"}}}


def stored(admin: Intruder, path: str) -> MCPRevocation | None:
    reply = admin.tries("GET", path)
    return MCPRevocation.model_validate(reply.body) if reply.status == 200 else None


def test_one_stops_another_lifts_and_only_then_it_may_go(
    thrown: str, bob: Intruder, deputy: Intruder, admin: Intruder
) -> None:
    for somebody in (bob, admin):
        early = somebody.tries("DELETE", thrown)
        assert early.status == 403
        assert "only after it was lifted" in early.message
    assert deputy.patches(thrown, a_lift("security-deputy")).status == 200
    lifted = stored(admin, thrown)
    assert lifted is not None
    assert lifted.spec.lift is not None
    assert (lifted.spec.requested_by, lifted.spec.lift.by) == ("security", "security-deputy")
    assert bob.tries("DELETE", thrown).status == 200
    assert stored(admin, thrown) is None


def test_all_of_them_at_once_go_no_earlier_either(thrown: str, admin: Intruder) -> None:
    assert admin.tries("DELETE", REVOCATIONS).status == 403
    assert stored(admin, thrown) is not None


def test_who_requested_a_revocation_does_not_lift_it(
    thrown: str, security: Intruder, admin: Intruder
) -> None:
    refused = security.patches(thrown, a_lift("security"))
    assert refused.status == 403
    assert "another person" in refused.message
    assert security.patches(thrown, a_lift("security-deputy")).status == 403
    found = stored(admin, thrown)
    assert found is not None
    assert found.spec.lift is None


def test_nobody_lifts_in_another_name(thrown: str, deputy: Intruder, admin: Intruder) -> None:
    refused = deputy.patches(thrown, a_lift("alice"))
    assert refused.status == 403
    assert "whoever lifts the revocation" in refused.message
    found = stored(admin, thrown)
    assert found is not None
    assert found.spec.lift is None


def test_to_write_revocations_is_not_to_lift_them(thrown: str, bob: Intruder, admin: Intruder) -> None:
    refused = bob.patches(thrown, a_lift("bob"))
    assert refused.status == 403
    assert "verb lift" in refused.message
    found = stored(admin, thrown)
    assert found is not None
    assert found.spec.lift is None


def test_nobody_stops_in_another_name(security: Intruder, admin: Intruder) -> None:
    forged = a_revocation("inc-2", "security-deputy")
    applied = ("PATCH", f"{REVOCATIONS}/inc-2?fieldManager=x", forged, "application/apply-patch+yaml")
    for refused in (security.tries("POST", REVOCATIONS, forged), security.tries(*applied)):
        assert refused.status == 403
        assert "whoever creates the revocation" in refused.message
    assert stored(admin, f"{REVOCATIONS}/inc-2") is None


def test_to_write_revocations_is_not_to_throw_the_switch(bob: Intruder, admin: Intruder) -> None:
    refused = bob.tries("POST", REVOCATIONS, a_revocation("inc-3", "bob"))
    assert refused.status == 403
    assert "verb breakglass" in refused.message
    assert stored(admin, f"{REVOCATIONS}/inc-3") is None


def test_a_revocation_is_not_born_lifted(security: Intruder, admin: Intruder) -> None:
    born_lifted = a_revocation("inc-4", "security", **a_lift("security")["spec"])
    refused = security.tries("POST", REVOCATIONS, born_lifted)
    assert refused.status == 403
    assert "not born lifted" in refused.message
    assert stored(admin, f"{REVOCATIONS}/inc-4") is None


def test_the_verb_can_be_given_for_one_name(people: RealPeople, admin: Intruder) -> None:
    plane = people.plane
    grant(
        plane,
        "alice",
        "",
        {**ON_REVOCATIONS, "verbs": ["create"]},
        {**ON_REVOCATIONS, "verbs": ["breakglass"], "resourceNames": ["drill"]},
    )
    wait_until(lambda: may(plane, "alice", "create", "mcprevocations"), 30, "alice may create")
    alice = Intruder(plane, plane.token("alice"))
    try:
        assert alice.tries("POST", REVOCATIONS, a_revocation("drill", "alice")).status == 201
        assert alice.tries("POST", REVOCATIONS, a_revocation("other", "alice")).status == 403
        generated = a_revocation("", "alice")
        generated["metadata"] = {"generateName": "drill"}
        assert alice.tries("POST", REVOCATIONS, generated).status == 403
        names = [each["metadata"]["name"] for each in admin.tries("GET", REVOCATIONS).body["items"]]
        assert names == ["drill"]
    finally:
        people.remove_revocations()


@pytest.mark.parametrize(
    "change",
    [
        {"target": {"profile": "wiki"}},
        {"target": {"team": "support-platform"}},
        {"reason": "never mind"},
        {"requestedBy": "security-deputy"},
        {"expiresSeconds": 10},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_revoked_stays_on_record_for_whoever_lifts(
    thrown: str, deputy: Intruder, admin: Intruder, change: dict[str, Any]
) -> None:
    before = stored(admin, thrown)
    assert deputy.patches(thrown, {"spec": change}).status == 422
    assert deputy.patches(thrown, {"spec": {**change, **a_lift("security-deputy")["spec"]}}).status == 422
    assert stored(admin, thrown) == before


def test_a_lift_is_final(thrown: str, deputy: Intruder, admin: Intruder) -> None:
    assert deputy.patches(thrown, a_lift("security-deputy")).status == 200
    before = stored(admin, thrown)
    assert deputy.patches(thrown, {"spec": {"lift": None}}).status == 422
    assert deputy.patches(thrown, a_lift("security")).status == 422
    assert stored(admin, thrown) == before


def test_even_an_administrator_does_not_report_in_the_name_of_the_operator(
    thrown: str, admin: Intruder
) -> None:
    reply = admin.patches(f"{thrown}/status", {"status": {"verified": 12}})
    assert reply.status == 403
    assert "Only Leasehold writes status" in reply.message


def test_git_applies_connections_and_neither_stops_nor_lifts_nor_reviews(
    people: RealPeople, thrown: str, admin: Intruder
) -> None:
    plane = people.plane
    namespace, home = people.namespace(), people.namespace()
    people.create_service_account(home, "gitops")
    user = f"system:serviceaccount:{home}:gitops"
    bind(plane, "edit", user, namespace=namespace)
    wait_until(lambda: may(plane, user, "create", "mcpconnections", namespace), 30, "Git may apply")
    git = Intruder(plane, plane.service_account_token(home, "gitops", lifetime_seconds=600))
    connection = a_connection(namespace=namespace)
    ours = f"/apis/leasehold.dev/v1alpha1/namespaces/{namespace}"
    assert git.tries("POST", f"{ours}/mcpconnections", connection.to_wire()).status == 201
    review = {
        "connection": connection.metadata.name,
        "reviewer": user,
        "decision": "Approve",
        "comment": "in Git",
    }
    written = {
        "apiVersion": API_VERSION,
        "kind": "MCPConnectionReview",
        "metadata": {"name": "git"},
        "spec": review,
    }
    assert git.tries("POST", f"{ours}/mcpconnectionreviews", written).status == 403
    assert admin.tries("GET", f"{ours}/mcpconnectionreviews").body["items"] == []
    assert git.tries("POST", REVOCATIONS, a_revocation("from-git", user)).status == 403
    assert git.patches(thrown, a_lift(user)).status == 403
    assert git.tries("DELETE", thrown).status == 403
    assert stored(admin, f"{REVOCATIONS}/from-git") is None
    found = stored(admin, thrown)
    assert found is not None
    assert found.spec.lift is None


def test_the_operator_neither_stops_nor_lifts(thrown: str, operator: Intruder, admin: Intruder) -> None:
    assert operator.tries("POST", REVOCATIONS, a_revocation("own", OPERATOR_USER)).status == 403
    assert operator.patches(thrown, a_lift(OPERATOR_USER)).status == 403
    assert operator.tries("DELETE", thrown).status == 403
    assert stored(admin, f"{REVOCATIONS}/own") is None
    found = stored(admin, thrown)
    assert found is not None
    assert found.spec.lift is None


def test_the_operator_does_not_even_if_somebody_binds_it_the_roles(
    people: RealPeople, thrown: str, operator: Intruder, admin: Intruder
) -> None:
    given = ("leasehold-breakglass", "leasehold-lift")
    with bound(people.plane, OPERATOR_USER, *given, proof=("lift", "mcprevocations")):
        own = operator.tries("POST", REVOCATIONS, a_revocation("own", OPERATOR_USER))
        lift = operator.patches(thrown, a_lift(OPERATOR_USER))
    assert (own.status, lift.status) == (403, 403)
    assert "a person creates the revocation" in own.message
    assert stored(admin, f"{REVOCATIONS}/own") is None
    found = stored(admin, thrown)
    assert found is not None
    assert found.spec.lift is None
