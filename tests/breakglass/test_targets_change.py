"""Targets overlap, are left, and come back: what one revocation has matched stays ended until every one of them is
lifted."""

from breakglass.ambush import Slowness
from breakglass.honesty import Honesty
from breakglass.place import Place, said
from breakglass.verdict import assert_all_is_dead
from controlplane.waiting import wait_until


def test_of_two_revocations_one_is_lifted_on_the_way_and_the_other_still_holds(place: Place) -> None:
    with place.running():
        team = place.working(4)
        with Honesty(place, team, "second"):
            place.throw("first", {"profile": team.profile}, onLift="Resume")
            place.throw("second", {"namespace": team.namespace}, onLift="Resume")
            wait_until(lambda: place.revocation("first").status.matched == team.size, 20, "the first acts")
            place.lift("first")
            place.wait_complete("second")
        wait_until(
            lambda: said(place.revocation("first"), "Enforced") == ("False", "Lifted"), 20, "the lift is told"
        )
        assert place.revocation("first").status.lifted_time is not None
        assert_all_is_dead(place, team, "second")
        assert place.ready(team) == ["Revoked"]
        place.lift("second")
        place.wait_ready(team, "Active")
        assert place.living_leases(team) == place.secrets(team) == team.size, "each has a fresh one"
        wait_until(lambda: said(place.revocation("second"), "Enforced")[0] == "False", 20, "its end is told")
        assert said(place.revocation("second"), "Complete") == ("True", "Verified"), (
            "it was complete when lifted"
        )


def test_leaving_the_target_on_the_way_frees_nobody_not_even_after_a_restart(place: Place) -> None:
    with place.running():
        team = place.working(6)
        with Honesty(place, team, "suspects"):
            place.lane.meddler = Slowness(0.4)
            target = {"namespace": team.namespace, "labelSelector": {"matchLabels": {"tier": "suspect"}}}
            place.throw("suspects", target, onLift="Resume")
            wait_until(lambda: place.revocation("suspects").status.matched == team.size, 20, "all match")
            assert place.revocation("suspects").status.verified < team.size, "it is under way"
            place.relabel(team, *team.names[:3])
            place.lane.meddler = None
            place.wait_complete("suspects")
        assert_all_is_dead(place, team, "suspects")
    with place.running():
        place.wait_ready(team, "Revoked")
        assert_all_is_dead(place, team, "suspects")
        held = [hold.revocation for each in place.connections(team) for hold in each.status.holds]
        assert held == ["suspects"] * team.size
