"""Deny wins over what cannot be ruled out."""

from hypothesis import given
from hypothesis import strategies as st

from leasehold.core.facts import RevocationFact
from leasehold.core.revocations import denying
from observations import a_claim
from strategies import EACH

SPECS = st.dictionaries(st.text(max_size=9), st.none() | st.booleans() | st.text(max_size=9), max_size=3)


def test_without_revocations_nothing_is_denied() -> None:
    assert denying((), a_claim()) is None


@EACH
@given(st.lists(SPECS, min_size=1, max_size=3))
def test_a_revocation_that_this_version_cannot_read_denies(specs: list[dict[str, object]]) -> None:
    revocations = tuple(RevocationFact(f"kill-{number}", spec) for number, spec in enumerate(specs))
    assert denying(revocations, a_claim()) in revocations
