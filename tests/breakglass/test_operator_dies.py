"""The operator is killed half-way, or was not there at all: the next one carries the revocation out to its end, and
neither of them claims what is not so."""

from contextlib import ExitStack

import pytest

from breakglass.ambush import Ambush, Lookout, Spot
from breakglass.honesty import Honesty
from breakglass.place import SLOW_MINT, Place
from breakglass.verdict import assert_all_is_dead
from controlplane.waiting import wait_until

SPOTS = (
    Spot("revocation at Vault", "POST", r"/revoke-accessor$", 3, after=True),
    Spot("deletion of a Secret", "DELETE", r"/secrets/", 2),
    Spot("look-up of a lease", "POST", r"/leases/lookup$", 3, after=True),
    Spot("status of a connection", "PUT", r"/mcpconnections/[^/]+/status$", 2, after=True),
    Spot("status of the revocation", "PUT", r"/mcprevocations/[^/]+/status$", 1),
)


@pytest.mark.parametrize("spot", SPOTS, ids=str)
def test_whoever_comes_after_a_kill_carries_on(place: Place, spot: Spot) -> None:
    name = f"killed-{SPOTS.index(spot)}"
    with place.running() as operator:
        team = place.working(5)
        ambush = Ambush(spot)
        ambush.aim(operator)
        with Honesty(place, team, name):
            place.lane.meddler = ambush
            place.throw(name, {"profile": team.profile})
            wait_until(ambush.over.is_set, 30, f"the operator is killed {spot}")
            place.lane.rest()
            with place.running():
                place.wait_complete(name)
    assert_all_is_dead(place, team, name)


def test_an_operator_that_starts_afterwards_finds_the_revocation(place: Place) -> None:
    with place.running():
        team = place.working(3)
    with Honesty(place, team, "afterwards"):
        place.throw("afterwards", {"serverURL": f"https://{team.profile}.tools.svc/*"})
        with place.running():
            place.wait_complete("afterwards")
    assert_all_is_dead(place, team, "afterwards")


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_a_mint_in_flight_is_over_before_anything_is_called_complete(place: Place, killed: bool) -> None:
    """The second connection's login takes five seconds in PostgreSQL, and Vault ends no other one meanwhile."""
    name = f"in-flight-{'killed' if killed else 'alive'}"
    with ExitStack() as operators:
        operator = operators.enter_context(place.running())
        team = place.team(2, "postgres", **SLOW_MINT)
        first, second = team.names
        place.claim(team, first)
        wait_until(lambda: place.ready_count(team) == 1, 40, "one of them works")
        lookout = Lookout()
        place.lane.meddler = lookout
        with Honesty(place, team, name) as watched:
            place.claim(team, second)
            wait_until(lambda: lookout.left == 1, 30, "the second mint is under way")
            place.throw(name, {"profile": team.profile})
            wait_until(lambda: place.revocation(name).status.revoked == 1, 30, "the other one is revoked")
            assert place.logged_in(team) == {second}, "the login of the mint is alive"
            if killed:
                operator.kill()
                place.lane.rest()
                operators.enter_context(place.running())
            place.wait_complete(name, 90)
    assert any((each.matched, each.revoked, each.verified) == (2, 1, 0) for each in watched.samples)
    assert_all_is_dead(place, team, name)
