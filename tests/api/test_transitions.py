"""Changes that no update may make, judged without a server."""

from leasehold.api.transitions import forbidden_changes
from objects import a_connection, a_profile


def test_the_same_object_is_no_change() -> None:
    assert forbidden_changes(a_connection(), a_connection()) == []


def test_every_forbidden_change_is_named_by_its_field() -> None:
    changed = a_connection(
        spec={
            "agent": {"name": "other", "serviceAccountName": "support-bot"},
            "profile": "other",
            "leaseDurationSeconds": 31536000,
            "output": None,
        }
    )

    found = [change.partition(":")[0] for change in forbidden_changes(a_connection(), changed)]

    assert found == ["spec.agent", "spec.profile", "spec.leaseDurationSeconds", "spec.output"]


def test_a_status_may_change_as_it_likes() -> None:
    assert forbidden_changes(a_connection(), a_connection(status={"lastGeneration": 4})) == []


def test_an_object_cannot_become_another_kind() -> None:
    assert forbidden_changes(a_connection(), a_profile()) == [
        "kind: keep it: MCPConnection cannot become MCPServerProfile"
    ]
