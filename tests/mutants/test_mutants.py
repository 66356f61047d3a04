"""Every seeded mistake is noticed by the test that is there for it."""

import pytest

from mutants.seeded import MUTANTS, Mutant, survives


@pytest.mark.parametrize(
    "mutant", MUTANTS, ids=lambda mutant: str(mutant.step).split(":")[0].replace(" ", "-")
)
def test_a_seeded_mistake_is_noticed(mutant: Mutant) -> None:
    assert survives(mutant) is None
