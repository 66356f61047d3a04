"""Which replica may believe that it leads: each rule by hand. What follows from all of them is in
test_election_interleavings.py."""

from datetime import UTC, datetime, timedelta

import pytest

from fakes.leader_lease import FakeLeaseServer
from leasehold.core.leader import LeaderClaim, LeaderRecord
from leasehold.engine.election import Election, Timing

TIMING = Timing(lease_seconds=15)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_replica(name: str = "a") -> Election:
    return Election(name, TIMING)


def turn(replica: Election, server: FakeLeaseServer, now: float, moment: datetime = NOON) -> None:
    """One look and one claim, all of it at once."""
    replica.saw(server.read(), now)
    claim = replica.claim(now, moment)
    if claim is not None:
        replica.won(server.write(claim, replica.record), now, now)


def held_by(holder: str, version: str = "1", seconds: int = 15) -> LeaderRecord:
    return LeaderRecord(LeaderClaim(holder, seconds, NOON, NOON), "uid", version)


# who may claim


def test_a_single_replica_wins_at_once() -> None:
    server, replica = FakeLeaseServer(), a_replica()
    turn(replica, server, now=0)
    assert replica.leads(0)


def test_nobody_claims_before_having_looked() -> None:
    assert a_replica().claim(0, NOON) is None


def test_a_lease_is_taken_only_after_it_was_seen_unchanged_for_its_duration() -> None:
    server, leader, other = FakeLeaseServer(), a_replica("a"), a_replica("b")
    turn(leader, server, now=0)
    turn(other, server, now=100)
    turn(other, server, now=114.9)
    assert not other.leads(114.9)
    turn(other, server, now=115)
    assert other.leads(115)


def test_every_renewal_begins_the_wait_anew() -> None:
    server, leader, other = FakeLeaseServer(), a_replica("a"), a_replica("b")
    for now in range(0, 60, 9):
        turn(leader, server, now)
        turn(other, server, now)
    assert leader.leads(54)
    assert not other.leads(54)


def test_the_duration_that_counts_is_the_one_that_the_holder_wrote() -> None:
    other = a_replica("b")
    other.saw(held_by("a", seconds=60), 0)
    assert other.claim(59, NOON) is None
    assert other.claim(60, NOON) is not None


def test_a_lease_that_names_no_duration_is_waited_for_as_long_as_our_own() -> None:
    other = a_replica("b")
    other.saw(held_by("a", seconds=0), 0)
    assert other.claim(14, NOON) is None
    assert other.claim(15, NOON) is not None


@pytest.mark.parametrize("skew", [timedelta(days=-400), timedelta(days=400)])
def test_no_time_that_a_lease_names_frees_it(skew: timedelta) -> None:
    other = a_replica("b")
    other.saw(held_by("a"), 0)
    assert other.claim(1, NOON + skew) is None


def test_a_lease_that_was_given_up_is_taken_at_once() -> None:
    server, leader, other = FakeLeaseServer(), a_replica("a"), a_replica("b")
    turn(leader, server, now=0)
    turn(other, server, now=0)
    leader.resign()
    farewell = leader.farewell(NOON)
    assert farewell is not None
    server.write(farewell, leader.record)
    turn(other, server, now=1)
    assert other.leads(1)
    assert not leader.leads(1)


def test_a_standby_does_not_believe_that_a_deleted_lease_is_free_while_its_holder_may_lead() -> None:
    server, leader, other = FakeLeaseServer(), a_replica("a"), a_replica("b")
    turn(leader, server, now=0)
    turn(other, server, now=0)
    server.delete()
    turn(other, server, now=9)
    assert not other.leads(9)
    turn(leader, server, now=9.5)
    assert leader.leads(9.5)


# how long a leader believes


def test_a_leader_believes_no_longer_than_the_renew_deadline_without_anybody_telling_it() -> None:
    server, replica = FakeLeaseServer(), a_replica()
    turn(replica, server, now=0)
    assert replica.leads(9.99)
    assert not replica.leads(10)


def test_a_lead_counts_from_when_the_claim_was_sent() -> None:
    server, replica = FakeLeaseServer(), a_replica()
    replica.saw(None, 0)
    claim = replica.claim(0, NOON)
    assert claim is not None
    replica.won(server.write(claim, None), sent=0, now=8)
    assert replica.leads(9.9)
    assert not replica.leads(10)


def test_an_answer_that_is_older_than_the_deadline_makes_no_leader_but_the_next_claim_does() -> None:
    server, replica = FakeLeaseServer(), a_replica()
    replica.saw(None, 0)
    claim = replica.claim(0, NOON)
    assert claim is not None
    replica.won(server.write(claim, None), sent=0, now=11)
    assert not replica.leads(11)
    turn(replica, server, now=12)
    assert replica.leads(12)


def test_a_lead_that_ended_never_comes_back() -> None:
    server, replica = FakeLeaseServer(), a_replica()
    turn(replica, server, now=0)
    renewal = replica.claim(9, NOON)
    assert renewal is not None
    replica.won(server.write(renewal, replica.record), sent=9, now=10.5)
    assert not replica.leads(10.5)
    assert replica.lost(10.5)
    assert replica.claim(11, NOON) is None


def test_a_leader_that_sees_another_name_has_lost() -> None:
    server, leader = FakeLeaseServer(), a_replica("a")
    turn(leader, server, now=0)
    leader.saw(held_by("b", version="9"), 1)
    assert not leader.leads(1)
    assert leader.lost(1) == "b has taken the lease"


def test_a_claim_whose_answer_was_lost_counts_only_once_it_is_answered_again() -> None:
    server, replica = FakeLeaseServer(), a_replica()
    replica.saw(server.read(), 0)
    claim = replica.claim(0, NOON)
    assert claim is not None
    server.write(claim, None)
    replica.doubt()
    assert replica.claim(1, NOON) is None
    replica.saw(server.read(), 2)
    assert not replica.leads(2)
    turn(replica, server, now=3)
    assert replica.leads(12.9)


def test_somebody_elses_edit_costs_a_leader_nothing() -> None:
    server, leader = FakeLeaseServer(), a_replica("a")
    turn(leader, server, now=0)
    assert server.record is not None
    server.record = LeaderRecord(server.record.claim, server.record.uid, "edited")
    leader.doubt()
    turn(leader, server, now=2)
    assert leader.leads(11)


# what is written


def test_a_renewal_changes_the_lease_even_when_the_clock_stands_still() -> None:
    server, leader = FakeLeaseServer(), a_replica("a")
    turn(leader, server, now=0)
    before = server.writes
    turn(leader, server, now=2)
    turn(leader, server, now=4, moment=NOON - timedelta(hours=1))
    assert server.writes == before + 2


def test_terms_are_counted_and_dated() -> None:
    server, first, second = FakeLeaseServer(), a_replica("a"), a_replica("b")
    turn(first, server, now=0)
    turn(first, server, now=2, moment=NOON + timedelta(seconds=2))
    record = server.read()
    assert record is not None
    assert (record.claim.transitions, record.claim.acquired) == (1, NOON)
    turn(second, server, now=2)
    turn(second, server, now=20, moment=NOON + timedelta(seconds=20))
    record = server.read()
    assert record is not None
    assert (record.claim.transitions, record.claim.acquired) == (2, NOON + timedelta(seconds=20))


def test_nobody_gives_up_what_is_somebody_elses() -> None:
    other = a_replica("b")
    other.saw(held_by("a"), 0)
    other.resign()
    assert other.farewell(NOON) is None
