"""What one agent can reach, as a function of its connections and of what was written before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from leasehold.api.base import rfc3339
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import MAX_CONNECTIONS, MAX_FORMER, FormerConnection, MCPAgentExposure
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.core.combinations import Member
from leasehold.core.exposure import KEPT, ended, exposure_of
from objects import NOON, a_connection, a_profile, a_ready_condition

ONE_HOUR = timedelta(hours=1)


def member(number: int = 1, profile: MCPServerProfile | None = None, **status: Any) -> Member:
    created = NOON - 10 * ONE_HOUR + timedelta(minutes=number)
    metadata = {"creationTimestamp": rfc3339(created)}
    connection = a_connection(f"c{number:03}", uid=f"uid-{number:03}", metadata=metadata, status=status)
    return Member(connection, profile if profile is not None else a_profile())


def server(name: str, *, credential: bool = True, **spec: Any) -> MCPServerProfile:
    wire = a_profile().to_wire()
    wire["metadata"] = {"name": name}
    wire["spec"] |= spec
    if not credential:
        del wire["spec"]["credential"]
    return MCPServerProfile.model_validate(wire)


def exposed(
    members: Sequence[Member],
    before: MCPAgentExposure | None = None,
    leaving: Sequence[FormerConnection] = (),
    now: datetime = NOON,
) -> MCPAgentExposure:
    found = exposure_of("support", "support-bot", members, before, leaving, now)
    assert found is not None
    return found


def denied(reason: str = "Suspended") -> dict[str, Any]:
    return {"conditions": [a_ready_condition(Reason(reason), "False")]}


def a_rejection(minutes: int = 0) -> dict[str, Any]:
    time = rfc3339(NOON - ONE_HOUR + timedelta(minutes=minutes))
    return {"review": "no", "reviewer": "alice", "assurance": "Delegate", "time": time}


def left(number: int, minutes: int = 0, **status: Any) -> FormerConnection:
    return ended(member(number, **status).connection, NOON - timedelta(minutes=minutes))


def test_the_union_is_over_all_that_is_not_denied() -> None:
    mail = server(
        "mail",
        scopes=["mail:send"],
        dataClasses=["personal"],
        capabilities=["WritesOutside"],
        riskTier="High",
    )
    wiki = server(
        "wiki", scopes=["wiki:read"], capabilities=["ReadsPrivateData"], riskTier="Low", credential=False
    )
    spec = exposed([member(1, mail), member(2, wiki), member(3, server("shell"), **denied())]).spec
    assert [each.name for each in spec.profiles] == ["mail", "wiki"]
    assert spec.scopes == ("mail:send", "wiki:read")
    assert spec.capabilities == ("ReadsPrivateData", "WritesOutside")
    assert (spec.data_classes, spec.risk_tier, spec.credential_types) == (("personal",), "High", ("Lease",))
    assert spec.connection_count == 3
    assert [(each.name, each.denied_by) for each in spec.connections] == [
        ("c001", None),
        ("c002", None),
        ("c003", "Suspended"),
    ]


def test_a_server_that_nobody_judged_counts_as_able_to_do_everything() -> None:
    spec = exposed([member(1, server("new"))]).spec
    assert (len(spec.capabilities), spec.risk_tier) == (4, "Critical")


def test_what_can_only_run_out_is_said_before_and_after_its_connection_is_denied() -> None:
    expiring = a_profile(type="Expiring", path="identity/oidc/token/x", ttlSeconds=900)
    spec = exposed([member(1, expiring)]).spec
    assert (spec.residual_exposure_seconds, spec.residual_exposure_until) == (900, None)
    until = rfc3339(NOON + ONE_HOUR)
    spec = exposed([member(1, expiring, residualExposureUntil=until, **denied())]).spec
    assert (spec.residual_exposure_seconds, spec.residual_exposure_until) == (0, NOON + ONE_HOUR)


def test_nothing_in_it_moves_while_nothing_changes() -> None:
    members = [member(1, residualExposureUntil=rfc3339(NOON + ONE_HOUR)), member(2)]
    before = exposed(members, leaving=[left(7)])
    assert exposed(members, before, now=NOON + timedelta(minutes=30)).spec == before.spec


def test_the_first_end_that_was_written_down_counts() -> None:
    before = exposed([member(1)], leaving=[left(2, minutes=30)])
    again = exposed([member(1), member(2)], before, leaving=[left(2)])
    assert [each.ended_time for each in again.spec.former] == [NOON - timedelta(minutes=30)]
    assert [each.name for each in again.spec.connections] == ["c001"], "what has ended is not there any more"


def test_what_was_listed_and_is_gone_may_have_had_a_credential() -> None:
    before = exposed([member(1), member(2, rejection=a_rejection())])
    [former] = exposed([member(1)], before).spec.former
    assert (former.name, former.last_generation, former.reason) == ("c002", None, "Deleted")
    assert former.rejection is not None


def test_an_end_is_forgotten_after_its_time_but_not_what_was_said() -> None:
    before = exposed([member(1)], leaving=[left(2), left(3, rejection=a_rejection())])
    later = exposed([member(1)], before, now=NOON + KEPT + ONE_HOUR)
    assert [each.name for each in later.spec.former] == ["c003"]


def test_where_there_are_too_many_what_was_said_is_the_last_to_give_way() -> None:
    many = [left(number, minutes=number) for number in range(1, 3 * MAX_FORMER)]
    oldest = left(900, minutes=9000, rejection=a_rejection())
    former = exposed([member(1, server("other"))], leaving=[*many, oldest]).spec.former
    assert len(former) == MAX_FORMER
    assert former[-1].name == "c900"
    ends = [each.ended_time for each in former]
    assert ends == sorted(ends, reverse=True)


def test_very_many_connections_are_counted_and_the_oldest_listed() -> None:
    spec = exposed([member(number) for number in reversed(range(1, MAX_CONNECTIONS + 11))]).spec
    assert (spec.connection_count, len(spec.connections)) == (MAX_CONNECTIONS + 10, MAX_CONNECTIONS)
    assert spec.connections[0].name == "c001"


def test_an_agent_without_anything_has_no_exposure() -> None:
    assert exposure_of("support", "support-bot", [], None, [], NOON) is None
    before = exposed([], leaving=[left(1)])
    assert exposure_of("support", "support-bot", [], before, [], NOON + KEPT + ONE_HOUR) is None


def test_a_connection_ends_with_what_had_denied_it() -> None:
    assert left(1, **denied("Expired")).reason == "Expired"
    assert left(1).reason == "Deleted"


def test_forbidden_combinations_are_those_that_policies_found() -> None:
    violation = {
        "policy": "lethal",
        "uid": "u",
        "generation": 1,
        "rule": "CapabilityCombination",
        "effect": "Deny",
        "message": "all of it",
        "sinceTime": rfc3339(NOON),
    }
    other = {**violation, "rule": "TTL", "policy": "short"}
    spec = exposed([member(1), member(2, policyViolations=[violation, other])]).spec
    assert [(each.policy, each.connection, each.effect) for each in spec.forbidden] == [
        ("lethal", "c002", "Deny")
    ]


def test_a_member_without_a_profile_reaches_nothing() -> None:
    lost: MCPConnection = member(1).connection
    spec = exposed([Member(lost, None)]).spec
    assert (spec.connection_count, spec.profiles, spec.risk_tier) == (1, (), None)
