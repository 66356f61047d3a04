"""The Secret's name must be free or ours before anything is minted for it."""

import contextlib

import pytest
from hypothesis import given

from leasehold.api.names import SecretAnnotation
from leasehold.api.reasons import Reason
from leasehold.core.adoption import HIGHEST_GENERATION
from leasehold.core.facts import SecretProbe, SecretState
from leasehold.core.faults import Fault, NeedsPerson, TryLater
from leasehold.core.preflight import target
from observations import EMPTY, a_claim, a_secret
from strategies import EACH, forged_annotations


def test_a_free_name_takes_the_next_generation() -> None:
    place = target(a_claim(last_generation=4), "orders", EMPTY)
    assert place.existing is None
    assert place.generation == 5


def test_our_own_secret_is_replaced() -> None:
    probe = a_secret({SecretAnnotation.GENERATION: "4"})
    place = target(a_claim(last_generation=4), "orders", probe)
    assert place.existing == probe.meta
    assert place.generation == 5


def test_the_next_generation_is_above_what_the_secret_knows() -> None:
    """A status that was restored from a backup knows less than the Secret."""
    place = target(a_claim(last_generation=2), "orders", a_secret({SecretAnnotation.GENERATION: "7"}))
    assert place.generation == 8


def test_a_foreign_secret_is_a_matter_for_people() -> None:
    with pytest.raises(NeedsPerson) as refused:
        target(a_claim(), "orders", SecretProbe(SecretState.FOREIGN))
    assert refused.value.reason is Reason.SECRET_CONFLICT
    assert "orders" in refused.value.message


def test_another_connections_secret_is_waited_for() -> None:
    probe = a_secret({SecretAnnotation.CONNECTION: "predecessor"}, owner="another-uid")
    with pytest.raises(TryLater) as busy:
        target(a_claim(), "orders", probe)
    assert busy.value.reason is Reason.SECRET_CONFLICT
    assert "predecessor" in busy.value.message


def test_a_generation_beyond_all_numbers_is_a_matter_for_people() -> None:
    probe = a_secret({SecretAnnotation.GENERATION: str(HIGHEST_GENERATION)})
    with pytest.raises(NeedsPerson):
        target(a_claim(), "orders", probe)


@EACH
@given(forged_annotations())
def test_forged_annotations_give_a_higher_generation_or_a_fault(forged: dict[str, str]) -> None:
    for owner in (a_claim().metadata.uid, "another-uid"):
        with contextlib.suppress(Fault):
            place = target(a_claim(last_generation=3), "orders", a_secret(forged, owner=owner))
            assert 3 < place.generation <= HIGHEST_GENERATION
