"""What access policies find in a connection, and when that ends it: alone, together, and in whatever order."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.api.base import ConditionStatus, rfc3339
from leasehold.api.connection import EntryState, MCPConnection
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile, RiskTier
from leasehold.api.reasons import Reason
from leasehold.api.violation import PolicyViolation
from leasehold.core.checks import Effect, Finding
from leasehold.core.combinations import Member
from leasehold.core.decide import decide, next_wake, standing
from leasehold.core.observation import Observation
from leasehold.core.policy import matches_pattern
from leasehold.core.policy_judgement import UNKNOWN, judge
from leasehold.core.project import project
from objects import NOON, a_connection, a_policy, a_profile, an_entry
from observations import CREATED, a_claim, a_current, an_observation
from strategies import EACH

HOUR = timedelta(hours=1)
DIGEST = "sha256:" + "1" * 64
LEASE = 7776000


def an_approval(reviewer: str = "bob@example.com", **fields: Any) -> dict[str, Any]:
    record = {
        "review": "r",
        "reviewer": reviewer,
        "assurance": "Owner",
        "time": rfc3339(NOON - HOUR),
        **fields,
    }
    return {"approval": record}


def a_rated_profile(tier: str | None, **spec: Any) -> MCPServerProfile:
    wire = a_profile().to_wire()
    wire["spec"] |= {**({"riskTier": tier} if tier else {}), **spec}
    return MCPServerProfile.model_validate(wire)


def found(*policies: MCPAccessPolicy, connection: MCPConnection | None = None, **facts: Any) -> list[str]:
    observed = an_observation(connection or a_claim([a_current()]), policies=policies, **facts)
    return sorted(each.rule for each in observed.violations)


OLDER = tuple(
    Member(a_claim(uid=f"older-{number}", created=CREATED - timedelta(days=number)), None)
    for number in (1, 2)
)


@pytest.mark.parametrize(
    ("kept", "broken", "rule"),
    [
        ({"maxLeaseDurationSeconds": LEASE}, {"maxLeaseDurationSeconds": LEASE - 1}, "LeaseDuration"),
        ({"maxTTLSeconds": 3600}, {"maxTTLSeconds": 3599}, "TTL"),
        ({"allowedCredentialTypes": ["Lease"]}, {"allowedCredentialTypes": ["Token"]}, "CredentialType"),
        ({"allowedProfiles": ["orders-*"]}, {"allowedProfiles": ["orders", "*-write"]}, "Profile"),
    ],
)
def test_a_demand_is_satisfied_to_its_very_edge(
    kept: dict[str, Any], broken: dict[str, Any], rule: str
) -> None:
    connection = a_claim([a_current()], spec={"leaseDurationSeconds": LEASE})
    assert found(a_policy(**kept), connection=connection) == []
    assert found(a_policy(**broken), connection=connection) == [rule]


def test_what_people_owe_is_found_until_they_have_done_it() -> None:
    policy = a_policy(requires=["Approval", "ApprovedSurface"])
    assert found(policy) == ["Approval", "ApprovedSurface"]
    approved = a_claim([a_current()], status=an_approval())
    assert found(policy, connection=approved) == ["ApprovedSurface"]
    looked_at = a_claim([a_current()], status=an_approval(surfaceDigest=DIGEST))
    assert found(policy, connection=looked_at) == []
    asserted = a_rated_profile(None, approvedSurface=DIGEST)
    assert found(policy, connection=approved, profile=asserted) == []


@pytest.mark.parametrize(
    ("tier", "demanded", "reviewer", "expected"),
    [
        ("High", "High", None, ["SecondApprover"]),
        ("High", "High", "alice@example.com", ["SecondApprover"]),
        ("High", "High", "bob@example.com", []),
        ("Medium", "High", None, []),
        ("Critical", "Low", "alice@example.com", ["SecondApprover"]),
        (None, "Critical", "alice@example.com", ["SecondApprover"]),
        (None, "Critical", "carol@example.com", []),
    ],
)
def test_from_a_tier_on_another_person_than_the_owner_has_to_approve(
    tier: str | None, demanded: str, reviewer: str | None, expected: list[str]
) -> None:
    connection = a_claim([a_current()], status=an_approval(reviewer) if reviewer else {})
    policy = a_policy(secondApproverFrom=demanded)
    assert found(policy, connection=connection, profile=a_rated_profile(tier)) == expected


def test_an_agents_youngest_connections_are_those_that_are_too_many() -> None:
    assert found(a_policy(maxConnectionsPerAgent=2), peers=OLDER) == ["ConnectionsPerAgent"]
    assert found(a_policy(maxConnectionsPerAgent=3), peers=OLDER) == []
    younger = a_claim(uid="younger", created=CREATED + HOUR)
    assert found(a_policy(maxConnectionsPerAgent=1), peers=(Member(younger, None),)) == []


def a_capable_profile(*capabilities: str, **spec: Any) -> MCPServerProfile:
    return a_rated_profile(None, capabilities=list(capabilities), **spec)


EXFILTRATING = ["ReadsPrivateData", "TakesUntrustedContent", "WritesOutside"]
FORBIDDEN: dict[str, Any] = {"forbiddenCombinations": [{"capabilities": EXFILTRATING}]}
OLDEST = OLDER[0].connection
READS, WRITES = a_capable_profile("ReadsPrivateData"), a_capable_profile("WritesOutside")


@pytest.mark.parametrize(
    ("mine", "older", "expected"),
    [
        (["WritesOutside"], ["ReadsPrivateData", "TakesUntrustedContent"], True),
        (["WritesOutside"], ["ReadsPrivateData"], False),
        (["Destructive"], EXFILTRATING, False),
        (["TakesUntrustedContent"], EXFILTRATING, True),
        (EXFILTRATING, [], True),
        ([], EXFILTRATING, False),
    ],
)
def test_a_combination_is_completed_by_whoever_comes_last_and_does_a_part(
    mine: list[str], older: list[str], expected: bool
) -> None:
    peers = (Member(OLDEST, a_capable_profile(*older)),)
    broken = found(a_policy(**FORBIDDEN), profile=a_capable_profile(*mine), peers=peers)
    assert broken == (["CapabilityCombination"] if expected else [])


def test_an_older_connection_goes_on_where_a_younger_one_completes_a_combination() -> None:
    younger = Member(a_claim(uid="younger", created=CREATED + HOUR), a_capable_profile(*EXFILTRATING))
    assert found(a_policy(**FORBIDDEN), profile=READS, peers=(younger,)) == []


def test_of_two_that_came_in_the_same_second_one_completes_a_combination() -> None:
    pair = {
        uid: Member(a_claim([a_current()], uid=uid), a_capable_profile(*part))
        for uid, part in (("a", EXFILTRATING[:2]), ("b", EXFILTRATING[2:]))
    }
    policy = a_policy(**FORBIDDEN)
    broken = {
        uid: found(
            policy,
            connection=member.connection,
            profile=member.profile,
            peers=tuple(other for other in pair.values() if other is not member),
        )
        for uid, member in pair.items()
    }
    assert broken == {"a": [], "b": ["CapabilityCombination"]}


def test_what_nobody_has_judged_can_do_everything_and_what_is_not_registered_nothing() -> None:
    policy = a_policy(**FORBIDDEN)
    assert found(policy, profile=a_profile()) == ["CapabilityCombination"]
    assert found(policy, profile=WRITES, peers=(Member(OLDEST, a_profile()),)) == ["CapabilityCombination"]
    assert found(policy, profile=WRITES, peers=(Member(OLDEST, None),)) == []


def test_a_completed_combination_names_what_contributes_each_part() -> None:
    observed = an_observation(
        a_claim([a_current()]),
        profile=a_profile(),
        policies=(
            a_policy(
                forbiddenCombinations=[{"capabilities": EXFILTRATING}, {"capabilities": ["Destructive"]}]
            ),
        ),
        peers=(Member(a_claim(uid="o", created=CREATED - HOUR, spec={"profile": "mail"}), READS),),
    )
    [violation] = observed.violations
    assert "so with 1 more combinations" in violation.message
    assert "ReadsPrivateData (through profile orders-read, which states no capabilities)" in violation.message


def test_a_policy_is_about_what_it_selects_and_about_what_nobody_can_tell() -> None:
    strict: dict[str, Any] = {"maxTTLSeconds": 60}
    prod = a_policy(namespaces={"matchLabels": {"env": "prod"}}, **strict)
    assert found(prod, namespace_labels={"env": "test"}) == []
    assert found(prod, namespace_labels={"env": "prod"}) == ["TTL"]
    assert found(prod, namespace_labels=None) == ["TTL"]
    labelled = a_policy(connections={"matchLabels": {"tier": "gold"}}, **strict)
    assert found(labelled) == []
    assert found(labelled, connection=a_claim([a_current()], labels={"tier": "gold"})) == ["TTL"]


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("orders", "orders", True),
        ("orders", "orders-read", False),
        ("orders-*", "orders-", True),
        ("*", "orders.read", True),
        ("orders.read", "orders-read", False),
        ("*-read", "orders-read-write", False),
        ("o*s-*d", "orders-read", True),
    ],
)
def test_a_star_stands_for_any_letters_and_nothing_else_does(pattern: str, name: str, expected: bool) -> None:
    assert matches_pattern(pattern, name) is expected


# What becomes of it.


def kept(o: Observation) -> MCPConnection:
    """As its status says after a pass."""
    return o.connection.model_copy(update={"status": project(o, None)})


def at(hours: float, connection: MCPConnection, *policies: MCPAccessPolicy, **facts: Any) -> Observation:
    return an_observation(connection, now=NOON + hours * HOUR, policies=policies, **facts)


STRICT: dict[str, Any] = {"maxTTLSeconds": 60}
ENDLESS = a_current(expiry_time=NOON + 1000 * HOUR)


def test_a_denied_credential_stays_for_its_grace_and_not_longer() -> None:
    policy = a_policy(**STRICT, graceSeconds=7200)
    first = at(0, a_claim([ENDLESS]), policy)
    assert standing(first).effect is Effect.NONE
    assert standing(first).reason is Reason.POLICY_VIOLATED
    assert next_wake(at(0, a_claim([ENDLESS]), a_policy(**STRICT, graceSeconds=60))) == NOON + HOUR / 60
    connection = kept(first)
    [ready] = [each for each in connection.status.conditions if each.type == "Ready"]
    assert ready.status is ConditionStatus.TRUE
    assert "MCPAccessPolicy strict (generation 4), TTL" in ready.message
    assert standing(at(1.9, connection, policy)).effect is Effect.NONE
    over = at(2, connection, policy)
    assert standing(over).effect is Effect.END
    assert [each.reason for each in decide(over).endings] == [Reason.POLICY_VIOLATED]
    assert decide(over).delete_secret


def test_nobody_gets_a_first_credential_in_the_time_of_grace() -> None:
    plan = decide(at(0, a_claim(), a_policy(**STRICT, graceSeconds=7200)))
    assert (plan.finding.reason, plan.finding.effect) == (Reason.POLICY_VIOLATED, Effect.NO_MINT)
    assert plan.mint is None
    assert decide(at(0, a_claim(), a_policy(**STRICT, effect="Warn"))).mint is Reason.FIRST_MINT


def test_a_credential_is_rotated_in_the_time_of_grace() -> None:
    old = a_current(issued_time=NOON - HOUR, expiry_time=NOON + timedelta(minutes=1))
    plan = decide(at(0, a_claim([old]), a_policy(**STRICT, graceSeconds=7200)))
    assert plan.mint is Reason.ROTATION


def test_a_warning_ends_nothing_ever() -> None:
    policy = a_policy(**STRICT, effect="Warn")
    connection = kept(at(0, a_claim([ENDLESS]), policy))
    later = standing(at(400, connection, policy))
    assert (later.reason, later.effect) == (Reason.POLICY_VIOLATED, Effect.NONE)


def test_a_warning_that_becomes_a_denial_gives_its_grace_in_full() -> None:
    warned = kept(at(0, a_claim([ENDLESS]), a_policy(**STRICT, effect="Warn")))
    denying = a_policy(**STRICT, graceSeconds=7200)
    first = at(100, warned, denying)
    assert standing(first).effect is Effect.NONE
    assert standing(at(102, kept(first), denying)).effect is Effect.END


def test_an_edit_of_the_policy_begins_no_new_time() -> None:
    connection = kept(at(0, a_claim([ENDLESS]), a_policy(**STRICT, graceSeconds=7200)))
    stricter = a_policy(maxTTLSeconds=30, graceSeconds=7200, metadata={"generation": 5})
    [violation] = at(1, connection, stricter).violations
    assert (violation.since_time, violation.generation) == (NOON, 5)


def test_what_is_mended_is_forgotten_and_so_is_what_a_deleted_policy_found() -> None:
    connection = kept(at(0, a_claim([ENDLESS]), a_policy(**STRICT, graceSeconds=7200)))
    assert at(1, connection, a_policy(maxTTLSeconds=3600)).violations == ()
    assert standing(at(3, connection)).reason is Reason.ACTIVE


def test_what_a_policy_found_stands_while_it_cannot_be_read() -> None:
    connection = kept(at(0, a_claim([ENDLESS]), a_policy(**STRICT, graceSeconds=7200)))
    assert standing(at(3, connection, unreadable_policies=("strict",))).effect is Effect.END
    assert standing(at(3, connection, unreadable_policies=("another",))).reason is Reason.ACTIVE


def test_a_policy_that_cannot_be_read_lets_nobody_in_and_throws_nobody_out() -> None:
    unreadable: dict[str, Any] = {"unreadable_policies": ("from-tomorrow",)}
    refused = decide(an_observation(**unreadable))
    assert (refused.finding.reason, refused.mint) == (Reason.POLICY_UNREADABLE, None)
    assert "from-tomorrow" in refused.finding.message
    assert standing(an_observation(a_claim([a_current()]), **unreadable)).reason is Reason.ACTIVE
    expired = a_current(expiry_time=NOON - timedelta(seconds=1))
    assert decide(an_observation(a_claim([expired]), **unreadable)).mint is None
    revoking = an_entry(1, EntryState.REVOKING)
    assert decide(an_observation(a_claim([revoking]), **unreadable)).mint is None


def test_a_mere_record_has_its_time_too() -> None:
    record = MCPServerProfile.model_validate(
        {
            "metadata": {"name": "orders-read"},
            "spec": {"url": "https://a.example/mcp", "owner": {"team": "a"}},
        }
    )
    policy = a_policy(requires=["Approval"], graceSeconds=3600)
    first = at(0, a_claim(), policy, profile=record)
    assert standing(first).effect is Effect.NONE
    assert standing(at(1, kept(first), policy, profile=record)).effect is Effect.END


# Whatever policies there are.


@st.composite
def policies(draw: st.DrawFn) -> list[MCPAccessPolicy]:
    """Up to four, each with some demands."""
    demands = {
        "maxTTLSeconds": st.integers(3598, 3602),
        "maxLeaseDurationSeconds": st.integers(LEASE - 2, LEASE + 2),
        "maxConnectionsPerAgent": st.integers(1, 4),
        "forbiddenCombinations": st.just(FORBIDDEN["forbiddenCombinations"]),
        "allowedProfiles": st.sampled_from((["orders-*"], ["wiki"])),
        "allowedCredentialTypes": st.sampled_from((["Lease", "Token"], ["Expiring"])),
        "requires": st.sampled_from((["Approval"], ["ApprovedSurface"])),
        "secondApproverFrom": st.sampled_from([each.value for each in RiskTier]),
    }
    made = []
    for number in range(draw(st.integers(0, 4))):
        chosen = draw(st.sets(st.sampled_from(sorted(demands)), min_size=1))
        spec: dict[str, Any] = {name: draw(demands[name]) for name in sorted(chosen)}
        if draw(st.booleans()):
            spec["effect"] = "Warn"
        else:
            spec["graceSeconds"] = draw(st.sampled_from((0, 3600, 7200)))
        made.append(a_policy(f"p-{number}", **spec))
    return made


CLAIMS = (a_claim(), a_claim([ENDLESS]), a_claim([ENDLESS], status=an_approval()))
STRICTNESS = {Effect.NONE: 0, Effect.NO_MINT: 1, Effect.END: 2}


def judged(connection: MCPConnection, given_policies: Sequence[MCPAccessPolicy]) -> Observation:
    return at(0, connection, *given_policies, peers=OLDER)


def earliest(violations: Sequence[PolicyViolation]) -> datetime:
    ends = [each.deadline_time for each in violations if each.deadline_time is not None]
    return min(ends, default=datetime.max.replace(tzinfo=NOON.tzinfo))


@EACH
@given(st.sampled_from(CLAIMS), policies(), policies())
def test_one_more_policy_never_widens(
    connection: MCPConnection, some: list[MCPAccessPolicy], more: list[MCPAccessPolicy]
) -> None:
    others = [
        each.model_copy(update={"metadata": each.metadata.model_copy(update={"uid": f"more-{number}"})})
        for number, each in enumerate(more)
    ]
    fewer, all_of_them = judged(connection, some), judged(connection, [*some, *others])
    assert STRICTNESS[standing(all_of_them).effect] >= STRICTNESS[standing(fewer).effect]
    assert set(fewer.violations) <= set(all_of_them.violations)
    assert earliest(all_of_them.violations) <= earliest(fewer.violations)
    assert decide(all_of_them).mint is None or decide(fewer).mint is not None


@EACH
@given(st.sampled_from(CLAIMS), policies(), st.randoms(use_true_random=False))
def test_the_order_of_policies_does_not_matter(
    connection: MCPConnection, some: list[MCPAccessPolicy], random: Any
) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    assert judged(connection, some).violations == judged(connection, shuffled).violations
    assert decide(judged(connection, some)) == decide(judged(connection, shuffled))


@EACH
@given(st.lists(st.integers(3590, 3610), min_size=1, max_size=5))
def test_the_most_restrictive_number_wins(numbers: list[int]) -> None:
    given_policies = [a_policy(f"p-{each}", maxTTLSeconds=each) for each in dict.fromkeys(numbers)]
    ended: Finding = standing(judged(a_claim([ENDLESS]), given_policies))
    assert (ended.effect is Effect.END) == (min(numbers) < 3600)


@EACH
@given(st.sampled_from(CLAIMS), policies())
def test_judged_twice_is_judged_once(connection: MCPConnection, some: list[MCPAccessPolicy]) -> None:
    first = judged(connection, some)
    again = at(1, kept(first), *some, peers=OLDER)
    assert again.violations == first.violations


# Before anything is in a cluster.


def test_manifests_are_judged_like_objects_and_what_is_owed_is_no_finding() -> None:
    policy = a_policy(requires=["Approval"], maxTTLSeconds=60)
    told = judge([a_connection()], [a_profile()], [policy], {})
    assert [(each.rule, each.owed) for each in told] == [("TTL", False), ("Approval", True)]


def test_what_is_not_given_is_no_pass() -> None:
    policy = a_policy(maxTTLSeconds=60, namespaces={"matchLabels": {"env": "prod"}})
    told = judge([a_connection()], [], [policy], {})
    assert [each.rule for each in told] == [UNKNOWN, UNKNOWN]
    assert "orders-read" in told[0].message
    assert judge([a_connection()], [], [policy], {"support": {"env": "test"}}) == []
