"""Targets overlap, are left, and come back: what one revocation has matched stays ended until every one of them is
lifted."""

from breakglass.ambush import Ambush, Slowness, Spot
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
        assert place.holds(team) == ["suspects"] * team.size


def test_leaving_the_target_frees_nobody_although_the_operator_died_before_it_wrote_a_hold(
    place: Place,
) -> None:
    with place.running() as operator:
        team = place.working(3)
        ambush = Ambush(Spot("status of a connection", "PUT", r"/mcpconnections/[^/]+/status$", 1))
        ambush.aim(operator)
        with Honesty(place, team, "left-early"):
            place.lane.meddler = ambush
            target = {"namespace": team.namespace, "labelSelector": {"matchLabels": {"tier": "suspect"}}}
            place.throw("left-early", target)
            wait_until(ambush.over.is_set, 30, "the operator is killed before the first hold is written")
            place.lane.rest()
            assert place.logged_in(team) == set(), "all was revoked"
            assert place.holds(team) == []
            uids = {connection.metadata.uid for connection in place.connections(team)}
            assert set(place.revocation("left-early").status.pending_holds) == uids
            place.relabel(team, *team.names)
            with place.running():
                place.wait_complete("left-early")
                place.wait_ready(team, "Revoked")
                assert_all_is_dead(place, team, "left-early")
                assert place.revocation("left-early").status.pending_holds == ()
                place.lift("left-early")
                place.wait_ready(team, "Held")
    assert len(place.book.mints[team.namespace]) == team.size, "nothing was minted since"


def test_joining_and_leaving_a_target_frees_nobody_although_the_operator_died_in_between(
    place: Place,
) -> None:
    with place.running() as operator:
        team = place.working(1)
        target = {"namespace": team.namespace, "labelSelector": {"matchLabels": {"tier": "guilty"}}}
        place.throw("joined-late", target)
        place.wait_complete("joined-late")
        assert place.revocation("joined-late").status.matched == 0
        ambush = Ambush(Spot("revocation at Vault", "POST", r"/revoke-accessor$", 1, after=True))
        ambush.aim(operator)
        place.lane.meddler = ambush
        place.relabel(team, *team.names, tier="guilty")
        wait_until(ambush.over.is_set, 30, "the operator is killed with its first revocation")
        place.lane.rest()
        assert place.logged_in(team) == set(), "it was revoked"
        place.relabel(team, *team.names)
        with place.running():
            place.wait_ready(team, "Revoked")
            wait_until(lambda: place.revocation("joined-late").status.verified == 1, 30, "it is told")
            assert_all_is_dead(place, team, "joined-late")
    assert len(place.book.mints[team.namespace]) == team.size, "nothing was minted since"
