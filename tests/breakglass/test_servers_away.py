"""A server is away, sealed or slow when the switch is thrown: Secrets go at once, nothing is claimed that is not
so, and what could not be ended ends when the server is back."""

from collections.abc import Callable

import pytest

from breakglass.ambush import Slowness
from breakglass.honesty import Honesty
from breakglass.place import Place, said
from breakglass.verdict import assert_all_is_dead
from controlplane import ControlPlane
from controlplane.waiting import wait_until

AWAY: dict[str, tuple[Callable[[ControlPlane], None], Callable[[ControlPlane], None], str]] = {
    "stopped": (lambda plane: plane.vault.stop(), lambda plane: plane.vault.start(), "Unreachable"),
    "sealed": (lambda plane: plane.vault.seal(), lambda plane: plane.vault.unseal(), "Sealed"),
}


@pytest.mark.parametrize("how", AWAY)
def test_while_vault_is_away_nothing_is_claimed_and_when_it_is_back_everything_ends(
    place: Place, how: str
) -> None:
    goes, comes_back, reason = AWAY[how]
    name = f"vault-{how}"
    with place.running():
        team = place.working(3)
        with Honesty(place, team, name) as watched:
            goes(place.plane)
            try:
                place.throw(name, {"profile": team.profile})
                wait_until(lambda: place.secrets(team) == 0, 20, "the Secrets go although Vault is away")
                wait_until(
                    lambda: place.revocation(name).status.failed == team.size, 30, "the failures are told"
                )
                told = place.revocation(name)
                assert (told.status.revoked, told.status.verified) == (0, 0)
                assert said(told, "Complete")[0] == "False"
                assert {each.reason for each in told.status.failures} == {reason}
                assert told.status.residual_exposure_until is not None
            finally:
                comes_back(place.plane)
            place.wait_complete(name)
        watched.assert_nothing_was_taken_back()
        assert_all_is_dead(place, team, name)


def test_a_slow_vault_keeps_no_secret_alive_and_is_waited_for(place: Place) -> None:
    with place.running():
        team = place.working(40)
        place.lane.meddler = Slowness(1.2)
        with Honesty(place, team, "slow-vault") as watched:
            place.throw("slow-vault", {"namespace": team.namespace})
            place.wait_complete("slow-vault")
        assert any(each.secrets_deleted == team.size and each.verified == 0 for each in watched.samples), (
            "Secrets do not wait for Vault"
        )
        watched.assert_nothing_was_taken_back()
        assert_all_is_dead(place, team, "slow-vault")


def test_a_database_that_is_down_is_told_and_forced_when_it_is_back(place: Place) -> None:
    """Vault accepts the revocation, and its leases become irrevocable."""
    with place.running():
        team = place.working(3, "postgres")
        with Honesty(place, team, "database-down") as watched:
            place.plane.postgres.stop()
            try:
                place.throw("database-down", {"profile": team.profile})
                wait_until(lambda: place.secrets(team) == 0, 20, "the Secrets go")
                wait_until(lambda: not place.logged_in(team), 20, "the tokens go")

                def is_told() -> bool:
                    status = place.revocation("database-down").status
                    reasons = {each.reason.value for each in status.failures}
                    return status.failed == team.size and reasons == {"Irrevocable"}

                wait_until(is_told, 40, "the backend's refusal is told")
                told = place.revocation("database-down").status
                assert (told.revoked, told.verified) == (team.size, 0)
                assert place.living_leases(team) == team.size
            finally:
                place.plane.postgres.start()
            place.wait_complete("database-down", 90)
        watched.assert_nothing_was_taken_back()
        assert_all_is_dead(place, team, "database-down")


def test_a_watch_that_is_silent_hides_no_revocation(place: Place) -> None:
    with place.running(revocation_list_seconds=2, resync_seconds=600):
        team = place.working(3)
        place.lane.watches_are_silent = True
        with Honesty(place, team, "silent-watch") as watched:
            place.throw("silent-watch", {"profile": team.profile})
            place.wait_complete("silent-watch")
        watched.assert_nothing_was_taken_back()
        assert_all_is_dead(place, team, "silent-watch")


def test_three_hundred_connections_end_at_one_word(place: Place) -> None:
    with place.running(vault_requests_per_second=10_000):
        team = place.working(300, seconds=120)
        assert place.living_leases(team) == team.size
        with Honesty(place, team, "many") as watched:
            place.throw(
                "many", {"labelSelector": {"matchLabels": {"tier": "suspect"}}, "profile": team.profile}
            )
            place.plane.kubectl(
                "wait", "mcprevocation/many", "--for=condition=Complete", "--timeout=60s", seconds=70
            )
        watched.assert_nothing_was_taken_back()
        assert_all_is_dead(place, team, "many")
