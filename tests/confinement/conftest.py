"""Everything as it is shipped, and whoever might misuse it."""

from collections.abc import Iterator

import pytest

from contract.worlds import RealPeople
from controlplane import Plane
from intruder import Intruder
from shipped import operator_token, shipped


@pytest.fixture(scope="module")
def people(plane: Plane) -> Iterator[RealPeople]:
    with shipped(plane):
        yield RealPeople(plane)


@pytest.fixture(scope="module")
def operator(people: RealPeople) -> Intruder:
    """The operator's identity in wrong hands."""
    return Intruder(people.plane, operator_token(people.plane))
