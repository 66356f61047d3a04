"""A Secret's annotations confirm what the ledger says, or shorten it. They never add to it: anybody who may edit
Secrets may have written them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, LedgerEntry
from leasehold.api.names import SecretAnnotation
from leasehold.api.profile import CredentialType
from leasehold.core.adoption import HIGHEST_GENERATION, generation_of, ours, published_intents, time_of
from leasehold.core.facts import SecretMeta, SecretProbe, SecretState
from leasehold.core.ledger import intents
from leasehold.core.observation import Observation
from objects import NOON
from observations import EMPTY, a_claim, a_current, a_secret, an_intent
from strategies import EACH, STRANGE_TIMES, forged_annotations, observations

TRUE = {
    SecretAnnotation.GENERATION: "1",
    SecretAnnotation.ACCESSOR: "accessor-1",
    SecretAnnotation.LEASE_ID: "database/creds/orders-read/1",
    SecretAnnotation.CREDENTIAL_EXPIRY_TIME: rfc3339(NOON + timedelta(hours=1)),
}
INTENDED_EXPIRY = NOON + timedelta(hours=2)


def adopted(annotations: dict[str, str], **intent: object) -> LedgerEntry | None:
    connection = a_claim([an_intent(1, expiry_time=INTENDED_EXPIRY, **intent)])
    found = published_intents(connection, a_secret(annotations))
    return found[0] if found else None


def test_a_published_intent_becomes_current_with_what_the_secret_says() -> None:
    entry = adopted(TRUE)
    assert entry is not None
    assert entry.state is EntryState.CURRENT
    assert entry.lease_id == "database/creds/orders-read/1"
    assert entry.expiry_time == NOON + timedelta(hours=1)
    assert entry.mint_deadline_time is None


def test_a_leased_certificate_keeps_its_end_when_it_is_adopted() -> None:
    end = NOON + timedelta(days=30)
    annotations = {**TRUE, SecretAnnotation.RESIDUAL_EXPOSURE_TIME: rfc3339(end)}
    entry, token = adopted(annotations), adopted(annotations, type=CredentialType.TOKEN)
    assert entry is not None
    assert token is not None
    assert (entry.residual_time, token.residual_time) == (end, None)
    assert entry.expiry_time == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    "forged",
    [
        {SecretAnnotation.GENERATION: "2"},
        {SecretAnnotation.GENERATION: "01"},
        {SecretAnnotation.GENERATION: ""},
        {SecretAnnotation.ACCESSOR: "accessor-2"},
        {SecretAnnotation.ACCESSOR: ""},
    ],
    ids=str,
)
def test_another_generation_or_accessor_is_not_adopted(forged: dict[str, str]) -> None:
    connection = a_claim([an_intent(1)])
    found = published_intents(connection, a_secret({**TRUE, **forged}))
    assert not found or forged == {SecretAnnotation.GENERATION: "01"}


@pytest.mark.parametrize(
    "probe",
    [None, EMPTY, SecretProbe(SecretState.FOREIGN), a_secret(TRUE, owner="another-uid")],
    ids=["not probed", "free", "foreign", "another owner"],
)
def test_another_owners_secret_is_not_adopted(probe: SecretProbe | None) -> None:
    assert published_intents(a_claim([an_intent(1)]), probe) == ()
    assert ours(a_claim(), probe) is None


def test_nothing_is_adopted_over_a_generation_that_is_newer() -> None:
    """No Secret goes back to an older generation by itself: somebody wrote that there."""
    connection = a_claim([an_intent(1), a_current(2)])
    assert published_intents(connection, a_secret(TRUE)) == ()


def test_what_vault_told_is_kept_whatever_the_secret_says() -> None:
    connection = a_claim([an_intent(1, lease_id="database/creds/orders-read/told")])
    (entry,) = published_intents(connection, a_secret(TRUE))
    assert entry.lease_id == "database/creds/orders-read/told"


@EACH
@given(st.integers(-(10**6), 10**8), st.sampled_from(CredentialType))
def test_an_adoption_never_extends_an_expiry(seconds: int, kind: CredentialType) -> None:
    told = NOON + timedelta(seconds=seconds)
    entry = adopted({**TRUE, SecretAnnotation.CREDENTIAL_EXPIRY_TIME: rfc3339(told)}, type=kind)
    assert entry is not None
    if kind is CredentialType.STATIC:
        assert entry.expiry_time is None
    elif kind is CredentialType.EXPIRING:
        assert entry.expiry_time == told
    else:
        assert entry.expiry_time == min(told, INTENDED_EXPIRY)


def test_an_expiry_that_cannot_be_read_is_the_intents_own() -> None:
    entry = adopted({**TRUE, SecretAnnotation.CREDENTIAL_EXPIRY_TIME: "soon"})
    assert entry is not None
    assert entry.expiry_time == INTENDED_EXPIRY


def test_texts_that_are_too_long_for_a_ledger_are_left_out() -> None:
    entry = adopted(
        {**TRUE, SecretAnnotation.LEASE_ID: "x" * 1025, SecretAnnotation.TOKEN_ACCESSOR: "x" * 257}
    )
    assert entry is not None
    assert entry.lease_id is None
    assert entry.token_accessor is None


@EACH
@given(forged_annotations(), st.sampled_from(CredentialType))
def test_forged_annotations_never_raise_and_always_fit_the_ledger(
    forged: dict[str, str], kind: CredentialType
) -> None:
    entry = adopted(
        {SecretAnnotation.GENERATION: "1", SecretAnnotation.ACCESSOR: "accessor-1", **forged}, type=kind
    )
    if entry is not None:
        assert LedgerEntry.model_validate(entry.to_wire())
        assert (entry.generation, entry.accessor) == (1, "accessor-1")


@EACH
@given(observations())
def test_only_open_intents_are_adopted_under_their_own_generation_and_accessor(o: Observation) -> None:
    known = {entry.generation: entry for entry in intents(o.connection.status.ledger)}
    for entry in published_intents(o.connection, o.secret):
        assert entry.accessor == known[entry.generation].accessor
        assert o.secret is not None
        assert o.secret.meta is not None
        assert o.connection.metadata.uid in o.secret.meta.owner_uids


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        (str(HIGHEST_GENERATION), HIGHEST_GENERATION),
        (str(HIGHEST_GENERATION + 1), 0),
        ("9" * 5000, 0),
        ("-1", 0),
        ("1.0", 0),
        ("٣", 0),
        ("", 0),
    ],
)
def test_a_generation_is_read_only_where_it_can_be_one(text: str, number: int) -> None:
    meta = SecretMeta("uid", "1", (), {}, {SecretAnnotation.GENERATION: text})
    assert generation_of(meta) == number


@EACH
@given(st.text())
def test_a_time_from_an_annotation_is_aware_or_absent(text: str) -> None:
    moment = time_of({"t": text}, "t")
    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize("text", STRANGE_TIMES)
def test_a_time_that_no_status_can_hold_is_absent(text: str) -> None:
    assert time_of({"t": text}, "t") is None


def test_a_time_without_a_zone_is_utc() -> None:
    assert time_of({"t": "2026-11-20T12:00:00"}, "t") == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert time_of({}, "t") is None
