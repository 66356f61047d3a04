"""Which fault is found in a connection, in which order, and what follows from each."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.profile import CredentialType
from leasehold.api.reasons import Reason
from leasehold.core.checks import (
    DENIALS,
    OBSTACLES,
    REMARKS,
    Effect,
    first_finding,
    revocability,
    secret_belongs_to_another,
)
from leasehold.core.decide import standing
from leasehold.core.observation import Observation
from objects import NOON, a_connection, a_profile, a_revocation, a_store, an_entry, the_fact_of
from observations import CREATED, a_claim, a_current, an_observation

UNREADABLE = {"secretName": "support-bot-orders", "templates": {"x": "{{ 1 + 1 }}"}}
FULL = [an_entry(number, EntryState.REVOKING) for number in range(1, 8)]
ELDER = a_claim(uid="elder", created=CREATED - timedelta(days=1))

FAULTS: dict[Reason, Observation] = {
    Reason.DELETED: an_observation(a_claim(deleted=True)),
    Reason.REVOKED: an_observation(revocations=(the_fact_of(a_revocation()),)),
    Reason.SUSPENDED: an_observation(a_claim(spec={"suspend": True})),
    Reason.EXPIRED: an_observation(a_claim(spec={"leaseDurationSeconds": 86400})),
    Reason.NAMESPACE_NOT_ALLOWED: an_observation(
        store=a_store(allowedNamespaces={"matchLabels": {"mcp": "true"}}), namespace_labels={"mcp": "false"}
    ),
    Reason.SERVICE_ACCOUNT_GONE: an_observation(service_account_exists=False),
    Reason.INVALID_SPEC: an_observation(profile=None),
    Reason.SECRET_CONFLICT: an_observation(rivals=(ELDER,)),
    Reason.LEDGER_LOST: an_observation(a_claim(held=True)),
    Reason.LEDGER_FULL: an_observation(a_claim(FULL)),
    Reason.STORE_UNAVAILABLE: an_observation(store=a_store(metadata={"deletionTimestamp": rfc3339(NOON)})),
    Reason.PENDING: an_observation(store=a_store(metadata={"finalizers": []})),
    Reason.REVIEW_DUE: an_observation(a_claim(spec={"leaseDurationSeconds": 2 * 86400})),
    Reason.ACTIVE: an_observation(),
}
ENDING = (
    Reason.DELETED,
    Reason.REVOKED,
    Reason.SUSPENDED,
    Reason.EXPIRED,
    Reason.NAMESPACE_NOT_ALLOWED,
    Reason.SERVICE_ACCOUNT_GONE,
)


@pytest.mark.parametrize("reason", FAULTS)
def test_each_fault_is_found_under_its_own_reason(reason: Reason) -> None:
    assert standing(FAULTS[reason]).reason is reason


@pytest.mark.parametrize("reason", FAULTS)
def test_denials_end_obstacles_stop_and_remarks_do_neither(reason: Reason) -> None:
    effect = Effect.END if reason in ENDING else Effect.NO_MINT
    if reason in (Reason.REVIEW_DUE, Reason.ACTIVE):
        effect = Effect.NONE
    assert standing(FAULTS[reason]).effect is effect


@pytest.mark.parametrize("reason", FAULTS)
def test_a_person_is_called_only_for_what_a_person_must_fix(reason: Reason) -> None:
    people = (Reason.INVALID_SPEC, Reason.SECRET_CONFLICT, Reason.LEDGER_LOST, Reason.LEDGER_FULL)
    assert standing(FAULTS[reason]).needs_person is (reason in people)


def test_the_first_of_many_faults_is_the_one_that_is_told() -> None:
    """All faults at once; then the first goes, then the next: the order of the design."""
    everything = an_observation(
        a_claim(FULL, deleted=True, spec={"suspend": True, "leaseDurationSeconds": 3600}),
        profile=a_profile(),
        store=a_store(
            metadata={"deletionTimestamp": rfc3339(NOON), "finalizers": ["example.com/backup"]},
            allowedNamespaces={"matchLabels": {"mcp": "true"}},
        ),
        namespace_labels={},
        service_account_exists=False,
        rivals=(ELDER,),
        revocations=(the_fact_of(a_revocation()),),
    )
    found = [check(everything) for check in DENIALS + OBSTACLES + REMARKS]
    assert [each.reason for each in found if each is not None] == [
        Reason.DELETED,
        Reason.REVOKED,
        Reason.SUSPENDED,
        Reason.EXPIRED,
        Reason.NAMESPACE_NOT_ALLOWED,
        Reason.SERVICE_ACCOUNT_GONE,
        Reason.SECRET_CONFLICT,
        Reason.LEDGER_FULL,
        Reason.STORE_UNAVAILABLE,
        Reason.PENDING,
        Reason.REVIEW_DUE,
    ]


@pytest.mark.parametrize(
    ("observed", "named"),
    [
        (an_observation(profile=None), "spec.profile"),
        (an_observation(a_claim(spec={"output": None})), "spec.output.secretName"),
        (an_observation(a_claim(spec={"output": UNREADABLE})), "spec.output.templates"),
        (an_observation(store=None), "spec.credential.storeName"),
        (an_observation(rivals=(ELDER,)), "spec.output.secretName"),
        (an_observation(service_account_exists=False), "spec.agent.serviceAccountName"),
        (an_observation(a_claim(spec={"suspend": True})), "spec.suspend"),
        (FAULTS[Reason.NAMESPACE_NOT_ALLOWED], "spec.allowedNamespaces"),
    ],
)
def test_a_message_names_the_field_that_has_to_change(observed: Observation, named: str) -> None:
    assert named in standing(observed).message


def test_a_profile_without_a_recipe_needs_neither_store_nor_output() -> None:
    profile = a_profile()
    records_only = profile.model_copy(update={"spec": profile.spec.model_copy(update={"credential": None})})
    o = an_observation(a_claim(spec={"output": None}), profile=records_only, store=None, rivals=(ELDER,))
    assert standing(o).reason is Reason.ACTIVE


def test_a_service_account_that_was_not_looked_up_decides_nothing() -> None:
    assert standing(an_observation(service_account_exists=None)).reason is Reason.ACTIVE


def test_namespaces_that_were_not_read_decide_nothing() -> None:
    o = an_observation(store=a_store(allowedNamespaces={"matchLabels": {"mcp": "true"}}))
    assert first_finding(DENIALS, o) is None


def test_the_lease_ends_at_its_very_second() -> None:
    end = CREATED + timedelta(seconds=7776000)
    assert standing(an_observation(now=end - timedelta(seconds=1))).reason is Reason.REVIEW_DUE
    assert standing(an_observation(now=end)).reason is Reason.EXPIRED


CLAIMANTS = [
    a_claim(uid="b", created=CREATED),
    a_claim(uid="a", created=CREATED),
    a_claim(uid="elder", created=CREATED - timedelta(days=1)),
    a_claim([a_current()], uid="holder", created=CREATED + timedelta(hours=1)),
]


@pytest.mark.parametrize("second", CLAIMANTS, ids=lambda each: f"against-{each.metadata.uid}")
@pytest.mark.parametrize("first", CLAIMANTS, ids=lambda each: each.metadata.uid)
def test_of_two_that_name_one_secret_exactly_one_may_have_it(
    first: MCPConnection, second: MCPConnection
) -> None:
    if first is not second:
        assert loses(first, [second]) is not loses(second, [first])


def test_the_holder_wins_then_the_elder_then_the_smaller_uid() -> None:
    winners = [
        each.metadata.uid
        for each in CLAIMANTS
        if not loses(each, [other for other in CLAIMANTS if other is not each])
    ]
    assert winners == ["holder"]
    without_holder = CLAIMANTS[:3]
    assert [each.metadata.uid for each in without_holder if not loses(each, without_holder)] == ["elder"]
    assert not loses(CLAIMANTS[1], [CLAIMANTS[0]])


def loses(connection: MCPConnection, rivals: Iterable[MCPConnection]) -> bool:
    others = tuple(rival for rival in rivals if rival.metadata.uid != connection.metadata.uid)
    return secret_belongs_to_another(an_observation(connection, rivals=others)) is not None


@pytest.mark.parametrize("kind", CredentialType)
def test_what_a_revocation_can_promise_is_said_for_every_type(kind: CredentialType) -> None:
    assert revocability(kind).startswith("revocable") is (
        kind in (CredentialType.LEASE, CredentialType.TOKEN)
    )


def test_a_connection_that_was_never_created_has_no_lease_to_end() -> None:
    o = Observation(now=NOON, connection=a_connection(), profile=a_profile(), store=a_store())
    assert standing(o).reason is Reason.ACTIVE
