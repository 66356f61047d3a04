"""The operator is killed before and after every request that it makes to either server. Whatever that leaves, the
next operator finds everything that was minted, settles it, and mints no more than was lost."""

import re

from crash.scenarios import DELETION, FIRST_MINT, ROTATION
from crash.slow import KILL, KILL_AND_SUSPENSION, SUSPENSION, meet
from crash.sweep import sweep
from crash.world import CrashWorld

NOT_ALWAYS = re.compile(
    r"(before|after) (GET |POST /v1/(auth/token/lookup-accessor|sys/leases/lookup) |POST /mcpagentexposures )"
)
"""Requests that change nothing: how many of them there are depends on how soon Vault is done. And an agent's first
exposure, which comes two seconds after its first connection, or when the life is over already."""


def test_a_kill_at_any_request_leaks_nothing_and_mints_nothing_twice(world: CrashWorld) -> None:
    report = sweep(world, [(scenario, "Lease") for scenario in (FIRST_MINT, ROTATION, DELETION)], print)
    print(report.as_json(), *report.unreached, sep="\n")
    assert [str(each) for each in report.problems] == []
    assert report.errors == []
    assert report.points >= 100
    assert [each for each in report.unreached if not NOT_ALWAYS.search(each)] == [], (
        "every write was a place to die"
    )


def test_a_mint_in_flight_is_not_settled_before_it_is_over(world: CrashWorld) -> None:
    """The next operator starts while the database still makes the login that the first one asked for."""
    report = meet(world, ["Slow"], [KILL, KILL_AND_SUSPENSION, SUSPENSION], print)
    assert [str(each) for each in report.problems] == []
    assert report.errors == []
